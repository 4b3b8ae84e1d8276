import { ADDRESS_SIZE, MAX_HEIGHT, MAX_ROUND, SIGNATURE_SIZE } from "../limits.ts";
import type { Proposal, Vote } from "../types.ts";
import { readBlockId, writeBlockId } from "./block-id.ts";
import { ProtoReader, ProtoWriter } from "./proto.ts";
import { readTimestamp, writeTimestamp } from "./timestamp.ts";

const PROPOSAL_TYPE = 32;
const NO_ROUND = -1;

export function writeVote(writer: ProtoWriter, vote: Vote): void {
  writer.int(1, vote.type).int(2, vote.height).int(3, vote.round);
  const blockId = writer.open(4);
  writeBlockId(writer, vote.blockId);
  writer.close(blockId);
  writeTimestamp(writer, 5, vote.timestamp);
  writer.bytes(6, vote.validatorAddress).int(7, vote.validatorIndex).bytes(8, vote.signature);
}

/** Vote extensions are unknown fields here: a chain without ABCI has no use for them. */
export function readVote(reader: ProtoReader): Vote {
  const type = reader.uint(1, 2);
  if (type !== 1 && type !== 2) throw reader.fault("vote is neither prevote nor precommit");
  const height = reader.uint(2, MAX_HEIGHT);
  if (height === 0) throw reader.fault("height is not positive");
  const vote: Vote = {
    type,
    height,
    round: reader.uint(3, MAX_ROUND),
    blockId: readBlockId(reader.message(4, "block id")),
    timestamp: readTimestamp(reader, 5),
    validatorAddress: reader.bytes(6),
    validatorIndex: reader.uint(7, MAX_ROUND),
    signature: reader.bytes(8),
  };
  reader.end();
  if (vote.validatorAddress.length !== ADDRESS_SIZE) throw reader.fault("validator address has not 20 bytes");
  if (vote.signature.length !== SIGNATURE_SIZE) throw reader.fault("signature has not 64 bytes");
  return vote;
}

/** Protobuf Vote. */
export function encodeVote(vote: Vote): Uint8Array {
  const writer = new ProtoWriter(256);
  writeVote(writer, vote);
  return writer.finish();
}

/**
 * @throws ChainError `DECODE` unless the bytes are one canonical vote of sound shape: prevote or precommit, height >= 1,
 * block id complete or nil, 20-byte address, 64-byte signature, no extension.
 */
export function decodeVote(bytes: Uint8Array): Vote {
  return readVote(new ProtoReader("vote", bytes));
}

export function writeProposal(writer: ProtoWriter, proposal: Proposal): void {
  writer.int(1, PROPOSAL_TYPE).int(2, proposal.height).int(3, proposal.round).int(4, proposal.polRound);
  const blockId = writer.open(5);
  writeBlockId(writer, proposal.blockId);
  writer.close(blockId);
  writeTimestamp(writer, 6, proposal.timestamp);
  writer.bytes(7, proposal.signature);
}

/** Protobuf Proposal. */
export function encodeProposal(proposal: Proposal): Uint8Array {
  const writer = new ProtoWriter(256);
  writeProposal(writer, proposal);
  return writer.finish();
}

/**
 * @throws ChainError `DECODE` unless the bytes are one canonical proposal of sound shape: height >= 1, POL round -1 or
 * below the round, complete block id, 64-byte signature.
 */
export function decodeProposal(bytes: Uint8Array): Proposal {
  const reader = new ProtoReader("proposal", bytes);
  if (reader.uint(1, PROPOSAL_TYPE) !== PROPOSAL_TYPE) throw reader.fault("type is not 32");
  const height = reader.uint(2, MAX_HEIGHT);
  if (height === 0) throw reader.fault("height is not positive");
  const round = reader.uint(3, MAX_ROUND);
  const polRound = Number(reader.int64(4));
  if (polRound !== NO_ROUND && (polRound < 0 || polRound >= round)) {
    throw reader.fault(`POL round ${polRound} is neither -1 nor below round ${round}`);
  }
  const blockId = readBlockId(reader.message(5, "block id"));
  if (blockId === null) throw reader.fault("proposal is for nil");
  const timestamp = readTimestamp(reader, 6);
  const signature = reader.bytes(7);
  reader.end();
  if (signature.length !== SIGNATURE_SIZE) throw reader.fault("signature has not 64 bytes");
  return { height, round, polRound, blockId, timestamp, signature };
}
