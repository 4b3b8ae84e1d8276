/** Bodies of the height being decided (and of the last one, for peers one behind), with their durability. */
import {
  type Block,
  type BlockId,
  blockIdKey,
  ChainError,
  decodeBlock,
  headerHash,
  makePartSet,
  type Part,
} from "@quorate/chain";
import { bytesEqual } from "@quorate/crypto";
import type { LogPort } from "@quorate/gossip";
import { type BodyRef, StoreError } from "@quorate/store";

/** At most this many bodies are held in memory; the oldest goes first and can be read back from the store. */
const MAX_BODIES = 16;

export interface HeldBody {
  readonly height: number;
  readonly blockId: BlockId;
  readonly bytes: Uint8Array;
  readonly block: Block;
  /** Settles when the body is on disk. No precommit for it leaves before (DESIGN §5.4). */
  readonly synced: Promise<BodyRef>;
}

export interface BodySink {
  putBody(blockId: BlockId, bytes: Uint8Array): Promise<BodyRef>;
  /** @throws StoreError STORE_CORRUPT for a body that the disk spoiled. */
  getBody(blockId: BlockId): Promise<Uint8Array | null>;
}

export class Bodies {
  private readonly sink: BodySink;
  private readonly log: LogPort;
  private readonly onFailure: (error: unknown) => void;
  private held = new Map<string, HeldBody>();
  private readonly partSets = new Map<string, readonly Part[]>();

  /** `onFailure`: a body could not be made durable (fatal). */
  constructor(sink: BodySink, log: LogPort, onFailure: (error: unknown) => void) {
    this.sink = sink;
    this.log = log;
    this.onFailure = onFailure;
  }

  /** Decodes and holds; `null` when the bytes are not a well-formed block of this id and height. */
  add(height: number, blockId: BlockId, bytes: Uint8Array, known?: Block): HeldBody | null {
    const key = blockIdKey(blockId);
    const before = this.held.get(key);
    if (before !== undefined) return before;
    const block = known ?? decodeOrNull(bytes);
    if (block === null || !isBlockOf(block, height, blockId)) return null;
    const synced = this.sink.putBody(blockId, bytes);
    synced.catch(this.onFailure);
    const body: HeldBody = { height, blockId, bytes, block, synced };
    this.held.set(key, body);
    for (const oldest of this.held.keys()) {
      if (this.held.size <= MAX_BODIES) break;
      this.held.delete(oldest);
      this.partSets.delete(oldest);
    }
    return body;
  }

  get(blockId: BlockId): HeldBody | null {
    return this.held.get(blockIdKey(blockId)) ?? null;
  }

  /** In memory, or read back from disk. */
  async find(height: number, blockId: BlockId): Promise<HeldBody | null> {
    const held = this.get(blockId);
    if (held !== null) return held;
    const bytes = await this.read(blockId);
    return bytes === null ? null : this.add(height, blockId, bytes);
  }

  /** A body that the disk spoiled is one that is missing: the other nodes have it. */
  private async read(blockId: BlockId): Promise<Uint8Array | null> {
    try {
      return await this.sink.getBody(blockId);
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== "STORE_CORRUPT") throw error;
      this.log.error("a stored body is damaged", { block: blockId.hash, reason: error.message });
      return null;
    }
  }

  /** Those held of a height, in order of arrival. */
  at(height: number): readonly HeldBody[] {
    return [...this.held.values()].filter((body) => body.height === height);
  }

  /** One part of a held body, cut on first demand. */
  part(blockId: BlockId, index: number): Part | null {
    const key = blockIdKey(blockId);
    const body = this.held.get(key);
    if (body === undefined) return null;
    let parts = this.partSets.get(key);
    if (parts === undefined) {
      parts = makePartSet(body.bytes).parts;
      this.partSets.set(key, parts);
    }
    return parts[index] ?? null;
  }

  /** Forgets everything below `height`, and at the heights kept every body that is not `keep`. */
  startHeight(height: number, keep: BlockId | null): void {
    const keepKey = keep === null ? null : blockIdKey(keep);
    this.held = new Map([...this.held].filter(([key, body]) => body.height >= height || key === keepKey));
    for (const key of this.partSets.keys()) if (!this.held.has(key)) this.partSets.delete(key);
  }
}

function decodeOrNull(bytes: Uint8Array): Block | null {
  try {
    // Both are held together, and nobody writes into either.
    return decodeBlock(bytes, true);
  } catch (error) {
    if (error instanceof ChainError) return null;
    throw error;
  }
}

/**
 * Whether a decoded block is the one of this id and height. A header without validators has no hash, and one whose time
 * is outside the years 1677 to 2262 has no place in the log: a proposer can send both, and neither is a block.
 */
function isBlockOf({ header }: Block, height: number, blockId: BlockId): boolean {
  if (header.height !== height || header.validatorsHash.length === 0) return false;
  if (BigInt.asIntN(64, header.time) !== header.time) return false;
  return bytesEqual(headerHash(header), blockId.hash);
}
