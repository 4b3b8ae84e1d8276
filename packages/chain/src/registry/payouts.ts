/** What owners are owed, and validators held for evidence: fixed in time, paid as payload withdrawals, then forgotten. */
import { bytesEqual } from "@quorate/crypto";
import { MAX_WITHDRAWALS } from "../envelope.ts";
import { MAX_HEIGHT } from "../limits.ts";
import type { ChainParams, Height, Payout, Registry, Withdrawal } from "../types.ts";
import { registryEntry } from "./registry.ts";

/** The head of the payout queue that falls due in one block. */
export interface DuePayouts {
  /** At most 16: the withdrawals that the payload must carry. */
  readonly withdrawals: readonly Withdrawal[];
  /** Items of the queue that go, those that pay nothing included. */
  readonly items: number;
}

/**
 * What falls due in the block of `height`, whose parent has the header time `lastTimeMs`. Only the head of the queue
 * counts: an item that is not due holds back those behind it.
 */
export function duePayouts(registry: Registry, height: Height, lastTimeMs: number): DuePayouts {
  const withdrawals: Withdrawal[] = [];
  let items = 0;
  for (const payout of registry.payouts) {
    const due = payout.unlockHeight > 0 && payout.unlockHeight <= height && payout.unlockTimeMs <= lastTimeMs;
    if (!due || withdrawals.length === MAX_WITHDRAWALS) break;
    items++;
    if (payout.gwei === 0n) continue;
    withdrawals.push({
      index: registry.nextWithdrawalIndex + BigInt(withdrawals.length),
      validatorIndex: 0n,
      address: payout.address,
      amountGwei: payout.gwei,
    });
  }
  return { withdrawals, items };
}

/** The registry after the payload paid what was due. A validator that left is forgotten with its last payout. */
export function settlePayouts(registry: Registry, height: Height, lastTimeMs: number): Registry {
  const { withdrawals, items } = duePayouts(registry, height, lastTimeMs);
  if (items === 0) return registry;
  const gone = registry.payouts.slice(0, items);
  const payouts = registry.payouts.slice(items);
  const forgotten = (pubKey: Uint8Array): boolean => {
    const entry = registryEntry(registry, pubKey);
    return (
      entry?.status === 1 &&
      entry.power === 0n &&
      gone.some((payout) => bytesEqual(payout.pubKey, pubKey)) &&
      !payouts.some((payout) => bytesEqual(payout.pubKey, pubKey))
    );
  };
  return {
    ...registry,
    nextWithdrawalIndex: registry.nextWithdrawalIndex + BigInt(withdrawals.length),
    payouts,
    entries: registry.entries.filter((entry) => !forgotten(entry.pubKey)),
  };
}

/**
 * Fixes when what the block before made falls due. A validator whose power that block took votes for the last time at
 * `height`: from there evidence counts its age, in blocks and in time.
 */
export function fixUnlocks(
  registry: Registry,
  height: Height,
  timeMs: number,
  params: ChainParams,
): Registry {
  if (registry.payouts.every((payout) => payout.unlockHeight > 0)) return registry;
  // Evidence of `height` is too old for a block when its parent is more than the age behind: two blocks later.
  const unlockHeight = Math.min(MAX_HEIGHT, height + params.evidenceMaxAgeBlocks + 2);
  const unlockTimeMs = Math.min(Number.MAX_SAFE_INTEGER, timeMs + params.evidenceMaxAgeMs + 1);
  const open = registry.payouts.filter((payout) => payout.unlockHeight === 0);
  return {
    ...registry,
    payouts: registry.payouts.map((payout) =>
      payout.unlockHeight === 0 ? { ...payout, unlockHeight, unlockTimeMs } : payout,
    ),
    entries: registry.entries.map((entry) =>
      entry.power === 0n && open.some((payout) => bytesEqual(payout.pubKey, entry.pubKey))
        ? { ...entry, unlockHeight }
        : entry,
    ),
  };
}

/** A payout whose time the next block fixes; of 0 gwei where a validator is only held for evidence. */
export function heldPayout(pubKey: Uint8Array, address: Uint8Array, gwei: bigint): Payout {
  return { pubKey, address, gwei, unlockHeight: 0, unlockTimeMs: 0 };
}
