import { RLP } from "@ethereumjs/rlp";
import type { BatchDBOp, DB } from "@ethereumjs/util";
import { toHex } from "../hex.ts";

/** Trie nodes and contract code by the hex of their key, as the trie library names them. */
export interface NodeSource {
  get(key: string): Uint8Array | undefined;
}

/** Least recently used values, bounded by the bytes that they and their keys take. */
export class ByteCache {
  private readonly entries = new Map<string, Uint8Array>();
  private readonly maxBytes: number;
  private bytes = 0;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  get size(): number {
    return this.bytes;
  }

  get(key: string): Uint8Array | undefined {
    const value = this.entries.get(key);
    if (value !== undefined) {
      this.entries.delete(key);
      this.entries.set(key, value);
    }
    return value;
  }

  set(key: string, value: Uint8Array): void {
    this.drop(key);
    this.entries.set(key, value);
    this.bytes += cost(key, value);
    for (const oldest of this.entries.keys()) {
      if (this.bytes <= this.maxBytes) break;
      this.drop(oldest);
    }
  }

  private drop(key: string): void {
    const value = this.entries.get(key);
    if (value === undefined) return;
    this.entries.delete(key);
    this.bytes -= cost(key, value);
  }
}

/** Bytes of an entry with what the maps around it take, by measurement about 150. */
function cost(key: string, value: Uint8Array): number {
  return key.length + value.byteLength + 150;
}

/**
 * What one block writes on top of its parent. It is the database of the state trie while the block runs, and is kept
 * until the block is stored, so that undecided siblings and descendants never see each other's writes.
 */
export class Overlay implements DB<string, string | Uint8Array> {
  private readonly written = new Map<string, Uint8Array>();
  private readonly source: NodeSource;
  private parent: Overlay | undefined;

  constructor(source: NodeSource, parent: Overlay | undefined) {
    this.source = source;
    this.parent = parent;
  }

  /** A node of this block, of an undecided ancestor, or of the store. */
  lookup(key: string): Uint8Array | undefined {
    for (let layer: Overlay | undefined = this; layer !== undefined; layer = layer.parent) {
      const value = layer.written.get(key);
      if (value !== undefined) return value;
    }
    return this.source.get(key);
  }

  get(key: string): Promise<Uint8Array | undefined> {
    return Promise.resolve(this.lookup(key));
  }

  put(key: string, value: string | Uint8Array): Promise<void> {
    this.write(key, value);
    return Promise.resolve();
  }

  /** The store is append-only, so that the state of every stored block stays readable. */
  del(): Promise<void> {
    return Promise.resolve();
  }

  batch(operations: BatchDBOp<string, string | Uint8Array>[]): Promise<void> {
    for (const operation of operations)
      if (operation.type === "put") this.write(operation.key, operation.value);
    return Promise.resolve();
  }

  shallowCopy(): DB<string, string | Uint8Array> {
    return this;
  }

  open(): Promise<void> {
    return Promise.resolve();
  }

  private write(key: string, value: string | Uint8Array): void {
    if (typeof value === "string") throw new TypeError("the state trie must be configured for byte values");
    this.written.set(key, value);
  }

  /**
   * What of this layer the state with this root needs: intermediate nodes, which the trie wrote between two
   * transactions and no state refers to, are left out.
   */
  reachable(root: Uint8Array): Map<string, Uint8Array> {
    const needed = new Map<string, Uint8Array>();
    const visitHash = (hash: Uint8Array, inStorage: boolean): void => {
      const key = toHex(hash).slice(2);
      const node = this.written.get(key);
      if (node === undefined || needed.has(key)) return;
      needed.set(key, node);
      visitNode(RLP.decode(node) as RawNode, inStorage);
    };
    const visitChild = (child: RawNode, inStorage: boolean): void => {
      if (child instanceof Uint8Array) {
        if (child.length === 32) visitHash(child, inStorage);
      } else visitNode(child, inStorage);
    };
    const visitNode = (node: RawNode, inStorage: boolean): void => {
      if (node instanceof Uint8Array) return;
      if (node.length === 17) {
        for (const child of node.slice(0, 16)) visitChild(child, inStorage);
        return;
      }
      const [path, next] = node;
      if (!(path instanceof Uint8Array) || next === undefined) return;
      const isLeaf = ((path[0] ?? 0) & 0x20) !== 0;
      if (!isLeaf) visitChild(next, inStorage);
      else if (!inStorage && next instanceof Uint8Array) visitAccount(next);
    };
    const visitAccount = (encoded: Uint8Array): void => {
      const [, , storageRoot, codeHash] = RLP.decode(encoded) as RawNode[];
      if (storageRoot instanceof Uint8Array) visitHash(storageRoot, true);
      if (!(codeHash instanceof Uint8Array)) return;
      const key = `${CODE_PREFIX}${toHex(codeHash).slice(2)}`;
      const code = this.written.get(key);
      if (code !== undefined) needed.set(key, code);
    };
    visitHash(root, false);
    return needed;
  }

  /** Approximate bytes held. */
  get bytes(): number {
    let total = 0;
    for (const [key, value] of this.written) total += cost(key, value);
    return total;
  }

  /** Drops everything but these nodes. */
  retain(nodes: ReadonlyMap<string, Uint8Array>): void {
    this.written.clear();
    for (const [key, value] of nodes) this.written.set(key, value);
  }

  /** After its nodes were stored: reads fall through to the store. */
  release(): void {
    this.written.clear();
    this.parent = undefined;
  }
}

type RawNode = Uint8Array | RawNode[];

/** "c" in hex: the state manager's prefix of code keys. */
const CODE_PREFIX = "63";
