/** What is kept of the height decided last: its commit, which late precommits extend, its block and proposal. */
import type { BlockId, ChainState, Commit, Proposal, Vote } from "@quorate/chain";
import type { BlockStore } from "@quorate/store";
import type { Clock } from "../clock.ts";
import { LastCommit } from "./last-commit.ts";

/**
 * Late precommits are stored this long after the first of them, all at once. Only a restart before the next block, which
 * carries the commit, reads them there, and does with +2/3.
 */
const LATE_PRECOMMITS_MS = 50;

export interface LastHeightModules {
  readonly clock: Clock;
  readonly store: Pick<BlockStore, "extendSeenCommit">;
  readonly chain: () => ChainState;
  /** Sees to it that a failure ends the node. */
  readonly background: (task: Promise<void>) => void;
}

export interface Decided {
  readonly blockId: BlockId;
  readonly txs: number;
  /** `null` when it was never seen here. */
  readonly proposal: Proposal | null;
}

export class LastHeight {
  private readonly modules: LastHeightModules;
  private seen: LastCommit;
  private block: Decided | null = null;
  /** Precommits for the decided height that came while it was being stored: they extend its commit afterwards. */
  private late: Vote[] = [];
  private cancelStoring: (() => void) | null = null;
  private halted = false;

  constructor(modules: LastHeightModules, commit: LastCommit) {
    this.modules = modules;
    this.seen = commit;
  }

  get commit(): LastCommit {
    return this.seen;
  }

  /** Decided in this life of the node; `null` before the first. */
  get blockId(): BlockId | null {
    return this.block?.blockId ?? null;
  }

  get proposal(): Proposal | null {
    return this.block?.proposal ?? null;
  }

  /** Transactions of that block; 0 before the first. */
  get txs(): number {
    return this.block?.txs ?? 0;
  }

  decided(state: ChainState, commit: Commit, block: Decided): void {
    this.seen = LastCommit.of(state, commit);
    this.block = block;
    this.cancelStoring?.();
    this.cancelStoring = null;
    this.add(this.late.splice(0));
  }

  /** A precommit for the decided block that was not needed to decide. */
  extend(vote: Vote): void {
    if (vote.height === this.modules.chain().lastHeight + 1) this.late.push(vote);
    else this.add([vote]);
  }

  /** Nothing is stored from here on. */
  halt(): void {
    this.halted = true;
    this.cancelStoring?.();
  }

  private add(votes: readonly Vote[]): void {
    const { clock, store, chain, background } = this.modules;
    let extended = this.seen;
    for (const vote of votes) extended = extended.extend(chain(), vote) ?? extended;
    if (extended === this.seen) return;
    this.seen = extended;
    if (this.halted) return;
    this.cancelStoring ??= clock.timer(LATE_PRECOMMITS_MS, () => {
      this.cancelStoring = null;
      background(store.extendSeenCommit(this.seen.commit));
    });
  }
}
