/**
 * The compact encoding of certificates between our own nodes: u8 type ‖ u64 height ‖ u32 round ‖ u8 1 if for a block,
 * then hash[32] ‖ u32 total ‖ parts hash[32] ‖ u16 n ‖ n × (u16 validator index, ascending ‖ i64 seconds ‖ u32 nanos ‖
 * signature[64]). 78 bytes a signature.
 */
import { ByteReader, ByteWriter } from "../bytes.ts";
import { ChainError } from "../errors.ts";
import { HASH_SIZE, MAX_HEIGHT, MAX_ROUND, MAX_VALIDATORS, SIGNATURE_SIZE } from "../limits.ts";
import { isEncodableTime, splitTime } from "../time.ts";
import type { BlockId, Certificate, CertificateSig } from "../types.ts";

const NS_PER_SECOND = 1_000_000_000n;
const SIG_BYTES = 78;

function refuse(why: string): ChainError {
  return new ChainError("DECODE", `certificate: ${why}`);
}

function faultOf(certificate: Certificate): string | null {
  const { type, height, round, blockId, signatures } = certificate;
  if (type !== 1 && type !== 2) return `type ${String(type)} is neither prevote nor precommit`;
  if (!Number.isSafeInteger(height) || height < 1 || height > MAX_HEIGHT)
    return `height ${height} is out of range`;
  if (!Number.isInteger(round) || round < 0 || round > MAX_ROUND) return `round ${round} is out of range`;
  if (blockId !== null) {
    const complete = blockId.hash.length === HASH_SIZE && blockId.parts.hash.length === HASH_SIZE;
    if (!complete || blockId.parts.total < 1) return "block id is incomplete";
  }
  if (signatures.length === 0) return "no signatures";
  if (signatures.length > MAX_VALIDATORS) return `more than ${MAX_VALIDATORS} signatures`;
  let last = -1;
  for (const { validatorIndex, timestamp, signature } of signatures) {
    if (validatorIndex <= last) return `validator index ${validatorIndex} does not ascend`;
    last = validatorIndex;
    if (!isEncodableTime(timestamp)) return "a time is outside the years 1 to 9999";
    if (signature.length !== SIGNATURE_SIZE) return "a signature has not 64 bytes";
  }
  return null;
}

/** @throws ChainError `ENCODE` when a field is out of range or the indexes do not ascend. */
export function encodeCertificate(certificate: Certificate): Uint8Array {
  const fault = faultOf(certificate);
  if (fault !== null) throw new ChainError("ENCODE", `certificate: ${fault}`);
  const { type, height, round, blockId, signatures } = certificate;
  const writer = new ByteWriter(96 + SIG_BYTES * signatures.length).u8(type).u64(height).u32(round);
  if (blockId === null) writer.u8(0);
  else writer.u8(1).bytes(blockId.hash).u32(blockId.parts.total).bytes(blockId.parts.hash);
  writer.u16(signatures.length);
  for (const { validatorIndex, timestamp, signature } of signatures) {
    const { seconds, nanos } = splitTime(timestamp);
    writer.u16(validatorIndex).i64(BigInt(seconds)).u32(nanos).bytes(signature);
  }
  return writer.finish();
}

function readBlockId(reader: ByteReader): BlockId | null {
  const present = reader.u8();
  if (present > 1) throw refuse(`${present} is no flag`);
  if (present === 0) return null;
  return { hash: reader.bytes(HASH_SIZE), parts: { total: reader.u32(), hash: reader.bytes(HASH_SIZE) } };
}

function readSignature(reader: ByteReader): CertificateSig {
  const validatorIndex = reader.u16();
  const seconds = reader.i64();
  const nanos = reader.u32();
  if (nanos > 999_999_999) throw refuse(`${nanos} ns are no fraction of a second`);
  return {
    validatorIndex,
    timestamp: seconds * NS_PER_SECOND + BigInt(nanos),
    signature: reader.bytes(SIGNATURE_SIZE),
  };
}

/** @throws ChainError `DECODE` unless the bytes are exactly one sound certificate. Nothing is verified here. */
export function decodeCertificate(bytes: Uint8Array): Certificate {
  const reader = new ByteReader(bytes);
  const type = reader.u8();
  if (type !== 1 && type !== 2) throw refuse(`type ${type} is neither prevote nor precommit`);
  const height = reader.safeU64();
  const round = reader.u32();
  const blockId = readBlockId(reader);
  const count = reader.u16();
  if (count * SIG_BYTES !== reader.remaining) throw refuse(`${count} signatures do not fill what is left`);
  const signatures = Array.from({ length: count }, () => readSignature(reader));
  const certificate: Certificate = { type, height, round, blockId, signatures };
  const fault = faultOf(certificate);
  if (fault !== null) throw refuse(fault);
  return certificate;
}
