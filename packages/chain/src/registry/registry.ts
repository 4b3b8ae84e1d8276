/**
 * The validator registry (DESIGN §8) and its root in app_hash. Until changes arrive through execution requests it is
 * the genesis set: nothing is queued and nothing is to be paid out.
 */
import { compareBytes, merkleRoot } from "@quorate/crypto";
import { ByteWriter } from "../bytes.ts";
import type { GenesisValidator, Hash, Registry, RegistryEntry } from "../types.ts";

/** The registry of a new chain: one active entry per genesis validator, ascending by key. */
export function genesisRegistry(validators: readonly GenesisValidator[]): Registry {
  const entries = validators.map(
    (validator): RegistryEntry => ({
      pubKey: validator.pubKey,
      owner: validator.owner,
      power: validator.power,
      status: 0,
      stakeGwei: 0n,
      unlockHeight: 0,
    }),
  );
  return {
    policy: 0,
    nextDepositIndex: 0n,
    nextWithdrawalIndex: 0n,
    entries: entries.sort((a, b) => compareBytes(a.pubKey, b.pubKey)),
  };
}

/**
 * Root of `head; entries ascending by key`; head = u8 policy ‖ next deposit index u64 ‖ next withdrawal index u64 ‖
 * root of the queued changes ‖ root of the payouts.
 */
export function registryRoot(registry: Registry): Hash {
  const nothing = merkleRoot([]);
  const head = new ByteWriter()
    .u8(registry.policy)
    .u64(registry.nextDepositIndex)
    .u64(registry.nextWithdrawalIndex)
    .bytes(nothing)
    .bytes(nothing)
    .finish();
  return merkleRoot([head, ...registry.entries.map(entryLeaf)]);
}

function entryLeaf(entry: RegistryEntry): Uint8Array {
  return new ByteWriter()
    .bytes(entry.pubKey)
    .bytes(entry.owner)
    .u64(entry.power)
    .u8(entry.status)
    .u64(entry.stakeGwei)
    .u64(BigInt(entry.unlockHeight))
    .finish();
}

/** The entry of a key by binary search, or null. */
export function registryEntry(registry: Registry, pubKey: Uint8Array): RegistryEntry | null {
  let low = 0;
  let high = registry.entries.length - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const entry = registry.entries[middle];
    if (entry === undefined) return null;
    const order = compareBytes(entry.pubKey, pubKey);
    if (order === 0) return entry;
    if (order < 0) low = middle + 1;
    else high = middle - 1;
  }
  return null;
}
