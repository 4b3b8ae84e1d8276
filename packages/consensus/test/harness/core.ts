/** One core driven by hand: deep-frozen states, effects collected, short words for common inputs. */
import assert from "node:assert/strict";
import {
  type BlockId,
  blockIdKey,
  type Certificate,
  type Proposal,
  type ValidatorSet,
  type Vote,
  VoteType,
} from "@quorate/chain";
import {
  type ConsensusState,
  type Effect,
  type Input,
  initialState,
  type RoundValue,
  step,
  type TimeoutKind,
} from "../../src/index.ts";
import {
  HEIGHT,
  precommit,
  prevote,
  proposal,
  startHeight,
  TIME,
  TIME_MS,
  validatorSet,
} from "./fixtures.ts";

type EffectOf<K extends Effect["kind"]> = Extract<Effect, { readonly kind: K }>;
type StartFields = Parameters<typeof startHeight>[2];

export class Core {
  readonly set: ValidatorSet;
  readonly index: number | null;
  state: ConsensusState = initialState();
  readonly effects: Effect[] = [];

  /** In round r the proposer is validator r mod 4. Starts HEIGHT in NewHeight. */
  constructor(
    index: number | null,
    fields: StartFields = {},
    set: ValidatorSet = validatorSet([1n, 1n, 1n, 1n]),
  ) {
    this.set = set;
    this.index = index;
    this.feed(startHeight(set, index, fields));
  }

  /** In round 0, Propose. */
  static inRound0(index: number | null, fields: StartFields = {}): Core {
    const core = new Core(index, fields);
    core.timeout("new_height", 0);
    return core;
  }

  /** Feeds one input; answers its effects. The state before stays frozen. */
  feed(input: Input): readonly Effect[] {
    freeze(this.state);
    const { state, effects } = step(this.state, freeze(input));
    this.state = state;
    this.effects.push(...effects);
    return effects;
  }

  get round(): number {
    return this.state.machine.round;
  }

  get step(): string {
    return this.state.machine.step;
  }

  timeout(kind: TimeoutKind, round: number, height: number = HEIGHT): readonly Effect[] {
    return this.feed({ kind: "timeout", timeout: { kind, height, round } });
  }

  body(id: BlockId, proposer: number, time: bigint = TIME): readonly Effect[] {
    const proposerAddress = this.set.validators[proposer]!.address;
    return this.feed({ kind: "body", height: HEIGHT, blockId: id, time, proposerAddress });
  }

  verdict(id: BlockId, verdict: "valid" | "invalid" = "valid"): readonly Effect[] {
    return this.feed({ kind: "verdict", height: HEIGHT, blockId: id, verdict });
  }

  proposal(
    round: number,
    id: BlockId,
    fields: Partial<Proposal> = {},
    receivedAtMs: number = TIME_MS,
  ): readonly Effect[] {
    return this.feed({ kind: "proposal", proposal: proposal(round, id, fields), receivedAtMs });
  }

  /** Body, proposal by the round's proposer, verdict VALID. */
  good(round: number, id: BlockId, fields: Partial<Proposal> = {}): readonly Effect[] {
    const before = this.effects.length;
    this.body(id, round % this.set.validators.length);
    this.proposal(round, id, fields);
    this.verdict(id);
    return this.effects.slice(before);
  }

  votes(votes: readonly Vote[]): readonly Effect[] {
    return votes.flatMap((vote) => this.feed({ kind: "vote", vote }));
  }

  prevotes(round: number, id: BlockId | null, indexes: readonly number[]): readonly Effect[] {
    return this.votes(indexes.map((index) => prevote(this.set, index, round, id)));
  }

  precommits(round: number, id: BlockId | null, indexes: readonly number[]): readonly Effect[] {
    return this.votes(indexes.map((index) => precommit(this.set, index, round, id)));
  }

  certificate(certificate: Certificate): readonly Effect[] {
    return this.feed({ kind: "certificate", certificate });
  }

  /** The signer answers the last vote asked for. */
  sign(): readonly Effect[] {
    const { vote } = this.last("sign_vote");
    const make = vote.type === VoteType.prevote ? prevote : precommit;
    const signed = make(this.set, vote.validatorIndex, vote.round, vote.blockId);
    return this.feed({ kind: "signed_vote", height: HEIGHT, round: vote.round, vote: signed });
  }

  all<K extends Effect["kind"]>(kind: K): readonly EffectOf<K>[] {
    return this.effects.filter((effect): effect is EffectOf<K> => effect.kind === kind);
  }

  last<K extends Effect["kind"]>(kind: K): EffectOf<K> {
    const found = this.all(kind).at(-1);
    assert.ok(found, `no ${kind}`);
    return found;
  }

  /** Votes asked for so far: "prevote 0 nil". */
  get asked(): readonly string[] {
    return this.all("sign_vote").map(({ vote }) => describe(vote));
  }

  /** Moves to the next round by +2/3 nil precommits of the others and the timer. */
  nextRound(): void {
    const { round } = this;
    this.precommits(
      round,
      null,
      [0, 1, 2, 3].filter((index) => index !== this.index),
    );
    this.timeout("precommit", round);
    assert.equal(this.round, round + 1);
  }
}

export function describe({ type, round, blockId }: Pick<Vote, "type" | "round" | "blockId">): string {
  const name = type === VoteType.prevote ? "prevote" : "precommit";
  return `${name} ${round} ${blockId === null ? "nil" : blockIdKey(blockId).slice(0, 8)}`;
}

export function name(id: BlockId): string {
  return blockIdKey(id).slice(0, 8);
}

export function valueText(value: RoundValue | null): string {
  return value === null ? "none" : `${value.round} ${name(value.blockId)}`;
}

export function of<K extends Effect["kind"]>(effects: readonly Effect[], kind: K): readonly EffectOf<K>[] {
  return effects.filter((effect): effect is EffectOf<K> => effect.kind === kind);
}

/** Freezes plain data all the way down; byte arrays cannot be frozen and are left. */
export function freeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value) || Object.isFrozen(value))
    return value;
  Object.freeze(value);
  for (const each of Object.values(value)) freeze(each);
  return value;
}
