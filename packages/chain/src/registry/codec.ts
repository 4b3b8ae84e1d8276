/** The registry within a stored state: canonical, decoder total. */
import { compareBytes } from "@quorate/crypto";
import type { ByteReader, ByteWriter } from "../bytes.ts";
import { malformed, oneOf } from "../malformed.ts";
import { PARAM_SPECS } from "../params/params.ts";
import type { Payout, QueuedChange, Registry, RegistryEntry, ScheduledChange } from "../types.ts";
import { entryBytes, payoutBytes, queuedBytes } from "./encoding.ts";

/** Bounds what a decoder allocates; the rules of the registry keep below. */
const MAX_ITEMS = 1 << 20;

/** @throws ChainError `ENCODE` when a value is out of range. */
export function writeRegistry(writer: ByteWriter, registry: Registry): void {
  writer.u8(registry.policy).u64(registry.nextDepositIndex).u64(registry.nextWithdrawalIndex);
  writeList(writer, registry.entries.map(entryBytes));
  writeList(writer, registry.changes.map(queuedBytes));
  writeList(writer, registry.payouts.map(payoutBytes));
  writer.u32(registry.scheduled.length);
  for (const change of registry.scheduled) {
    if (change.kind === "param") {
      const index = PARAM_SPECS.findIndex((spec) => spec.name === change.name);
      writer.u8(0).u8(index).u64(change.value).u64(change.height);
    } else writer.u8(1).u64(change.appVersion).u64(change.height);
  }
}

/** @throws ChainError `DECODE`. */
export function readRegistry(reader: ByteReader): Registry {
  const registry: Registry = {
    policy: oneOf(reader.u8(), [0, 1] as const),
    nextDepositIndex: reader.u64(),
    nextWithdrawalIndex: reader.u64(),
    entries: readList(reader, readEntry),
    changes: readList(reader, readChange),
    payouts: readList(reader, readPayout),
    scheduled: readList(reader, readScheduled),
  };
  registry.entries.forEach((entry, i) => {
    const before = registry.entries[i - 1];
    if (before !== undefined && compareBytes(before.pubKey, entry.pubKey) >= 0) {
      throw malformed("the registry is not in order of its keys");
    }
  });
  return registry;
}

function writeList(writer: ByteWriter, items: readonly Uint8Array[]): void {
  writer.u32(items.length);
  for (const item of items) writer.bytes(item);
}

function readList<T>(reader: ByteReader, read: (reader: ByteReader) => T): readonly T[] {
  const count = reader.u32();
  if (count > MAX_ITEMS) throw malformed(`${count} items of a registry, at most ${MAX_ITEMS} are allowed`);
  const items: T[] = [];
  for (let i = 0; i < count; i++) items.push(read(reader));
  return items;
}

function readEntry(reader: ByteReader): RegistryEntry {
  return {
    pubKey: reader.bytes(32),
    owner: reader.bytes(20),
    power: reader.u64(),
    status: oneOf(reader.u8(), [0, 1, 2] as const),
    stakeGwei: reader.u64(),
    unlockHeight: reader.safeU64(),
  };
}

function readChange(reader: ByteReader): QueuedChange {
  return {
    pubKey: reader.bytes(32),
    owner: reader.bytes(20),
    kind: oneOf(reader.u8(), [0, 1, 2, 3] as const),
    value: reader.u64(),
    height: reader.safeU64(),
  };
}

function readPayout(reader: ByteReader): Payout {
  return {
    pubKey: reader.bytes(32),
    address: reader.bytes(20),
    gwei: reader.u64(),
    unlockHeight: reader.safeU64(),
    unlockTimeMs: reader.safeU64(),
  };
}

function readScheduled(reader: ByteReader): ScheduledChange {
  return oneOf(reader.u8(), ["param", "upgrade"] as const) === "param"
    ? { kind: "param", name: paramName(reader.u8()), value: reader.safeU64(), height: reader.safeU64() }
    : { kind: "upgrade", appVersion: reader.safeU64(), height: reader.safeU64() };
}

function paramName(index: number): string {
  return oneOf(index, PARAM_SPECS).name;
}
