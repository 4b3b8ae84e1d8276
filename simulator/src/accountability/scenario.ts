/**
 * R09: with a third of the power or more on the liars' side agreement may break. Then the logs of honest nodes name more
 * than a third of the power for it; and whatever happens, nothing that honest nodes hold accuses one of them.
 */
import {
  blameForFork,
  blockIdEquals,
  type Certificate,
  type Commit,
  certificateFromCommit,
  type Evidence,
  type Guilt,
  misdeedsOf,
  stateFromGenesis,
  type ValidatorSet,
  type Vote,
  voteOfCommitSig,
} from "@quorate/chain";
import { bytesEqual } from "@quorate/crypto";
import type { CommitBatch } from "@quorate/store";
import { Cautious } from "../byzantine/cautious.ts";
import { Strategy } from "../byzantine/strategy.ts";
import { Cluster } from "../cluster/cluster.ts";
import { makeGenesis, validatorKey } from "../cluster/genesis.ts";
import { Random } from "../core/random.ts";
import { Scheduler } from "../core/scheduler.ts";
import { keyedHashes } from "../crypto/keyed-hash.ts";
import { DEFAULT_COSTS } from "../crypto/ports.ts";
import { type AccountabilityPlan, drawAccountability, validatorOf } from "./draw.ts";
import { distinct, votesInLog } from "./logs.ts";

export interface Fork {
  readonly height: number;
  /** Of the two certificates. */
  readonly rounds: readonly [number, number];
  /** Who is named, as validators by number, and for what. */
  readonly named: readonly { readonly validator: number; readonly kind: Guilt["misdeed"]["kind"] }[];
  /** What both certificates alone name: of one round that convicts them. */
  readonly signedBoth: readonly number[];
}

export interface AccountabilityResult {
  readonly seed: number;
  readonly validators: number;
  readonly byzantine: readonly number[];
  /** The first height at which honest nodes decided two blocks; `null`: none did. */
  readonly fork: Fork | null;
  /** Heights whose votes were judged. */
  readonly heights: number;
  /** Exit codes of honest nodes that ended by themselves. */
  readonly exits: readonly number[];
  /** Validators convicted by blocks of honest nodes. */
  readonly convicted: readonly number[];
  readonly violations: readonly string[];
}

const QUALITY = { minMs: 1, jitterMs: 2, loss: 0, duplication: 0, reorder: true, bytesPerMs: 10_000 };
const TIMEOUTS = { proposeMs: 300, prevoteMs: 150, precommitMs: 150 };
const BLOCK_INTERVAL_MS = 250;
/** After the last slot everybody hears everybody, for so long. */
const TOGETHER_MS = 4_000;
const nothing = (): void => undefined;

export async function runAccountability(seed: number): Promise<AccountabilityResult> {
  const plan = drawAccountability(seed);
  const run = new Run(plan);
  await run.play();
  return run.judge();
}

/** What one honest node stored at a height. */
interface Decision {
  readonly node: number;
  readonly commit: Commit;
}

class Run {
  readonly #plan: AccountabilityPlan;
  readonly #scheduler = new Scheduler();
  readonly #cluster: Cluster;
  readonly #decisions = new Map<number, Decision[]>();
  /** Sets of heights, as the first honest node has them. */
  readonly #sets = new Map<number, ValidatorSet>();
  /** Precommits in the commits that honest nodes stored; who synced has no others. */
  readonly #committed = new Map<number, readonly Vote[]>();
  readonly #exits: number[] = [];
  readonly #convicted = new Set<number>();
  readonly #violations = new Set<string>();

  constructor(plan: AccountabilityPlan) {
    this.#plan = plan;
    const { powers, byzantine, seed } = plan;
    const keys = powers.map((_, index) => validatorKey(keyedHashes, index));
    const shape = { powers, blockIntervalMs: BLOCK_INTERVAL_MS, timeouts: TIMEOUTS } as const;
    const genesis = makeGenesis(
      { ...shape, execution: "none", ...(plan.convicts ? {} : { maxEvidenceBytes: 0 }) },
      keys,
    );
    this.#sets.set(1, stateFromGenesis(genesis).validators);
    const instances = [...powers.keys(), ...byzantine];
    const peers = new Map(instances.map((_, index) => [`peer${index}`, index]));
    const liar = plan.cautious
      ? new Cautious((peerId) => this.#honest(peers.get(peerId) ?? -1))
      : new Strategy([], 1, new Random("says what it signs"));
    this.#cluster = new Cluster(
      {
        genesis,
        identities: instances.map((validator, index) => ({
          index,
          name: index < powers.length ? `node${validator}` : `twin of node${validator}`,
          peerId: `peer${index}`,
          key: keys[validator] ?? null,
        })),
        scheme: keyedHashes,
        costs: DEFAULT_COSTS,
        quality: QUALITY,
        disk: { writeMs: 0.01, syncMs: 0.2 },
        skews: [],
        strategies: new Map(
          [...instances.keys()].flatMap((index) => (this.#honest(index) ? [] : [[index, liar]])),
        ),
        log: () => ({ debug: nothing, info: nothing, warn: nothing, error: nothing }),
      },
      this.#scheduler,
      {
        step: nothing,
        sent: () => 0,
        delivered: nothing,
        dropped: nothing,
        signed: nothing,
        life: nothing,
        stored: (node, batch) => this.#stored(node, batch),
        committed: (node) => this.#lookAtPool(node),
        exited: (node, { code }) => void (this.#honest(node) && this.#exits.push(code)),
      },
      new Random(`accountability ${seed}/run`),
    );
  }

  async play(): Promise<void> {
    await this.#cluster.begin();
    let until = 0;
    for (const { forMs, sides } of this.#plan.slots) {
      this.#cut((from, to) => sides[from] !== sides[to]);
      until += forMs;
      await this.#scheduler.run(until, () => false);
    }
    this.#cut(() => false);
    await this.#scheduler.run(until + TOGETHER_MS, () => false);
  }

  async judge(): Promise<AccountabilityResult> {
    const { powers, byzantine, seed } = this.#plan;
    const forked = [...this.#decisions.keys()]
      .sort((a, b) => a - b)
      .find((height) => this.#otherDecision(height) !== null);
    // Above a fork there are two chains, each with sets of its own.
    const heights = [...this.#sets.keys()].filter((height) => forked === undefined || height <= forked);
    const votes = await this.#votes();
    let fork: Fork | null = null;
    for (const height of heights) {
      const set = this.#sets.get(height);
      if (set === undefined) continue;
      const guilty = misdeedsOf(set, distinct(votes.get(height) ?? []));
      const named = guilty.map(({ validator, misdeed }) => ({
        validator: this.#numberOf(validator.address),
        kind: misdeed.kind,
      }));
      for (const { validator, kind } of named)
        if (!byzantine.includes(validator))
          this.#violations.add(`height ${height}: node ${validator}, which is honest, is named for ${kind}`);
      if (height === forked) fork = this.#fork(height, set, named, guilty);
    }
    return {
      ...{ seed, validators: powers.length, byzantine, fork, heights: heights.length },
      exits: this.#exits,
      convicted: [...this.#convicted].sort((a, b) => a - b),
      violations: [...this.#violations],
    };
  }

  #fork(height: number, set: ValidatorSet, named: Fork["named"], guilty: readonly Guilt[]): Fork {
    const power = guilty.reduce((sum, { validator }) => sum + validator.power, 0n);
    if (3n * power <= set.totalPower) {
      this.#violations.add(
        `height ${height} forked, and only ${power} of ${set.totalPower} are named: ${JSON.stringify(named)}`,
      );
    }
    const [a, b] = this.#otherDecision(height) as readonly [Certificate, Certificate];
    const blame = blameForFork(set, a, b);
    const signedBoth = blame.signedBoth.map(({ address }) => this.#numberOf(address));
    for (const { first } of blame.pairs) {
      const accused = this.#numberOf(first.validatorAddress);
      if (!this.#plan.byzantine.includes(accused))
        this.#violations.add(`height ${height}: the certificates convict node ${accused}, which is honest`);
    }
    return { height, rounds: [a.round, b.round], named, signedBoth };
  }

  /** All that the logs and blocks of honest nodes hold, by height. */
  async #votes() {
    const all = new Map<number, readonly Vote[]>(this.#committed);
    for (const [node, { disk }] of this.#cluster.members.entries()) {
      if (!this.#honest(node)) continue;
      for (const [height, votes] of await votesInLog(disk, (at) => this.#sets.get(at) ?? null))
        all.set(height, [...(all.get(height) ?? []), ...votes]);
    }
    return all;
  }

  #stored(node: number, { height, block, seenCommit, state }: CommitBatch): void {
    if (!this.#honest(node)) return;
    if (!this.#sets.has(height + 1)) this.#sets.set(height + 1, state.validators);
    const known = this.#decisions.get(height) ?? [];
    this.#decisions.set(height, [...known, { node, commit: seenCommit }]);
    for (const commit of [seenCommit, block.lastCommit]) {
      const votes = commit.signatures.flatMap((_, index) => voteOfCommitSig(commit, index) ?? []);
      this.#committed.set(commit.height, [...(this.#committed.get(commit.height) ?? []), ...votes]);
    }
    for (const evidence of block.evidence) {
      const accused = this.#accuse(evidence, `block ${height} of node ${node}`);
      if (accused !== null) this.#convicted.add(accused);
    }
  }

  #lookAtPool(node: number): void {
    if (!this.#honest(node)) return;
    for (const evidence of this.#cluster.member(node).process?.rpc?.evidence.pending() ?? [])
      this.#accuse(evidence, `the pool of node ${node}`);
  }

  #accuse(evidence: Evidence, where: string): number | null {
    if (evidence.kind !== "duplicate_vote") return null;
    const accused = this.#numberOf(evidence.voteA.validatorAddress);
    if (!this.#plan.byzantine.includes(accused))
      this.#violations.add(`${where} accuses node ${accused}, which is honest`);
    return accused;
  }

  /** The certificates of two different blocks that honest nodes decided at a height. */
  #otherDecision(height: number): readonly [Certificate, Certificate] | null {
    const [first, ...rest] = this.#decisions.get(height) ?? [];
    const set = this.#sets.get(height);
    if (first === undefined || set === undefined) return null;
    const other = rest.find(({ commit }) => !blockIdEquals(commit.blockId, first.commit.blockId));
    if (other === undefined) return null;
    const [a, b] = [first, other].map(({ commit }) => certificateFromCommit(set, commit)) as [
      Certificate,
      Certificate,
    ];
    return a.round <= b.round ? [a, b] : [b, a];
  }

  #cut(apart: (from: number, to: number) => boolean): void {
    const { internet, members } = this.#cluster;
    for (const [from, one] of members.entries()) {
      for (const [to, other] of members.entries()) {
        if (from === to) continue;
        const [a, b] = [one.identity.peerId, other.identity.peerId];
        const isCut = internet.path(a, b).isCut;
        if (apart(from, to) && !isCut) internet.cut(a, b);
        else if (!apart(from, to) && isCut) internet.heal(a, b);
      }
    }
  }

  #honest(instance: number): boolean {
    return !this.#plan.byzantine.includes(validatorOf(this.#plan, instance));
  }

  #numberOf(address: Uint8Array): number {
    return this.#cluster.options.identities.findIndex(
      ({ key }) => key !== null && bytesEqual(key.address, address),
    );
  }
}

/** One line for people. */
export function accountabilityText(result: AccountabilityResult): string {
  const { seed, validators, byzantine, fork, exits, violations } = result;
  const who = `seed ${seed}: ${validators} validators, liars {${byzantine.join(",")}}`;
  const exited = exits.length === 0 ? "" : `, exits ${exits.join(",")}`;
  const what =
    fork === null
      ? "no fork"
      : `fork at height ${fork.height} in rounds ${fork.rounds.join(" and ")}, named ${fork.named.map(({ validator, kind }) => `${validator} (${kind})`).join(", ")}`;
  return [`${who}: ${what}${exited}`, ...violations.map((each) => `  VIOLATION ${each}`)].join("\n");
}
