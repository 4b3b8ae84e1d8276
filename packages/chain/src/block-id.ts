import { bytesEqual, toHex } from "@quorate/crypto";
import { encodePartSetHeader } from "./encoding/block-id.ts";
import type { BlockId } from "./types.ts";

/** Same block, or both nil. */
export function blockIdEquals(a: BlockId | null, b: BlockId | null): boolean {
  if (a === b) return true;
  if (a === null || b === null) return false;
  return (
    a.parts.total === b.parts.total && bytesEqual(a.hash, b.hash) && bytesEqual(a.parts.hash, b.parts.hash)
  );
}

/** Keys of ids that are still in use: an id never changes, and the core compares the same few again and again. */
const keys = new WeakMap<BlockId, string>();

/**
 * A key for maps: hex of hash ‖ protobuf(part-set header), "" for nil. Its order is that of CometBFT's BlockID.Key, by
 * which the two votes of evidence are sorted (total 256 comes before 255: varint bytes, not numbers).
 */
export function blockIdKey(id: BlockId | null): string {
  if (id === null) return "";
  const known = keys.get(id);
  if (known !== undefined) return known;
  const key = toHex(id.hash) + toHex(encodePartSetHeader(id.parts));
  keys.set(id, key);
  return key;
}
