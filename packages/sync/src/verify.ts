import {
  applyBlock,
  type Block,
  type BlockId,
  blockIdEquals,
  blockIdOf,
  ChainError,
  type ChainPast,
  type ChainState,
  type Commit,
  commitChecks,
  decodeBlock,
  decodeCommit,
  type EncodedCommit,
  evidenceHeight,
  type Height,
  type PastHeight,
  validateBlock,
} from "@quorate/chain";
import { bytesEqual, type SignatureCheck } from "@quorate/crypto";
import type { Fetched } from "./ranges.ts";
import type { SyncedBlock, SyncModules } from "./types.ts";

export interface Verified extends SyncedBlock {
  readonly height: number;
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
      /** It stands on another block than this chain's last: the commit of that one, by which the own set decided it too. */
      readonly other: Commit | null;
    };

export interface VerifiedRun {
  readonly good: readonly Verified[];
  /** The chain after all of them. */
  readonly state: ChainState;
  /** Why the run ends before its last item; `null`: all are good. */
  readonly fault: Fault | null;
}

interface Candidate extends Omit<Verified, "state"> {
  readonly commitSignatures: readonly SignatureCheck[];
  /** Signatures of the last commit and the evidence inside the block. */
  readonly blockSignatures: readonly SignatureCheck[];
  readonly broken: string | null;
  /** What shows that its last commit is of another block of the height before, by the set of that; null: it does not. */
  readonly otherSignatures: readonly SignatureCheck[] | null;
  /** The chain before this height. */
  readonly before: ChainState;
  /** The chain after it; the one before where its block breaks a rule. */
  readonly after: ChainState;
}

/**
 * Verifies consecutive heights on top of `state` with one batch of signatures: each commit in full (every signature that
 * is not absent) against the height's own set, each block against every rule of the chain, last commit and evidence
 * included. The sets of later heights come from applying the blocks before them, which is pure; nothing of it is kept.
 * @param most signatures after which the run is cut; the first height is always taken.
 * @param below verified heights that lead to `state` and are perhaps not stored yet: evidence may be of them.
 */
export async function verifyRun(
  state: ChainState,
  items: readonly Fetched[],
  most: number,
  { verifySignatures, past }: Pick<SyncModules, "verifySignatures" | "past">,
  below: readonly SyncedBlock[] = [],
): Promise<VerifiedRun> {
  const known = new Map(below.flatMap(pastOf));
  const { candidates, fault, after: reached } = await prepare(state, items, most, known, past);
  const batch = new Batch();
  const wanted = candidates.map((candidate) => ({
    candidate,
    checks: batch.add(candidate.commitSignatures),
    inBlock: batch.add(candidate.blockSignatures),
    ofOther: candidate.otherSignatures === null ? null : batch.add(candidate.otherSignatures),
  }));
  const verdicts = batch.checks.length === 0 ? [] : await verifySignatures(batch.checks);
  const hold = (indexes: readonly number[]): boolean => indexes.every((index) => verdicts[index] === true);

  const good: Verified[] = [];
  for (const { candidate, checks, inBlock, ofOther } of wanted) {
    const { height, peerId, block, bytes, blockId, broken, before, after } = candidate;
    if (!hold(checks)) {
      const reason = "a signature of the commit does not hold";
      return { good, state: before, fault: { kind: "peer", height, peerId, offence: "bad_commit", reason } };
    }
    const reason =
      broken ?? (hold(inBlock) ? null : "a signature of its last commit or evidence does not hold");
    if (reason !== null) {
      const other = ofOther !== null && hold(ofOther) ? block.lastCommit : null;
      return { good, state: before, fault: { kind: "diverged", height, blockId, reason, other } };
    }
    good.push({ height, peerId, block, bytes, blockId, commit: candidate.commit, state: after });
  }
  return { good, state: reached, fault };
}

async function prepare(
  first: ChainState,
  items: readonly Fetched[],
  most: number,
  /** Heights that evidence may be of: those below and of this run, and from the store what is asked for. */
  known: Map<Height, PastHeight>,
  stored: SyncModules["past"],
): Promise<{
  readonly candidates: readonly Candidate[];
  readonly fault: Fault | null;
  readonly after: ChainState;
}> {
  const candidates: Candidate[] = [];
  let state = first;
  let signatures = 0;
  let below: EncodedCommit | null = null;
  for (const item of items) {
    const read = readItem(item, below);
    if ("kind" in read) return { candidates, fault: read, after: state };
    below = { commit: read.commit, bytes: item.commit };
    for (const height of read.block.evidence.map(evidenceHeight)) {
      const past = known.has(height) || height > first.lastHeight ? null : await stored(height);
      if (past !== null) known.set(height, past);
    }
    const result = candidateOf(state, item, read, (height) => known.get(height) ?? null);
    if ("kind" in result) return { candidates, fault: result, after: state };
    signatures += result.commitSignatures.length + result.blockSignatures.length;
    if (result.broken !== null) {
      candidates.push({ ...result, after: state });
      break;
    }
    const { height, time } = result.block.header;
    known.set(height, { height, time, validators: state.validators });
    state = applyBlock(state, result.block, result.blockId);
    candidates.push({ ...result, after: state });
    if (signatures >= most) break;
  }
  return { candidates, fault: null, after: state };
}

/** What evidence of a height is judged by, with its height. */
function pastOf({ block, state }: SyncedBlock): readonly (readonly [Height, PastHeight])[] {
  const { height, time } = block.header;
  const { lastValidators: validators } = state;
  return validators === null ? [] : [[height, { height, time, validators }]];
}

interface ReadItem {
  readonly block: Block;
  readonly blockId: BlockId;
  readonly commit: Commit;
}

function peerFault({ height, peerId }: Fetched, offence: "bad_commit" | "malformed", reason: string): Fault {
  return { kind: "peer", height, peerId, offence, reason };
}

/** `below`: the commit served for the height before, which the block mostly repeats. */
function readItem(item: Fetched, below: EncodedCommit | null): ReadItem | Fault {
  const bytes = item.block;
  const decoded = attempt(() => {
    const block = decodeBlock(bytes, false, below);
    // A header without validators decodes, but has no hash.
    return { block, blockId: blockIdOf(block, bytes), commit: decodeCommit(item.commit) };
  });
  return decoded.ok ? decoded.value : peerFault(item, "malformed", decoded.reason);
}

function candidateOf(
  state: ChainState,
  item: Fetched,
  { block, blockId, commit }: ReadItem,
  past: ChainPast,
): Omit<Candidate, "after"> | Fault {
  const { height, peerId, block: bytes } = item;
  const checks = attempt(() =>
    commitChecks(state.chainId, state.validators, blockId, state.lastHeight + 1, commit, "all"),
  );
  if (!checks.ok) return peerFault(item, "bad_commit", checks.reason);
  const rules = attempt(() => validateBlock(state, block, bytes.length, past));
  return {
    ...{ height, peerId, block, bytes, blockId, commit },
    commitSignatures: checks.value,
    blockSignatures: rules.ok ? rules.value : [],
    broken: rules.ok ? null : rules.reason,
    otherSignatures: rules.ok ? null : otherChecks(state, block),
    before: state,
  };
}

/** Whether +2/3 of the set of the last height signed another block there, which this one stands on. */
function otherChecks(
  { chainId, lastBlockId, lastHeight, lastValidators }: ChainState,
  { lastCommit }: Block,
): readonly SignatureCheck[] | null {
  const { blockId } = lastCommit;
  if (lastBlockId === null || lastValidators === null || blockIdEquals(blockId, lastBlockId)) return null;
  const checks = attempt(() => commitChecks(chainId, lastValidators, blockId, lastHeight, lastCommit, "all"));
  return checks.ok ? checks.value : null;
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
  /** The latest with this signature. */
  readonly #known = new Map<string, number>();
  readonly #places = new Map<SignatureCheck, number>();

  add(checks: readonly SignatureCheck[]): readonly number[] {
    return checks.map((check) => {
      const known = this.#places.get(check);
      if (known !== undefined) return known;
      const place = this.#placeOf(check);
      this.#places.set(check, place);
      return place;
    });
  }

  #placeOf(check: SignatureCheck): number {
    const { buffer, byteOffset, length } = check.signature;
    const key = Buffer.from(buffer, byteOffset, length).toString("latin1");
    const known = this.#known.get(key);
    if (known !== undefined && sameCheck(check, this.checks[known])) return known;
    this.#known.set(key, this.checks.length);
    return this.checks.push(check) - 1;
  }
}

/** Of two with one signature. */
function sameCheck(a: SignatureCheck, b: SignatureCheck | undefined): boolean {
  return b !== undefined && bytesEqual(a.publicKey, b.publicKey) && bytesEqual(a.message, b.message);
}
