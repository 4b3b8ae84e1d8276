/**
 * Replays traces of the formal driver model on the consensus core and compares the state whenever the model has come to
 * rest (`driver-traces`, described in the README of the vectors).
 */

import { createHash } from "node:crypto";
import { type BlockId, blockIdKey, DEFAULT_PARAMS, VoteType } from "@quorate/chain";
import { type ConsensusState, type Input, initialState, step } from "@quorate/consensus";
import { equal, fail } from "../case.ts";
import {
  type ModelInput,
  type ModelProposal,
  type ModelStep,
  type ModelValue,
  type ModelVote,
  namesOf,
  type TraceEntry,
} from "./trace.ts";
import { type ModelSet, modelSet } from "./validators.ts";

const LAST_TIME = 1_700_000_000_000n * 1_000_000n;
/** Time of every block: one block interval after the last. */
const TIME = LAST_TIME + 1_000_000_000n;

const digest = (text: string): Uint8Array => new Uint8Array(createHash("sha256").update(text).digest());
const blockId = (label: string): BlockId => ({
  hash: digest(`block ${label}`),
  parts: { total: 1, hash: digest(`parts ${label}`) },
});
const idOf = (value: ModelValue): BlockId | null => (value === "Nil" ? null : blockId(value.Val));

const STEPS: Readonly<Record<string, readonly string[]>> = {
  ProposeStep: ["Propose"],
  PrevoteStep: ["Prevote", "PrevoteWait"],
  PrecommitStep: ["Precommit", "PrecommitWait"],
  CommitStep: ["Commit"],
  NoStep: ["NewHeight"],
};
const TIMEOUTS = {
  ProposeTimeout: "propose",
  PrevoteTimeout: "prevote",
  PrecommitTimeout: "precommit",
} as const;
const VOTE_TYPE = { Prevote: VoteType.prevote, Precommit: VoteType.precommit } as const;

const EXTERNAL = [
  "ProposeValueDInput",
  "TimeoutDInput",
  "ProposalDInput",
  "VoteDInput",
  "CertificateDInput",
] as const;
const isInternal = (input: ModelInput): boolean =>
  input === "NoDInput" ||
  input === "StepChangeDInput" ||
  (typeof input === "object" && "PendingDInput" in input);

function checkInput(input: ModelInput): void {
  const known =
    input === "StartDInput" ||
    isInternal(input) ||
    (typeof input === "object" && EXTERNAL.some((name) => input[name] !== undefined));
  if (!known) fail(`the trace gives an input that is not described: ${JSON.stringify(input)}`);
}

/** One validator of the trace: the core under test, and what the model says it has sent. */
class Replayed {
  readonly #name: string;
  readonly #model: ModelSet;
  #state: ConsensusState = initialState();
  readonly #sent: string[] = [];
  readonly #modelSent: string[] = [];
  #decided = 0;
  #modelWentOn = false;
  readonly #deferred: ModelStep[] = [];

  constructor(name: string, model: ModelSet) {
    this.#name = name;
    this.#model = model;
    this.#start(1);
  }

  #start(height: number): void {
    this.#modelWentOn = false;
    const { set } = this.#model;
    this.#feed({
      kind: "start_height",
      height,
      validators: set,
      params: DEFAULT_PARAMS,
      address: set.validators[this.#model.indexOf(this.#name)]?.address ?? null,
      lastTime: LAST_TIME,
      startDelayMs: 100,
      lock: null,
      watermark: null,
    });
  }

  #feed(input: Input): void {
    const { state, effects } = step(this.#state, input);
    this.#state = state;
    for (const effect of effects) {
      if (effect.kind === "sign_vote") {
        const { type, height, round } = effect.vote;
        this.#sent.push(`vote ${type} ${height} ${round} ${blockIdKey(effect.vote.blockId)}`);
      }
      if (effect.kind === "sign_proposal") {
        const { height, round, polRound } = effect.proposal;
        this.#sent.push(`proposal ${height} ${round} ${polRound} ${blockIdKey(effect.proposal.blockId)}`);
      }
      if (effect.kind === "decide") this.#decided++;
      if (effect.kind === "foreign_signature" || effect.kind === "foreign_proposal") {
        fail(`the core takes an own message for another's: ${effect.kind}`);
      }
    }
  }

  /**
   * The model leaves Commit when an old timer fires; a decided height of ours moves no more. From there until its next
   * height there is nothing to compare.
   */
  pastItsDecision({ cs, chainLen }: ModelStep): boolean {
    const decided = this.#state.machine.step === "Commit" && this.#decided === chainLen;
    this.#modelWentOn ||= decided && cs.step !== "CommitStep";
    return this.#modelWentOn;
  }

  /**
   * The model's input as inputs of the core. Where the model answers a message with the prevote timer and is interrupted
   * by another input before it takes the polka that the same message completed, the message is given to the core when
   * the model goes on: at its next internal input.
   */
  replay(model: ModelStep, rests: boolean): void {
    const { input, output } = model;
    checkInput(input);
    if (rests && typeof output === "object" && output.TimeoutOutput?.[1] === "PrevoteTimeout") {
      this.#deferred.push(model);
      return;
    }
    if (isInternal(input)) for (const each of this.#deferred.splice(0)) this.#give(each);
    this.#give(model);
  }

  #give(model: ModelStep): void {
    const { input, cs } = model;
    this.#noteOutput(model);
    const { height = 0 } = this.#state.context ?? {};
    const { round } = this.#state.machine;
    if (input === "StartDInput") {
      if (cs.height + 1 > height) this.#start(cs.height + 1);
      this.#feed({ kind: "timeout", timeout: { kind: "new_height", height: cs.height + 1, round: 0 } });
    }
    if (typeof input !== "object") return;
    if (input.ProposeValueDInput !== undefined) {
      const value = { blockId: blockId(input.ProposeValueDInput), time: TIME };
      this.#feed({ kind: "built", height, round, value });
    }
    if (input.TimeoutDInput !== undefined) {
      const kind = TIMEOUTS[input.TimeoutDInput] ?? fail(`timeout ${input.TimeoutDInput}`);
      this.#feed({ kind: "timeout", timeout: { kind, height, round } });
    }
    if (input.ProposalDInput !== undefined) this.#deliverProposal(input.ProposalDInput);
    if (input.VoteDInput !== undefined) this.#deliverVote(input.VoteDInput);
    if (input.CertificateDInput !== undefined) this.#deliverCertificate(input.CertificateDInput);
  }

  #noteOutput({ output }: ModelStep): void {
    if (typeof output !== "object") return;
    if (output.VoteOutput !== undefined) {
      const { voteType, height, round, valueId } = output.VoteOutput;
      this.#modelSent.push(`vote ${VOTE_TYPE[voteType]} ${height + 1} ${round} ${blockIdKey(idOf(valueId))}`);
    }
    if (output.ProposalOutput !== undefined) {
      const { height, round, validRound, proposal: value } = output.ProposalOutput;
      this.#modelSent.push(`proposal ${height + 1} ${round} ${validRound} ${blockIdKey(blockId(value))}`);
    }
  }

  #deliverProposal(model: ModelProposal): void {
    const { names, set } = this.#model;
    // What another than the round's proposer signed never reaches the core: its signature is checked against that one.
    if (names[(model.round + 1) % names.length] !== model.srcAddress) return;
    const id = blockId(model.proposal);
    const height = model.height + 1;
    const proposer =
      set.validators[this.#model.indexOf(model.srcAddress)] ?? fail(`no validator ${model.srcAddress}`);
    this.#feed({ kind: "body", height, blockId: id, time: TIME, proposerAddress: proposer.address });
    const verdict = model.proposal === "invalid" ? "invalid" : "valid";
    this.#feed({ kind: "verdict", height, blockId: id, verdict });
    const proposal = {
      height,
      round: model.round,
      polRound: model.validRound,
      blockId: id,
      timestamp: TIME,
      signature: new Uint8Array(64).fill(9),
    };
    if (model.srcAddress === this.#name) {
      this.#feed({ kind: "signed_proposal", height, round: model.round, proposal });
    } else this.#feed({ kind: "proposal", proposal, receivedAtMs: Number(TIME / 1_000_000n) });
  }

  #deliverVote(model: ModelVote): void {
    const height = model.height + 1;
    const validatorIndex = this.#model.indexOf(model.srcAddress);
    const validator = this.#model.set.validators[validatorIndex] ?? fail(`no validator ${model.srcAddress}`);
    const vote = {
      type: VOTE_TYPE[model.voteType],
      height,
      round: model.round,
      blockId: idOf(model.valueId),
      timestamp: TIME,
      validatorAddress: validator.address,
      validatorIndex,
      signature: new Uint8Array(64).fill(validatorIndex + 1),
    };
    if (model.srcAddress === this.#name)
      this.#feed({ kind: "signed_vote", height, round: model.round, vote });
    else this.#feed({ kind: "vote", vote });
  }

  #deliverCertificate(votes: readonly ModelVote[]): void {
    const first = votes[0];
    if (first === undefined) return;
    for (const each of votes) if (each.srcAddress === this.#name) this.#deliverVote(each);
    const indexes = votes.map(({ srcAddress }) => this.#model.indexOf(srcAddress)).sort((a, b) => a - b);
    this.#feed({
      kind: "certificate",
      certificate: {
        type: VOTE_TYPE[first.voteType],
        height: first.height + 1,
        round: first.round,
        blockId: idOf(first.valueId),
        signatures: indexes.map((validatorIndex) => ({
          validatorIndex,
          timestamp: TIME,
          signature: new Uint8Array(64).fill(validatorIndex + 1),
        })),
      },
    });
  }

  compare(model: ModelStep, where: string): void {
    const { machine, context } = this.#state;
    const { cs } = model;
    const of = (round: number, value: ModelValue): string =>
      round < 0 ? "none" : `${round} ${blockIdKey(idOf(value))}`;
    const mine = (value: { round: number; blockId: BlockId } | null): string =>
      value === null ? "none" : `${value.round} ${blockIdKey(value.blockId)}`;
    // The model enters the next height on its own; here that is the shell's start_height.
    if (cs.step !== "NoStep") {
      equal(context?.height, cs.height + 1, `${where}: height`);
      equal(machine.round, Math.max(cs.round, 0), `${where}: round`);
      if (STEPS[cs.step]?.includes(machine.step) !== true) {
        fail(`${where}: step ${machine.step}, the model is in ${cs.step}`);
      }
      equal(mine(machine.locked), of(cs.lockedRound, cs.lockedValue), `${where}: locked`);
      equal(mine(machine.valid), of(cs.validRound, cs.validValue), `${where}: valid`);
    }
    equal(this.#decided, model.chainLen, `${where}: decisions`);
    equal(this.#sent, this.#modelSent, `${where}: own messages`);
  }
}

/** Highest round that a trace can enter, so that its proposers are known beforehand. */
function lastRound(entries: readonly TraceEntry[]): number {
  let last = 0;
  for (const entry of entries) if (entry.init !== true) last = Math.max(last, entry.cs.round, 0);
  return last + 1;
}

/**
 * Answers at how many points the core was compared with the model.
 * @throws Mismatch where they differ.
 */
export function replayTrace(entries: readonly TraceEntry[]): number {
  let validators = new Map<string, Replayed>();
  let compared = 0;
  const rounds = lastRound(entries);
  for (const [at, entry] of entries.entries()) {
    if (entry.init === true) {
      const model = modelSet(entry.valset, rounds);
      validators = new Map(namesOf(entry.valset).map((name) => [name, new Replayed(name, model)]));
      continue;
    }
    const validator = validators.get(entry.v) ?? fail(`step ${at}: ${entry.v} is no validator of the trace`);
    const next = entries.slice(at + 1).find((each) => each.init === true || each.v === entry.v);
    const rests = next === undefined || next.init === true || !isInternal(next.input);
    validator.replay(entry, rests);
    if (!rests || validator.pastItsDecision(entry)) continue;
    validator.compare(entry, `step ${at} of ${entry.v}`);
    compared++;
  }
  if (compared === 0 && entries.some(({ init }) => init !== true))
    fail("nothing of the trace could be compared");
  return compared;
}
