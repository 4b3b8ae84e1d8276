import { MAX_TXS } from "../limits.ts";
import type { Block, Commit } from "../types.ts";
import { readCommit, writeCommit } from "./commit.ts";
import { readEvidenceList, writeEvidenceList } from "./evidence.ts";
import { readHeader, writeHeader } from "./header.ts";
import { ProtoReader, ProtoWriter } from "./proto.ts";

function sizeHint(block: Block): number {
  let size = 1024 + 112 * block.lastCommit.signatures.length + 512 * block.evidence.length;
  for (const tx of block.txs) size += tx.length + 6;
  return size;
}

function writeTxs(writer: ProtoWriter, txs: readonly Uint8Array[]): void {
  for (const tx of txs) writer.element(1, tx);
}

function readTxs(reader: ProtoReader, shared: boolean): Uint8Array[] {
  const txs = reader.elements(1, MAX_TXS, shared);
  reader.end();
  return txs;
}

/** Protobuf Data. */
export function encodeTxs(txs: readonly Uint8Array[]): Uint8Array {
  const writer = new ProtoWriter();
  writeTxs(writer, txs);
  return writer.finish();
}

/** Protobuf Block. */
export function encodeBlock(block: Block): Uint8Array {
  const writer = new ProtoWriter(sizeHint(block));
  const header = writer.open(1);
  writeHeader(writer, block.header);
  const data = writer.close(header).open(2);
  writeTxs(writer, block.txs);
  const evidence = writer.close(data).open(3);
  writeEvidenceList(writer, block.evidence);
  const lastCommit = writer.close(evidence).open(4);
  writeCommit(writer, block.lastCommit);
  return writer.close(lastCommit).finish();
}

/** A commit with the bytes that it was decoded from. */
export interface EncodedCommit {
  readonly commit: Commit;
  readonly bytes: Uint8Array;
}

/**
 * With `shared` the transactions are views of `bytes`, which must not change afterwards. A last commit whose bytes are
 * those of `known` is that very commit: whoever follows a chain has decoded it with the block before.
 * @throws ChainError `DECODE` unless the bytes are one canonical block of sound shape. Whether the header's hashes are
 * those of the content, `checkBlockHashes` says.
 */
export function decodeBlock(
  bytes: Uint8Array,
  shared: boolean = false,
  known: EncodedCommit | null = null,
): Block {
  const reader = new ProtoReader("block", bytes);
  const block: Block = {
    header: readHeader(reader.message(1, "header")),
    txs: readTxs(reader.message(2, "data"), shared),
    evidence: readEvidenceList(reader.message(3, "evidence list")),
    lastCommit: readLastCommit(reader.message(4, "last commit"), known),
  };
  reader.end();
  return block;
}

function readLastCommit(reader: ProtoReader, known: EncodedCommit | null): Commit {
  return known !== null && reader.skips(known.bytes) ? known.commit : readCommit(reader);
}
