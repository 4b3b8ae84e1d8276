import {
  type BlockId,
  ByteReader,
  ByteWriter,
  ChainError,
  type Height,
  type Round,
  type Time,
} from "@quorate/chain";

/** Types of the records that a node writes to its WAL. Numbers are never re-used. */
export const WalRecordType = {
  /** `encodeInput` of the consensus core, before `step` sees it. */
  input: 1,
  /** `encodeSnapshot`: follows each change of lock or valid value. */
  snapshot: 2,
  /** u64 height ‖ u64 sequence of the height's first record: the block of this height is committed in the store. */
  endHeight: 3,
  /** What is about to be signed, with its time: synced before the signature exists. */
  signIntent: 4,
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

/**
 * A message as it goes to the signer. Ed25519 is deterministic, so whoever holds this and the key holds the signature:
 * what a lost slot of the sign state held is signed again, to the byte.
 */
export interface SignIntent {
  readonly height: Height;
  readonly round: Round;
  /** 0 proposal, 1 prevote, 2 precommit. */
  readonly step: 0 | 1 | 2;
  /** Of a proposal; -1 for votes. */
  readonly polRound: number;
  /** `null`: a vote for nil. */
  readonly blockId: BlockId | null;
  readonly timestamp: Time;
}

const HASH_BYTES = 32;

/** u64 height ‖ u32 round ‖ u8 step ‖ i64 POL round ‖ i64 time (ns) ‖ u8 block? [‖ hash[32] ‖ u32 parts ‖ parts hash[32]] */
export function encodeSignIntent(intent: SignIntent): Uint8Array {
  const { height, round, step, polRound, blockId, timestamp } = intent;
  const writer = new ByteWriter(128).u64(height).u32(round).u8(step).i64(BigInt(polRound)).i64(timestamp);
  if (blockId === null) return writer.u8(0).finish();
  return writer.u8(1).bytes(blockId.hash).u32(blockId.parts.total).bytes(blockId.parts.hash).finish();
}

/** `null` when the payload is not a sign intent's. */
export function decodeSignIntent(payload: Uint8Array): SignIntent | null {
  try {
    const reader = new ByteReader(payload);
    const [height, round, step] = [reader.safeU64(), reader.u32(), reader.u8()];
    const [polRound, timestamp] = [Number(reader.i64()), reader.i64()];
    const blockId: BlockId | null =
      reader.u8() === 0
        ? null
        : {
            hash: reader.bytes(HASH_BYTES),
            parts: { total: reader.u32(), hash: reader.bytes(HASH_BYTES) },
          };
    if (step > 2 || reader.remaining > 0 || (step === 0 && blockId === null)) return null;
    return { height, round, step: step as SignIntent["step"], polRound, blockId, timestamp };
  } catch (error) {
    if (error instanceof ChainError) return null;
    throw error;
  }
}
