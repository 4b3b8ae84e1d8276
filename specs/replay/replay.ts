/** Feeds the inputs of a model trace to the real core and compares state and outputs after every single step. */
import { type Vote, VoteType } from "@quorate/chain";
import {
  type ConsensusState,
  type Effect,
  type Input,
  initialState,
  type RoundValue,
  type SignedWatermark,
  type Snapshot,
  step,
  type TimeoutKind,
} from "@quorate/consensus";
import {
  BLOCK_TIME,
  BLOCK_TIME_MS,
  blockIdOf,
  LAST_TIME,
  PARAMS,
  validatorSet,
} from "../../campaigns/cores/world.ts";
import type { ModelInput, ModelProposal, ModelRoundValue, ModelVote, Trace, TraceStep } from "./trace.ts";
import { outputOfEffect, viewOfCore } from "./view.ts";

const SET = validatorSet(4);
const FIRST_HEIGHT = 1;
/** Later than any message delay allows. */
const UNTIMELY_MS = BLOCK_TIME_MS + 30 * 24 * 3600 * 1000;

const TIMEOUT: Readonly<Record<string, TimeoutKind>> = {
  TimerNewHeight: "new_height",
  TimerPropose: "propose",
  TimerPrevote: "prevote",
  TimerPrecommit: "precommit",
};

/** The core as the replay uses it; a test puts a wrong one in its place. */
export interface CoreUnderTest {
  readonly step: typeof step;
}

export const REAL_CORE: CoreUnderTest = { step };

export interface Divergence {
  readonly trace: string;
  /** Index of the step in the trace. */
  readonly at: number;
  readonly node: number;
  readonly input: ModelInput;
  /** What differs: "outputs" or a field of the view. */
  readonly field: string;
  readonly model: string;
  readonly core: string;
}

export interface Replayed {
  /** Steps compared. */
  readonly compared: number;
  /** The first difference; the replay ends there. */
  readonly divergence: Divergence | null;
}

export function replay(trace: Trace, core: CoreUnderTest = REAL_CORE): Replayed {
  let nodes = new Map<number, ReplayedNode>();
  let compared = 0;
  for (const [at, model] of trace.steps.entries()) {
    if (model.node < 0) {
      nodes = beginHeight(nodes, model.height, core);
      continue;
    }
    const node = nodes.get(model.node);
    if (!node) throw new TypeError(`the trace names a node ${model.node} before any height began`);
    const out = node.take(model.input);
    compared++;
    const difference = compare(model, out, node.state);
    if (difference) {
      const { node: of, input } = model;
      return { compared, divergence: { trace: trace.name, at, node: of, input, ...difference } };
    }
  }
  return { compared, divergence: null };
}

function beginHeight(
  before: ReadonlyMap<number, ReplayedNode>,
  height: number,
  core: CoreUnderTest,
): Map<number, ReplayedNode> {
  const nodes = new Map<number, ReplayedNode>();
  for (const index of SET.validators.keys()) {
    const state = height === FIRST_HEIGHT ? initialState() : before.get(index)?.state;
    nodes.set(index, new ReplayedNode(index, height, core, state ?? initialState()));
  }
  return nodes;
}

function compare(
  model: TraceStep,
  out: readonly string[],
  state: ConsensusState,
): Pick<Divergence, "field" | "model" | "core"> | null {
  const said = ordered(out);
  const expected = ordered(model.out);
  if (said !== expected) return { field: "outputs", model: expected, core: said };
  const view = viewOfCore(state);
  for (const [field, value] of Object.entries(model.view)) {
    if (view[field] !== value) return { field, model: value, core: view[field] ?? "absent" };
  }
  return null;
}

/** Outputs in their order; the model asks for bodies in no particular one. */
function ordered(out: readonly string[]): string {
  const bodies = out.filter((each) => each.startsWith("WantBody")).toSorted();
  return [...out.filter((each) => !each.startsWith("WantBody")), ...bodies].join("; ");
}

class ReplayedNode {
  state: ConsensusState;
  private readonly index: number;
  private readonly height: number;
  private readonly core: CoreUnderTest;
  /** As of the last synced record of its log. */
  private saved: ConsensusState;
  private snapshot: Snapshot | null = null;

  constructor(index: number, height: number, core: CoreUnderTest, before: ConsensusState) {
    this.index = index;
    this.height = height;
    this.core = core;
    this.state = before;
    this.feed(this.start(null, null));
    this.saved = this.state;
  }

  take(input: ModelInput): readonly string[] {
    switch (input.tag) {
      case "Nothing":
        return [];
      case "Reload":
        this.state = this.saved;
        return [];
      case "StartHeight":
        this.state = initialState();
        break;
      case "SignedVote":
      case "SignedProposal":
      case "RefusedVote":
      case "RefusedProposal":
        // The log is synced before the signer is asked.
        this.saved = this.state;
        break;
      default:
        break;
    }
    const effects = this.feed(this.inputOf(input));
    if (input.tag === "StartHeight" || input.tag === "Restore" || input.tag === "SignState") {
      this.saved = this.state;
    }
    return effects.flatMap((effect) => outputOfEffect(effect) ?? []);
  }

  private feed(input: Input): readonly Effect[] {
    const { state, effects } = this.core.step(this.state, input);
    this.state = state;
    for (const effect of effects) if (effect.kind === "snapshot") this.snapshot = effect.snapshot;
    return effects;
  }

  private start(lock: RoundValue | null, watermark: SignedWatermark | null): Input {
    return {
      kind: "start_height",
      height: this.height,
      validators: SET,
      params: PARAMS,
      address: SET.validators[this.index]?.address ?? null,
      lastTime: LAST_TIME,
      startDelayMs: 0,
      lock,
      watermark,
    };
  }

  private inputOf(input: Exclude<ModelInput, { tag: "Nothing" | "Reload" }> | ModelInput): Input {
    const { height } = this;
    switch (input.tag) {
      case "StartHeight":
        return this.start(roundValueOf(input.lock), watermarkOf(input.watermark));
      case "SignState":
        return {
          kind: "sign_state",
          height,
          lock: roundValueOf(input.lock),
          watermark: watermarkOf(input.watermark),
        };
      case "Restore":
        if (!this.snapshot) throw new TypeError("the trace restores a snapshot that the core never wrote");
        return { kind: "restore", snapshot: this.snapshot };
      case "TakeVote":
        return { kind: "vote", vote: this.vote(input.vote) };
      case "SignedVote":
        return { kind: "signed_vote", height, round: input.vote.round, vote: this.vote(input.vote) };
      case "TakeProposal": {
        const receivedAtMs = input.timely ? BLOCK_TIME_MS : UNTIMELY_MS;
        return { kind: "proposal", proposal: this.proposal(input.proposal), receivedAtMs };
      }
      case "SignedProposal": {
        const { round } = input.proposal;
        return { kind: "signed_proposal", height, round, proposal: this.proposal(input.proposal) };
      }
      case "TakeCertificate": {
        const { kind, round, value } = input.vote;
        const signatures = input.signers
          .toSorted((a, b) => a - b)
          .map((validatorIndex) => ({
            validatorIndex,
            timestamp: BLOCK_TIME,
            signature: signatureOf(validatorIndex),
          }));
        const certificate = { type: VoteType[kind], height, round, blockId: idOf(value), signatures };
        return { kind: "certificate", certificate };
      }
      case "Timeout": {
        const kind = TIMEOUT[input.kind];
        if (!kind) throw new TypeError(`the model has a timer ${input.kind}`);
        return { kind: "timeout", timeout: { kind, height, round: input.round } };
      }
      case "TakeBody":
        return {
          kind: "body",
          height,
          blockId: blockIdOf(input.value),
          time: BLOCK_TIME,
          proposerAddress: makerOf(input.value),
        };
      case "TakeVerdict": {
        const verdict = input.good ? "valid" : "invalid";
        return { kind: "verdict", height, blockId: blockIdOf(input.value), verdict };
      }
      case "Built": {
        const value = input.value === "nil" ? null : { blockId: blockIdOf(input.value), time: BLOCK_TIME };
        return { kind: "built", height, round: input.round, value };
      }
      case "RefusedVote":
        return { kind: "sign_refused", height, round: input.round, what: input.kind };
      case "RefusedProposal":
        return { kind: "sign_refused", height, round: input.round, what: "proposal" };
      default:
        throw new TypeError(`${input.tag} is no input of the core`);
    }
  }

  private vote({ kind, round, value, from }: ModelVote): Vote {
    const validator = SET.validators[from];
    if (!validator) throw new TypeError(`there is no validator ${from}`);
    return {
      type: VoteType[kind],
      height: this.height,
      round,
      blockId: idOf(value),
      timestamp: BLOCK_TIME,
      validatorAddress: validator.address,
      validatorIndex: from,
      signature: signatureOf(from),
    };
  }

  private proposal({
    round,
    pol,
    value,
    fits,
  }: ModelProposal): Extract<Input, { kind: "proposal" }>["proposal"] {
    return {
      height: this.height,
      round,
      polRound: pol,
      blockId: blockIdOf(value),
      timestamp: fits ? BLOCK_TIME : BLOCK_TIME + 1_000_000n,
      signature: signatureOf(round % SET.validators.length),
    };
  }
}

function signatureOf(index: number): Uint8Array {
  return new Uint8Array(64).fill(index + 1);
}

function idOf(value: string): Vote["blockId"] {
  return value === "nil" ? null : blockIdOf(value);
}

/** The block's name ends with the number of its maker. */
function makerOf(value: string): Uint8Array {
  const maker = SET.validators[Number(value.slice(-1))];
  if (!maker) throw new TypeError(`block ${value} has no maker`);
  return maker.address;
}

function roundValueOf({ round, value }: ModelRoundValue): RoundValue | null {
  return round < 0 ? null : { round, blockId: blockIdOf(value) };
}

function watermarkOf(point: number): SignedWatermark | null {
  if (point < 0) return null;
  const steps = [0, 1, 2] as const;
  const step = steps[point % 3];
  return step === undefined ? null : { round: Math.floor(point / 3), step };
}
