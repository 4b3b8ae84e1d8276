import { crc32c } from "@quorate/crypto";
import type { WalPosition } from "./types.ts";

/*
 * Segment file: header, records one after another, zeros up to its preallocated size.
 *
 *   header (32)  magic[8] ‖ format version u32 ‖ core version u32 ‖ first sequence u64 ‖ CRC before it u32 ‖ CRC-32C u32
 *   record (22+) length u32 ‖ type u8 ‖ flags u8 ‖ sequence u64 ‖ previous CRC u32 ‖ CRC-32C u32 ‖ payload
 *
 * All big-endian. A record's CRC covers length, type, flags, sequence, previous CRC and payload, so the CRCs form a
 * chain through all segments. The previous CRC is also stored: a record can then be recognised behind a damaged one,
 * which is what tells damage from a torn tail.
 */

/** Version of the layout above. */
export const FORMAT_VERSION = 1;
export const HEADER_BYTES = 32;
export const RECORD_HEADER_BYTES = 22;
/** Longest payload of a record: the largest logged input is a certificate of 512 signatures, under 64 KiB. */
export const MAX_PAYLOAD_BYTES: number = 4 * 1024 * 1024;

/** Set on the first record of a write: everything before that record was on disk when it was written. */
export const FLAG_GROUP_START = 1;

const MAGIC = Uint8Array.of(0x51, 0x52, 0x54, 0x57, 0x41, 0x4c, 0x0d, 0x0a);
const CRC_AT = 18;

export interface SegmentHeader {
  readonly coreVersion: number;
  /** Sequence that the segment's first record has. */
  readonly firstSequence: bigint;
  /** Chained CRC of the record before it. */
  readonly previousCrc: number;
}

/** A record as it lies in a segment. */
export interface StoredRecord extends WalPosition {
  readonly offset: number;
  /** Offset behind it. */
  readonly end: number;
  readonly type: number;
  readonly groupStart: boolean;
  readonly previousCrc: number;
  readonly payload: Uint8Array;
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function encodeSegmentHeader(header: SegmentHeader): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES);
  const out = view(bytes);
  bytes.set(MAGIC);
  out.setUint32(8, FORMAT_VERSION);
  out.setUint32(12, header.coreVersion);
  out.setBigUint64(16, header.firstSequence);
  out.setUint32(24, header.previousCrc);
  out.setUint32(28, crc32c(bytes.subarray(0, 28)));
  return bytes;
}

/** `null` when the bytes do not begin with a whole header of this format version. */
export function decodeSegmentHeader(bytes: Uint8Array): SegmentHeader | null {
  if (bytes.length < HEADER_BYTES) return null;
  const input = view(bytes);
  for (let i = 0; i < MAGIC.length; i++) if (bytes[i] !== MAGIC[i]) return null;
  if (input.getUint32(28) !== crc32c(bytes.subarray(0, 28))) return null;
  if (input.getUint32(8) !== FORMAT_VERSION) return null;
  return {
    coreVersion: input.getUint32(12),
    firstSequence: input.getBigUint64(16),
    previousCrc: input.getUint32(24),
  };
}

/** The record that follows `previous`, and the CRC that the next one chains to. */
export function encodeRecord(
  previous: WalPosition,
  type: number,
  payload: Uint8Array,
  groupStart: boolean,
): { readonly bytes: Uint8Array; readonly position: WalPosition } {
  // Copied into a group within the turn, so memory of its own would be wasted on it.
  const bytes = Buffer.allocUnsafe(RECORD_HEADER_BYTES + payload.length);
  const out = view(bytes);
  const sequence = previous.sequence + 1n;
  out.setUint32(0, payload.length);
  out.setUint8(4, type);
  out.setUint8(5, groupStart ? FLAG_GROUP_START : 0);
  out.setBigUint64(6, sequence);
  out.setUint32(14, previous.crc);
  const crc = crc32c(payload, crc32c(bytes.subarray(0, CRC_AT)));
  out.setUint32(CRC_AT, crc);
  bytes.set(payload, RECORD_HEADER_BYTES);
  return { bytes, position: { sequence, crc } };
}

/**
 * The record that begins at `offset`, or `null` when none does. Checks the record against itself only: whether it
 * continues the chain is the caller's question.
 */
export function readRecord(bytes: Uint8Array, offset: number): StoredRecord | null {
  if (offset < 0 || offset + RECORD_HEADER_BYTES > bytes.length) return null;
  const length = u32(bytes, offset);
  const end = offset + RECORD_HEADER_BYTES + length;
  if (length > MAX_PAYLOAD_BYTES || end > bytes.length) return null;
  const flags = bytes[offset + 5] as number;
  const high = u32(bytes, offset + 6);
  const low = u32(bytes, offset + 10);
  if (flags > FLAG_GROUP_START || (high === 0 && low === 0)) return null;
  const payload = bytes.subarray(offset + RECORD_HEADER_BYTES, end);
  const crc = u32(bytes, offset + CRC_AT);
  if (crc !== crc32c(payload, crc32c(bytes.subarray(offset, offset + CRC_AT)))) return null;
  return {
    offset,
    end,
    type: bytes[offset + 4] as number,
    groupStart: flags === FLAG_GROUP_START,
    sequence: (BigInt(high) << 32n) | BigInt(low),
    previousCrc: u32(bytes, offset + 14),
    crc,
    payload,
  };
}

/** Read without a DataView: the search behind a bad record asks at every byte. */
function u32(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] as number) << 24) |
      ((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number)) >>>
    0
  );
}

/** Whether `record` is the one that directly follows `previous` in the chain. */
export function follows(record: StoredRecord, previous: WalPosition): boolean {
  return record.sequence === previous.sequence + 1n && record.previousCrc === previous.crc;
}

const NAME = /^(\d{8})\.wal$/;
const ANY_NAME = /^(\d{8})\.wal(?:\.damaged)?$/;

/** File name of segment `index` (1 …); names sort in the order of the log. */
export function segmentName(index: number): string {
  return `${String(index).padStart(8, "0")}.wal`;
}

/** Index of a live segment's file name, `null` for any other name. */
export function segmentIndex(name: string): number | null {
  const match = NAME.exec(name);
  return match?.[1] === undefined ? null : Number(match[1]);
}

/** Highest index that any segment, set aside or live, ever had among these names; 0 when none. */
export function highestIndex(names: readonly string[]): number {
  let highest = 0;
  for (const name of names) highest = Math.max(highest, Number(ANY_NAME.exec(name)?.[1] ?? 0));
  return highest;
}
