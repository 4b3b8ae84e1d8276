import { type BlockId, ByteReader, ByteWriter, ChainError } from "@quorate/chain";
import { bytesEqual, crc32c } from "@quorate/crypto";
import type { LastSigned, SignState, SignStep } from "./types.ts";

/*
 * Sign state file: two slots of 4096 bytes, written in turn, so that a torn write never touches the newest whole one.
 *
 *   slot  magic[8] ‖ generation u64 ‖ address[20]
 *         ‖ u8 signed? ‖ height u64 ‖ round u32 ‖ step u8 ‖ timestamp i64 (ns) ‖ u16 length ‖ sign bytes
 *           ‖ u8 length (0 or 64) ‖ signature
 *         ‖ u8 locked? ‖ height u64 ‖ round u32 ‖ block hash[32] ‖ parts total u32 ‖ parts hash[32]
 *         ‖ WAL sequence u64 ‖ WAL CRC u32 ‖ CRC-32C u32 over all before ‖ zeros
 */

export const SLOT_BYTES = 4096;
export const STATE_FILE_BYTES: number = 2 * SLOT_BYTES;

const MAGIC = Uint8Array.of(0x51, 0x52, 0x54, 0x53, 0x49, 0x47, 0x4e, 0x01);
const ADDRESS_BYTES = 20;
const HASH_BYTES = 32;
const SIGNATURE_BYTES = 64;
const CRC_BYTES = 4;

/** Slot 0 or 1 that a generation goes into. */
export function slotOffset(generation: bigint): number {
  return Number(generation & 1n) * SLOT_BYTES;
}

function hash(value: Uint8Array): Uint8Array {
  if (value.length === HASH_BYTES) return value;
  throw new ChainError("ENCODE", `a hash of ${value.length} bytes has no place in the sign state`);
}

/**
 * A whole slot. `address` binds it to the key.
 * @throws ChainError `ENCODE` when a field is outside its range.
 */
export function encodeSlot(state: SignState, address: Uint8Array): Uint8Array {
  const writer = new ByteWriter(512).bytes(MAGIC).u64(state.generation).bytes(address);
  if (state.lastSigned === null) writer.u8(0);
  else {
    const { height, round, step, timestamp, signBytes, signature } = state.lastSigned;
    writer.u8(1).u64(BigInt(height)).u32(round).u8(step).i64(timestamp);
    writer.u16(signBytes.length).bytes(signBytes).u8(signature.length).bytes(signature);
  }
  if (state.lock === null) writer.u8(0);
  else {
    const { height, round, blockId } = state.lock;
    writer.u8(1).u64(BigInt(height)).u32(round);
    writer.bytes(hash(blockId.hash)).u32(blockId.parts.total).bytes(hash(blockId.parts.hash));
  }
  writer.u64(state.dependency.sequence).u32(state.dependency.crc);
  const content = writer.finish();
  if (content.length > SLOT_BYTES - CRC_BYTES) {
    throw new ChainError("ENCODE", `sign bytes of this length have no place in the sign state`, {
      length: content.length,
    });
  }
  const slot = new Uint8Array(SLOT_BYTES);
  slot.set(content);
  new DataView(slot.buffer).setUint32(content.length, crc32c(content));
  return slot;
}

export interface Slot {
  readonly state: SignState;
  readonly address: Uint8Array;
}

function readLastSigned(reader: ByteReader): LastSigned | null {
  if (reader.u8() === 0) return null;
  const height = reader.safeU64();
  const round = reader.u32();
  const step = reader.u8();
  const timestamp = reader.i64();
  const signBytes = reader.bytes(reader.u16());
  const signature = reader.bytes(reader.u8());
  const known = signature.length === SIGNATURE_BYTES && signBytes.length > 0;
  const unknown = signature.length === 0 && signBytes.length === 0;
  if (step > 2 || !(known || unknown)) throw new ChainError("DECODE", "the last signed message is malformed");
  return { height, round, step: step as SignStep, timestamp, signBytes, signature };
}

function readLock(reader: ByteReader): SignState["lock"] {
  if (reader.u8() === 0) return null;
  const height = reader.safeU64();
  const round = reader.u32();
  const blockHash = reader.bytes(HASH_BYTES);
  const total = reader.u32();
  const blockId: BlockId = { hash: blockHash, parts: { total, hash: reader.bytes(HASH_BYTES) } };
  return { height, round, blockId };
}

/** The content of a slot, or `null` when it is not exactly one whole slot. */
export function decodeSlot(bytes: Uint8Array): Slot | null {
  if (bytes.length !== SLOT_BYTES || !bytesEqual(bytes.subarray(0, MAGIC.length), MAGIC)) return null;
  // Copied, because values that are kept must not hold on to the file's buffer.
  const reader = new ByteReader(new Uint8Array(bytes.subarray(MAGIC.length, SLOT_BYTES - CRC_BYTES)));
  let slot: Slot;
  try {
    const generation = reader.u64();
    const address = reader.bytes(ADDRESS_BYTES);
    const lastSigned = readLastSigned(reader);
    const lock = readLock(reader);
    const dependency = { sequence: reader.u64(), crc: reader.u32() };
    slot = { state: { generation, lastSigned, lock, dependency }, address };
  } catch (error) {
    if (error instanceof ChainError) return null;
    throw error;
  }
  // One encoding only: whatever differs from it, padding included, is damage.
  return bytesEqual(encodeSlot(slot.state, slot.address), bytes) ? slot : null;
}

/** What a state file holds: the newest whole slot, and whether the other one is whole too. */
export interface StateFile extends Slot {
  readonly bothWhole: boolean;
}

/** `null` when no slot is whole. */
export function decodeStateFile(bytes: Uint8Array): StateFile | null {
  if (bytes.length !== STATE_FILE_BYTES) return null;
  const slots = [decodeSlot(bytes.subarray(0, SLOT_BYTES)), decodeSlot(bytes.subarray(SLOT_BYTES))];
  const whole = slots.filter((slot) => slot !== null);
  const newest = whole.reduce<Slot | null>(
    (best, slot) => (best === null || slot.state.generation > best.state.generation ? slot : best),
    null,
  );
  return newest === null ? null : { ...newest, bothWhole: whole.length === 2 };
}
