import { MAX_AUNTS } from "@quorate/crypto";
import { HASH_SIZE, PART_SIZE } from "../limits.ts";
import type { MerkleProof, Part } from "../types.ts";
import { ProtoReader, ProtoWriter } from "./proto.ts";

const MAX_UINT32 = 0xffff_ffff;

function writeProof(writer: ProtoWriter, proof: MerkleProof): void {
  writer.int(1, proof.total).int(2, proof.index).bytes(3, proof.leafHash);
  for (const aunt of proof.aunts) writer.element(4, aunt);
}

function readProof(reader: ProtoReader): MerkleProof {
  const total = reader.uint(1, Number.MAX_SAFE_INTEGER);
  const index = reader.uint(2, Number.MAX_SAFE_INTEGER);
  const leafHash = reader.bytes(3);
  const aunts: Uint8Array[] = [];
  for (let aunt = reader.element(4); aunt !== null; aunt = reader.element(4)) {
    if (aunts.length === MAX_AUNTS) throw reader.fault(`more than ${MAX_AUNTS} aunts`);
    if (aunt.length !== HASH_SIZE) throw reader.fault("an aunt has not 32 bytes");
    aunts.push(aunt);
  }
  reader.end();
  if (leafHash.length !== HASH_SIZE) throw reader.fault("leaf hash has not 32 bytes");
  return { total, index, leafHash, aunts };
}

/** Protobuf Proof. */
export function encodeProof(proof: MerkleProof): Uint8Array {
  const writer = new ProtoWriter(64 + 34 * proof.aunts.length);
  writeProof(writer, proof);
  return writer.finish();
}

/** @throws ChainError `DECODE` unless the bytes are one canonical proof of sound shape. */
export function decodeProof(bytes: Uint8Array): MerkleProof {
  return readProof(new ProtoReader("proof", bytes));
}

/** Protobuf Part. */
export function encodePart(part: Part): Uint8Array {
  const writer = new ProtoWriter(part.bytes.length + 128 + 34 * part.proof.aunts.length);
  writer.int(1, part.index).bytes(2, part.bytes);
  const proof = writer.open(3);
  writeProof(writer, part.proof);
  return writer.close(proof).finish();
}

/**
 * @throws ChainError `DECODE` unless the bytes are one canonical part of sound shape: at most 64 KiB, full unless its
 * proof says it is the last, index that of the proof. Whether it belongs to a set, `verifyPart` says.
 */
export function decodePart(bytes: Uint8Array): Part {
  const reader = new ProtoReader("part", bytes);
  const index = reader.uint(1, MAX_UINT32);
  const content = reader.bytes(2);
  const proof = readProof(reader.message(3, "proof"));
  reader.end();
  if (content.length > PART_SIZE) throw reader.fault(`part of ${content.length} bytes is too big`);
  if (index < proof.total - 1 && content.length !== PART_SIZE) throw reader.fault("inner part is not full");
  if (index !== proof.index) throw reader.fault(`part index ${index} is not the proof's ${proof.index}`);
  return { index, bytes: content, proof };
}
