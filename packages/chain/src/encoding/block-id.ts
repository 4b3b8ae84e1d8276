import { HASH_SIZE } from "../limits.ts";
import type { BlockId, PartSetHeader } from "../types.ts";
import { ProtoReader, ProtoWriter } from "./proto.ts";

const MAX_UINT32 = 0xffff_ffff;

export function writePartSetHeader(writer: ProtoWriter, header: PartSetHeader): void {
  writer.int(1, header.total).bytes(2, header.hash);
}

/** BlockID and CanonicalBlockID have the same bytes; nil is the empty message. */
export function writeBlockId(writer: ProtoWriter, id: BlockId | null): void {
  if (id !== null) writer.bytes(1, id.hash);
  const mark = writer.open(2);
  if (id !== null) writePartSetHeader(writer, id.parts);
  writer.close(mark);
}

/** A complete block id, or null for the nil one; nothing between the two. */
export function readBlockId(reader: ProtoReader): BlockId | null {
  const hash = reader.bytes(1);
  const inner = reader.message(2, "part-set header");
  const total = inner.uint(1, MAX_UINT32);
  const partsHash = inner.bytes(2);
  inner.end();
  reader.end();
  if (hash.length === 0 && total === 0 && partsHash.length === 0) return null;
  if (hash.length !== HASH_SIZE || total === 0 || partsHash.length !== HASH_SIZE) {
    throw reader.fault("block id is neither complete nor nil");
  }
  return { hash, parts: { total, hash: partsHash } };
}

/** Protobuf PartSetHeader. */
export function encodePartSetHeader(header: PartSetHeader): Uint8Array {
  const writer = new ProtoWriter(48);
  writePartSetHeader(writer, header);
  return writer.finish();
}

/** Protobuf BlockID; null is the nil block id. */
export function encodeBlockId(id: BlockId | null): Uint8Array {
  const writer = new ProtoWriter(96);
  writeBlockId(writer, id);
  return writer.finish();
}

/** @throws ChainError `DECODE` unless the bytes are one canonical block id, complete or nil. */
export function decodeBlockId(bytes: Uint8Array): BlockId | null {
  return readBlockId(new ProtoReader("block id", bytes));
}
