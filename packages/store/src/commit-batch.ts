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

/** What goes into the index, in one write, when `batch` is committed on top of `tip`. */
export function commitOperations(
  batch: CommitBatch,
  tip: Tip | null,
): { readonly operations: Operation[]; readonly tip: Tip } {
  const { height, blockId, block, body, seenCommit, state } = batch;
  const numTxs = Math.max(0, block.txs.length - 1);
  const meta: BlockMeta = { height, blockId, body, numTxs, blockBytes: body.length };
  const stored = storeState(state, tip);
  const operations = [
    put(heightKey("m", height), encodeMeta(meta)),
    put(hashKey(blockId.hash), encodeHeight(height)),
    put(heightKey("s", height), encodeCommit(seenCommit)),
    put(heightKey("t", height), stored.bytes),
  ];
  if (tip === null) operations.push(put(FORMAT_KEY, Uint8Array.of(FORMAT)));
  if (block.lastCommit.height === height - 1 && block.lastCommit.signatures.length > 0) {
    operations.push(put(heightKey("c", height - 1), encodeCommit(block.lastCommit)));
  }
  // In the same write: after a crash evidence is either still pending and in no block, or in the block and not pending.
  for (const evidence of block.evidence) {
    operations.push(put(evidenceKey("v", height, evidenceId(evidence)), encodeEvidence(evidence)));
    operations.push(del(pendingKey(evidence)));
  }
  if (height > SEEN_KEPT) operations.push(del(heightKey("s", height - SEEN_KEPT)));
  return { operations, tip: { meta, state, fullHeight: stored.fullHeight } };
}

/** Key of evidence that waits for a block. */
export function pendingKey(evidence: Evidence): Uint8Array {
  const height =
    evidence.kind === "duplicate_vote"
      ? evidence.voteA.height
      : evidence.conflictingBlock.signedHeader.header.height;
  return evidenceKey("e", height, evidenceId(evidence));
}
