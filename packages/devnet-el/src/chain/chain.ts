import { createHash } from "node:crypto";
import { type Block, createBlockFromRLP } from "@ethereumjs/block";
import { DevnetElError } from "../errors.ts";
import type { ChainSpec } from "../genesis/parse.ts";
import type { GenesisState } from "../genesis/state.ts";
import { fromHex, type Hex, toBigInt, toHex, ZERO_HASH } from "../hex.ts";
import type { Ancestry, VmEnvironment } from "../vm/view.ts";
import { type Database, KEYS, type Write } from "./database.ts";
import { Overlay } from "./nodes.ts";
import { decodeReceipts, encodeReceipts, type ReceiptRecord } from "./receipts.ts";

/** A block that was executed and found valid, and is not stored yet. */
export interface ExecutedBlock {
  readonly block: Block;
  readonly hash: Hex;
  readonly receipts: readonly ReceiptRecord[];
  readonly overlay: Overlay;
  /** Accounts that the block wrote, lower-case hex. */
  readonly touched: ReadonlySet<string>;
}

/** What a change of the head did. */
export interface HeadChange {
  /** Blocks that became canonical, ascending. */
  readonly added: readonly Block[];
  /** Blocks that ceased to be canonical, descending. */
  readonly removed: readonly Block[];
  /** Accounts whose state may differ at the new head; undefined when that is not known. */
  readonly touched: ReadonlySet<string> | undefined;
}

/** Outcome of `setForkchoice`. */
export type ForkchoiceResult =
  | { readonly kind: "moved"; readonly change: HeadChange }
  | { readonly kind: "unchanged" }
  /** The block is an ancestor of the head: nothing happens, as a decided chain never goes back. */
  | { readonly kind: "ancestor" }
  | { readonly kind: "unknown" }
  | { readonly kind: "refused"; readonly reason: string };

/** Undecided blocks kept in memory, and the bytes of their state; beyond that the oldest go to disk. */
const MAX_UNDECIDED = 64;
const MAX_UNDECIDED_BYTES = 48 * 1024 * 1024;
/** Decoded blocks kept for readers. */
const MAX_DECODED = 12;

/**
 * The chain of blocks: canonical ones by number, all valid ones by hash, and the head, safe and finalized block.
 * Everything that makes a block canonical is one synced batch, so a kill at any time loses nothing acknowledged.
 */
export class Chain {
  readonly genesisHash: Hex;
  private readonly database: Database;
  private readonly environment: VmEnvironment;
  private readonly executed = new Map<Hex, ExecutedBlock>();
  private readonly decoded = new Map<Hex, Block>();
  private undecidedBytes = 0;
  private headBlock: Block;
  private safeHash: Hex = ZERO_HASH;
  private finalizedHash: Hex = ZERO_HASH;

  private constructor(database: Database, environment: VmEnvironment, genesis: Block) {
    this.database = database;
    this.environment = environment;
    this.genesisHash = toHex(genesis.hash());
    this.headBlock = genesis;
  }

  /**
   * Opens the chain in `database`, which gets its block 0 on first use. Throws DevnetElError GENESIS when the
   * directory holds another chain, STORE when records are missing.
   */
  static async open(
    database: Database,
    environment: VmEnvironment,
    spec: ChainSpec,
    makeGenesis: () => Promise<GenesisState>,
  ): Promise<Chain> {
    const identity = (genesisHash: Hex): Uint8Array =>
      new Uint8Array(
        createHash("sha256")
          .update(JSON.stringify([1, genesisHash, String(spec.chainId), spec.fork, spec.depositContract]))
          .digest(),
      );
    // The genesis state is made again at each start: it is the check that directory and file belong together.
    const genesis = await makeGenesis();
    const chain = new Chain(database, environment, genesis.block);
    const stored = database.read(KEYS.identity);
    if (stored === undefined) {
      const writes: Write[] = [...genesis.nodes].map(([key, value]) => ({
        type: "put",
        key: KEYS.node(key),
        value,
      }));
      writes.push(...chain.blockWrites(genesis.block, chain.genesisHash, []));
      writes.push(...chain.canonicalWrites(genesis.block, chain.genesisHash));
      writes.push({
        type: "put",
        key: KEYS.forkchoice,
        value: fromHex(`0x${chain.genesisHash.slice(2)}${"00".repeat(64)}`),
      });
      writes.push({ type: "put", key: KEYS.identity, value: identity(chain.genesisHash) });
      await database.write(writes, true);
      return chain;
    }
    if (toHex(stored) !== toHex(identity(chain.genesisHash))) {
      throw new DevnetElError(
        "GENESIS",
        `the data directory holds a chain with another genesis than ${chain.genesisHash}; use another directory or remove it`,
      );
    }
    chain.restore();
    return chain;
  }

  private restore(): void {
    const record = this.database.read(KEYS.forkchoice);
    if (record?.length !== 96)
      throw new DevnetElError("STORE", "the store has no head; remove the data directory");
    const head = this.block(toHex(record.subarray(0, 32)));
    if (head === undefined)
      throw new DevnetElError("STORE", "the head block is missing; remove the data directory");
    this.headBlock = head;
    this.safeHash = toHex(record.subarray(32, 64));
    this.finalizedHash = toHex(record.subarray(64, 96));
  }

  get head(): Block {
    return this.headBlock;
  }

  get headHash(): Hex {
    return toHex(this.headBlock.hash());
  }

  get headNumber(): number {
    return Number(this.headBlock.header.number);
  }

  /** The safe block, undefined until a fork choice named one. */
  get safe(): Block | undefined {
    return this.safeHash === ZERO_HASH ? undefined : this.block(this.safeHash);
  }

  /** The finalized block, undefined until a fork choice named one. */
  get finalized(): Block | undefined {
    return this.finalizedHash === ZERO_HASH ? undefined : this.block(this.finalizedHash);
  }

  /** A valid block, canonical or not. */
  block(hash: Hex): Block | undefined {
    const known = this.executed.get(hash)?.block ?? this.decoded.get(hash);
    if (known !== undefined) return known;
    const encoded = this.database.read(KEYS.block(hash));
    if (encoded === undefined) return undefined;
    const block = createBlockFromRLP(encoded, { common: this.environment.common });
    this.remember(hash, block);
    return block;
  }

  private remember(hash: Hex, block: Block): void {
    this.decoded.set(hash, block);
    for (const oldest of this.decoded.keys()) {
      if (this.decoded.size <= MAX_DECODED) break;
      this.decoded.delete(oldest);
    }
  }

  /** Hash of the canonical block with this number. */
  canonicalHash(number: number): Hex | undefined {
    if (number > this.headNumber || number < 0) return undefined;
    const hash = this.database.read(KEYS.number(number));
    return hash === undefined ? undefined : toHex(hash);
  }

  canonicalBlock(number: number): Block | undefined {
    const hash = this.canonicalHash(number);
    return hash === undefined ? undefined : this.block(hash);
  }

  isCanonical(block: Block): boolean {
    return this.canonicalHash(Number(block.header.number)) === toHex(block.hash());
  }

  receipts(hash: Hex): readonly ReceiptRecord[] | undefined {
    const executed = this.executed.get(hash);
    if (executed !== undefined) return executed.receipts;
    const encoded = this.database.read(KEYS.receipts(hash));
    return encoded === undefined ? undefined : decodeReceipts(encoded);
  }

  /** Block number and index of a canonical transaction. */
  locate(transactionHash: Hex): { number: number; index: number } | undefined {
    const place = this.database.read(KEYS.transaction(transactionHash));
    if (place === undefined) return undefined;
    const number = Number(toBigInt(place.subarray(0, 8)));
    if (number > this.headNumber) return undefined;
    return { number, index: Number(toBigInt(place.subarray(8))) };
  }

  /** Numbers and blooms of the canonical blocks with logs in a range, both ends included. */
  async *blooms(from: number, to: number): AsyncGenerator<{ number: number; bloom: Uint8Array }> {
    if (from > to) return;
    for await (const [key, bloom] of this.database.range(KEYS.logs(from), KEYS.logs(to))) {
      yield { number: Number(toBigInt(key.subarray(1))), bloom };
    }
  }

  /** A fresh layer over the state after `parent`. */
  overlayOn(parent: Hex): Overlay {
    return new Overlay(this.database, this.executed.get(parent)?.overlay);
  }

  /** Hashes of `parent` and its ancestors, along its own branch even where that is not decided. */
  ancestryOf(parent: Block): Ancestry {
    const hashes = new Map<number, Uint8Array>([[Number(parent.header.number), parent.hash()]]);
    let lowest = parent;
    let canonical = this.isCanonical(parent);
    return (number) => {
      const known = hashes.get(number);
      if (known !== undefined || number < 0 || number > Number(parent.header.number)) return known;
      while (!canonical && Number(lowest.header.number) > number) {
        const next = this.block(toHex(lowest.header.parentHash));
        if (next === undefined) return undefined;
        lowest = next;
        hashes.set(Number(next.header.number), next.hash());
        canonical = this.isCanonical(next);
      }
      const hash = hashes.get(number) ?? (canonical ? this.database.read(KEYS.number(number)) : undefined);
      if (hash !== undefined) hashes.set(number, hash);
      return hash;
    };
  }

  /** Keeps a valid block until the fork choice decides about it. The overlay is reduced to what its state needs. */
  async addExecuted(executed: ExecutedBlock): Promise<void> {
    if (this.executed.has(executed.hash)) return;
    executed.overlay.retain(executed.overlay.reachable(executed.block.header.stateRoot));
    this.executed.set(executed.hash, executed);
    this.undecidedBytes += executed.overlay.bytes;
    for (const oldest of this.executed.values()) {
      if (this.executed.size <= MAX_UNDECIDED && this.undecidedBytes <= MAX_UNDECIDED_BYTES) break;
      if (oldest === executed) break;
      // Not synced: a block that nobody decided may be lost with the power.
      await this.database.write(this.executedWrites(oldest), false);
      this.forget(oldest.hash);
    }
  }

  private forget(hash: Hex): void {
    const executed = this.executed.get(hash);
    if (executed === undefined) return;
    this.executed.delete(hash);
    this.undecidedBytes -= executed.overlay.bytes;
    executed.overlay.release();
  }

  /**
   * Makes `head` and its ancestors canonical and records safe and finalized block, durably. A zero hash leaves safe
   * or finalized as it is. Throws DevnetElError STORE when the write fails, after which the process must stop.
   */
  async setForkchoice(head: Hex, safe: Hex, finalized: Hex): Promise<ForkchoiceResult> {
    const target = this.block(head);
    if (target === undefined) return { kind: "unknown" };
    const canonical = this.isCanonical(target);
    if (canonical && head !== this.headHash) return { kind: "ancestor" };
    const added: Block[] = [];
    let fork = target;
    while (!this.isCanonical(fork)) {
      added.unshift(fork);
      const parent = this.block(toHex(fork.header.parentHash));
      if (parent === undefined) return { kind: "unknown" };
      fork = parent;
    }
    const forkNumber = Number(fork.header.number);
    const finalNumber = Number(this.finalized?.header.number ?? 0n);
    if (forkNumber < finalNumber) {
      return { kind: "refused", reason: `the head would leave the finalized block ${finalNumber}` };
    }
    const onBranch = (hash: Hex): number | undefined => {
      const block = this.block(hash);
      if (block === undefined) return undefined;
      const number = Number(block.header.number);
      const isAdded = added[number - forkNumber - 1]?.hash() ?? undefined;
      if (isAdded !== undefined && toHex(isAdded) === hash) return number;
      return number <= forkNumber && this.canonicalHash(number) === hash ? number : undefined;
    };
    for (const [name, hash] of [
      ["final", finalized],
      ["safe", safe],
    ] as const) {
      if (hash !== ZERO_HASH && onBranch(hash) === undefined) {
        return { kind: "refused", reason: `${name} block not in canonical chain` };
      }
    }
    const nextSafe = safe === ZERO_HASH ? this.safeHash : safe;
    let nextFinalized = this.finalizedHash;
    if (finalized !== ZERO_HASH && (onBranch(finalized) ?? 0) >= finalNumber) nextFinalized = finalized;
    if (added.length === 0 && nextSafe === this.safeHash && nextFinalized === this.finalizedHash) {
      return { kind: "unchanged" };
    }
    const removed: Block[] = [];
    for (let number = this.headNumber; number > forkNumber; number--) {
      const block = this.canonicalBlock(number);
      if (block !== undefined) removed.push(block);
    }
    const touched = new Set<string>();
    let touchedKnown = removed.length === 0;
    const writes: Write[] = [];
    for (const block of removed) writes.push(...this.uncanonicalWrites(block));
    for (const block of added) {
      const hash = toHex(block.hash());
      const executed = this.executed.get(hash);
      if (executed === undefined) touchedKnown = false;
      else {
        writes.push(...this.executedWrites(executed));
        for (const address of executed.touched) touched.add(address);
      }
      writes.push(...this.canonicalWrites(block, hash));
    }
    const record = new Uint8Array(96);
    record.set(fromHex(head), 0);
    record.set(fromHex(nextSafe), 32);
    record.set(fromHex(nextFinalized), 64);
    writes.push({ type: "put", key: KEYS.forkchoice, value: record });
    await this.database.write(writes, true);
    for (const block of added) {
      const hash = toHex(block.hash());
      this.forget(hash);
      this.remember(hash, block);
    }
    this.headBlock = target;
    this.safeHash = nextSafe;
    this.finalizedHash = nextFinalized;
    this.dropDecided();
    if (added.length === 0 && removed.length === 0) return { kind: "unchanged" };
    return {
      kind: "moved",
      change: { added, removed: removed, touched: touchedKnown ? touched : undefined },
    };
  }

  /** Undecided blocks at or below the finalized height can no longer become canonical. */
  private dropDecided(): void {
    const finalNumber = this.finalized?.header.number ?? 0n;
    for (const [hash, { block }] of this.executed) if (block.header.number <= finalNumber) this.forget(hash);
  }

  private executedWrites(executed: ExecutedBlock): Write[] {
    const nodes = executed.overlay.reachable(executed.block.header.stateRoot);
    this.database.remember(nodes);
    const writes: Write[] = [...nodes].map(([key, value]) => ({ type: "put", key: KEYS.node(key), value }));
    writes.push(...this.blockWrites(executed.block, executed.hash, executed.receipts));
    return writes;
  }

  private blockWrites(block: Block, hash: Hex, receipts: readonly ReceiptRecord[]): Write[] {
    return [
      { type: "put", key: KEYS.block(hash), value: block.serialize() },
      { type: "put", key: KEYS.receipts(hash), value: encodeReceipts(receipts) },
    ];
  }

  private canonicalWrites(block: Block, hash: Hex): Write[] {
    const number = Number(block.header.number);
    const writes: Write[] = [{ type: "put", key: KEYS.number(number), value: fromHex(hash) }];
    if (block.header.logsBloom.some((byte) => byte !== 0)) {
      writes.push({ type: "put", key: KEYS.logs(number), value: block.header.logsBloom });
    }
    for (const [index, transaction] of block.transactions.entries()) {
      const place = new Uint8Array(12);
      const view = new DataView(place.buffer);
      view.setBigUint64(0, block.header.number);
      view.setUint32(8, index);
      writes.push({ type: "put", key: KEYS.transaction(toHex(transaction.hash())), value: place });
    }
    return writes;
  }

  private uncanonicalWrites(block: Block): Write[] {
    const number = Number(block.header.number);
    return [
      { type: "del", key: KEYS.number(number) },
      { type: "del", key: KEYS.logs(number) },
      ...block.transactions.map((tx): Write => ({ type: "del", key: KEYS.transaction(toHex(tx.hash())) })),
    ];
  }

  /** True when `hash` names a valid block, by what is known in memory and on disk. */
  has(hash: Hex): boolean {
    return (
      this.executed.has(hash) || this.decoded.has(hash) || this.database.read(KEYS.block(hash)) !== undefined
    );
  }

  async close(): Promise<void> {
    await this.database.close();
  }
}
