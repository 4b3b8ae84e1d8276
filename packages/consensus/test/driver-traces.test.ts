/**
 * Replays traces of the formal driver model (`../shared/vectors/driver-traces`, README there) and compares the state
 * whenever the model has come to rest.
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { type BlockId, blockIdKey, type ValidatorSet, VoteType } from "@quorate/chain";
import { type ConsensusState, type Input, initialState, step } from "../src/index.ts";
import {
  blockId,
  certificate,
  proposal,
  startHeight,
  TIME,
  TIME_MS,
  validatorSet,
  vote,
} from "./harness/fixtures.ts";

const DIRECTORY = new URL("../../../../shared/vectors/driver-traces/", import.meta.url);

type ModelValue = "Nil" | { readonly Val: string };
interface ModelVote {
  readonly height: number;
  readonly round: number;
  readonly srcAddress: string;
  readonly valueId: ModelValue;
  readonly voteType: "Prevote" | "Precommit";
}
interface ModelProposal {
  readonly height: number;
  readonly proposal: string;
  readonly round: number;
  readonly srcAddress: string;
  readonly validRound: number;
}
type ModelInput =
  | "StartDInput"
  | "NoDInput"
  | "StepChangeDInput"
  | {
      readonly ProposeValueDInput?: string;
      readonly TimeoutDInput?: "ProposeTimeout" | "PrevoteTimeout" | "PrecommitTimeout";
      readonly ProposalDInput?: ModelProposal;
      readonly VoteDInput?: ModelVote;
      readonly CertificateDInput?: readonly ModelVote[];
      readonly PendingDInput?: unknown;
    };
interface ModelStep {
  readonly init?: boolean;
  readonly valset: Readonly<Record<string, number>>;
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

const idOf = (value: ModelValue): BlockId | null => (value === "Nil" ? null : blockId(value.Val));
const isInternal = (input: ModelInput): boolean =>
  input === "NoDInput" ||
  input === "StepChangeDInput" ||
  (typeof input === "object" && "PendingDInput" in input);

/** One validator of the trace: the core under test, and what the model says it has sent. */
class Replayed {
  readonly name: string;
  readonly set: ValidatorSet;
  readonly names: readonly string[];
  state: ConsensusState = initialState();
  readonly sent: string[] = [];
  readonly modelSent: string[] = [];
  decided = 0;
  private modelWentOn = false;
  private readonly deferred: ModelStep[] = [];

  constructor(name: string, set: ValidatorSet, names: readonly string[]) {
    this.name = name;
    this.set = set;
    this.names = names;
    this.start(1);
  }

  get index(): number {
    return this.names.indexOf(this.name);
  }

  start(height: number): void {
    this.modelWentOn = false;
    this.feed(startHeight(this.set, this.index, { height }));
  }

  feed(input: Input): void {
    const { state, effects } = step(this.state, input);
    this.state = state;
    for (const effect of effects) {
      if (effect.kind === "sign_vote") {
        const { type, height, round } = effect.vote;
        this.sent.push(`vote ${type} ${height} ${round} ${blockIdKey(effect.vote.blockId)}`);
      }
      if (effect.kind === "sign_proposal") {
        const { height, round, polRound } = effect.proposal;
        this.sent.push(`proposal ${height} ${round} ${polRound} ${blockIdKey(effect.proposal.blockId)}`);
      }
      if (effect.kind === "decide") this.decided++;
      assert.notEqual(effect.kind, "foreign_signature");
      assert.notEqual(effect.kind, "foreign_proposal");
    }
  }

  /**
   * The model leaves Commit when an old timer fires; a decided height of ours moves no more. From there until its next
   * height there is nothing to compare.
   */
  pastItsDecision({ cs, chainLen }: ModelStep): boolean {
    const decided = this.state.machine.step === "Commit" && this.decided === chainLen;
    this.modelWentOn ||= decided && cs.step !== "CommitStep";
    return this.modelWentOn;
  }

  /**
   * The model's input as inputs of the core. Where the model answers a message with the prevote timer and is interrupted
   * by another input before it takes the polka that the same message completed, the message is given to the core when
   * the model goes on: at its next internal input.
   */
  replay(model: ModelStep, rests: boolean): void {
    const { input, output } = model;
    const interrupted = rests && typeof output === "object" && output.TimeoutOutput?.[1] === "PrevoteTimeout";
    if (interrupted) {
      this.deferred.push(model);
      return;
    }
    if (isInternal(input)) for (const each of this.deferred.splice(0)) this.give(each);
    this.give(model);
  }

  private give(model: ModelStep): void {
    const { input, output, cs } = model;
    if (typeof output === "object" && output.VoteOutput) {
      const { voteType, height, round, valueId } = output.VoteOutput;
      this.modelSent.push(`vote ${VOTE_TYPE[voteType]} ${height + 1} ${round} ${blockIdKey(idOf(valueId))}`);
    }
    if (typeof output === "object" && output.ProposalOutput) {
      const { height, round, validRound, proposal: value } = output.ProposalOutput;
      this.modelSent.push(`proposal ${height + 1} ${round} ${validRound} ${blockIdKey(blockId(value))}`);
    }
    const { height = 0 } = this.state.context ?? {};
    const { round } = this.state.machine;
    if (input === "StartDInput") {
      if (cs.height + 1 > height) this.start(cs.height + 1);
      this.feed({ kind: "timeout", timeout: { kind: "new_height", height: cs.height + 1, round: 0 } });
    }
    if (typeof input !== "object") return;
    if (input.ProposeValueDInput !== undefined) {
      const value = { blockId: blockId(input.ProposeValueDInput), time: TIME };
      this.feed({ kind: "built", height, round, value });
    }
    if (input.TimeoutDInput) {
      this.feed({ kind: "timeout", timeout: { kind: TIMEOUTS[input.TimeoutDInput], height, round } });
    }
    if (input.ProposalDInput) this.deliverProposal(input.ProposalDInput);
    if (input.VoteDInput) this.deliverVote(input.VoteDInput);
    const first = input.CertificateDInput?.[0];
    if (input.CertificateDInput && first) {
      for (const each of input.CertificateDInput) if (each.srcAddress === this.name) this.deliverVote(each);
      const { voteType, round: of, valueId } = first;
      const indexes = input.CertificateDInput.map(({ srcAddress }) => this.names.indexOf(srcAddress));
      const proof = certificate(VOTE_TYPE[voteType], of, idOf(valueId), indexes, first.height + 1);
      this.feed({ kind: "certificate", certificate: proof });
    }
  }

  private deliverProposal(model: ModelProposal): void {
    // What another than the round's proposer signed never reaches the core: its signature is checked against that one.
    if (this.names[(model.round + 1) % this.names.length] !== model.srcAddress) return;
    const id = blockId(model.proposal);
    const height = model.height + 1;
    const proposerAddress = this.set.validators[this.names.indexOf(model.srcAddress)]?.address;
    assert.ok(proposerAddress);
    this.feed({ kind: "body", height, blockId: id, time: TIME, proposerAddress });
    const verdict = model.proposal === "invalid" ? "invalid" : "valid";
    this.feed({ kind: "verdict", height, blockId: id, verdict });
    const message = proposal(model.round, id, { height, polRound: model.validRound });
    if (model.srcAddress === this.name) {
      this.feed({ kind: "signed_proposal", height, round: model.round, proposal: message });
    } else {
      this.feed({ kind: "proposal", proposal: message, receivedAtMs: TIME_MS });
    }
  }

  private deliverVote(model: ModelVote): void {
    const height = model.height + 1;
    const index = this.names.indexOf(model.srcAddress);
    const message = vote(this.set, index, VOTE_TYPE[model.voteType], model.round, idOf(model.valueId), {
      height,
    });
    if (index === this.index) this.feed({ kind: "signed_vote", height, round: model.round, vote: message });
    else this.feed({ kind: "vote", vote: message });
  }

  compare(model: ModelStep, where: string): void {
    const { machine, context } = this.state;
    const { cs } = model;
    const of = (round: number, value: ModelValue): string =>
      round < 0 ? "none" : `${round} ${blockIdKey(idOf(value))}`;
    const mine = (value: { round: number; blockId: BlockId } | null): string =>
      value === null ? "none" : `${value.round} ${blockIdKey(value.blockId)}`;
    // The model enters the next height on its own; here that is the shell's start_height.
    if (cs.step !== "NoStep") {
      assert.equal(context?.height, cs.height + 1, `${where}: height`);
      assert.equal(machine.round, Math.max(cs.round, 0), `${where}: round`);
      assert.ok(STEPS[cs.step]?.includes(machine.step), `${where}: step ${machine.step}, model ${cs.step}`);
      assert.equal(mine(machine.locked), of(cs.lockedRound, cs.lockedValue), `${where}: locked`);
      assert.equal(mine(machine.valid), of(cs.validRound, cs.validValue), `${where}: valid`);
    }
    assert.equal(this.decided, model.chainLen, `${where}: decisions`);
    assert.deepEqual(this.sent, this.modelSent, `${where}: own messages`);
  }
}

const VOTE_TYPE = { Prevote: VoteType.prevote, Precommit: VoteType.precommit } as const;

function replayTrace(steps: readonly ModelStep[]): number {
  let validators = new Map<string, Replayed>();
  let compared = 0;
  for (const [at, model] of steps.entries()) {
    if (model.init) {
      const names = Object.keys(model.valset).sort();
      const set = validatorSet(
        names.map(() => 1n),
        1,
      );
      validators = new Map(names.map((name) => [name, new Replayed(name, set, names)]));
      continue;
    }
    const validator = validators.get(model.v);
    assert.ok(validator);
    const next = steps.slice(at + 1).find((each) => each.init || each.v === model.v);
    const rests = !next || next.init || !isInternal(next.input);
    validator.replay(model, rests);
    if (!rests || validator.pastItsDecision(model)) continue;
    validator.compare(model, `step ${at} of ${model.v}`);
    compared++;
  }
  return compared;
}

const present = existsSync(fileURLToPath(DIRECTORY));
const files = present ? readdirSync(fileURLToPath(DIRECTORY)).filter((name) => name.endsWith(".json")) : [];

test("driver traces of the formal model", {
  skip: present ? false : "../shared/vectors is absent",
}, async (t) => {
  assert.ok(files.length > 0);
  for (const file of files) {
    await t.test(`the core follows ${file}`, () => {
      const { steps } = JSON.parse(readFileSync(new URL(file, DIRECTORY), "utf8")) as {
        readonly steps: readonly ModelStep[];
      };
      const compared = replayTrace(steps);
      assert.equal(
        compared > 0,
        steps.some(({ init }) => !init),
      );
    });
  }
});
