/**
 * Bytes of an input, for the WAL: u8 version ‖ u8 kind ‖ fields. Total: any bytes give one input or an error, and an
 * input decodes to itself. Messages inside are in the chain's own encoding.
 */
import {
  ByteReader,
  ByteWriter,
  decodeCertificate,
  decodeCommit,
  decodeProposal,
  decodeValidatorSet,
  decodeVote,
  encodeCertificate,
  encodeCommit,
  encodeProposal,
  encodeValidatorSet,
  encodeVote,
} from "@quorate/chain";
import type { Input } from "../types.ts";
import {
  decoding,
  fault,
  MAX_MESSAGE_BYTES,
  readBlockId,
  readChoice,
  readMs,
  readOptional,
  readParams,
  readRound,
  readRoundValue,
  readWatermark,
  writeBlockId,
  writeChoice,
  writeMs,
  writeOptional,
  writeParams,
  writeRoundValue,
  writeWatermark,
} from "./fields.ts";
import { readSnapshot, writeSnapshot } from "./snapshot.ts";

const VERSION = 1;
const ADDRESS_BYTES = 20;
const TIMEOUTS = ["new_height", "propose", "prevote", "precommit"] as const;
const BUILT = ["nothing", "valid", "open"] as const;
const VERDICTS = ["valid", "invalid"] as const;
const REFUSALS = ["proposal", "prevote", "precommit"] as const;

/** By place: the kind byte. Never reordered; new kinds go to the end. */
const KINDS = [
  "start_height",
  "proposal",
  "vote",
  "certificate",
  "timeout",
  "body",
  "verdict",
  "built",
  "signed_vote",
  "signed_proposal",
  "sign_refused",
  "proposer_absent",
  "restore",
  "sign_state",
] as const satisfies readonly Input["kind"][];

export function encodeInput(input: Input): Uint8Array {
  const writer = new ByteWriter();
  writeChoice(writer.u8(VERSION), KINDS, input.kind);
  writeFields(writer, input);
  return writer.finish();
}

/** @throws ConsensusError `DECODE` unless the bytes are exactly one input of this version. */
export function decodeInput(bytes: Uint8Array): Input {
  return decoding("input", () => {
    const reader = new ByteReader(bytes);
    const version = reader.u8();
    if (version !== VERSION) throw fault(`input has version ${version}, this program reads ${VERSION}`);
    const input = readFields(reader, readChoice(reader, KINDS));
    reader.end();
    return input;
  });
}

function writeFields(writer: ByteWriter, input: Input): void {
  switch (input.kind) {
    case "start_height":
      writeStartHeight(writer, input);
      break;
    case "proposal":
      writeMs(writer.bytes32(encodeProposal(input.proposal)), input.receivedAtMs);
      break;
    case "vote":
      writer.bytes32(encodeVote(input.vote));
      break;
    case "certificate":
      writer.bytes32(encodeCertificate(input.certificate));
      break;
    case "timeout":
      writeChoice(writer, TIMEOUTS, input.timeout.kind);
      writer.u64(input.timeout.height).u32(input.timeout.round);
      break;
    case "body":
      writeBlockId(writer.u64(input.height), input.blockId);
      writer.i64(input.time).bytes(input.proposerAddress);
      break;
    case "verdict":
      writeBlockId(writer.u64(input.height), input.blockId);
      writeChoice(writer, VERDICTS, input.verdict);
      break;
    case "built":
      writer.u64(input.height).u32(input.round);
      writeChoice(writer, BUILT, input.value === null ? "nothing" : input.value.open ? "open" : "valid");
      if (input.value !== null) {
        writeBlockId(writer, input.value.blockId);
        writer.i64(input.value.time);
      }
      break;
    case "signed_vote":
      writer.u64(input.height).u32(input.round).bytes32(encodeVote(input.vote));
      break;
    case "signed_proposal":
      writer.u64(input.height).u32(input.round).bytes32(encodeProposal(input.proposal));
      break;
    case "sign_refused":
      writeChoice(writer.u64(input.height).u32(input.round), REFUSALS, input.what);
      break;
    case "proposer_absent":
      writer.u64(input.height).u32(input.round);
      break;
    case "restore":
      writeSnapshot(writer, input.snapshot);
      break;
    case "sign_state":
      writer.u64(input.height);
      writeOptional(writer, input.lock, (lock) => writeRoundValue(writer, lock));
      writeOptional(writer, input.watermark, (watermark) => writeWatermark(writer, watermark));
      break;
  }
}

function readFields(reader: ByteReader, kind: (typeof KINDS)[number]): Input {
  switch (kind) {
    case "start_height":
      return readStartHeight(reader);
    case "proposal":
      return { kind, proposal: readProposal(reader), receivedAtMs: readMs(reader) };
    case "vote":
      return { kind, vote: readVote(reader) };
    case "certificate":
      return { kind, certificate: decodeCertificate(reader.bytes32(MAX_MESSAGE_BYTES)) };
    case "timeout":
      return {
        kind,
        timeout: { kind: readChoice(reader, TIMEOUTS), height: reader.safeU64(), round: readRound(reader) },
      };
    case "body":
      return {
        kind,
        height: reader.safeU64(),
        blockId: readBlockId(reader),
        time: reader.i64(),
        proposerAddress: reader.bytes(ADDRESS_BYTES),
      };
    case "verdict":
      return {
        kind,
        height: reader.safeU64(),
        blockId: readBlockId(reader),
        verdict: readChoice(reader, VERDICTS),
      };
    case "built":
      return {
        kind,
        height: reader.safeU64(),
        round: readRound(reader),
        value: readBuilt(reader),
      };
    case "signed_vote":
      return { kind, height: reader.safeU64(), round: readRound(reader), vote: readVote(reader) };
    case "signed_proposal":
      return { kind, height: reader.safeU64(), round: readRound(reader), proposal: readProposal(reader) };
    case "sign_refused":
      return {
        kind,
        height: reader.safeU64(),
        round: readRound(reader),
        what: readChoice(reader, REFUSALS),
      };
    case "proposer_absent":
      return { kind, height: reader.safeU64(), round: readRound(reader) };
    case "restore":
      return { kind, snapshot: readSnapshot(reader) };
    case "sign_state":
      return {
        kind,
        height: reader.safeU64(),
        lock: readOptional(reader, () => readRoundValue(reader)),
        watermark: readOptional(reader, () => readWatermark(reader)),
      };
  }
}

type StartHeight = Extract<Input, { readonly kind: "start_height" }>;

function writeStartHeight(writer: ByteWriter, input: StartHeight): void {
  writer.u64(input.height).bytes32(encodeValidatorSet(input.validators));
  writeParams(writer, input.params);
  writeOptional(writer, input.address, (address) => {
    writer.bytes(address);
  });
  writer.i64(input.lastTime);
  writeMs(writer, input.startDelayMs);
  writeOptional(writer, input.lock, (lock) => writeRoundValue(writer, lock));
  writeOptional(writer, input.watermark, (watermark) => writeWatermark(writer, watermark));
  writeOptional(writer, input.lastCommit ?? null, (commit) => {
    writer.bytes32(encodeCommit(commit));
  });
}

function readStartHeight(reader: ByteReader): StartHeight {
  const fixed = {
    kind: "start_height",
    height: reader.safeU64(),
    validators: decodeValidatorSet(reader.bytes32(MAX_MESSAGE_BYTES)),
    params: readParams(reader),
    address: readOptional(reader, () => reader.bytes(ADDRESS_BYTES)),
    lastTime: reader.i64(),
    startDelayMs: readMs(reader),
    lock: readOptional(reader, () => readRoundValue(reader)),
    watermark: readOptional(reader, () => readWatermark(reader)),
  } as const;
  const lastCommit = readOptional(reader, () => decodeCommit(reader.bytes32(MAX_MESSAGE_BYTES)));
  return lastCommit === null ? fixed : { ...fixed, lastCommit };
}

function readVote(reader: ByteReader): ReturnType<typeof decodeVote> {
  return decodeVote(reader.bytes32(MAX_MESSAGE_BYTES));
}

function readProposal(reader: ByteReader): ReturnType<typeof decodeProposal> {
  return decodeProposal(reader.bytes32(MAX_MESSAGE_BYTES));
}

function readBuilt(reader: ByteReader): Extract<Input, { readonly kind: "built" }>["value"] {
  const kind = readChoice(reader, BUILT);
  if (kind === "nothing") return null;
  const value = { blockId: readBlockId(reader), time: reader.i64() };
  return kind === "open" ? { ...value, open: true } : value;
}
