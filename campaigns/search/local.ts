/**
 * One correct validator of the search: the real core with a shell that answers at once. Its states are numbered, and
 * what a stimulus does to a state is worked out by `step` once and then remembered: a state of the whole search is a
 * number per validator (collapse compression, Holzmann 1997).
 */
import { type BlockId, type Certificate, type Proposal, type Vote, VoteType } from "@quorate/chain";
import { type ConsensusState, type Effect, type Input, initialState, step } from "@quorate/consensus";
import {
  BLOCK_TIME,
  BLOCK_TIME_MS,
  blockIdOf,
  LAST_TIME,
  PARAMS,
  signature,
  validatorSet,
} from "../cores/world.ts";
import { type Instance, NIL, type Renaming, type Stimulus, VALIDATORS, type Value } from "./instance.ts";

const HEIGHT = 1;
const SET = validatorSet(VALIDATORS);

export interface Local {
  readonly validator: number;
  /** Null once the validator has decided or left the rounds that are searched: nothing moves it any more. */
  readonly core: ConsensusState | null;
  /** All it ever signed, as bits of the instance. */
  readonly signed: number;
  /** Value of its decision. */
  readonly decided: Value | null;
  readonly slot: Slot;
  readonly restartsLeft: number;
}

/** The sign state: 3 * round + step of the last signature, its content, and the lock. */
interface Slot {
  readonly point: number;
  readonly content: string;
  readonly lock: { readonly round: number; readonly value: Value } | null;
}

const NOTHING_SIGNED: Slot = { point: -1, content: "", lock: null };

export class Locals {
  readonly instance: Instance;
  private readonly core: typeof step;
  readonly states: Local[] = [];
  /** Breaches that one validator shows by itself: a message taken for a foreign one, a correct validator accused. */
  readonly breaches: string[] = [];
  /** Inputs given to `step`. */
  steps = 0;
  private readonly keys = new Map<string, number>();
  /** How each state was first reached, for renaming and for counterexamples. */
  private readonly origins: { readonly from: number; readonly stimulus: number }[] = [];
  /** Per state and stimulus the state after; -1 not worked out. */
  private readonly after: Int32Array[] = [];
  private readonly images: Int32Array[] = [];
  private readonly faces: number[] = [];
  private readonly faceNumbers = new Map<string, number>();
  /** By identity: the core hands on the very objects that it was given. */
  private readonly values: ReadonlyMap<BlockId, Value>;

  /** A test puts a wrong core in the place of the real one. */
  constructor(instance: Instance, core: typeof step = step) {
    this.instance = instance;
    this.core = core;
    this.values = new Map(instance.values.map((value) => [idOf(value), value]));
  }

  /** The validator in round 0. */
  initial(validator: number): number {
    const { restarts } = this.instance.options;
    const fresh = { validator, core: null, signed: 0, decided: null, slot: NOTHING_SIGNED };
    return this.number(this.begin({ ...fresh, restartsLeft: restarts }), -1, -1);
  }

  state(id: number): Local {
    const state = this.states[id];
    if (!state) throw new RangeError(`there is no state ${id}`);
    return state;
  }

  /** How many messages a validator has heard in this state. */
  heard(id: number): number {
    const { core } = this.state(id);
    if (core === null) return 0;
    const votes = core.votes.rounds.flatMap(({ prevotes, precommits }) => [
      ...prevotes.votes,
      ...precommits.votes,
    ]);
    return votes.filter((vote) => vote !== null).length + core.proposals.length;
  }

  /** The state after a stimulus; the same one if it does nothing. */
  next(id: number, stimulus: number): number {
    const row = this.after[id];
    if (!row) throw new RangeError(`there is no state ${id}`);
    const known = row[stimulus] ?? -1;
    if (known >= 0) return known;
    const given = this.instance.stimuli[stimulus];
    if (!given) throw new RangeError(`there is no stimulus ${stimulus}`);
    const result = this.take(this.state(id), given);
    const number = result === null ? id : this.number(result, id, stimulus);
    row[stimulus] = number;
    return number;
  }

  /** The state that this one is under other names: the renamed stimuli lead there. */
  image(id: number, renaming: number): number {
    const known = this.images[id]?.[renaming] ?? -1;
    return known >= 0 ? known : this.findImage(id, renaming);
  }

  private findImage(id: number, renaming: number): number {
    const names = this.instance.renamings[renaming];
    if (!names) throw new RangeError(`there is no renaming ${renaming}`);
    const path: number[] = [];
    let at = id;
    while ((this.images[at]?.[renaming] ?? -1) < 0) {
      path.push(at);
      const origin = this.origins[at];
      if (!origin || origin.from < 0) break;
      at = origin.from;
    }
    for (const each of path.toReversed()) this.setImage(each, renaming, names);
    return this.images[id]?.[renaming] ?? id;
  }

  /** Number of what others can tell of a state: what it has signed and decided. */
  faceOf(id: number): number {
    return this.faces[id] ?? 0;
  }

  private setImage(id: number, renaming: number, names: Renaming): void {
    const row = this.images[id];
    const origin = this.origins[id];
    if (!row || !origin) throw new RangeError(`there is no state ${id}`);
    if (origin.from < 0) {
      const { validator } = this.state(id);
      row[renaming] = this.initial(names.validators[validator] ?? validator);
      return;
    }
    const from = this.images[origin.from]?.[renaming] ?? -1;
    row[renaming] = this.next(from, this.instance.renamed(origin.stimulus, names));
  }

  private number(state: Local, from: number, stimulus: number): number {
    const key = this.keyOf(state);
    const known = this.keys.get(key);
    if (known !== undefined) return known;
    const id = this.states.length;
    this.keys.set(key, id);
    this.states.push(state);
    this.origins.push({ from, stimulus });
    const face = `${state.signed} ${state.decided}`;
    const number = this.faceNumbers.get(face) ?? this.faceNumbers.size;
    this.faceNumbers.set(face, number);
    this.faces.push(number);
    this.after.push(new Int32Array(this.instance.stimuli.length).fill(-1));
    this.images.push(new Int32Array(this.instance.renamings.length).fill(-1));
    return id;
  }

  // --- the shell ----------------------------------------------------------------------------------------------------

  /** A height from its beginning, with what the sign state holds; bodies and verdicts of all blocks are here. */
  private begin(local: Local): Local {
    const { slot, validator } = local;
    const address = addressOf(validator);
    const { round, step: at } = pointOf(slot.point);
    const start: Input = {
      kind: "start_height",
      height: HEIGHT,
      validators: SET,
      params: PARAMS,
      address,
      lastTime: LAST_TIME,
      startDelayMs: 0,
      lock: slot.lock && { round: slot.lock.round, blockId: idOf(slot.lock.value) },
      watermark: slot.point < 0 ? null : { round, step: at },
    };
    const facts = this.instance.values.flatMap((value): Input[] => {
      const blockId = idOf(value);
      const proposerAddress = addressOf(this.instance.options.makers[value] ?? 0);
      return [
        { kind: "body", height: HEIGHT, blockId, time: BLOCK_TIME, proposerAddress },
        { kind: "verdict", height: HEIGHT, blockId, verdict: "valid" },
      ];
    });
    const first: Input = { kind: "timeout", timeout: { kind: "new_height", height: HEIGHT, round: 0 } };
    return this.feed({ ...local, core: initialState() }, [start, ...facts, first]);
  }

  private take(local: Local, stimulus: Stimulus): Local | null {
    const { core } = local;
    if (core === null) return null;
    switch (stimulus.kind) {
      case "restart":
        if (local.restartsLeft === 0 || local.slot.point < 0) return null;
        return this.begin({ ...local, restartsLeft: local.restartsLeft - 1 });
      case "timeout": {
        const { timer, round } = stimulus;
        const runs = core.timers.some(({ timeout }) => timeout.kind === timer && timeout.round === round);
        if (!runs) return null;
        return this.feed(local, [{ kind: "timeout", timeout: { kind: timer, height: HEIGHT, round } }]);
      }
      case "vote":
        return this.feed(local, [{ kind: "vote", vote: voteOf(stimulus) }]);
      case "proposal": {
        if (stimulus.round === local.validator && local.restartsLeft === this.instance.options.restarts) {
          return null;
        }
        const { round, pol, value } = stimulus;
        const proposal: Proposal = {
          height: HEIGHT,
          round,
          polRound: pol,
          blockId: idOf(value),
          timestamp: BLOCK_TIME,
          signature: signature(round),
        };
        return this.feed(local, [{ kind: "proposal", proposal, receivedAtMs: BLOCK_TIME_MS }]);
      }
      case "certificate":
        return this.feed(local, [{ kind: "certificate", certificate: certificateOf(stimulus) }]);
    }
  }

  private feed(local: Local, inputs: readonly Input[]): Local {
    let { core, signed, slot } = local;
    let decided: Value | null = null;
    const queue = [...inputs];
    for (let input = queue.shift(); input && core; input = queue.shift()) {
      const { state, effects } = this.core(core, input);
      this.steps++;
      core = state;
      for (const effect of effects) {
        if (effect.kind === "decide") decided = this.valueOf(effect.blockId);
        const answer = this.answer(local.validator, slot, effect);
        if (!answer) continue;
        signed |= answer.signed;
        slot = answer.slot;
        queue.push(answer.input);
      }
    }
    const left = (core?.machine.round ?? 0) >= this.instance.options.rounds;
    return { ...local, core: decided !== null || left ? null : core, signed, slot, decided };
  }

  private answer(
    validator: number,
    slot: Slot,
    effect: Effect,
  ): { readonly input: Input; readonly signed: number; readonly slot: Slot } | null {
    switch (effect.kind) {
      case "sign_vote": {
        const { type, round, blockId } = effect.vote;
        const value = this.valueOf(blockId);
        const point = 3 * round + type;
        const content = `vote ${value}`;
        const what = type === VoteType.prevote ? "prevote" : "precommit";
        const refused: Input = { kind: "sign_refused", height: HEIGHT, round, what };
        if (!allows(slot, point, content)) return { input: refused, signed: 0, slot };
        const lock = type === VoteType.precommit && value !== NIL ? { round, value } : slot.lock;
        const vote = voteOf({ kind: "vote", from: validator, type, round, value });
        return {
          input: { kind: "signed_vote", height: HEIGHT, round, vote },
          signed: this.bitOfVote(type, round, value),
          slot: { point, content, lock },
        };
      }
      case "sign_proposal": {
        const { round, polRound, blockId } = effect.proposal;
        const value = this.valueOf(blockId);
        const content = `proposal ${polRound} ${value}`;
        const refused: Input = { kind: "sign_refused", height: HEIGHT, round, what: "proposal" };
        if (!allows(slot, 3 * round, content)) return { input: refused, signed: 0, slot };
        const proposal = { ...effect.proposal, signature: signature(validator) };
        return {
          input: { kind: "signed_proposal", height: HEIGHT, round, proposal },
          signed:
            this.instance.options.rounds > round ? this.instance.proposalBit(round, polRound, value) : 0,
          slot: { ...slot, point: 3 * round, content },
        };
      }
      case "build": {
        const made = this.instance.options.makers.indexOf(validator);
        const value = made < 0 ? null : { blockId: idOf(made), time: BLOCK_TIME };
        return { input: { kind: "built", height: HEIGHT, round: effect.round, value }, signed: 0, slot };
      }
      case "foreign_signature":
      case "foreign_proposal":
        this.breaches.push(`${effect.kind} at validator ${validator}`);
        return null;
      case "duplicate_vote":
        if (effect.second.validatorIndex !== this.instance.options.byzantine) {
          this.breaches.push(`validator ${effect.second.validatorIndex} is accused without having lied`);
        }
        return null;
      case "validate":
      case "want_body":
        throw new Error(`${effect.kind}: every body and verdict was given at the start`);
      default:
        return null;
    }
  }

  private bitOfVote(type: VoteType, round: number, value: Value): number {
    return round < this.instance.options.rounds ? this.instance.voteBit(type, round, value) : 0;
  }

  private valueOf(blockId: BlockId | null): Value {
    if (blockId === null) return NIL;
    const value = this.values.get(blockId);
    if (value === undefined) throw new Error("a block of no name");
    return value;
  }

  /**
   * All of a state that later behaviour can depend on. Left out: signature bytes and times; the sums of a tally, which
   * follow from its votes; who was already accused and which certificate proved a quorum, which only effects name that
   * the search does not look at; facts about blocks, which are the same everywhere; durations of timers.
   */
  private keyOf({ validator, core, signed, decided, slot, restartsLeft }: Local): string {
    if (core === null) return `${validator} ${signed} ${decided ?? "left"}`;
    const { machine, votes, proposals, own } = core;
    const rv = (value: { readonly round: number; readonly blockId: BlockId } | null): string =>
      value === null ? "-" : `${value.round}${this.valueOf(value.blockId)}`;
    const tallies = votes.rounds.map(({ round, prevotes, precommits }) =>
      [round, ...[prevotes, precommits].map((tally) => this.tallyKey(tally))].join("/"),
    );
    const parts = [
      validator,
      signed,
      machine.round,
      machine.step,
      rv(machine.locked),
      rv(machine.valid),
      machine.prevoteTimer ? 1 : 0,
      machine.precommitTimer,
      tallies.join(";"),
      votes.progress.join(","),
      proposals
        .map(({ proposal: { round, polRound, blockId } }) => `${round},${polRound},${this.valueOf(blockId)}`)
        .join(";"),
      core.proposing,
      rv(own.lock),
      watermarkKey(own.watermark),
      watermarkKey(own.asked),
      own.votes
        .map(({ type, round, blockId }) => `${round},${type},${this.valueOf(blockId)}`)
        .toSorted()
        .join(";"),
      own.pending.length,
      core.timers
        .map(({ timeout }) => `${timeout.kind}${timeout.round}`)
        .toSorted()
        .join(","),
      slot.point,
      slot.content,
      slot.lock ? `${slot.lock.round}${slot.lock.value}` : "-",
      restartsLeft,
    ];
    return parts.join("|");
  }

  private tallyKey(tally: ConsensusState["votes"]["rounds"][number]["prevotes"]): string {
    const votes = tally.votes.map((vote) => (vote ? this.valueOf(vote.blockId) : "_")).join(",");
    return `${votes}:${tally.quorum ? this.valueOf(tally.quorum.blockId) : "_"}`;
  }
}

function watermarkKey(point: { readonly round: number; readonly step: number } | null): string {
  return point === null ? "-" : `${point.round}.${point.step}`;
}

function allows(slot: Slot, point: number, content: string): boolean {
  return point > slot.point || (point === slot.point && content === slot.content);
}

function pointOf(point: number): { readonly round: number; readonly step: 0 | 1 | 2 } {
  const steps = [0, 1, 2] as const;
  return { round: Math.floor(Math.max(point, 0) / 3), step: steps[Math.max(point, 0) % 3] ?? 0 };
}

function addressOf(validator: number): Uint8Array {
  const found = SET.validators[validator];
  if (!found) throw new RangeError(`there is no validator ${validator}`);
  return found.address;
}

function idOf(value: Value): BlockId {
  return blockIdOf(`search ${value}`);
}

function voteOf({ from, type, round, value }: Extract<Stimulus, { kind: "vote" }>): Vote {
  return {
    type,
    height: HEIGHT,
    round,
    blockId: value === NIL ? null : idOf(value),
    timestamp: BLOCK_TIME,
    validatorAddress: addressOf(from),
    validatorIndex: from,
    signature: signature(from),
  };
}

function certificateOf({
  type,
  round,
  value,
  signers,
}: Extract<Stimulus, { kind: "certificate" }>): Certificate {
  const signatures = signers.map((validatorIndex) => ({
    validatorIndex,
    timestamp: BLOCK_TIME,
    signature: signature(validatorIndex),
  }));
  return { type, height: HEIGHT, round, blockId: idOf(value), signatures };
}
