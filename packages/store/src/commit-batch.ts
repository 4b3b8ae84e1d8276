import {
  type ChainState,
  type Evidence,
  encodeCommit,
  encodeEvidence,
  evidenceId,
  type Height,
} from "@quorate/chain";
import { del, type Operation, put } from "./index-db.ts";
import { encodeHeight, encodeMeta, evidenceKey, FORMAT_KEY, hashKey, heightKey } from "./keys.ts";
import { storeState } from "./state-history.ts";
import type { BlockMeta, CommitBatch } from "./types.ts";

/** Layout of the index. */
export const FORMAT = 1;
/** Heights below the tip whose seen commit is kept: the tip's is the next block's last commit. */
const SEEN_KEPT = 2;

/** The newest height. */
export interface Tip {
  readonly meta: BlockMeta;
  readonly state: ChainState;
  /** Height of the full state that the stored state builds on. */
  readonly fullHeight: Height;
}

/** What goes into the index, in one write, when the heights of `run`, at least one, are committed on top of `before`. */
export function runOperations(
  run: readonly CommitBatch[],
  before: Tip | null,
): { readonly operations: Operation[]; readonly tip: Tip } {
  const known = before?.meta.height ?? 0;
  const last = run.at(-1)?.height ?? known;
  const operations = before === null ? [put(FORMAT_KEY, Uint8Array.of(FORMAT))] : [];
  let tip = before;
  for (const batch of run) {
    const { height, seenCommit } = batch;
    tip = addHeight(operations, batch, tip);
    // A seen commit that this very run makes superfluous is not written.
    if (height > last - SEEN_KEPT) operations.push(put(heightKey("s", height), encodeCommit(seenCommit)));
    const old = height - SEEN_KEPT;
    if (old > 0 && old <= known) operations.push(del(heightKey("s", old)));
  }
  return { operations, tip: tip as Tip };
}

function addHeight(operations: Operation[], batch: CommitBatch, before: Tip | null): Tip {
  const { height, blockId, block, body, state } = batch;
  const numTxs = Math.max(0, block.txs.length - 1);
  const meta: BlockMeta = { height, blockId, body, numTxs, blockBytes: body.length };
  const stored = storeState(state, before);
  operations.push(
    put(heightKey("m", height), encodeMeta(meta)),
    put(hashKey(blockId.hash), encodeHeight(height)),
    put(heightKey("t", height), stored.bytes),
  );
  if (block.lastCommit.height === height - 1 && block.lastCommit.signatures.length > 0) {
    operations.push(put(heightKey("c", height - 1), encodeCommit(block.lastCommit)));
  }
  // In the same write: after a crash evidence is either still pending and in no block, or in the block and not pending.
  for (const evidence of block.evidence) {
    operations.push(put(evidenceKey("v", height, evidenceId(evidence)), encodeEvidence(evidence)));
    operations.push(del(pendingKey(evidence)));
  }
  return { meta, state, fullHeight: stored.fullHeight };
}

/** Key of evidence that waits for a block. */
export function pendingKey(evidence: Evidence): Uint8Array {
  const height =
    evidence.kind === "duplicate_vote"
      ? evidence.voteA.height
      : evidence.conflictingBlock.signedHeader.header.height;
  return evidenceKey("e", height, evidenceId(evidence));
}
