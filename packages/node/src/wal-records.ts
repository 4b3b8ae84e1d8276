/** Types of the records that a node writes to its WAL. Numbers are never re-used. */
export const WalRecordType = {
  /** `encodeInput` of the consensus core, before `step` sees it. */
  input: 1,
  /** `encodeSnapshot`: follows each change of lock or valid value. */
  snapshot: 2,
  /** u64 height ‖ u64 sequence of the height's first record: the block of this height is committed in the store. */
  endHeight: 3,
} as const;

/** The block of `height` is committed in the store. */
export interface EndHeight {
  readonly height: number;
  /** Sequence of the record that began this height here; 0 = it is not known, or the height was synced. */
  readonly began: bigint;
}

export function encodeEndHeight({ height, began }: EndHeight): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(height));
  view.setBigUint64(8, began);
  return bytes;
}

/** `null` when the payload is not an EndHeight record's. */
export function decodeEndHeight(payload: Uint8Array): EndHeight | null {
  if (payload.length !== 16) return null;
  const view = new DataView(payload.buffer, payload.byteOffset, 16);
  const height = view.getBigUint64(0);
  if (height > BigInt(Number.MAX_SAFE_INTEGER)) return null;
  return { height: Number(height), began: view.getBigUint64(8) };
}
