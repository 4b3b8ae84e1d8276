/** Fields shared by the encodings of inputs and snapshots: big-endian, lengths before everything that varies. */
import {
  type BlockId,
  type ByteReader,
  type ByteWriter,
  ChainError,
  type ChainParams,
  decodeBlockId,
  encodeBlockId,
  paramsFromRecord,
  paramsToRecord,
  type Round,
} from "@quorate/chain";
import { ConsensusError } from "../errors.ts";
import type { RoundValue, SignedWatermark } from "../types.ts";

/** Largest single message inside an input: a certificate of the largest set. */
export const MAX_MESSAGE_BYTES: number = 4 * 1024 * 1024;

const MAX_ROUND = 2 ** 31 - 1;

export function fault(
  message: string,
  facts: Readonly<Record<string, string | number>> = {},
): ConsensusError {
  return new ConsensusError("DECODE", message, facts);
}

/** Runs a decoder; whatever the parts refuse comes out as this package's own error. */
export function decoding<T>(what: string, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (error instanceof ChainError) throw fault(`${what}: ${error.message}`, { cause: error.code });
    throw error;
  }
}

export function writeOptional<T>(writer: ByteWriter, value: T | null, write: (value: T) => void): void {
  writer.u8(value === null ? 0 : 1);
  if (value !== null) write(value);
}

export function readOptional<T>(reader: ByteReader, read: () => T): T | null {
  const present = reader.u8();
  if (present > 1) throw fault(`presence byte is ${present}, not 0 or 1`);
  return present === 1 ? read() : null;
}

export function writeList<T>(writer: ByteWriter, list: readonly T[], write: (item: T) => void): void {
  writer.u32(list.length);
  for (const item of list) write(item);
}

export function readList<T>(reader: ByteReader, read: () => T): T[] {
  const count = reader.u32();
  // Every item has at least one byte: a larger count is a lie, told before memory is taken for it.
  if (count > reader.remaining) throw fault(`${count} items in ${reader.remaining} bytes`);
  return Array.from({ length: count }, read);
}

export function writeBlockId(writer: ByteWriter, blockId: BlockId): void {
  writer.bytes32(encodeBlockId(blockId));
}

export function readBlockId(reader: ByteReader): BlockId {
  const blockId = decodeBlockId(reader.bytes32(MAX_MESSAGE_BYTES));
  if (blockId === null) throw fault("block id is nil");
  return blockId;
}

export function readRound(reader: ByteReader): Round {
  const round = reader.u32();
  if (round > MAX_ROUND) throw fault(`round ${round} is above 2^31-1`);
  return round;
}

export function writeRoundValue(writer: ByteWriter, { round, blockId }: RoundValue): void {
  writeBlockId(writer.u32(round), blockId);
}

export function readRoundValue(reader: ByteReader): RoundValue {
  return { round: readRound(reader), blockId: readBlockId(reader) };
}

export function writeWatermark(writer: ByteWriter, { round, step }: SignedWatermark): void {
  writer.u32(round).u8(step);
}

export function readWatermark(reader: ByteReader): SignedWatermark {
  return { round: readRound(reader), step: readChoice(reader, [0, 1, 2] as const) };
}

/** One of a fixed list of values, by its place. */
export function writeChoice<T>(writer: ByteWriter, values: readonly T[], value: T): void {
  writer.u8(values.indexOf(value));
}

export function readChoice<T>(reader: ByteReader, values: readonly T[]): T {
  const at = reader.u8();
  const value = values[at];
  if (value === undefined) throw fault(`${at} is none of ${values.length} values`);
  return value;
}

/** A finite number of ms with its fraction: clocks give both. */
export function writeMs(writer: ByteWriter, ms: number): void {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, ms);
  writer.bytes(bytes);
}

export function readMs(reader: ByteReader): number {
  const bytes = reader.bytes(8);
  const ms = new DataView(bytes.buffer, bytes.byteOffset, 8).getFloat64(0);
  if (!Number.isFinite(ms) || Object.is(ms, -0)) throw fault("a time in ms is not a finite number");
  return ms;
}

export function writeParams(writer: ByteWriter, params: ChainParams): void {
  writeList(writer, Object.entries(paramsToRecord(params)), ([name, value]) => {
    writer.str(name).u64(value);
  });
}

/** Params in the order of the params root, complete, each once. */
export function readParams(reader: ByteReader): ChainParams {
  const entries = readList(reader, () => [reader.str(), reader.safeU64()] as const);
  const params = paramsFromRecord(Object.fromEntries(entries));
  const names = Object.keys(paramsToRecord(params));
  if (names.length !== entries.length || names.some((name, at) => entries[at]?.[0] !== name)) {
    throw fault("params are not in their order");
  }
  return params;
}
