/**
 * What the next block is built with: payload attributes and the earliest time, pure functions of state, time and
 * proposer, so that every validator checks them by equality before its EL is asked (DESIGN §3).
 */
import { sha256 } from "@quorate/crypto";
import { ChainError } from "../errors.ts";
import { ascii } from "../genesis/ascii.ts";
import { duePayouts } from "../registry/payouts.ts";
import { registryEntry } from "../registry/registry.ts";
import { timeToMs } from "../time.ts";
import type { Address, ChainState, Hash, PayloadAttributes, Time, Withdrawal } from "../types.ts";
import { validatorByAddress } from "../validators/set.ts";

export const NS_PER_MS = 1_000_000n;
const NS_PER_S = 1_000_000_000n;
const PREV_RANDAO_DOMAIN = ascii("quorate/prevrandao/1");

/** Lower bound of the next header's time: the block interval, and with an EL the drift its timestamp may have. */
export function earliestTime(state: ChainState): Time {
  const interval = BigInt(Math.max(1, state.params.blockIntervalMs)) * NS_PER_MS;
  const byInterval = state.lastTime + interval;
  if (state.execution === "none") return byInterval;
  const byDrift = (BigInt(state.el.timestamp) + 1n - BigInt(state.params.maxElTimeDriftS)) * NS_PER_S;
  return byDrift > byInterval ? byDrift : byInterval;
}

/** Whole seconds of a header time. */
export function floorSeconds(time: Time): number {
  return Number(time / NS_PER_S);
}

/** EL timestamp (unix seconds) of a block of header time `time`: floor(time), but above the parent's. */
export function payloadTimestamp(state: ChainState, time: Time): number {
  return Math.max(state.el.timestamp + 1, floorSeconds(time));
}

/** BlockID.hash of the last block; the genesis hash before the first one. Readable in the EVM through EIP-4788. */
export function parentBeaconBlockRoot(state: ChainState): Hash {
  return state.lastBlockId?.hash ?? state.genesisHash;
}

/** SHA-256("quorate/prevrandao/1" ‖ BlockID.hash(H-1)). Predictable: not for lotteries. */
export function prevRandao(state: ChainState): Hash {
  return sha256(PREV_RANDAO_DOMAIN, parentBeaconBlockRoot(state));
}

/** Withdrawals of the next payload: what falls due at the head of the payout queue, at most 16. */
export function nextWithdrawals(state: ChainState): readonly Withdrawal[] {
  return duePayouts(state.registry, state.lastHeight + 1, timeToMs(state.lastTime)).withdrawals;
}

/** Owner of the registry entry of a validator of the next height: the fee recipient of the blocks it proposes. */
export function feeRecipient(state: ChainState, proposerAddress: Address): Uint8Array {
  const found = validatorByAddress(state.validators, proposerAddress);
  const entry = found === null ? null : registryEntry(state.registry, found.validator.pubKey);
  if (entry === null) {
    throw new ChainError("BAD_PROPOSER", "the proposer is no validator of this height", {
      height: state.lastHeight + 1,
    });
  }
  return entry.owner;
}

/**
 * Attributes of the payload of height `lastHeight + 1` for header time `time`.
 * @throws ChainError `BAD_PROPOSER` when the proposer is no validator of that height.
 */
export function payloadAttributes(
  state: ChainState,
  time: Time,
  proposerAddress: Address,
): PayloadAttributes {
  return {
    timestamp: payloadTimestamp(state, time),
    prevRandao: prevRandao(state),
    suggestedFeeRecipient: feeRecipient(state, proposerAddress),
    withdrawals: nextWithdrawals(state),
    parentBeaconBlockRoot: parentBeaconBlockRoot(state),
  };
}
