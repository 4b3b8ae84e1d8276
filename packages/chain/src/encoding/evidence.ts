import { blockIdKey } from "../block-id.ts";
import { MAX_EVIDENCE, MAX_HEIGHT, MAX_VALIDATORS } from "../limits.ts";
import type { DuplicateVoteEvidence, Evidence, LightClientAttackEvidence, Validator } from "../types.ts";
import { readLightBlock, writeLightBlock } from "./light-block.ts";
import { ProtoReader, ProtoWriter } from "./proto.ts";
import { readTimestamp, writeTimestamp } from "./timestamp.ts";
import { readValidator, writeValidator } from "./validator.ts";
import { readVote, writeVote } from "./vote.ts";

const DUPLICATE_VOTE_FIELD = 1;
const LIGHT_CLIENT_ATTACK_FIELD = 2;

function writeDuplicateVote(writer: ProtoWriter, evidence: DuplicateVoteEvidence): void {
  const a = writer.open(1);
  writeVote(writer, evidence.voteA);
  const b = writer.close(a).open(2);
  writeVote(writer, evidence.voteB);
  writer.close(b).int64(3, evidence.totalVotingPower).int64(4, evidence.validatorPower);
  writeTimestamp(writer, 5, evidence.timestamp);
}

function writeLightClientAttack(writer: ProtoWriter, evidence: LightClientAttackEvidence): void {
  const block = writer.open(1);
  writeLightBlock(writer, evidence.conflictingBlock);
  writer.close(block).int(2, evidence.commonHeight);
  for (const validator of evidence.byzantineValidators) {
    const mark = writer.open(3);
    writeValidator(writer, validator);
    writer.close(mark);
  }
  writer.int64(4, evidence.totalVotingPower);
  writeTimestamp(writer, 5, evidence.timestamp);
}

/** The message without its oneof. */
function writeBare(writer: ProtoWriter, evidence: Evidence): void {
  if (evidence.kind === "duplicate_vote") writeDuplicateVote(writer, evidence);
  else writeLightClientAttack(writer, evidence);
}

function writeEvidence(writer: ProtoWriter, evidence: Evidence): void {
  const mark = writer.open(
    evidence.kind === "duplicate_vote" ? DUPLICATE_VOTE_FIELD : LIGHT_CLIENT_ATTACK_FIELD,
  );
  writeBare(writer, evidence);
  writer.close(mark);
}

export function writeEvidenceList(writer: ProtoWriter, list: readonly Evidence[]): void {
  for (const evidence of list) {
    const mark = writer.open(1);
    writeEvidence(writer, evidence);
    writer.close(mark);
  }
}

function readDuplicateVote(reader: ProtoReader): DuplicateVoteEvidence {
  const evidence: DuplicateVoteEvidence = {
    kind: "duplicate_vote",
    voteA: readVote(reader.message(1, "vote A")),
    voteB: readVote(reader.message(2, "vote B")),
    totalVotingPower: reader.int64(3),
    validatorPower: reader.int64(4),
    timestamp: readTimestamp(reader, 5),
  };
  reader.end();
  if (blockIdKey(evidence.voteA.blockId) >= blockIdKey(evidence.voteB.blockId)) {
    throw reader.fault("the votes are not in order of their block ids");
  }
  return evidence;
}

function readLightClientAttack(reader: ProtoReader): LightClientAttackEvidence {
  const conflictingBlock = readLightBlock(reader.message(1, "conflicting block"));
  const commonHeight = reader.uint(2, MAX_HEIGHT);
  const byzantineValidators: Validator[] = [];
  for (let inner = reader.optional(3, "validator"); inner !== null; inner = reader.optional(3, "validator")) {
    if (byzantineValidators.length === MAX_VALIDATORS) throw reader.fault("too many byzantine validators");
    byzantineValidators.push(readValidator(inner));
  }
  const totalVotingPower = reader.int64(4);
  const timestamp = readTimestamp(reader, 5);
  reader.end();
  if (commonHeight === 0) throw reader.fault("common height is not positive");
  if (totalVotingPower <= 0n) throw reader.fault("total voting power is not positive");
  if (commonHeight > conflictingBlock.signedHeader.header.height) {
    throw reader.fault("common height is above the conflicting block");
  }
  return {
    kind: "light_client_attack",
    conflictingBlock,
    commonHeight,
    byzantineValidators,
    totalVotingPower,
    timestamp,
  };
}

function readEvidence(reader: ProtoReader): Evidence {
  const duplicateVote = reader.optional(DUPLICATE_VOTE_FIELD, "duplicate vote evidence");
  const evidence =
    duplicateVote !== null
      ? readDuplicateVote(duplicateVote)
      : readLightClientAttack(reader.message(LIGHT_CLIENT_ATTACK_FIELD, "light client attack evidence"));
  reader.end();
  return evidence;
}

export function readEvidenceList(reader: ProtoReader): Evidence[] {
  const list: Evidence[] = [];
  for (let inner = reader.optional(1, "evidence"); inner !== null; inner = reader.optional(1, "evidence")) {
    if (list.length === MAX_EVIDENCE) throw reader.fault(`more than ${MAX_EVIDENCE} items of evidence`);
    list.push(readEvidence(inner));
  }
  reader.end();
  return list;
}

function sizeHint(evidence: Evidence): number {
  return evidence.kind === "duplicate_vote"
    ? 512
    : 2048 + 320 * evidence.conflictingBlock.validators.validators.length;
}

/** The message without its oneof: a leaf of the evidence hash. */
export function encodeBareEvidence(evidence: Evidence): Uint8Array {
  const writer = new ProtoWriter(sizeHint(evidence));
  writeBare(writer, evidence);
  return writer.finish();
}

/** Protobuf Evidence, with its oneof. */
export function encodeEvidence(evidence: Evidence): Uint8Array {
  const writer = new ProtoWriter(sizeHint(evidence));
  writeEvidence(writer, evidence);
  return writer.finish();
}

/**
 * @throws ChainError `DECODE` unless the bytes are one canonical item of evidence of a known kind. What it claims is
 * verified elsewhere.
 */
export function decodeEvidence(bytes: Uint8Array): Evidence {
  return readEvidence(new ProtoReader("evidence", bytes));
}

/** Protobuf EvidenceList. */
export function encodeEvidenceList(list: readonly Evidence[]): Uint8Array {
  const writer = new ProtoWriter();
  writeEvidenceList(writer, list);
  return writer.finish();
}

/** @throws ChainError `DECODE` as {@link decodeEvidence}, for each item. */
export function decodeEvidenceList(bytes: Uint8Array): Evidence[] {
  return readEvidenceList(new ProtoReader("evidence list", bytes));
}
