/** Bounds of the registry: what no request, however many there are, can exceed (docs/protocol.md §3). */
import type { ChainParams, Height, Power } from "../types.ts";

/** Validators with power at most: what gossip and round state are made for. */
export const MAX_ACTIVE_VALIDATORS = 512;
/** Deposits of one height that are looked at: more than a block of 60 million gas has room for. */
export const MAX_DEPOSITS_PER_HEIGHT = 1024;
/** Queued changes at most; a request that finds the queue full is ignored. */
export const MAX_QUEUED_CHANGES = 4096;
/** Payouts that wait at most, before requests are ignored: an exit can then be asked for again later. */
export const MAX_PAYOUTS = 8192;
/** Queued changes that are taken up in one height. */
export const MAX_CHANGES_PER_HEIGHT = 512;
/** Scheduled params and upgrades at most. */
export const MAX_SCHEDULED = 64;
/** Stake behind one voting power: one ether. */
export const GWEI_PER_POWER = 1_000_000_000n;
/** Least first deposit in stake mode, and what a partial withdrawal leaves: 32 ether. */
export const MIN_STAKE_GWEI = 32_000_000_000n;
/** Most stake of one validator: 9 billion ether. */
export const MAX_STAKE_GWEI = 9_000_000_000_000_000_000n;
/** Heights from the block of a change to the first that it governs. */
export const CHANGE_DELAY = 2;

/** Most power that changes may move in one height, T being the total of the next height's set. */
export function changeBound(total: Power): Power {
  const third = total / 3n;
  return third > 0n ? third : 1n;
}

/**
 * Range in which the registry's owner may set a param: within the param's own, and such that a chain goes on at either
 * end. Not there: `gas_limit` and `fork.osaka`, which every execution client is configured with.
 */
export const OWNER_RANGES: ReadonlyMap<keyof ChainParams, readonly [min: number, max: number]> = new Map<
  keyof ChainParams,
  readonly [number, number]
>([
  ["blockIntervalMs", [100, 60_000]],
  ["emptyBlockIntervalMs", [0, 3_600_000]],
  ["evidenceMaxAgeMs", [3_600_000, 31_536_000_000]],
  ["evidenceMaxAgeBlocks", [1_000, 1_000_000_000]],
  // Below, a payload that every execution client builds might not fit.
  ["maxBlockBytes", [10_485_760, 16_777_216]],
  ["maxElTimeDriftS", [0, 60]],
  ["maxEvidenceBytes", [65_536, 10_485_760]],
  ["messageDelayMs", [500, 60_000]],
  ["precisionMs", [50, 30_000]],
  ["timeoutMaxMs", [10_000, 60_000]],
  ["timeoutPrecommitMs", [50, 60_000]],
  ["timeoutPrecommitDeltaMs", [50, 60_000]],
  ["timeoutPrevoteMs", [50, 60_000]],
  ["timeoutPrevoteDeltaMs", [50, 60_000]],
  ["timeoutProposeMs", [200, 60_000]],
  ["timeoutProposeAbsentMs", [50, 60_000]],
  ["timeoutProposeDeltaMs", [50, 60_000]],
]);

/** First height that a change of the block of `height` governs. */
export function heightOfChange(height: Height): Height {
  return height + CHANGE_DELAY;
}
