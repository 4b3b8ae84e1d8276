import {
  ADDRESS_SIZE,
  BLOCK_PROTOCOL,
  HASH_SIZE,
  MAX_APP_HASH_BYTES,
  MAX_CHAIN_ID_BYTES,
  MAX_HEIGHT,
} from "../limits.ts";
import type { Header } from "../types.ts";
import { readBlockId, writeBlockId } from "./block-id.ts";
import { ProtoReader, ProtoWriter } from "./proto.ts";
import { readTimestamp, writeTimestamp } from "./timestamp.ts";

const HASH_NAMES = [
  "lastCommitHash",
  "dataHash",
  "validatorsHash",
  "nextValidatorsHash",
  "consensusHash",
  "lastResultsHash",
  "evidenceHash",
] as const;

export function writeVersion(writer: ProtoWriter, version: Header["version"]): void {
  writer.int64(1, version.block).int64(2, version.app);
}

export function writeHeader(writer: ProtoWriter, header: Header): void {
  const version = writer.open(1);
  writeVersion(writer, header.version);
  writer.close(version).string(2, header.chainId).int(3, header.height);
  writeTimestamp(writer, 4, header.time);
  const lastBlockId = writer.open(5);
  writeBlockId(writer, header.lastBlockId);
  writer
    .close(lastBlockId)
    .bytes(6, header.lastCommitHash)
    .bytes(7, header.dataHash)
    .bytes(8, header.validatorsHash)
    .bytes(9, header.nextValidatorsHash)
    .bytes(10, header.consensusHash)
    .bytes(11, header.appHash)
    .bytes(12, header.lastResultsHash)
    .bytes(13, header.evidenceHash)
    .bytes(14, header.proposerAddress);
}

export function readHeader(reader: ProtoReader): Header {
  const inner = reader.message(1, "version");
  const version = { block: inner.uint64(1), app: inner.uint64(2) };
  inner.end();
  const header: Header = {
    version,
    chainId: reader.string(2),
    height: reader.uint(3, MAX_HEIGHT),
    time: readTimestamp(reader, 4),
    lastBlockId: readBlockId(reader.message(5, "last block id")),
    lastCommitHash: reader.bytes(6),
    dataHash: reader.bytes(7),
    validatorsHash: reader.bytes(8),
    nextValidatorsHash: reader.bytes(9),
    consensusHash: reader.bytes(10),
    appHash: reader.bytes(11),
    lastResultsHash: reader.bytes(12),
    evidenceHash: reader.bytes(13),
    proposerAddress: reader.bytes(14),
  };
  reader.end();
  const fault = headerFault(header);
  if (fault !== null) throw reader.fault(fault);
  return header;
}

/** A character takes three bytes at most. */
function isLong(text: string): boolean {
  return 3 * text.length > MAX_CHAIN_ID_BYTES && utf8Length(text) > MAX_CHAIN_ID_BYTES;
}

function utf8Length(text: string): number {
  let length = 0;
  for (const character of text) {
    const code = character.codePointAt(0)!;
    length += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x1_0000 ? 3 : 4;
  }
  return length;
}

/** What CometBFT's Header.ValidateBasic refuses in a header, or null. It compares nothing with the chain's state. */
export function headerFault(header: Header): string | null {
  if (header.version.block !== BLOCK_PROTOCOL) {
    return `block protocol ${header.version.block}, this program knows ${BLOCK_PROTOCOL}`;
  }
  if (isLong(header.chainId)) return `chain id is longer than ${MAX_CHAIN_ID_BYTES} bytes`;
  if (!Number.isSafeInteger(header.height) || header.height < 1)
    return `height ${header.height} is not positive`;
  for (const name of HASH_NAMES) {
    const length = header[name].length;
    if (length !== 0 && length !== HASH_SIZE) return `${name} has ${length} bytes, not ${HASH_SIZE}`;
  }
  if (header.appHash.length > MAX_APP_HASH_BYTES)
    return `app hash is longer than ${MAX_APP_HASH_BYTES} bytes`;
  if (header.proposerAddress.length !== ADDRESS_SIZE) {
    return `proposer address has ${header.proposerAddress.length} bytes, not ${ADDRESS_SIZE}`;
  }
  const id = header.lastBlockId;
  if (
    id !== null &&
    ![id.hash, id.parts.hash].every((hash) => hash.length === 0 || hash.length === HASH_SIZE)
  ) {
    return "last block id has a hash of a wrong length";
  }
  return null;
}

/** Protobuf Header. */
export function encodeHeader(header: Header): Uint8Array {
  const writer = new ProtoWriter(640);
  writeHeader(writer, header);
  return writer.finish();
}

/** @throws ChainError `DECODE` unless the bytes are one canonical header that CometBFT's ValidateBasic takes. */
export function decodeHeader(bytes: Uint8Array): Header {
  return readHeader(new ProtoReader("header", bytes));
}
