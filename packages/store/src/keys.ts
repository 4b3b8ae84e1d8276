import { type BlockId, ByteReader, ByteWriter, type Height } from "@quorate/chain";
import type { BlockMeta } from "./types.ts";

/*
 * Keys of the index: one letter, then the height as u64 or a hash.
 *
 *   m height -> meta        h block hash -> height     c height -> canonical commit   s height -> seen commit
 *   t height -> state       e height, hash -> pending evidence, by the height that it is of
 *   v height, hash -> committed evidence, by the height of the block   x name -> single values
 */

type Table = "m" | "c" | "s" | "t";

export function heightKey(table: Table, height: Height): Uint8Array {
  return new ByteWriter(9).u8(table.charCodeAt(0)).u64(height).finish();
}

export function heightOfKey(key: Uint8Array): Height {
  return new ByteReader(key.subarray(1)).safeU64();
}

export function hashKey(hash: Uint8Array): Uint8Array {
  return new ByteWriter(33).u8(0x68).bytes(hash).finish();
}

/** Pending (`e`) or committed (`v`) evidence. */
export function evidenceKey(table: "e" | "v", height: Height, id: Uint8Array): Uint8Array {
  return new ByteWriter(41).u8(table.charCodeAt(0)).u64(height).bytes(id).finish();
}

/** Bounds of all keys of a table, for iterators. */
export function tableRange(table: Table | "e" | "v"): { readonly gte: Uint8Array; readonly lt: Uint8Array } {
  const letter = table.charCodeAt(0);
  return { gte: Uint8Array.of(letter), lt: Uint8Array.of(letter + 1) };
}

/** Bounds of the keys of heights `from` to `to`, both included. */
export function heightRange(
  table: Table,
  from: Height,
  to: Height,
): { readonly gte: Uint8Array; readonly lt: Uint8Array } {
  return { gte: heightKey(table, from), lt: heightKey(table, to + 1) };
}

export const FORMAT_KEY: Uint8Array = new TextEncoder().encode("xformat");
export const BASE_KEY: Uint8Array = new TextEncoder().encode("xbase");
export const EXECUTED_KEY: Uint8Array = new TextEncoder().encode("xexecuted");

export function encodeHeight(height: Height): Uint8Array {
  return new ByteWriter(8).u64(height).finish();
}

/** @throws ChainError `DECODE`. */
export function decodeHeight(bytes: Uint8Array): Height {
  const reader = new ByteReader(bytes);
  const height = reader.safeU64();
  reader.end();
  return height;
}

export function encodeMeta(meta: BlockMeta): Uint8Array {
  const { blockId, body } = meta;
  return new ByteWriter(104)
    .bytes(blockId.hash)
    .u32(blockId.parts.total)
    .bytes(blockId.parts.hash)
    .u32(body.segment)
    .u64(body.offset)
    .u32(body.length)
    .u32(meta.numTxs)
    .u32(meta.blockBytes)
    .finish();
}

/** @throws ChainError `DECODE`. */
export function decodeMeta(height: Height, bytes: Uint8Array): BlockMeta {
  const reader = new ByteReader(new Uint8Array(bytes));
  const hash = reader.bytes(32);
  const blockId: BlockId = { hash, parts: { total: reader.u32(), hash: reader.bytes(32) } };
  const body = { segment: reader.u32(), offset: reader.safeU64(), length: reader.u32() };
  const meta: BlockMeta = { height, blockId, body, numTxs: reader.u32(), blockBytes: reader.u32() };
  reader.end();
  return meta;
}
