import type { Block, BlockId, ChainState, Commit, Evidence, Height, ValidatorSet } from "@quorate/chain";

/** Where a body lies in the segment files; what WAL records refer to. */
export interface BodyRef {
  readonly segment: number;
  readonly offset: number;
  readonly length: number;
}

export interface BlockMeta {
  readonly height: Height;
  readonly blockId: BlockId;
  readonly body: BodyRef;
  /** Number of EVM transactions (envelope not counted). */
  readonly numTxs: number;
  readonly blockBytes: number;
}

/** A decided height, for `commit` (DESIGN §5.5). */
export interface CommitBatch {
  readonly height: Height;
  readonly blockId: BlockId;
  readonly body: BodyRef;
  readonly block: Block;
  /** +2/3 precommits seen for this height. */
  readonly seenCommit: Commit;
  /** State after applying the block. */
  readonly state: ChainState;
}

/** A decided height as peers get it. */
export interface ServedBlock {
  readonly height: Height;
  /** Encoded. */
  readonly block: Uint8Array;
  /** Encoded; for this block. */
  readonly commit: Uint8Array;
}

/** Evidence and the height of the block that carries it. */
export interface CommittedEvidence {
  readonly height: Height;
  readonly evidence: Evidence;
}

/**
 * Block store: append-only segment files for bodies; classic-level for commits, states, sets and indexes.
 * Errors: StoreError with codes STORE_LOCKED, STORE_CORRUPT, STORE_IO, STORE_FULL, STORE_ORDER, STORE_CONFLICT,
 * STORE_CLOSED.
 */
export interface BlockStore {
  /** 0 when empty. */
  readonly base: Height;
  readonly height: Height;
  /** Appends a complete encoded block; resolves when it is synced. No precommit for it may leave earlier. */
  putBody(blockId: BlockId, bytes: Uint8Array): Promise<BodyRef>;
  /** A body put earlier, decided or not (undecided ones of the current height survive a restart). */
  getBody(blockId: BlockId): Promise<Uint8Array | null>;
  /**
   * Makes decided heights durable, the bodies of which were put: one after the other from the tip on, all in one synced
   * write that is there whole or not at all after a crash. Heights that are decided already are only compared.
   */
  commit(...run: readonly CommitBatch[]): Promise<void>;
  /** Raw encoded block of a decided height. */
  blockBytes(height: Height): Promise<Uint8Array | null>;
  block(height: Height): Promise<Block | null>;
  /**
   * Consecutive decided heights from `from` on, each with a commit for its block: at most `count`, and `maxBytes` unless the
   * first alone has more. None when `from` is not kept here.
   */
  blocks(from: Height, count: number, maxBytes: number): Promise<readonly ServedBlock[]>;
  meta(height: Height): Promise<BlockMeta | null>;
  heightOf(blockHash: Uint8Array): Promise<Height | null>;
  /** Canonical commit for `height`: lastCommit of height+1, or the seen commit at the tip. */
  commitOf(height: Height): Promise<Commit | null>;
  seenCommit(height: Height): Promise<Commit | null>;
  /** Replaces the tip's seen commit by one with more signatures (late precommits). */
  extendSeenCommit(commit: Commit): Promise<void>;
  /** State after `height` (tip and, for validators, all heights back to base). */
  state(): Promise<ChainState | null>;
  validators(height: Height): Promise<ValidatorSet | null>;
  /** app_hash, params … as of the state after `height`. */
  stateAt(height: Height): Promise<ChainState | null>;
  /** EL cursor: highest height the EL acknowledged as head. Written unsynced; reconciled at start. */
  executedHeight(): Promise<Height>;
  setExecutedHeight(height: Height): Promise<void>;
  /** Kept when seen, until a block carries it (`commit` lets it go in the same write) or it is dropped. */
  putEvidence(evidence: Evidence): Promise<void>;
  /** Written unsynced: what comes back after a crash is let go again. */
  dropEvidence(list: readonly Evidence[]): Promise<void>;
  /** Pending: in no block yet. By the height that it is of. */
  evidence(): Promise<readonly Evidence[]>;
  /** In blocks, the newest first, at most 1024. */
  committedEvidence(): Promise<readonly CommittedEvidence[]>;
  /**
   * Forgets heights below `retainHeight` (the tip always stays) and deletes body segments that hold nothing else.
   * Answers how many heights went.
   */
  prune(retainHeight: Height): Promise<number>;
  close(): Promise<void>;
}
