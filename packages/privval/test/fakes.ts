import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BlockId, VoteType } from "@quorate/chain";
import {
  createKeyAndState,
  FilePrivVal,
  type ProposalToSign,
  type SlotDisk,
  type VoteToSign,
} from "../src/index.ts";

export const CHAIN = "test-chain";
export const NOTHING = { sequence: 0n, crc: 0 };

export function blockId(seed: number): BlockId {
  const bytes = (value: number): Uint8Array => new Uint8Array(32).fill(value);
  return { hash: bytes(seed), parts: { total: 1 + (seed % 3), hash: bytes(seed + 1) } };
}

export function vote(fields: Partial<VoteToSign> = {}): VoteToSign {
  return {
    type: VoteType.prevote,
    height: 1,
    round: 0,
    blockId: blockId(1),
    timestamp: 1_700_000_000_000_000_000n,
    validatorAddress: new Uint8Array(20),
    validatorIndex: 0,
    ...fields,
  };
}

export function proposal(fields: Partial<ProposalToSign> = {}): ProposalToSign {
  return {
    height: 1,
    round: 0,
    polRound: -1,
    blockId: blockId(1),
    timestamp: 1_700_000_000_000_000_000n,
    ...fields,
  };
}

export interface Home {
  readonly dir: string;
  readonly keyFile: string;
  readonly stateFile: string;
}

/** Runs with a new home that has a key and a blank sign state. */
export async function withHome(run: (home: Home) => Promise<void>, create = true): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), "quorate-privval-"));
  const home = { dir, keyFile: join(dir, "config", "key.json"), stateFile: join(dir, "data", "state.bin") };
  try {
    if (create) await createKeyAndState(home, new Uint8Array(32).fill(9));
    await run(home);
  } finally {
    await rm(dir, { recursive: true });
  }
}

export function open(home: Home, disk?: SlotDisk): Promise<FilePrivVal> {
  return FilePrivVal.open({ ...home, ...(disk === undefined ? {} : { disk }) });
}

const SECTOR = 512;

/** A sign state in memory that can be cut off in the middle of a write and fail. */
export class SlotMemory implements SlotDisk {
  visible: Uint8Array;
  durable: Uint8Array;
  failure: Error | null = null;
  /** Operations in the order they came, and syncs that are done. */
  readonly log: string[] = [];

  constructor(bytes: Uint8Array) {
    this.visible = new Uint8Array(bytes);
    this.durable = new Uint8Array(bytes);
  }

  async read(): Promise<Uint8Array> {
    return this.visible.slice();
  }

  async write(_file: string, offset: number, bytes: Uint8Array): Promise<void> {
    this.log.push("write");
    if (this.failure !== null) throw this.failure;
    this.visible.set(bytes, offset);
  }

  async fdatasync(): Promise<void> {
    this.log.push("fdatasync");
    if (this.failure !== null) throw this.failure;
    this.durable = this.visible.slice();
  }

  async create(_file: string, size: number): Promise<void> {
    this.visible = new Uint8Array(size);
    this.durable = new Uint8Array(size);
  }

  /** What may be on the disk if power goes now: each unsynced sector old or new, by `keep`. */
  afterPowerLoss(keep: (sector: number) => boolean): Uint8Array {
    const bytes = this.durable.slice();
    for (let at = 0; at < bytes.length; at += SECTOR) {
      if (keep(at / SECTOR)) bytes.set(this.visible.subarray(at, at + SECTOR), at);
    }
    return bytes;
  }
}
