/** The validator registry (DESIGN §8): how it begins, its root in app_hash, and how it is asked. */
import { addressOf, bytesEqual, compareBytes, fromHex, merkleRoot } from "@quorate/crypto";
import { ByteWriter } from "../bytes.ts";
import { remembered } from "../memo.ts";
import type { Address, Genesis, Hash, Registry, RegistryEntry } from "../types.ts";
import { GWEI_PER_POWER } from "./bounds.ts";
import { entryBytes, payoutBytes, queuedBytes, scheduledBytes } from "./encoding.ts";

/** Where the standard deposit contract stands on Ethereum: named in genesis, it chooses stake mode. */
export const STANDARD_DEPOSIT_CONTRACT: Uint8Array = fromHex("00000000219ab540356cbb839cbe05303d7705fa");

/**
 * The registry of a new chain: one active entry per genesis validator, ascending by key. Deposits at the address of
 * the standard contract are anybody's, so they choose stake mode; any other address is that of a registry contract. In
 * stake mode each counts as having staked what its power stands for.
 */
export function genesisRegistry(genesis: Pick<Genesis, "validators" | "depositContractAddress">): Registry {
  const policy = bytesEqual(genesis.depositContractAddress, STANDARD_DEPOSIT_CONTRACT) ? 1 : 0;
  const entries = genesis.validators.map(
    (validator): RegistryEntry => ({
      pubKey: validator.pubKey,
      owner: validator.owner,
      power: validator.power,
      status: 0,
      stakeGwei: policy === 0 ? 0n : validator.power * GWEI_PER_POWER,
      unlockHeight: 0,
    }),
  );
  return {
    policy,
    nextDepositIndex: 0n,
    nextWithdrawalIndex: 0n,
    entries: entries.sort((a, b) => compareBytes(a.pubKey, b.pubKey)),
    changes: [],
    payouts: [],
    scheduled: [],
  };
}

const entryLeafOf = remembered<RegistryEntry, Uint8Array>(entryBytes);

/**
 * Root of `head; entries ascending by key`; head = u8 policy ‖ next deposit index u64 ‖ next withdrawal index u64 ‖
 * root of the queued and then the scheduled changes ‖ root of the payouts.
 */
export function registryRoot(registry: Registry): Hash {
  const head = new ByteWriter()
    .u8(registry.policy)
    .u64(registry.nextDepositIndex)
    .u64(registry.nextWithdrawalIndex)
    .bytes(merkleRoot([...registry.changes.map(queuedBytes), ...registry.scheduled.map(scheduledBytes)]))
    .bytes(merkleRoot(registry.payouts.map(payoutBytes)))
    .finish();
  return merkleRoot([head, ...registry.entries.map(entryLeafOf)]);
}

/** Place of a key among the entries: where it is, or where it would go. */
export function entryPlace(
  entries: readonly RegistryEntry[],
  pubKey: Uint8Array,
): { readonly index: number; readonly entry: RegistryEntry | null } {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const entry = entries[middle]!;
    const order = compareBytes(entry.pubKey, pubKey);
    if (order === 0) return { index: middle, entry };
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  return { index: low, entry: null };
}

/** The entry of a key, or null. */
export function registryEntry(registry: Registry, pubKey: Uint8Array): RegistryEntry | null {
  return entryPlace(registry.entries, pubKey).entry;
}

const addressOfEntry = remembered<RegistryEntry, Address>((entry) => addressOf(entry.pubKey));

/**
 * The entry of a validator address, or null. A validator that lost its power keeps its entry for as long as evidence
 * against it may come.
 */
export function registryEntryByAddress(registry: Registry, address: Address): RegistryEntry | null {
  return registry.entries.find((entry) => bytesEqual(addressOfEntry(entry), address)) ?? null;
}

/** `entries` with the one of the same key replaced, or added in its place. */
export function withEntry(
  entries: readonly RegistryEntry[],
  changed: RegistryEntry,
): readonly RegistryEntry[] {
  const { index, entry } = entryPlace(entries, changed.pubKey);
  return entries.toSpliced(index, entry === null ? 0 : 1, changed);
}
