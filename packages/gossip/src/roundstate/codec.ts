import type { BlockId, Vote } from "@quorate/chain";
import { decodeBlockId, encodeBlockId } from "@quorate/chain";
import { malformed, reasonOf } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import type { BitArray, PeerStatus, RoundState } from "../types.ts";
import { WireReader, WireWriter } from "../wire/bytes.ts";

const MAX_ROUND = 2 ** 31 - 1;

function writeBits(writer: WireWriter, array: BitArray): void {
  writer.u16(array.size).raw(array.bits);
}

function readBits(reader: WireReader, limit: number): BitArray {
  const size = reader.u16();
  if (size > limit) reader.fail("bit array larger than its bound");
  const bits = reader.raw((size + 7) >> 3).slice();
  const spare = size & 7;
  if (spare !== 0 && (bits.at(-1)! & ~((1 << spare) - 1)) !== 0)
    reader.fail("bits behind the end of an array");
  return { size, bits };
}

function writeBlockId(writer: WireWriter, id: BlockId | null): void {
  if (id === null) writer.u8(0);
  else writer.u8(1).bytes(encodeBlockId(id));
}

function readBlockId(reader: WireReader): BlockId | null {
  if (!reader.bool()) return null;
  const bytes = reader.bytes(256);
  try {
    return decodeBlockId(bytes);
  } catch (error) {
    throw malformed("block id", { reason: reasonOf(error) });
  }
}

function readRound(reader: WireReader): number {
  const round = reader.u32();
  if (round > MAX_ROUND) reader.fail("round above 2^31-1");
  return round;
}

function readVoteType(reader: WireReader): Vote["type"] {
  const type = reader.u8();
  if (type !== 1 && type !== 2) reader.fail("vote type is neither prevote nor precommit");
  return type;
}

export function encodeRoundState(state: RoundState): Uint8Array<ArrayBuffer> {
  const writer = new WireWriter(256)
    .u64(state.height)
    .u32(state.round)
    .u8(state.step)
    .u8((state.elReady ? 1 : 0) | (state.leaving ? 2 : 0));
  writeBlockId(writer, state.proposal);
  writeBits(writer, state.parts);
  writeBits(writer, state.direct);
  const votes = state.votes.slice(0, LIMITS.roundStateVotes);
  writer.u8(votes.length);
  for (const entry of votes) {
    writer.u32(entry.round).u8(entry.type);
    writeBits(writer, entry.have);
  }
  const maj23 = state.maj23.slice(0, LIMITS.roundStateMaj23);
  writer.u8(maj23.length);
  for (const entry of maj23) {
    writer.u32(entry.round).u8(entry.type);
    writeBlockId(writer, entry.blockId);
  }
  return writer.finish();
}

/** @throws GossipError `MALFORMED`. */
export function decodeRoundState(bytes: Uint8Array): RoundState {
  const reader = new WireReader(bytes, "round state");
  const height = reader.u64();
  const round = readRound(reader);
  const step = reader.u8();
  const flags = reader.u8();
  if (flags > 3) reader.fail("unknown flags");
  const proposal = readBlockId(reader);
  const parts = readBits(reader, LIMITS.parts);
  const direct = readBits(reader, LIMITS.validators);
  const votes: RoundState["votes"][number][] = [];
  const voteEntries = reader.u8();
  if (voteEntries > LIMITS.roundStateVotes) reader.fail("too many vote entries");
  for (let i = 0; i < voteEntries; i++) {
    votes.push({
      round: readRound(reader),
      type: readVoteType(reader),
      have: readBits(reader, LIMITS.validators),
    });
  }
  const maj23: RoundState["maj23"][number][] = [];
  const maj23Entries = reader.u8();
  if (maj23Entries > LIMITS.roundStateMaj23) reader.fail("too many maj23 entries");
  for (let i = 0; i < maj23Entries; i++) {
    maj23.push({ round: readRound(reader), type: readVoteType(reader), blockId: readBlockId(reader) });
  }
  reader.end();
  return {
    height,
    round,
    step,
    proposal,
    parts,
    votes,
    maj23,
    direct,
    elReady: (flags & 1) !== 0,
    leaving: (flags & 2) !== 0,
  };
}

/** The longest beginning of a text that fits so many bytes of UTF-8. */
function clipped(text: string, limit: number): string {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length <= limit) return text;
  let end = limit;
  while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end--;
  return new TextDecoder().decode(bytes.subarray(0, end));
}

export function encodeStatus(status: PeerStatus): Uint8Array<ArrayBuffer> {
  const writer = new WireWriter(256)
    .u32(status.protocolVersion)
    .str(status.chainId)
    .raw(status.genesisHash)
    .raw(status.upgradesHash)
    .raw(status.elGenesisHash)
    .u64(status.height)
    .u64(status.earliestHeight)
    .str(clipped(status.moniker, LIMITS.monikerBytes));
  const { binding } = status;
  if (binding === undefined) writer.u8(0);
  else writer.u8(1).raw(binding.pubKey).raw(binding.signature);
  return writer.finish();
}

/** @throws GossipError `MALFORMED`. */
export function decodeStatus(bytes: Uint8Array): PeerStatus {
  const reader = new WireReader(bytes, "status");
  const status: PeerStatus = {
    protocolVersion: reader.u32(),
    chainId: reader.str(LIMITS.chainIdBytes),
    genesisHash: reader.raw(32).slice(),
    upgradesHash: reader.raw(32).slice(),
    elGenesisHash: reader.raw(32).slice(),
    height: reader.u64(),
    earliestHeight: reader.u64(),
    moniker: reader.str(LIMITS.monikerBytes),
  };
  const binding = reader.bool()
    ? { pubKey: reader.raw(32).slice(), signature: reader.raw(64).slice() }
    : null;
  reader.end();
  return binding === null ? status : { ...status, binding };
}
