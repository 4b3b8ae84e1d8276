/** What an equivocation costs: the power, the key, and in stake mode a share of the stake (docs/protocol.md §3). */
import { bytesEqual } from "@quorate/crypto";
import type { Registry, RegistryEntry } from "../types.ts";
import { heldPayout } from "./payouts.ts";
import { registryEntry, withEntry } from "./registry.ts";

/** One twentieth (5 %) of what is at stake burns. */
const BURNT_PART = 20n;

/**
 * The registry after a proven equivocation of `pubKey`. Its power is 0 at H+2 and its key tombstoned for ever. In stake
 * mode 1/20 of its stake and of what it is still owed burns (rounded up); the rest is owed to its owner once evidence
 * against it would have expired. Neither bounded nor queued. The last validator with power keeps it until another has
 * some: see {@link dropTombstoned}.
 *
 * A key that is tombstoned already, or that has no entry, changes nothing: the same registry is answered.
 */
export function punish(registry: Registry, pubKey: Uint8Array): Registry {
  const entry = registryEntry(registry, pubKey);
  if (entry === null || entry.status === 2) return registry;
  const payouts = registry.payouts.map((payout) =>
    bytesEqual(payout.pubKey, pubKey) ? { ...payout, gwei: afterBurning(payout.gwei) } : payout,
  );
  const rest = afterBurning(entry.stakeGwei);
  const tombstoned: RegistryEntry = { ...entry, status: 2, stakeGwei: 0n };
  return dropTombstoned({
    ...registry,
    entries: withEntry(registry.entries, tombstoned),
    payouts: rest > 0n ? [...payouts, heldPayout(pubKey, entry.owner, rest)] : payouts,
  });
}

function afterBurning(gwei: bigint): bigint {
  return gwei - (gwei + BURNT_PART - 1n) / BURNT_PART;
}

/**
 * Takes the power of tombstoned validators, in order of their keys, each only if another validator has power: a chain
 * whose last validator is punished goes on, and loses it as soon as another has joined.
 */
export function dropTombstoned(registry: Registry): Registry {
  let powers = registry.entries.filter((entry) => entry.power > 0n).length;
  if (!registry.entries.some(isPowerfulTombstone)) return registry;
  const entries = registry.entries.map((entry) => {
    if (!isPowerfulTombstone(entry) || powers === 1) return entry;
    powers--;
    return { ...entry, power: 0n };
  });
  return { ...registry, entries };
}

function isPowerfulTombstone(entry: RegistryEntry): boolean {
  return entry.status === 2 && entry.power > 0n;
}
