import type { BlockId } from "@quorate/chain";

/** Bytes as a map key: latin1 costs a copy and nothing else. */
export function bytesKey(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

/** Identity of a block id as a map key, "" for nil. Both hashes have 32 bytes, so no two ids share a key. */
export function idKey(id: BlockId | null): string {
  return id === null ? "" : `${bytesKey(id.hash)}${bytesKey(id.parts.hash)}${id.parts.total}`;
}
