/** What one queued change does in its turn, and what the turns of both policies share. */
import type { Payout, Power, QueuedChange, Registry, RegistryEntry } from "../types.ts";
import { MAX_ACTIVE_VALIDATORS } from "./bounds.ts";
import { withEntry } from "./registry.ts";

export interface Turn {
  readonly registry: Registry;
  /** Power that it moved. */
  readonly moved: Power;
  /** What remains of the change and stays at the head; `null` when it is complete. */
  readonly rest: QueuedChange | null;
}

export function dropped(registry: Registry): Turn {
  return { registry, moved: 0n, rest: null };
}

/** The last validator with power is never removed. */
export function isLast(registry: Registry, current: Power): boolean {
  return current > 0n && registry.entries.filter((entry) => entry.power > 0n).length === 1;
}

/** A validator whose leaving is dropped is active again, and may ask again. */
export function stays(registry: Registry, entry: RegistryEntry | null): Registry {
  if (entry === null || entry.status !== 1) return registry;
  return { ...registry, entries: withEntry(registry.entries, { ...entry, status: 0 }) };
}

export function isFull(registry: Registry): boolean {
  return registry.entries.filter((entry) => entry.power > 0n).length >= MAX_ACTIVE_VALIDATORS;
}

export function newEntry(change: QueuedChange): RegistryEntry {
  return {
    pubKey: change.pubKey,
    owner: change.owner,
    power: 0n,
    status: 0,
    stakeGwei: 0n,
    unlockHeight: 0,
  };
}

/** The registry with an entry changed, and what that leaves to be paid. */
export function withChanged(registry: Registry, entry: RegistryEntry, ...owed: readonly Payout[]): Registry {
  return {
    ...registry,
    entries: withEntry(registry.entries, entry),
    payouts: owed.length > 0 ? [...registry.payouts, ...owed] : registry.payouts,
  };
}
