import type { BlockId } from "@quorate/chain";
import { bytesEqual, crc32c } from "@quorate/crypto";

/*
 * Segment of bodies: records one after another, zeros behind them.
 *
 *   record  magic u32 ‖ length u32 ‖ block hash[32] ‖ parts total u32 ‖ parts hash[32] ‖ CRC-32C u32 ‖ body
 *
 * All big-endian; the CRC covers everything else of the record.
 */

export const BODY_HEADER_BYTES = 80;
const MAGIC = 0x51424459;
const CRC_AT = 76;

/** A record's header, its content not checked yet. */
export interface BodyHeader {
  readonly blockId: BlockId;
  readonly length: number;
  readonly crc: number;
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** @throws RangeError when a hash does not have 32 bytes. */
export function encodeBodyRecord(blockId: BlockId, body: Uint8Array): Uint8Array {
  if (blockId.hash.length !== 32 || blockId.parts.hash.length !== 32) {
    throw new RangeError("a block id has hashes of 32 bytes");
  }
  const record = new Uint8Array(BODY_HEADER_BYTES + body.length);
  const out = view(record);
  out.setUint32(0, MAGIC);
  out.setUint32(4, body.length);
  record.set(blockId.hash, 8);
  out.setUint32(40, blockId.parts.total);
  record.set(blockId.parts.hash, 44);
  record.set(body, BODY_HEADER_BYTES);
  out.setUint32(CRC_AT, crc32c(body, crc32c(record.subarray(0, CRC_AT))));
  return record;
}

/** `null` when no record's header begins at `offset`. */
export function decodeBodyHeader(bytes: Uint8Array, offset = 0): BodyHeader | null {
  if (offset + BODY_HEADER_BYTES > bytes.length) return null;
  const input = view(bytes);
  if (input.getUint32(offset) !== MAGIC) return null;
  return {
    length: input.getUint32(offset + 4),
    blockId: {
      hash: bytes.slice(offset + 8, offset + 40),
      parts: { total: input.getUint32(offset + 40), hash: bytes.slice(offset + 44, offset + 76) },
    },
    crc: input.getUint32(offset + CRC_AT),
  };
}

/** The body in `record` if it is the whole record of `blockId`, else `null`. */
export function bodyOf(record: Uint8Array, blockId: BlockId): Uint8Array | null {
  const header = decodeBodyHeader(record);
  if (header === null || BODY_HEADER_BYTES + header.length !== record.length) return null;
  if (!bytesEqual(header.blockId.hash, blockId.hash)) return null;
  const body = record.subarray(BODY_HEADER_BYTES);
  return crc32c(body, crc32c(record.subarray(0, CRC_AT))) === header.crc ? body : null;
}

export interface FoundBody {
  readonly blockId: BlockId;
  readonly offset: number;
  readonly length: number;
}

/**
 * Whole records in `bytes` from `offset` on. What lies between them (a write cut off by a crash) is passed over byte
 * by byte.
 */
export function* findBodies(bytes: Uint8Array, offset: number): Generator<FoundBody> {
  for (let at = offset; at + BODY_HEADER_BYTES <= bytes.length; ) {
    const header = bytes[at] === MAGIC >>> 24 ? decodeBodyHeader(bytes, at) : null;
    const end = header === null ? 0 : at + BODY_HEADER_BYTES + header.length;
    if (header !== null && end <= bytes.length && bodyOf(bytes.subarray(at, end), header.blockId) !== null) {
      yield { blockId: header.blockId, offset: at, length: header.length };
      at = end;
    } else at++;
  }
}

/** Offset behind the last byte that is not zero, at least `from`. */
export function contentEnd(bytes: Uint8Array, from: number): number {
  let end = bytes.length;
  while (end - from >= ZEROS.length && Buffer.compare(bytes.subarray(end - ZEROS.length, end), ZEROS) === 0) {
    end -= ZEROS.length;
  }
  while (end > from && bytes[end - 1] === 0) end--;
  return end;
}

const ZEROS = new Uint8Array(512);
