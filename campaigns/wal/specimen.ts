/**
 * A write-ahead log as a validator really writes it: three heights of three rounds each with a lock in every height, the
 * third left in the middle of its last round. With it the sign state, the store, and all that was sent until then.
 */
import { VoteType } from "@quorate/chain";
import type { WalPosition } from "@quorate/wal";
import type { MadeBlock } from "../../packages/node/test/support/chain.ts";
import type { MemoryDisk } from "../../packages/node/test/support/memory-disk.ts";
import type { MemoryStore } from "../../packages/node/test/support/memory-store.ts";
import { makeRig, type Published, type Rig } from "../../packages/node/test/support/rig.ts";
import { chainedRecords } from "../../packages/wal/src/scan.ts";

const { prevote, precommit } = VoteType;

/** Enough of them that three heights of three rounds fill 64 KiB. */
export const VALIDATORS = 15;
export const SEGMENT_BYTES: number = 24 * 1024;
export const MIN_BYTES: number = 64 * 1024;
/** Longer than any timer of the first rounds. */
const ROUND_MS = 5_000;

/** A record and the bytes it lies in. */
export interface Place {
  readonly file: string;
  readonly from: number;
  readonly to: number;
  readonly sequence: bigint;
}

export interface WalSpecimen {
  readonly disk: MemoryDisk;
  readonly store: MemoryStore;
  readonly sent: Pick<Published, "votes" | "proposals">;
  readonly dependency: WalPosition;
  /** Segment files in order. */
  readonly files: readonly string[];
  /** Records in order. */
  readonly places: readonly Place[];
  /** Bytes of all segments that hold records, and of those the bytes that are a header's or a record's. */
  readonly bytes: number;
  readonly liveBytes: number;
}

export async function makeSpecimen(): Promise<WalSpecimen> {
  const rig = await makeRig({ validators: VALIDATORS, segmentBytes: SEGMENT_BYTES });
  try {
    await rig.begin();
    for (let height = 1; height <= 3; height++) await liveHeight(rig, height < 3);
    await rig.wal.sync();
    return await describe(rig);
  } finally {
    await rig.free();
  }
}

/** Round 0 ends with a lock and no decision, round 1 with nothing, round 2 takes the locked value again. */
async function liveHeight(rig: Rig, decide: boolean): Promise<void> {
  const { others } = rig;
  const half = others.slice(0, others.length / 2);
  const rest = others.slice(half.length);
  const block = rig.block();
  await rig.propose(block);
  await rig.votes(prevote, block.blockId, others);
  await rig.votes(precommit, block.blockId, half);
  await rig.votes(precommit, null, rest);
  await rig.pass(ROUND_MS);
  await rig.votes(prevote, null, others, 1);
  await rig.votes(precommit, null, others, 1);
  await rig.pass(0);
  await proposeAgain(rig, block, 2);
  await rig.votes(prevote, block.blockId, others, 2);
  await rig.votes(precommit, block.blockId, decide ? others : half, 2);
  await rig.pass(ROUND_MS);
}

async function proposeAgain(rig: Rig, block: MadeBlock, round: number): Promise<void> {
  await rig.propose(block, round, 0);
}

async function describe(rig: Rig): Promise<WalSpecimen> {
  const disk = rig.disk.copy("written");
  const files = disk.names().filter((name) => name.endsWith(".wal"));
  const dependency = rig.privval?.state.dependency;
  if (dependency === undefined) throw new Error("the specimen's node signs nothing");
  const places: Place[] = [];
  let before: WalPosition = { sequence: 0n, crc: 0 };
  const used: string[] = [];
  for (const file of files) {
    let any = false;
    for (const record of chainedRecords(disk.bytes(file), before)) {
      any = true;
      places.push({ file, from: record.offset, to: record.end, sequence: record.sequence });
      before = record;
    }
    if (any) used.push(file);
  }
  const liveBytes = places.reduce((sum, { from, to }) => sum + to - from, 32 * used.length);
  return {
    disk,
    store: rig.store.copy(),
    sent: { votes: [...rig.published.votes], proposals: [...rig.published.proposals] },
    dependency,
    files: used,
    places,
    bytes: used.reduce((sum, file) => sum + disk.bytes(file).length, 0),
    liveBytes,
  };
}
