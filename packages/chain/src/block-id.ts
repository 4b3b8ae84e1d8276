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

/**
 * A key for maps: hex of hash ‖ protobuf(part-set header), "" for nil. Its order is that of CometBFT's BlockID.Key, by
 * which the two votes of evidence are sorted (total 256 comes before 255: varint bytes, not numbers).
 */
export function blockIdKey(id: BlockId | null): string {
  return id === null ? "" : toHex(id.hash) + toHex(encodePartSetHeader(id.parts));
}
