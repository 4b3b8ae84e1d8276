/**
 * The shell of the evidence pool: what is caught here, shown by peers or handed in is verified once, made durable, told
 * to the others and proposed until a block has it. What is held and proposed is the pool's to decide (pure, in
 * `consensus`); here is the disk, the verifier and the network.
 */
import {
  type Block,
  type ChainPast,
  type ChainState,
  type DuplicateVoteEvidence,
  type Evidence,
  evidenceHeight,
  evidenceId,
  type Hash,
  makeDuplicateVoteEvidence,
  type PastHeight,
  type Vote,
  type VotePair,
  VoteType,
} from "@quorate/chain";
import {
  awaitBlock,
  EMPTY_POOL,
  type EvidencePool,
  evidenceForBlock,
  evidenceOfDecided,
  type HeldEvidence,
  type Refusal,
  refusalOf,
  settlePool,
  takeEvidence,
} from "@quorate/consensus";
import { bytesEqual, type Verifier } from "@quorate/crypto";
import type { LogPort } from "@quorate/gossip";
import type { BlockStore } from "@quorate/store";
import type { Metrics } from "../metrics/index.ts";
import { pastHeight } from "./past.ts";
import { type EvidenceStore, verifyEvidence } from "./verify.ts";

/** Evidence being verified at once: the rest of a flood is refused, and sent again by whoever means it. */
const MAX_VERIFYING = 16;

const REFUSALS: Readonly<Record<Refusal, string>> = {
  known: "it is known already",
  convicted: "its validator was convicted by earlier evidence",
  enough: "enough of its kind is held already",
  expired: "it is too old",
  full: "the evidence pool is full",
};

export interface EvidenceModules {
  readonly store: EvidenceStore & Pick<BlockStore, "putEvidence" | "dropEvidence" | "evidence">;
  readonly verifier: Verifier;
  readonly metrics: Metrics;
  readonly log: LogPort;
  /** To all; once per item. */
  readonly publish: (evidence: Evidence) => void;
  readonly chain: () => ChainState;
}

/** What became of evidence that somebody handed in. */
export type Reception =
  | { readonly kind: "taken" | "known"; readonly id: Hash }
  /** Proves nothing: the sender's fault. */
  | { readonly kind: "bad"; readonly reason: string }
  | { readonly kind: "refused"; readonly reason: string };

export class EvidenceKeeper {
  private readonly modules: EvidenceModules;
  private current: EvidencePool = EMPTY_POOL;
  private verifying = 0;

  constructor(modules: EvidenceModules) {
    this.modules = modules;
  }

  get pool(): EvidencePool {
    return this.current;
  }

  /** Takes up what was kept before a restart. What a block has made void meanwhile is let go. */
  async open(): Promise<void> {
    const { store, chain } = this.modules;
    const state = chain();
    const gone: Evidence[] = [];
    for (const evidence of await store.evidence()) {
      const past = await pastHeight(store, state, evidenceHeight(evidence));
      if (past === null) {
        gone.push(evidence);
        continue;
      }
      const taken = takeEvidence(this.current, state, evidence, past);
      this.hold(taken.pool);
      if ("refused" in taken) gone.push(evidence);
      else if (taken.dropped !== null) gone.push(taken.dropped.evidence);
    }
    if (gone.length > 0) await store.dropEvidence(gone);
  }

  /** The core saw two votes of one validator where one is allowed; both signatures are verified. */
  async caught(first: Vote, second: Vote): Promise<void> {
    const { log, metrics } = this.modules;
    metrics.own.equivocations.inc({ type: first.type === VoteType.prevote ? "prevote" : "precommit" });
    log.error("equivocation: a validator signed two different votes", {
      height: first.height,
      round: first.round,
      type: first.type,
      validator: first.validatorAddress,
      first: first.blockId?.hash ?? "nil",
      second: second.blockId?.hash ?? "nil",
    });
    await this.note({ first, second });
  }

  /**
   * A pair of verified votes: evidence at once when their height is decided, else when it is. Powers and time come from
   * the chain, whoever showed the votes: the evidence is the same to the byte on every node.
   */
  async note(pair: VotePair): Promise<void> {
    const { chain, store } = this.modules;
    const { height } = pair.first;
    const { lastHeight } = chain();
    if (height > lastHeight) {
      if (height <= lastHeight + 2) this.hold(awaitBlock(this.current, pair));
      return;
    }
    const past = await pastHeight(store, chain(), height);
    if (past === null) return;
    const { first, second } = pair;
    await this.take(makeDuplicateVoteEvidence(first, second, past.validators, past.time), past);
  }

  /** Evidence that nobody has verified here: from RPC, or of a height that gossip knows no more. */
  async submit(evidence: Evidence): Promise<Reception> {
    const { chain, store, verifier } = this.modules;
    const before = await pastHeight(store, chain(), evidenceHeight(evidence));
    const refusal = before === null ? null : refusalOf(this.current, chain(), evidence, before);
    if (refusal === "known") return { kind: "known", id: evidenceId(evidence) };
    if (refusal !== null) return { kind: "refused", reason: REFUSALS[refusal] };
    if (this.verifying >= MAX_VERIFYING)
      return { kind: "refused", reason: "the node is busy: send it again" };
    this.verifying++;
    try {
      const verdict = await verifyEvidence(chain(), store, verifier, evidence);
      if (verdict.kind === "bad") return verdict;
      if (verdict.kind === "no_use") return { kind: "refused", reason: verdict.reason };
      return await this.take(evidence, verdict.past);
    } finally {
      this.verifying--;
    }
  }

  /** Durable before it is told to anybody. */
  private async take(evidence: Evidence, past: PastHeight): Promise<Reception> {
    const { chain, store, publish, log } = this.modules;
    const taken = takeEvidence(this.current, chain(), evidence, past);
    if ("refused" in taken) {
      if (taken.refused === "known") return { kind: "known", id: evidenceId(evidence) };
      return { kind: "refused", reason: REFUSALS[taken.refused] };
    }
    this.hold(taken.pool);
    await store.putEvidence(evidence);
    if (taken.dropped !== null) await store.dropEvidence([taken.dropped.evidence]);
    log.warn("evidence is kept until a block carries it", { kind: evidence.kind, id: taken.held.id });
    publish(evidence);
    return { kind: "taken", id: taken.held.id };
  }

  /**
   * Before the block of `past` is stored: what its pairs prove is durable first, so that a crash in between loses nothing
   * (the votes are still in the log).
   */
  async deciding(past: PastHeight): Promise<void> {
    const { pool, made } = evidenceOfDecided(this.current, past);
    this.hold(pool);
    for (const evidence of made) await this.take(evidence, past);
  }

  /** After a block is stored: `state` is the one after it. */
  async decided(state: ChainState, block: Block): Promise<void> {
    const { pool, gone } = settlePool(this.current, state, block);
    this.hold(pool);
    if (gone.length > 0) await this.modules.store.dropEvidence(gone.map(({ evidence }) => evidence));
  }

  /** What a block on `state` is to carry that has `room` bytes left for it; default: as many as the params allow. */
  forBlock(state: ChainState, room?: number): readonly DuplicateVoteEvidence[] {
    return evidenceForBlock(this.current, state, room);
  }

  /** The heights of what is held: those that a block made here can have evidence of. */
  readonly past: ChainPast = (height) =>
    this.current.held.find(({ past }) => past.height === height)?.past ?? null;

  /** What peers may lack, oldest first. */
  pending(): readonly Evidence[] {
    return this.current.held.map(({ evidence }) => evidence);
  }

  /** Held evidence by its hash. */
  find(id: Hash): HeldEvidence | null {
    return this.current.held.find((each) => bytesEqual(each.id, id)) ?? null;
  }

  private hold(pool: EvidencePool): void {
    if (pool === this.current) return;
    this.current = pool;
    const { metrics } = this.modules;
    metrics.comet.evidencePool.numEvidence.set(pool.held.length);
    metrics.own.evidenceBytes.set(pool.bytes);
  }
}
