/**
 * The evidence pool: what was verified once and waits for a block. Pure: it decides what is held, proposed and let go;
 * storing, verifying and sending are the shell's. Everything it compares is the chain's own, so what it proposes is what
 * every other node takes.
 *
 * One conviction per key: a double vote in a block tombstones its signer for ever, and whatever else is known against
 * that key is let go with it. So evidence is committed once, whatever was lost or repeated on the way: the registry,
 * which all nodes agree on, remembers it and no table beside it has to.
 */
import {
  type Address,
  type Block,
  type ChainState,
  canConvict,
  type DuplicateVoteEvidence,
  type Evidence,
  encodeBareEvidence,
  encodeEvidence,
  evidenceExpired,
  evidenceHeight,
  evidenceId,
  evidenceListSize,
  type Hash,
  type Height,
  makeDuplicateVoteEvidence,
  type PastHeight,
  type Vote,
  type VotePair,
} from "@quorate/chain";
import { sameBytes } from "../state.ts";
import { POOL_LIMITS } from "./limits.ts";

/** Verified evidence that waits for a block, or for people to see it. */
export interface HeldEvidence {
  readonly evidence: Evidence;
  /** As CometBFT hashes it. */
  readonly id: Hash;
  /** Encoded bytes. */
  readonly size: number;
  /** The height that judges it. */
  readonly past: PastHeight;
}

export interface EvidencePool {
  /** Ascending by height, then in order of arrival. */
  readonly held: readonly HeldEvidence[];
  /** Sum of their sizes. */
  readonly bytes: number;
  /** Contradicting votes, verified, of heights whose block is not decided yet. */
  readonly waiting: readonly VotePair[];
}

export const EMPTY_POOL: EvidencePool = { held: [], bytes: 0, waiting: [] };

/** Why evidence was not taken: known already, its validator convicted or accused often enough, too old, or no room. */
export type Refusal = "known" | "convicted" | "enough" | "expired" | "full";

export type Taken =
  | { readonly pool: EvidencePool; readonly held: HeldEvidence; readonly dropped: HeldEvidence | null }
  | { readonly pool: EvidencePool; readonly refused: Refusal };

/**
 * Takes verified evidence. `past` is the height that judges it. Where the pool is full, a further item against somebody
 * accused already makes room for the first against somebody else (`dropped`).
 */
export function takeEvidence(
  pool: EvidencePool,
  state: ChainState,
  evidence: Evidence,
  past: PastHeight,
): Taken {
  const refused = refusalOf(pool, state, evidence, past);
  if (refused !== null) return { pool, refused };
  const held: HeldEvidence = {
    evidence,
    id: evidenceId(evidence),
    size: encodeEvidence(evidence).length,
    past,
  };
  if (held.size > POOL_LIMITS.bytes) return { pool, refused: "full" };
  const fits = (bytes: number, items: number): boolean =>
    bytes + held.size <= POOL_LIMITS.bytes && items < POOL_LIMITS.items;
  if (fits(pool.bytes, pool.held.length)) return { pool: insert(pool, held), held, dropped: null };
  const spare = evidence.kind === "duplicate_vote" && isFirst(pool, evidence) ? spareOf(pool) : null;
  if (spare === null || !fits(pool.bytes - spare.size, pool.held.length - 1)) {
    return { pool, refused: "full" };
  }
  return { pool: insert(without(pool, [spare]), held), held, dropped: spare };
}

/** Whether the pool would take evidence of this kind at all, before anything is spent on verifying it. */
export function refusalOf(
  pool: EvidencePool,
  state: ChainState,
  evidence: Evidence,
  past: PastHeight,
): Refusal | null {
  if (isHeld(pool, evidence)) return "known";
  const last = { height: state.lastHeight, time: state.lastTime };
  if (evidenceExpired(state.params, last, past)) return "expired";
  if (evidence.kind === "light_client_attack") {
    const attacks = pool.held.filter((each) => each.evidence.kind === "light_client_attack");
    return attacks.length < POOL_LIMITS.attacks ? null : "enough";
  }
  if (!canConvict(state, evidence.voteA.validatorAddress)) return "convicted";
  return against(pool, evidence.voteA.validatorAddress).length < POOL_LIMITS.perValidator ? null : "enough";
}

/**
 * Is this misdeed held? Of a double vote it is the place (height, round, type, validator): the culprit can sign any
 * number of pairs there, and whoever hands them on says what time they have.
 */
export function isHeld(pool: EvidencePool, evidence: Evidence): boolean {
  if (evidence.kind === "duplicate_vote") {
    return against(pool, evidence.voteA.validatorAddress).some((each) =>
      samePlace(each.voteA, evidence.voteA),
    );
  }
  const bytes = encodeBareEvidence(evidence);
  return pool.held.some(
    (each) =>
      each.evidence.kind === "light_client_attack" && sameBytes(encodeBareEvidence(each.evidence), bytes),
  );
}

/** Two verified votes of the height being decided (or the next) that contradict each other; each place once. */
export function awaitBlock(pool: EvidencePool, pair: VotePair): EvidencePool {
  const { first } = pair;
  const same = pool.waiting.filter((each) => sameBytes(each.first.validatorAddress, first.validatorAddress));
  if (same.some((each) => samePlace(each.first, first))) return pool;
  if (same.length >= POOL_LIMITS.waitingPerValidator || pool.waiting.length >= POOL_LIMITS.waiting) {
    return pool;
  }
  return { ...pool, waiting: [...pool.waiting, pair] };
}

/** The evidence that the pairs of a decided height make, with its block's time: the same bytes on every node. */
export function evidenceOfDecided(
  pool: EvidencePool,
  past: PastHeight,
): { readonly pool: EvidencePool; readonly made: readonly DuplicateVoteEvidence[] } {
  const made = pool.waiting
    .filter(({ first }) => first.height === past.height)
    .map(({ first, second }) => makeDuplicateVoteEvidence(first, second, past.validators, past.time));
  const waiting = pool.waiting.filter(({ first }) => first.height > past.height);
  return { pool: waiting.length === pool.waiting.length ? pool : { ...pool, waiting }, made };
}

/**
 * What the next block may carry: one double vote per validator, the oldest first, within the params' bytes and
 * `maxBytes`. Attacks on light clients stay out of blocks.
 */
export function evidenceForBlock(
  pool: EvidencePool,
  state: ChainState,
  maxBytes: number = state.params.maxEvidenceBytes,
): readonly DuplicateVoteEvidence[] {
  const most = Math.min(maxBytes, state.params.maxEvidenceBytes);
  const chosen: DuplicateVoteEvidence[] = [];
  for (const { evidence, past } of pool.held) {
    if (evidence.kind !== "duplicate_vote" || isGone(state, evidence, past)) continue;
    if (evidence.voteA.height > state.lastHeight) continue;
    const { validatorAddress } = evidence.voteA;
    if (chosen.some((each) => sameBytes(each.voteA.validatorAddress, validatorAddress))) continue;
    if (evidenceListSize([...chosen, evidence]) > most) continue;
    chosen.push(evidence);
  }
  return chosen;
}

/**
 * After a block: lets go what it committed, all else against those whom it convicts, and what has expired. `state` is
 * the one after the block. `committed` are the items of the block, held here or not.
 */
export function settlePool(
  pool: EvidencePool,
  state: ChainState,
  block: Pick<Block, "evidence">,
): {
  readonly pool: EvidencePool;
  readonly gone: readonly HeldEvidence[];
} {
  const accused = block.evidence.flatMap((each) =>
    each.kind === "duplicate_vote" ? [each.voteA.validatorAddress] : [],
  );
  const gone = pool.held.filter(
    ({ evidence, past }) =>
      isGone(state, evidence, past) ||
      (evidence.kind === "duplicate_vote" &&
        accused.some((address) => sameBytes(address, evidence.voteA.validatorAddress))),
  );
  return { pool: without(pool, gone), gone };
}

/** Height and place of a misdeed. */
function samePlace(a: Vote, b: Vote): boolean {
  return a.height === b.height && a.round === b.round && a.type === b.type;
}

function isGone(state: ChainState, evidence: Evidence, past: PastHeight): boolean {
  const last = { height: state.lastHeight, time: state.lastTime };
  if (evidenceExpired(state.params, last, past)) return true;
  return evidence.kind === "duplicate_vote" && !canConvict(state, evidence.voteA.validatorAddress);
}

function against(pool: EvidencePool, address: Address): readonly DuplicateVoteEvidence[] {
  return pool.held.flatMap(({ evidence }) =>
    evidence.kind === "duplicate_vote" && sameBytes(evidence.voteA.validatorAddress, address)
      ? [evidence]
      : [],
  );
}

function isFirst(pool: EvidencePool, { voteA }: DuplicateVoteEvidence): boolean {
  return against(pool, voteA.validatorAddress).length === 0;
}

/** The newest item that is not the only one against its validator; an attack on light clients before any of them. */
function spareOf(pool: EvidencePool): HeldEvidence | null {
  const attack = pool.held.findLast((each) => each.evidence.kind === "light_client_attack");
  return (
    attack ??
    pool.held.findLast(
      ({ evidence }) =>
        evidence.kind === "duplicate_vote" && against(pool, evidence.voteA.validatorAddress).length > 1,
    ) ??
    null
  );
}

function insert(pool: EvidencePool, held: HeldEvidence): EvidencePool {
  const height: Height = evidenceHeight(held.evidence);
  const at = pool.held.findIndex((each) => evidenceHeight(each.evidence) > height);
  return {
    ...pool,
    held: at < 0 ? [...pool.held, held] : pool.held.toSpliced(at, 0, held),
    bytes: pool.bytes + held.size,
  };
}

function without(pool: EvidencePool, gone: readonly HeldEvidence[]): EvidencePool {
  if (gone.length === 0) return pool;
  const held = pool.held.filter((each) => !gone.includes(each));
  return { ...pool, held, bytes: held.reduce((sum, each) => sum + each.size, 0) };
}
