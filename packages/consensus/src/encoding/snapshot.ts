/** Bytes of a snapshot record, for the WAL: u8 version ‖ fields. Total, like those of an input. */
import {
  ByteReader,
  ByteWriter,
  decodeCertificate,
  decodeProposal,
  decodeVote,
  encodeCertificate,
  encodeProposal,
  encodeVote,
} from "@quorate/chain";
import type { Snapshot, Step } from "../types.ts";
import {
  decoding,
  fault,
  MAX_MESSAGE_BYTES,
  readChoice,
  readList,
  readMs,
  readOptional,
  readRound,
  readRoundValue,
  writeChoice,
  writeList,
  writeMs,
  writeOptional,
  writeRoundValue,
} from "./fields.ts";

const VERSION = 1;

const STEPS = [
  "NewHeight",
  "Propose",
  "Prevote",
  "PrevoteWait",
  "Precommit",
  "PrecommitWait",
  "Commit",
] as const satisfies readonly Step[];

export function encodeSnapshot(snapshot: Snapshot): Uint8Array {
  const writer = new ByteWriter();
  writeSnapshot(writer, snapshot);
  return writer.finish();
}

/** @throws ConsensusError `DECODE` unless the bytes are exactly one snapshot of this version. */
export function decodeSnapshot(bytes: Uint8Array): Snapshot {
  return decoding("snapshot", () => {
    const reader = new ByteReader(bytes);
    const snapshot = readSnapshot(reader);
    reader.end();
    return snapshot;
  });
}

export function writeSnapshot(writer: ByteWriter, snapshot: Snapshot): void {
  writer.u8(VERSION).u64(snapshot.height).u32(snapshot.round);
  writeChoice(writer, STEPS, snapshot.step);
  writeOptional(writer, snapshot.locked, (value) => writeRoundValue(writer, value));
  writeOptional(writer, snapshot.valid, (value) => writeRoundValue(writer, value));
  writeList(writer, snapshot.votes, (vote) => writer.bytes32(encodeVote(vote)));
  writeList(writer, snapshot.certificates, (certificate) => writer.bytes32(encodeCertificate(certificate)));
  writeList(writer, snapshot.proposals, ({ proposal, receivedAtMs }) => {
    writeMs(writer.bytes32(encodeProposal(proposal)), receivedAtMs);
  });
}

export function readSnapshot(reader: ByteReader): Snapshot {
  const version = reader.u8();
  if (version !== VERSION) throw fault(`snapshot has version ${version}, this program reads ${VERSION}`);
  return {
    height: reader.safeU64(),
    round: readRound(reader),
    step: readChoice(reader, STEPS),
    locked: readOptional(reader, () => readRoundValue(reader)),
    valid: readOptional(reader, () => readRoundValue(reader)),
    votes: readList(reader, () => decodeVote(reader.bytes32(MAX_MESSAGE_BYTES))),
    certificates: readList(reader, () => decodeCertificate(reader.bytes32(MAX_MESSAGE_BYTES))),
    proposals: readList(reader, () => ({
      proposal: decodeProposal(reader.bytes32(MAX_MESSAGE_BYTES)),
      receivedAtMs: readMs(reader),
    })),
  };
}
