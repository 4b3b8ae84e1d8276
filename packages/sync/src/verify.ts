import {
  applyBlock,
  type Block,
  type BlockId,
  blockIdOf,
  ChainError,
  type ChainState,
  type Commit,
  commitChecks,
  decodeBlock,
  decodeCommit,
  validateBlock,
} from "@quorate/chain";
import type { SignatureCheck } from "@quorate/crypto";
import type { Fetched } from "./ranges.ts";
import type { SyncModules } from "./types.ts";

/** A height whose commit holds and whose block keeps every rule of the chain. */
export interface Verified {
  readonly height: number;
  readonly block: Block;
  readonly bytes: Uint8Array;
  readonly blockId: BlockId;
  readonly commit: Commit;
  readonly peerId: string;
}

export type Fault =
  /** The peer's doing. */
  | {
      readonly kind: "peer";
      readonly height: number;
      readonly peerId: string;
      readonly offence: "bad_commit" | "malformed";
      readonly reason: string;
    }
  /** +2/3 signed it, the rules here refuse it. */
  | {
      readonly kind: "diverged";
      readonly height: number;
      readonly blockId: BlockId;
      readonly reason: string;
    };

export interface VerifiedRun {
  readonly good: readonly Verified[];
  /** Why the run ends before its last item; `null`: all are good. */
  readonly fault: Fault | null;
}

interface Candidate extends Verified {
  readonly commitSignatures: readonly SignatureCheck[];
  /** Signatures of the last commit inside the block. */
  readonly lastCommitSignatures: readonly SignatureCheck[];
  readonly broken: string | null;
}

/**
 * Verifies consecutive heights on top of `state` with one batch of signatures: each commit in full (every signature that
 * is not absent) against the height's own set, each block against every rule of the chain, last commit included. The
 * sets of later heights come from applying the blocks before them, which is pure; nothing of it is kept.
 * @param most signatures after which the run is cut; the first height is always taken.
 */
export async function verifyRun(
  state: ChainState,
  items: readonly Fetched[],
  most: number,
  verifySignatures: SyncModules["verifySignatures"],
): Promise<VerifiedRun> {
  const { candidates, fault } = prepare(state, items, most);
  const batch = new Batch();
  const wanted = candidates.map((candidate) => ({
    candidate,
    commit: batch.add(candidate.commitSignatures),
    lastCommit: batch.add(candidate.lastCommitSignatures),
  }));
  const verdicts = batch.checks.length === 0 ? [] : await verifySignatures(batch.checks);
  const hold = (indexes: readonly number[]): boolean => indexes.every((index) => verdicts[index] === true);

  const good: Verified[] = [];
  for (const { candidate, commit, lastCommit } of wanted) {
    const { height, peerId, blockId, broken } = candidate;
    if (!hold(commit)) {
      const reason = "a signature of the commit does not hold";
      return { good, fault: { kind: "peer", height, peerId, offence: "bad_commit", reason } };
    }
    const reason = broken ?? (hold(lastCommit) ? null : "a signature of its last commit does not hold");
    if (reason !== null) return { good, fault: { kind: "diverged", height, blockId, reason } };
    good.push(candidate);
  }
  return { good, fault };
}

function prepare(
  first: ChainState,
  items: readonly Fetched[],
  most: number,
): { readonly candidates: readonly Candidate[]; readonly fault: Fault | null } {
  const candidates: Candidate[] = [];
  let state = first;
  let signatures = 0;
  for (const item of items) {
    const result = candidateOf(state, item);
    if ("kind" in result) return { candidates, fault: result };
    candidates.push(result);
    signatures += result.commitSignatures.length + result.lastCommitSignatures.length;
    if (result.broken !== null || signatures >= most) break;
    state = applyBlock(state, result.block, result.blockId);
  }
  return { candidates, fault: null };
}

function candidateOf(state: ChainState, item: Fetched): Candidate | Fault {
  const { height, peerId, block: bytes } = item;
  const fault = (offence: "bad_commit" | "malformed", reason: string): Fault => {
    return { kind: "peer", height, peerId, offence, reason };
  };
  const decoded = attempt(() => {
    const block = decodeBlock(bytes);
    // A header without validators decodes, but has no hash.
    return { block, blockId: blockIdOf(block, bytes), commit: decodeCommit(item.commit) };
  });
  if (!decoded.ok) return fault("malformed", decoded.reason);
  const { block, blockId, commit } = decoded.value;
  const checks = attempt(() =>
    commitChecks(state.chainId, state.validators, blockId, state.lastHeight + 1, commit, "all"),
  );
  if (!checks.ok) return fault("bad_commit", checks.reason);
  const rules = attempt(() => validateBlock(state, block, bytes.length));
  return {
    ...{ height, peerId, block, bytes, blockId, commit },
    commitSignatures: checks.value,
    lastCommitSignatures: rules.ok ? rules.value : [],
    broken: rules.ok ? null : rules.reason,
  };
}

type Attempt<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly reason: string };

function attempt<T>(work: () => T): Attempt<T> {
  try {
    return { ok: true, value: work() };
  } catch (error) {
    if (error instanceof ChainError) return { ok: false, reason: `${error.code}: ${error.message}` };
    throw error;
  }
}

/** Signatures to verify, each once: a block's last commit mostly repeats the commit served for the height before. */
class Batch {
  readonly checks: SignatureCheck[] = [];
  readonly #known = new Map<string, number>();

  add(checks: readonly SignatureCheck[]): readonly number[] {
    return checks.map((check) => {
      const key = Buffer.concat([check.publicKey, check.signature, check.message]).toString("latin1");
      const known = this.#known.get(key);
      if (known !== undefined) return known;
      this.#known.set(key, this.checks.length);
      return this.checks.push(check) - 1;
    });
  }
}
