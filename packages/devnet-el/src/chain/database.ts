import { ClassicLevel } from "classic-level";
import { DevnetElError, reasonOf } from "../errors.ts";
import { fromHex, type Hex, padded } from "../hex.ts";
import { ByteCache, type NodeSource } from "./nodes.ts";

/** One write of a batch. */
export type Write =
  | { readonly type: "put"; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly type: "del"; readonly key: Uint8Array };

const PREFIX = {
  node: "n",
  block: "b",
  receipts: "r",
  number: "h",
  transaction: "t",
  logs: "l",
  meta: "m",
} as const;

function key(prefix: string, rest: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(rest.length + 1);
  bytes[0] = prefix.charCodeAt(0);
  bytes.set(rest, 1);
  return bytes;
}

/** Where each kind of record lies in the store. */
export const KEYS = {
  node: (nodeKey: string): Uint8Array => key(PREFIX.node, fromHex(`0x${nodeKey}`)),
  block: (hash: Hex): Uint8Array => key(PREFIX.block, fromHex(hash)),
  receipts: (hash: Hex): Uint8Array => key(PREFIX.receipts, fromHex(hash)),
  /** Hash of the canonical block with this number. */
  number: (number: number): Uint8Array => key(PREFIX.number, padded(BigInt(number), 8)),
  /** Block number (u64) and index (u32) of a canonical transaction. */
  transaction: (hash: Hex): Uint8Array => key(PREFIX.transaction, fromHex(hash)),
  /** Bloom of a canonical block that has logs. */
  logs: (number: number): Uint8Array => key(PREFIX.logs, padded(BigInt(number), 8)),
  /** Hashes of head, safe and finalized block; zero for none. */
  forkchoice: key(PREFIX.meta, new Uint8Array([1])) as Uint8Array,
  /** Identity of the chain that the directory belongs to. */
  identity: key(PREFIX.meta, new Uint8Array([2])) as Uint8Array,
} as const;

/** LevelDB's own caches are kept small: the node cache above them does that work. */
const LEVEL_BLOCK_CACHE = 2 * 1024 * 1024;
const LEVEL_WRITE_BUFFER = 4 * 1024 * 1024;

/** The durable store: blocks, receipts, indexes and trie nodes in one LevelDB directory. */
export class Database implements NodeSource {
  private readonly level: ClassicLevel<Uint8Array, Uint8Array>;
  private readonly nodes: ByteCache;

  private constructor(level: ClassicLevel<Uint8Array, Uint8Array>, cacheBytes: number) {
    this.level = level;
    this.nodes = new ByteCache(cacheBytes);
  }

  /**
   * Opens or creates the store. `cacheBytes` bounds the cache of trie nodes.
   * Throws DevnetElError BUSY when another process has it open, STORE when it cannot be read.
   */
  static async open(directory: string, cacheBytes: number): Promise<Database> {
    const level = new ClassicLevel<Uint8Array, Uint8Array>(directory, {
      keyEncoding: "view",
      valueEncoding: "view",
      cacheSize: LEVEL_BLOCK_CACHE,
      writeBufferSize: LEVEL_WRITE_BUFFER,
    });
    try {
      await level.open();
    } catch (thrown) {
      const cause = thrown instanceof Error ? thrown.cause : undefined;
      const reason = cause === undefined ? reasonOf(thrown) : reasonOf(cause);
      if (/lock/i.test(reason)) {
        throw new DevnetElError("BUSY", `the data directory ${directory} is in use by another process`, {
          directory,
        });
      }
      throw new DevnetElError("STORE", `cannot open the data directory ${directory}: ${reason}`, {
        directory,
      });
    }
    return new Database(level, cacheBytes);
  }

  /** A trie node or contract code. */
  get(nodeKey: string): Uint8Array | undefined {
    const cached = this.nodes.get(nodeKey);
    if (cached !== undefined) return cached;
    const stored = this.read(KEYS.node(nodeKey));
    if (stored !== undefined) this.nodes.set(nodeKey, stored);
    return stored;
  }

  read(at: Uint8Array): Uint8Array | undefined {
    return this.level.getSync(at);
  }

  /** Records whose key lies between two keys of one kind, both included, in order. */
  range(from: Uint8Array, to: Uint8Array): AsyncIterable<[Uint8Array, Uint8Array]> {
    return this.level.iterator({ gte: from, lte: to });
  }

  /** Writes all or nothing; with `sync` it is on disk when the promise resolves. Throws DevnetElError STORE. */
  async write(writes: readonly Write[], sync: boolean): Promise<void> {
    try {
      await this.level.batch([...writes], { sync });
    } catch (thrown) {
      throw new DevnetElError(
        "STORE",
        `the store refused a write: ${reasonOf(thrown)}; check disk space and rights`,
      );
    }
  }

  /** Nodes that were just written stay at hand. */
  remember(nodes: ReadonlyMap<string, Uint8Array>): void {
    for (const [nodeKey, value] of nodes) this.nodes.set(nodeKey, value);
  }

  async close(): Promise<void> {
    await this.level.close();
  }
}
