import type { LightBlock, SignedHeader } from "../types.ts";
import { readCommit, writeCommit } from "./commit.ts";
import { readHeader, writeHeader } from "./header.ts";
import { ProtoReader, ProtoWriter } from "./proto.ts";
import { readValidatorSet, writeValidatorSet } from "./validator.ts";

function writeSignedHeader(writer: ProtoWriter, signed: SignedHeader): void {
  const header = writer.open(1);
  writeHeader(writer, signed.header);
  const commit = writer.close(header).open(2);
  writeCommit(writer, signed.commit);
  writer.close(commit);
}

function readSignedHeader(reader: ProtoReader): SignedHeader {
  const header = readHeader(reader.message(1, "header"));
  const commit = readCommit(reader.message(2, "commit"));
  reader.end();
  return { header, commit };
}

export function writeLightBlock(writer: ProtoWriter, block: LightBlock): void {
  const signed = writer.open(1);
  writeSignedHeader(writer, block.signedHeader);
  const set = writer.close(signed).open(2);
  writeValidatorSet(writer, block.validators);
  writer.close(set);
}

export function readLightBlock(reader: ProtoReader): LightBlock {
  const signedHeader = readSignedHeader(reader.message(1, "signed header"));
  const validators = readValidatorSet(reader.message(2, "validator set"));
  reader.end();
  return { signedHeader, validators };
}

/** Protobuf LightBlock. */
export function encodeLightBlock(block: LightBlock): Uint8Array {
  const writer = new ProtoWriter(1024 + 224 * block.validators.validators.length);
  writeLightBlock(writer, block);
  return writer.finish();
}

/** @throws ChainError `DECODE` unless the bytes are one canonical light block. Nothing is verified here. */
export function decodeLightBlock(bytes: Uint8Array): LightBlock {
  return readLightBlock(new ProtoReader("light block", bytes));
}
