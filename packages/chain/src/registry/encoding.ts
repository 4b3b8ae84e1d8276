/** Bytes of the registry's parts (docs/protocol.md §3): leaves of its root, and what the state's codec stores. */
import { sha256, utf8Encode } from "@quorate/crypto";
import { ByteWriter } from "../bytes.ts";
import type { Payout, QueuedChange, RegistryEntry, ScheduledChange } from "../types.ts";

/** Kind bytes of scheduled changes; below them stand those of queued ones. */
export const SCHEDULED_PARAM = 4;
export const SCHEDULED_UPGRADE = 5;

/** key[32] ‖ owner[20] ‖ power u64 ‖ u8 status ‖ stake gwei u64 ‖ unlock height u64. */
export function entryBytes(entry: RegistryEntry): Uint8Array {
  return new ByteWriter(84)
    .bytes(entry.pubKey)
    .bytes(entry.owner)
    .u64(entry.power)
    .u8(entry.status)
    .u64(entry.stakeGwei)
    .u64(entry.unlockHeight)
    .finish();
}

/** key[32] ‖ owner[20] ‖ u8 kind ‖ value u64 ‖ height u64. */
export function queuedBytes(change: QueuedChange): Uint8Array {
  return item(change.pubKey, change.owner, change.kind, change.value, change.height);
}

/** The same layout: a param's key is SHA-256 of its name, an upgrade's is zero; no owner. */
export function scheduledBytes(change: ScheduledChange): Uint8Array {
  const nobody = new Uint8Array(20);
  return change.kind === "param"
    ? item(paramKey(change.name), nobody, SCHEDULED_PARAM, BigInt(change.value), change.height)
    : item(new Uint8Array(32), nobody, SCHEDULED_UPGRADE, BigInt(change.appVersion), change.height);
}

/** What names a param where only 32 bytes have room: SHA-256 of its name. */
export function paramKey(name: string): Uint8Array {
  return sha256(utf8Encode(name));
}

/** key[32] ‖ address[20] ‖ gwei u64 ‖ unlock height u64 ‖ unlock time u64 (ms). */
export function payoutBytes(payout: Payout): Uint8Array {
  return new ByteWriter(76)
    .bytes(payout.pubKey)
    .bytes(payout.address)
    .u64(payout.gwei)
    .u64(payout.unlockHeight)
    .u64(payout.unlockTimeMs)
    .finish();
}

function item(key: Uint8Array, owner: Uint8Array, kind: number, value: bigint, height: number): Uint8Array {
  return new ByteWriter(69).bytes(key).bytes(owner).u8(kind).u64(value).u64(height).finish();
}
