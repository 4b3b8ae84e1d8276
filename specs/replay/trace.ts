/**
 * Traces of the model in the form in which they are replayed: per step who took which input, what came of it, and what
 * the node was afterwards. Nodes and outputs are texts that the core's state and effects are written as, too (view.ts).
 */
import { ItfMap, type ItfValue, readItf } from "./itf.ts";

/** A round and a value of the model, e.g. a lock; round -1 where there is none. */
export interface ModelRoundValue {
  readonly round: number;
  readonly value: string;
}

export interface ModelVote {
  readonly kind: "prevote" | "precommit";
  readonly round: number;
  readonly value: string;
  readonly from: number;
}

export interface ModelProposal {
  readonly round: number;
  readonly pol: number;
  readonly value: string;
  readonly fits: boolean;
}

export type ModelInput =
  | { readonly tag: "Nothing" | "Reload" | "Restore" }
  | {
      readonly tag: "StartHeight" | "SignState";
      readonly lock: ModelRoundValue;
      readonly watermark: number;
    }
  | { readonly tag: "TakeVote" | "SignedVote"; readonly vote: ModelVote }
  | { readonly tag: "TakeProposal"; readonly proposal: ModelProposal; readonly timely: boolean }
  | { readonly tag: "SignedProposal"; readonly proposal: ModelProposal }
  | {
      readonly tag: "TakeCertificate";
      readonly vote: Omit<ModelVote, "from">;
      readonly signers: readonly number[];
    }
  | { readonly tag: "Timeout"; readonly kind: string; readonly round: number }
  | { readonly tag: "TakeBody"; readonly value: string }
  | { readonly tag: "TakeVerdict"; readonly value: string; readonly good: boolean }
  | { readonly tag: "Built"; readonly round: number; readonly value: string }
  | { readonly tag: "RefusedVote"; readonly kind: "prevote" | "precommit"; readonly round: number }
  | { readonly tag: "RefusedProposal"; readonly round: number };

export interface TraceStep {
  readonly height: number;
  /** -1: the height begins, at all nodes. */
  readonly node: number;
  readonly input: ModelInput;
  readonly out: readonly string[];
  /** The node after the step, as {@link viewOfModel} writes it; empty where `node` is -1. */
  readonly view: View;
}

export type View = Readonly<Record<string, string>>;

export interface Trace {
  readonly name: string;
  readonly steps: readonly TraceStep[];
}

type Fields = Readonly<Record<string, ItfValue>>;

/** One trace of `specs/network.qnt` (or of a test on it) as ITF text. */
export function traceOfItf(name: string, text: string): Trace {
  const steps = readItf(text).map((state): TraceStep => {
    const did = fields(state["did"]);
    const node = integer(did["node"]);
    const acting = mapOf(state["nodes"]).find(([key]) => key === node)?.[1];
    return {
      height: integer(did["height"]),
      node,
      input: inputOf(did["input"]),
      out: list(did["out"]).map(outputText),
      view: node < 0 ? {} : viewOfModel(fields(acting)),
    };
  });
  return { name, steps };
}

// --- parts of the model as text -----------------------------------------------------------------------------------

export function valueText({ round, value }: ModelRoundValue): string {
  return round < 0 ? "none" : `${round} ${value}`;
}

export function voteText({ kind, round, value, from }: ModelVote): string {
  return `${kind} ${round} ${value} by ${from}`;
}

export function proposalText({ round, pol, value, fits }: ModelProposal): string {
  return `proposal ${round} ${pol} ${value}${fits ? "" : " at another time"}`;
}

const STEPS: Readonly<Record<string, string>> = { Prevoting: "Prevote", Precommitting: "Precommit" };

function viewOfModel(node: Fields): View {
  const tallies = mapOf(node["votes"]).map(([key, votes]): [string, string] => [
    placeText(key),
    sorted(mapOf(votes).map(([index, value]) => `${index}=${value}`)),
  ]);
  return {
    round: String(node["round"]),
    step: STEPS[tag(node["step"])] ?? tag(node["step"]),
    locked: valueText(roundValue(node["locked"])),
    valid: valueText(roundValue(node["valid"])),
    decision: valueText(roundValue(node["decision"])),
    prevoteTimer: String(node["prevoteTimer"]),
    precommitTimer: tag(node["precommitTimer"]),
    votes: sorted(tallies.filter(([, votes]) => votes !== "").map(([place, votes]) => `${place}: ${votes}`)),
    quorums: sorted(mapOf(node["quorums"]).map(([key, value]) => `${placeText(key)} ${value}`)),
    proofs: sorted(
      mapOf(node["proofs"]).map(([key, signers]) => `${placeText(key)} ${sorted(list(signers).map(String))}`),
    ),
    progress: mapOf(node["progress"])
      .toSorted(([a], [b]) => integer(a) - integer(b))
      .map(([, point]) => point)
      .join(" "),
    accused: sorted(
      list(node["accused"]).map((each) => `${placeText(each)} ${list(each).map(String).at(2)}`),
    ),
    proposals: list(node["proposals"])
      .map((each) => {
        const { proposal, timely } = fields(each);
        return { proposal: proposalOf(proposal), timely };
      })
      .toSorted((a, b) => a.proposal.round - b.proposal.round)
      .map(({ proposal, timely }) => `${proposalText(proposal)} ${timely ? "timely" : "untimely"}`)
      .join(", "),
    facts: sorted(
      mapOf(node["facts"]).map(([value, known]) => {
        const { body, verdict, asking, askedRound, wantedRound } = fields(known);
        return factsText(`${value}`, {
          body: body === true,
          verdict: tag(verdict),
          asking: asking === true,
          askedRound: integer(askedRound),
          wantedRound: integer(wantedRound),
        });
      }),
    ),
    proposing: tag(node["proposing"]),
    watermark: String(node["watermark"]),
    asked: String(node["asked"]),
    ownVotes: sorted(mapOf(node["ownVotes"]).map(([key, value]) => `${placeText(key)} ${value}`)),
    pending: list(node["pending"]).map(requestText).join(", "),
    timers: sorted(list(node["timers"]).map((each) => timerText(fields(each)))),
  };
}

export interface FactsOfBlock {
  readonly body: boolean;
  readonly verdict: string;
  readonly asking: boolean;
  readonly askedRound: number;
  readonly wantedRound: number;
}

export function factsText(value: string, facts: FactsOfBlock): string {
  const { body, verdict, asking, askedRound, wantedRound } = facts;
  return `${value} ${body ? "held" : "missing"} ${verdict}${asking ? " asking" : ""} ${askedRound} ${wantedRound}`;
}

function requestText(request: ItfValue): string {
  const { value } = fields(request);
  return tag(request) === "WantsVote" ? voteText(voteOf(value)) : proposalText(proposalOf(value));
}

function timerText({ kind, round }: Fields): string {
  return `${tag(kind)} ${round}`;
}

function outputText(output: ItfValue): string {
  const name = tag(output);
  const value = fields(output)["value"];
  switch (name) {
    case "AskVote":
    case "SendVote":
    case "ForeignVote":
      return `${name} ${voteText(voteOf(value))}`;
    case "AskProposal":
    case "SendProposal":
      return `${name} ${proposalText(proposalOf(value))}`;
    case "SendPolka":
    case "Decide":
      return `${name} ${valueText(roundValue(value))}`;
    case "DuplicateVote": {
      const { kind, round, from } = fields(value);
      return `${name} ${tag(kind).toLowerCase()} ${round} ${from}`;
    }
    case "SnapshotWritten":
      return name;
    default:
      return `${name} ${value}`;
  }
}

// --- inputs ---------------------------------------------------------------------------------------------------------

function inputOf(input: ItfValue | undefined): ModelInput {
  const name = tag(input);
  const value = fields(input)["value"];
  switch (name) {
    case "Nothing":
    case "Reload":
    case "Restore":
      return { tag: name };
    case "StartHeight":
    case "SignState": {
      const { lock, watermark } = fields(value);
      return { tag: name, lock: roundValue(lock), watermark: integer(watermark) };
    }
    case "TakeVote":
    case "SignedVote":
      return { tag: name, vote: voteOf(value) };
    case "TakeProposal": {
      const { proposal, timely } = fields(value);
      return { tag: name, proposal: proposalOf(proposal), timely: timely === true };
    }
    case "SignedProposal":
      return { tag: name, proposal: proposalOf(value) };
    case "TakeCertificate": {
      const { kind, round, value: of, signers } = fields(value);
      const vote = { kind: kindOf(kind), round: integer(round), value: `${of}` };
      return { tag: name, vote, signers: list(signers).map(integer) };
    }
    case "Timeout": {
      const { kind, round } = fields(value);
      return { tag: name, kind: tag(kind), round: integer(round) };
    }
    case "TakeBody":
      return { tag: name, value: `${value}` };
    case "TakeVerdict": {
      const { value: of, good } = fields(value);
      return { tag: name, value: `${of}`, good: good === true };
    }
    case "Built": {
      const { round, value: of } = fields(value);
      return { tag: name, round: integer(round), value: `${of}` };
    }
    case "RefusedVote": {
      const { kind, round } = fields(value);
      return { tag: name, kind: kindOf(kind), round: integer(round) };
    }
    case "RefusedProposal":
      return { tag: name, round: integer(value) };
    default:
      throw new TypeError(`the model has an input ${name} that the replay does not know`);
  }
}

// --- shapes -----------------------------------------------------------------------------------------------------------

function fields(value: ItfValue | undefined): Fields {
  if (typeof value !== "object" || Array.isArray(value) || value instanceof ItfMap) {
    throw new TypeError("a record was expected in the trace");
  }
  return value as Fields;
}

function tag(value: ItfValue | undefined): string {
  return `${fields(value)["tag"]}`;
}

function integer(value: ItfValue | undefined): number {
  if (typeof value !== "number") throw new TypeError("an integer was expected in the trace");
  return value;
}

function list(value: ItfValue | undefined): readonly ItfValue[] {
  if (!Array.isArray(value)) throw new TypeError("a list or set was expected in the trace");
  return value;
}

function mapOf(value: ItfValue | undefined): ItfMap["entries"] {
  if (!(value instanceof ItfMap)) throw new TypeError("a map was expected in the trace");
  return value.entries;
}

function roundValue(value: ItfValue | undefined): ModelRoundValue {
  const { round, value: of } = fields(value);
  return { round: integer(round), value: `${of}` };
}

function kindOf(value: ItfValue | undefined): "prevote" | "precommit" {
  return tag(value) === "Prevote" ? "prevote" : "precommit";
}

function voteOf(value: ItfValue | undefined): ModelVote {
  const { kind, round, value: of, from } = fields(value);
  return { kind: kindOf(kind), round: integer(round), value: `${of}`, from: integer(from) };
}

function proposalOf(value: ItfValue | undefined): ModelProposal {
  const { round, pol, value: of, fits } = fields(value);
  return { round: integer(round), pol: integer(pol), value: `${of}`, fits: fits === true };
}

/** (kind, round, …) as "prevote 3". */
function placeText(key: ItfValue): string {
  const [kind, round] = list(key);
  return `${kindOf(kind)} ${round}`;
}

export function sorted(texts: readonly string[]): string {
  return texts.toSorted().join(", ");
}
