/** What validators sign (CometBFT types/canonical.go): length-prefixed canonical protobuf. */
import { bytesEqual } from "@quorate/crypto";
import { MAX_ROUND } from "../limits.ts";
import type { BlockId, Height, Proposal, Round, Time, Vote } from "../types.ts";
import { readBlockId, writeBlockId } from "./block-id.ts";
import { ProtoReader, ProtoWriter } from "./proto.ts";
import { readTimestamp, writeTimestamp } from "./timestamp.ts";

const PROPOSAL_TYPE = 32;

function writeCanonicalBlockId(writer: ProtoWriter, field: number, id: BlockId | null): void {
  if (id === null) return;
  const mark = writer.open(field);
  writeBlockId(writer, id);
  writer.close(mark);
}

/** The signed part of a vote: neither its signer nor its index. */
export type VoteContent = Pick<Vote, "type" | "height" | "round" | "blockId" | "timestamp">;

/** Sign bytes of a vote: uvarint length ‖ CanonicalVote. A nil block id is left out. */
export function voteSignBytes(chainId: string, vote: VoteContent): Uint8Array {
  const writer = new ProtoWriter(192);
  const mark = writer.openLength();
  writer.int(1, vote.type).fixed64(2, vote.height).fixed64(3, vote.round);
  writeCanonicalBlockId(writer, 4, vote.blockId);
  writeTimestamp(writer, 5, vote.timestamp);
  return writer.string(6, chainId).close(mark).finish();
}

/**
 * The vote that was signed with these bytes: what a sign state holds of it.
 * @throws ChainError `DECODE` unless they are the sign bytes of a vote on this chain.
 */
export function decodeVoteSignBytes(chainId: string, bytes: Uint8Array): VoteContent {
  // The length before the message takes one byte or two; that it is right shows when all is encoded again.
  const reader = new ProtoReader("canonical vote", bytes, (bytes[0] ?? 0) < 128 ? 1 : 2);
  const type = reader.uint(1, 2);
  if (type !== 1 && type !== 2) throw reader.fault("vote is neither prevote nor precommit");
  const height = reader.fixed64(2);
  const round = reader.fixed64(3);
  if (height === 0 || round > MAX_ROUND) throw reader.fault("height or round is out of range");
  const id = reader.optional(4, "block id");
  const blockId = id === null ? null : readBlockId(id);
  const content: VoteContent = { type, height, round, blockId, timestamp: readTimestamp(reader, 5) };
  if (!bytesEqual(voteSignBytes(chainId, content), bytes)) throw reader.fault("vote is of another chain");
  return content;
}

/** The signed part of a proposal. */
export interface ProposalContent {
  readonly height: Height;
  readonly round: Round;
  readonly polRound: Round;
  readonly blockId: BlockId;
  readonly timestamp: Time;
}

/** Sign bytes of a proposal: uvarint length ‖ CanonicalProposal. */
export function proposalSignBytes(chainId: string, proposal: ProposalContent | Proposal): Uint8Array {
  const writer = new ProtoWriter(192);
  const mark = writer.openLength();
  writer
    .int(1, PROPOSAL_TYPE)
    .fixed64(2, proposal.height)
    .fixed64(3, proposal.round)
    .int(4, proposal.polRound);
  writeCanonicalBlockId(writer, 5, proposal.blockId);
  writeTimestamp(writer, 6, proposal.timestamp);
  return writer.string(7, chainId).close(mark).finish();
}
