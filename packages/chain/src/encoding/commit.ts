import { ADDRESS_SIZE, MAX_HEIGHT, MAX_ROUND, MAX_VALIDATORS, SIGNATURE_SIZE } from "../limits.ts";
import type { BlockId, Commit, CommitSig } from "../types.ts";
import { CommitFlag, ZERO_TIME } from "../types.ts";
import { readBlockId, writeBlockId } from "./block-id.ts";
import { ProtoReader, ProtoWriter } from "./proto.ts";
import { readTimestamp, writeTimestamp } from "./timestamp.ts";

const NOTHING = new Uint8Array(0);
const NIL_BLOCK_ID: BlockId = { hash: NOTHING, parts: { total: 0, hash: NOTHING } };

/** The LastCommit of the first block: height 0, nil block id, no signatures. */
export const EMPTY_COMMIT: Commit = { height: 0, round: 0, blockId: NIL_BLOCK_ID, signatures: [] };

/** The entry of a validator that did not precommit. */
export const ABSENT_SIG: CommitSig = {
  flag: CommitFlag.absent,
  validatorAddress: NOTHING,
  timestamp: ZERO_TIME,
  signature: NOTHING,
};

export function writeCommitSig(writer: ProtoWriter, sig: CommitSig): void {
  writer.int(1, sig.flag).bytes(2, sig.validatorAddress);
  writeTimestamp(writer, 3, sig.timestamp);
  writer.bytes(4, sig.signature);
}

export function writeCommit(writer: ProtoWriter, commit: Commit): void {
  writer.int(1, commit.height).int(2, commit.round);
  const blockId = writer.open(3);
  writeBlockId(writer, commit.blockId);
  writer.close(blockId);
  for (const sig of commit.signatures) {
    const mark = writer.open(4);
    writeCommitSig(writer, sig);
    writer.close(mark);
  }
}

function readCommitSig(reader: ProtoReader): CommitSig {
  const flag = reader.uint(1, 3);
  const validatorAddress = reader.bytes(2);
  const timestamp = readTimestamp(reader, 3);
  const signature = reader.bytes(4);
  reader.end();
  if (flag === CommitFlag.absent) {
    if (validatorAddress.length > 0 || signature.length > 0 || timestamp !== ZERO_TIME) {
      throw reader.fault("absent entry has an address, a time or a signature");
    }
    return ABSENT_SIG;
  }
  if (flag !== CommitFlag.commit && flag !== CommitFlag.nil) throw reader.fault("flag is missing");
  if (validatorAddress.length !== ADDRESS_SIZE) throw reader.fault("validator address has not 20 bytes");
  if (signature.length !== SIGNATURE_SIZE) throw reader.fault("signature has not 64 bytes");
  return { flag, validatorAddress, timestamp, signature };
}

export function readCommit(reader: ProtoReader): Commit {
  const height = reader.uint(1, MAX_HEIGHT);
  const round = reader.uint(2, MAX_ROUND);
  const blockId = readBlockId(reader.message(3, "block id"));
  const signatures: CommitSig[] = [];
  for (let inner = reader.optional(4, "commit signature"); inner !== null; ) {
    if (signatures.length === MAX_VALIDATORS) throw reader.fault(`more than ${MAX_VALIDATORS} signatures`);
    signatures.push(readCommitSig(inner));
    inner = reader.optional(4, "commit signature");
  }
  reader.end();
  if (height === 0) {
    if (round !== 0 || blockId !== null || signatures.length > 0)
      throw reader.fault("empty commit has content");
    return EMPTY_COMMIT;
  }
  if (blockId === null) throw reader.fault("commit is for nil");
  if (signatures.length === 0) throw reader.fault("commit has no signatures");
  return { height, round, blockId, signatures };
}

/** Protobuf Commit. */
export function encodeCommit(commit: Commit): Uint8Array {
  const writer = new ProtoWriter(128 + 112 * commit.signatures.length);
  writeCommit(writer, commit);
  return writer.finish();
}

/** Protobuf CommitSig: a leaf of the commit hash. */
export function encodeCommitSig(sig: CommitSig): Uint8Array {
  const writer = new ProtoWriter(128);
  writeCommitSig(writer, sig);
  return writer.finish();
}

/**
 * @throws ChainError `DECODE` unless the bytes are one canonical commit of sound shape, or exactly the empty commit of
 * the first block. Signatures are not verified here.
 */
export function decodeCommit(bytes: Uint8Array): Commit {
  return readCommit(new ProtoReader("commit", bytes));
}
