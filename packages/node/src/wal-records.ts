/** Types of the records that a node writes to its WAL. Numbers are never re-used. */
export const WalRecordType = {
  /** `encodeInput` of the consensus core, before `step` sees it. */
  input: 1,
  /** `encodeSnapshot`: follows each change of lock or valid value. */
  snapshot: 2,
  /** u64 height: the block of this height is committed in the store. */
  endHeight: 3,
} as const;

export function encodeEndHeight(height: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(height));
  return bytes;
}

/** `null` when the payload is not an EndHeight record's. */
export function decodeEndHeight(payload: Uint8Array): number | null {
  if (payload.length !== 8) return null;
  const height = new DataView(payload.buffer, payload.byteOffset, 8).getBigUint64(0);
  return height > BigInt(Number.MAX_SAFE_INTEGER) ? null : Number(height);
}
