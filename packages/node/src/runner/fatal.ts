import {
  blameForFork,
  blockIdEquals,
  type Certificate,
  type ChainState,
  type Commit,
  certificateFromCommit,
  evidenceJson,
  makeDuplicateVoteEvidence,
  VoteType,
} from "@quorate/chain";
import { toHexUpper } from "@quorate/crypto";
import { PrivvalError } from "@quorate/privval";
import { StoreError } from "@quorate/store";
import { WalError } from "@quorate/wal";
import { NodeError, reasonOf } from "../errors.ts";

/** What the disk refused, as its owners name it; every other code of theirs is a bug or damage. */
const DISK_CODES: ReadonlySet<string> = new Set([
  "WAL_IO",
  "WAL_FULL",
  "WAL_BACKLOG",
  "WAL_DAMAGED",
  "SIGN_STATE_IO",
  "SIGN_STATE_FULL",
  "STORE_IO",
  "STORE_FULL",
]);

/**
 * The end that a failed effect deserves: what the disk refused is a durability failure (exit 6), a second decided block
 * a safety halt (exit 7), damage that a read found is refused as at the start (exit 3), anything else a bug (exit 1).
 */
export function effectError(what: string, cause: unknown): NodeError {
  if (cause instanceof NodeError) return cause;
  if (cause instanceof WalError || cause instanceof PrivvalError || cause instanceof StoreError) {
    if (DISK_CODES.has(cause.code)) return durabilityError(what, cause);
    if (cause.code === "STORE_CONFLICT") return safetyError(what, cause);
    if (cause.code === "STORE_CORRUPT") return damageError(what, cause);
  }
  return bugError(what, cause);
}

/** The store does not hold what was written; the store's own words say which file and what to do. */
function damageError(what: string, cause: StoreError): NodeError {
  return new NodeError({
    exitCode: 3,
    code: cause.code,
    what: `${what}: ${cause.message}`,
    do: "restore the file, or run `validator reset` to sync the chain again from the other nodes: keys and sign state stay",
    cause,
  });
}

/** A write or sync failed: nothing may be sent that could not be made durable (DESIGN §5.8). */
export function durabilityError(what: string, cause: unknown): NodeError {
  return new NodeError({
    exitCode: 6,
    code: "DURABILITY",
    what: `${what} (${reasonOf(cause)})`,
    do: "check free space and health of the disk that holds the home's data directory, then start again: nothing was sent that is not on disk",
    cause,
  });
}

/** A broken invariant that concerns agreement (DESIGN §5.9). */
export function safetyError(what: string, cause?: unknown): NodeError {
  return new NodeError({
    exitCode: 7,
    code: "SAFETY",
    what: cause === undefined ? what : `${what} (${reasonOf(cause)})`,
    do: "do not restart; compare data/state-dump.json with the other validators' blocks of this height",
    ...(cause === undefined ? {} : { cause }),
  });
}

/** Two certificates of one decided height for different blocks: at least a third of the power signed both. */
export function forkError(
  height: number,
  ours: unknown,
  theirs: unknown,
  blame: Readonly<Record<string, unknown>> = {},
): NodeError {
  return new NodeError({
    exitCode: 7,
    code: "FORK",
    what: `a second block with a valid commit exists at height ${height}: the chain has forked`,
    do: "do not restart; data/state-dump.json holds both certificates, in signed_both who stands in both, in evidence what convicts them",
    facts: { ours, theirs, ...blame },
  });
}

/** A verified commit certificate for the last height that names another block than the one committed here. */
export function forkProof(state: ChainState, ours: Commit, theirs: Certificate): NodeError | null {
  const { lastHeight, lastBlockId } = state;
  if (theirs.type !== VoteType.precommit || theirs.height !== lastHeight || lastBlockId === null) return null;
  if (theirs.blockId === null || blockIdEquals(theirs.blockId, lastBlockId)) return null;
  const set = state.lastValidators;
  if (set === null) return forkError(lastHeight, ours, theirs);
  const blame = blameForFork(set, certificateFromCommit(set, ours), theirs);
  const evidence = blame.pairs.map(({ first, second }) =>
    evidenceJson(makeDuplicateVoteEvidence(first, second, set, state.lastTime)),
  );
  const signedBoth = blame.signedBoth.map(({ address }) => toHexUpper(address));
  return forkError(lastHeight, ours, theirs, { signed_both: signedBoth, evidence });
}

/** The same from a commit that block sync verified. */
export function forkProofOf(state: ChainState, ours: Commit, theirs: Commit): NodeError | null {
  const set = state.lastValidators;
  if (set === null || theirs.height !== state.lastHeight) return null;
  return forkProof(state, ours, certificateFromCommit(set, theirs));
}

/** Our key signed what this node did not: another instance runs with it (DESIGN §5.7). */
export function foreignSignatureError(what: string): NodeError {
  return new NodeError({
    exitCode: 5,
    code: "DOUBLE_INSTANCE",
    what,
    do: "find and stop the other process that signs with this key, then `validator key state import` the higher of both states",
  });
}

/** A fault of this program: stop and tell. */
export function bugError(what: string, cause: unknown): NodeError {
  return new NodeError({
    exitCode: 1,
    code: "BUG",
    what: `${what} (${reasonOf(cause)})`,
    do: "report it with data/state-dump.json; starting again is safe",
    cause,
  });
}
