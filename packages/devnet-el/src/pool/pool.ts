import type { Block } from "@ethereumjs/block";
import type { Common } from "@ethereumjs/common";
import type { HeadChange } from "../chain/chain.ts";
import { RpcError } from "../errors.ts";
import type { Hex } from "../hex.ts";
import { toHex } from "../hex.ts";
import {
  admit,
  checkSender,
  type PooledTransaction,
  refusal,
  replaces,
  type SenderAccount,
} from "./rules.ts";

/** Bounds of the pool. */
export interface PoolLimits {
  readonly transactions: number;
  readonly bytes: number;
  readonly perSender: number;
}

/** About 40 MiB of memory when full. */
export const DEFAULT_POOL_LIMITS: PoolLimits = {
  transactions: 10_000,
  bytes: 16 * 1024 * 1024,
  perSender: 1000,
};

/** What the pool asks of the chain. */
export interface PoolChain {
  readonly common: Common;
  head(): Block;
  /** The account at the head's state. */
  account(address: Hex): Promise<SenderAccount>;
}

interface Sender {
  account: SenderAccount;
  /** by nonce; not ordered */
  readonly transactions: Map<bigint, PooledTransaction>;
}

/** Told about every transaction that the pool takes. */
export type PoolListener = (entry: PooledTransaction) => void;

/**
 * Transactions that wait for a block: in nonce order per sender, without limit on gaps, replaceable at a higher price,
 * bounded in number, bytes and per sender. What cannot pay for itself or has an old nonce leaves when the head moves.
 */
export class TxPool {
  private readonly chain: PoolChain;
  private readonly limits: PoolLimits;
  private readonly byHash = new Map<Hex, PooledTransaction>();
  private readonly senders = new Map<Hex, Sender>();
  private readonly strikes = new Map<Hex, number>();
  private readonly listeners = new Set<PoolListener>();
  private bytes = 0;
  private sequence = 0;
  /** Counts heads, so that an account read before a head change is not used after it. */
  private epoch = 0;

  constructor(chain: PoolChain, limits: PoolLimits = DEFAULT_POOL_LIMITS) {
    this.chain = chain;
    this.limits = limits;
  }

  get size(): number {
    return this.byHash.size;
  }

  /** Calls `listener` for every transaction taken from now on; the result stops that. */
  subscribe(listener: PoolListener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Takes a signed transaction and returns its hash. Throws RpcError -32000 with the reason. */
  async add(raw: Uint8Array): Promise<Hex> {
    this.sequence += 1;
    const entry = admit(raw, this.chain.common, this.chain.head().header, this.sequence);
    if (this.byHash.has(entry.hash)) throw refusal("already known");
    let epoch: number;
    let account: SenderAccount;
    do {
      epoch = this.epoch;
      account = await this.chain.account(entry.from);
    } while (epoch !== this.epoch);
    checkSender(entry, account);
    this.insert(entry, account);
    for (const listener of this.listeners) listener(entry);
    return entry.hash;
  }

  private insert(entry: PooledTransaction, account: SenderAccount): void {
    if (this.byHash.has(entry.hash)) throw refusal("already known");
    const sender = this.senders.get(entry.from);
    const old = sender?.transactions.get(entry.nonce);
    if (old !== undefined && !replaces(old, entry)) throw refusal("replacement transaction underpriced");
    let spent = 0n;
    for (const other of sender?.transactions.values() ?? []) if (other !== old) spent += other.cost;
    if (spent + entry.cost > account.balance) {
      throw refusal(
        `insufficient funds for gas * price + value: balance ${account.balance}, queued cost ${spent}, tx cost ${entry.cost}, overshot ${spent + entry.cost - account.balance}`,
      );
    }
    if (old === undefined) {
      if ((sender?.transactions.size ?? 0) >= this.limits.perSender) {
        throw refusal(`account limit exceeded: ${this.limits.perSender} transactions of one sender`);
      }
      this.makeRoom(entry);
    } else this.remove(old.hash);
    const owner = this.senders.get(entry.from) ?? { account, transactions: new Map() };
    owner.account = account;
    owner.transactions.set(entry.nonce, entry);
    this.senders.set(entry.from, owner);
    this.byHash.set(entry.hash, entry);
    this.bytes += entry.size;
  }

  /** Evicts the cheapest last transactions of other senders until `entry` fits, or refuses it. */
  private makeRoom(entry: PooledTransaction): void {
    while (this.byHash.size >= this.limits.transactions || this.bytes + entry.size > this.limits.bytes) {
      let cheapest: PooledTransaction | undefined;
      for (const [address, { transactions }] of this.senders) {
        if (address === entry.from) continue;
        let last: PooledTransaction | undefined;
        for (const other of transactions.values())
          if (last === undefined || other.nonce > last.nonce) last = other;
        if (last !== undefined && (cheapest === undefined || last.tipCap < cheapest.tipCap)) cheapest = last;
      }
      if (cheapest === undefined || cheapest.tipCap >= entry.tipCap) throw refusal("txpool is full");
      this.remove(cheapest.hash);
    }
  }

  get(hash: Hex): PooledTransaction | undefined {
    return this.byHash.get(hash);
  }

  /** Takes a transaction out. */
  remove(hash: Hex): void {
    const entry = this.byHash.get(hash);
    if (entry === undefined) return;
    this.byHash.delete(hash);
    this.strikes.delete(hash);
    this.bytes -= entry.size;
    const sender = this.senders.get(entry.from);
    sender?.transactions.delete(entry.nonce);
    if (sender?.transactions.size === 0) this.senders.delete(entry.from);
  }

  /** Counts that a transaction was cut short while a block was built; how often so far. */
  strike(hash: Hex): number {
    if (!this.byHash.has(hash)) return 0;
    const strikes = (this.strikes.get(hash) ?? 0) + 1;
    this.strikes.set(hash, strikes);
    return strikes;
  }

  /** Nonce of the sender's next transaction, after those of the pool that follow on `stateNonce` without a gap. */
  nextNonce(address: Hex, stateNonce: bigint): bigint {
    const transactions = this.senders.get(address)?.transactions;
    let nonce = stateNonce;
    while (transactions?.has(nonce) === true) nonce += 1n;
    return nonce;
  }

  /** Transactions that a block could include now, and those behind a gap; each list by nonce. */
  content(): Map<Hex, { readonly pending: PooledTransaction[]; readonly queued: PooledTransaction[] }> {
    const content = new Map<Hex, { pending: PooledTransaction[]; queued: PooledTransaction[] }>();
    for (const [address, { account, transactions }] of this.senders) {
      const next = this.nextNonce(address, account.nonce);
      const sorted = [...transactions.values()].sort((a, b) => (a.nonce < b.nonce ? -1 : 1));
      content.set(address, {
        pending: sorted.filter((entry) => entry.nonce < next),
        queued: sorted.filter((entry) => entry.nonce >= next),
      });
    }
    return content;
  }

  /** Senders with the transactions they have, for the candidates of a block. */
  *bySender(): Generator<{
    readonly stateNonce: bigint;
    readonly transactions: ReadonlyMap<bigint, PooledTransaction>;
  }> {
    for (const { account, transactions } of this.senders.values())
      yield { stateNonce: account.nonce, transactions };
  }

  /** All transactions in order of arrival. */
  all(): PooledTransaction[] {
    return [...this.byHash.values()].sort((a, b) => a.sequence - b.sequence);
  }

  /** Follows a change of the head: reads the touched senders again and drops what can no longer be included. */
  async onHead(change: HeadChange): Promise<void> {
    this.epoch += 1;
    for (const block of change.added) for (const tx of block.transactions) this.remove(toHex(tx.hash()));
    const gasLimit = this.chain.head().header.gasLimit;
    for (const address of [...this.senders.keys()]) {
      if (change.touched !== undefined && !change.touched.has(address)) continue;
      const account = await this.chain.account(address);
      const sender = this.senders.get(address);
      if (sender === undefined) continue;
      sender.account = account;
      for (const entry of [...sender.transactions.values()]) {
        const fits = entry.nonce >= account.nonce && entry.cost <= account.balance && !account.isContract;
        if (!fits || entry.transaction.gasLimit > gasLimit) this.remove(entry.hash);
      }
    }
    const included = new Set(
      change.added.flatMap((block) => block.transactions.map((tx) => toHex(tx.hash()))),
    );
    for (const block of change.removed) {
      for (const transaction of block.transactions) {
        if (included.has(toHex(transaction.hash()))) continue;
        try {
          await this.add(transaction.serialize());
        } catch (thrown) {
          // One that no longer fits is gone, as any other that the pool refuses.
          if (!(thrown instanceof RpcError)) throw thrown;
        }
      }
    }
  }
}
