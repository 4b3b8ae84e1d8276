/** Traces of the formal driver model, read from JSON of either spelling: plain, or with the tags of the ITF format. */
import type { Json } from "../case.ts";

export type ModelValue = "Nil" | { readonly Val: string };
export interface ModelVote {
  readonly height: number;
  readonly round: number;
  readonly srcAddress: string;
  readonly valueId: ModelValue;
  readonly voteType: "Prevote" | "Precommit";
}
export interface ModelProposal {
  readonly height: number;
  readonly proposal: string;
  readonly round: number;
  readonly srcAddress: string;
  readonly validRound: number;
}
export type ModelTimeout = "ProposeTimeout" | "PrevoteTimeout" | "PrecommitTimeout";
export type ModelInput =
  | "StartDInput"
  | "NoDInput"
  | "StepChangeDInput"
  | {
      readonly ProposeValueDInput?: string;
      readonly TimeoutDInput?: ModelTimeout;
      readonly ProposalDInput?: ModelProposal;
      readonly VoteDInput?: ModelVote;
      readonly CertificateDInput?: readonly ModelVote[];
      readonly PendingDInput?: unknown;
    };
export interface ModelStart {
  readonly init: true;
  readonly valset: Readonly<Record<string, number>>;
}
export interface ModelStep {
  readonly init?: false;
  readonly v: string;
  readonly input: ModelInput;
  readonly output:
    | string
    | {
        readonly VoteOutput?: ModelVote;
        readonly ProposalOutput?: ModelProposal;
        readonly TimeoutOutput?: readonly [number, string];
      };
  readonly cs: {
    readonly height: number;
    readonly round: number;
    readonly step: string;
    readonly lockedRound: number;
    readonly lockedValue: ModelValue;
    readonly validRound: number;
    readonly validValue: ModelValue;
  };
  readonly chainLen: number;
}
export type TraceEntry = ModelStart | ModelStep;

const isObject = (value: Json): boolean =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Removes ITF's tags: #bigint, #tup, #set, #map; a sum's `{tag, value}` becomes `tag` or `{[tag]: value}`. */
export function plain(value: Json): Json {
  if (Array.isArray(value)) return value.map(plain);
  if (!isObject(value)) return value;
  if (value["#bigint"] !== undefined) return Number(value["#bigint"]);
  if (Array.isArray(value["#tup"])) return value["#tup"].map(plain);
  if (Array.isArray(value["#set"])) return value["#set"].map(plain);
  if (Array.isArray(value["#map"])) {
    return Object.fromEntries(
      value["#map"].map(([key, inner]: [Json, Json]) => [String(plain(key)), plain(inner)]),
    );
  }
  if (typeof value.tag === "string" && Object.hasOwn(value, "value")) {
    const inner = plain(value.value);
    const empty =
      inner === null || (isObject(inner) && Object.keys(inner).length === 0) || inner === "U_OF_UNIT";
    const nothing = empty || (Array.isArray(inner) && inner.length === 0);
    return nothing && value.tag !== "CertificateDInput" ? value.tag : { [value.tag]: inner };
  }
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plain(inner)]));
}

const entriesOf = (value: Json): Json =>
  Array.isArray(value) ? value : isObject(value) ? (value.steps ?? value.states) : undefined;

const isStart = (entry: Json): boolean => isObject(entry) && isObject(entry.valset);
const isStep = (entry: Json): boolean =>
  isObject(entry) && typeof entry.v === "string" && entry.input !== undefined && isObject(entry.cs);

/** Whether some JSON is a driver trace. */
export function isTrace(value: Json): boolean {
  const entries = entriesOf(value);
  if (!Array.isArray(entries) || entries.length === 0) return false;
  const first = entries.find((entry) => isStart(entry) || isStep(entry));
  return (
    first !== undefined &&
    entries.filter((entry) => isStart(entry) || isStep(entry)).length * 2 > entries.length
  );
}

/** @throws TypeError when an entry is neither a start nor a step. */
export function traceEntries(value: Json): TraceEntry[] {
  return (entriesOf(value) as Json[]).map((raw, i) => {
    const entry = plain(raw);
    if (isStep(entry)) return { ...entry, init: false } as ModelStep;
    if (!isStart(entry)) throw new TypeError(`entry ${i} is neither a start nor a step of a validator`);
    return { init: true, valset: powersOf(entry.valset, i) };
  });
}

function powersOf(valset: Json, at: number): Record<string, number> {
  const powers = Object.entries(valset).map(([name, power]) => [name, Number(power)] as const);
  const sound = powers.length > 0 && powers.every(([, power]) => Number.isSafeInteger(power) && power > 0);
  if (!sound) throw new TypeError(`entry ${at}: not a set of validators with power`);
  return Object.fromEntries(powers);
}

/** v1, v2, … v10: by number, then by name. */
export function namesOf(valset: Readonly<Record<string, number>>): string[] {
  return Object.keys(valset).sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
}
