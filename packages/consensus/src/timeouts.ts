/** Durations of the three timers: base + round * delta, capped (DESIGN §3 Time). All in ms, integers. */
import type { ChainParams, Round, Time } from "@quorate/chain";

const NS_PER_MS = 1_000_000n;

export function proposeMs(params: ChainParams, round: Round): number {
  return capped(params, params.timeoutProposeMs, params.timeoutProposeDeltaMs, round);
}

/** The shrunk timeout for a proposer that nobody has a link to; never longer than the full one. */
export function proposeAbsentMs(params: ChainParams, round: Round): number {
  return Math.min(params.timeoutProposeAbsentMs, proposeMs(params, round));
}

export function prevoteMs(params: ChainParams, round: Round): number {
  return capped(params, params.timeoutPrevoteMs, params.timeoutPrevoteDeltaMs, round);
}

/** 0 when +2/3 precommitted nil: nothing can be decided in the round, and moving on is always safe. */
export function precommitMs(params: ChainParams, round: Round, nilQuorum: boolean): number {
  return nilQuorum ? 0 : capped(params, params.timeoutPrecommitMs, params.timeoutPrecommitDeltaMs, round);
}

/** Lower bound of a header time: the previous one plus max(block_interval, 1 ms). */
export function earliestHeaderTime(params: ChainParams, lastTime: Time): Time {
  return lastTime + BigInt(Math.max(params.blockIntervalMs, 1)) * NS_PER_MS;
}

function capped(params: ChainParams, base: number, delta: number, round: Round): number {
  return Math.min(base + delta * round, params.timeoutMaxMs);
}
