import {
  type Block,
  type ChainState,
  type ElHead,
  encodeEnvelope,
  type Height,
  txHashes,
} from "@quorate/chain";
import { RecentKeys, sha256Key } from "@quorate/crypto";
import { bodyBudget, TX_FRAMING } from "./builder.ts";
import { HeightWaiters } from "./follower/waiters.ts";
import { LIMITS } from "./limits.ts";
import type { Submitted } from "./pool.ts";
import type { NoExecutionModules } from "./ports.ts";
import type { BuiltPayload, ElStatus, ExecutionClient, Verdict } from "./types.ts";

/** The pool of opaque transactions of a chain without EL. */
export interface OpaquePool {
  /** A transaction given to this node by a user: enters the pool and goes to gossip with the next `pendingTxs`. */
  submitLocal(raw: Uint8Array): Submitted;
  readonly poolSize: { readonly count: number; readonly bytes: number };
  /** Oldest first. */
  unconfirmed(limit: number): readonly Uint8Array[];
}

/**
 * The execution client of a chain with `execution: "none"`: transactions are opaque bytes in a bounded FIFO pool, every
 * block is valid at once, executedHeight is the decided height.
 */
export function createNoExecution(modules: NoExecutionModules): ExecutionClient & OpaquePool {
  return new NoExecution(modules);
}

class NoExecution implements ExecutionClient, OpaquePool {
  readonly status: ElStatus = { kind: "ready", client: "none" };
  readonly head: ElHead | null = null;
  readonly #modules: NoExecutionModules;
  readonly #waiters = new HeightWaiters();
  readonly #decided = new RecentKeys(LIMITS.decidedTxs);
  /** In order of arrival. */
  readonly #pool = new Map<string, Uint8Array>();
  #bytes = 0;
  /** What gossip has not had yet, all of it in the pool: what a block holds by then needs no gossip. */
  readonly #outbox = new Map<string, Uint8Array>();
  #executed: Height = 0;
  /** Highest height whose transactions have left the pool. */
  #cleared: Height = 0;
  #clearing: Promise<void> | null = null;

  constructor(modules: NoExecutionModules) {
    this.#modules = modules;
  }

  get executedHeight(): Height {
    return this.#executed;
  }

  get poolSize(): { readonly count: number; readonly bytes: number } {
    return { count: this.#pool.size, bytes: this.#bytes };
  }

  async start(state: ChainState): Promise<void> {
    this.#cleared = state.lastHeight;
    this.#advance(state.lastHeight);
  }

  async prepare(): Promise<void> {}

  async getBuilt(state: ChainState): Promise<BuiltPayload> {
    // Transactions of a height that is being cleared must not be proposed again.
    await this.#clearing;
    const envelope = encodeEnvelope({ version: 0 });
    const txs = [envelope];
    let left = bodyBudget(state) - envelope.length - TX_FRAMING;
    for (const tx of this.#pool.values()) {
      left -= tx.length + TX_FRAMING;
      if (left < 0) break;
      txs.push(tx);
    }
    return { txs, validationMs: 0 };
  }

  async validate(block: Block): Promise<Verdict> {
    const [envelope] = block.txs;
    const fits = envelope !== undefined && envelope.length === 1 && envelope[0] === 0;
    return fits
      ? { kind: "valid" }
      : { kind: "invalid", reason: "the block does not begin with envelope version 0" };
  }

  decided(height: Height): void {
    this.#advance(height);
    this.#clearing ??= this.#clear().finally(() => {
      this.#clearing = null;
    });
  }

  whenExecuted(height: Height, signal: AbortSignal): Promise<void> {
    return this.#executed >= height ? Promise.resolve() : this.#waiters.wait(height, signal);
  }

  async pendingTxs(): Promise<readonly Uint8Array[]> {
    const txs: Uint8Array[] = [];
    for (const [key, raw] of this.#outbox) {
      if (txs.length >= LIMITS.pendingTxs) break;
      txs.push(raw);
      this.#outbox.delete(key);
    }
    return txs;
  }

  async submitTx(raw: Uint8Array): Promise<Submitted> {
    return this.#add(raw, false);
  }

  submitTxs(raws: readonly Uint8Array[]): readonly Submitted[] {
    return raws.map((raw) => this.#add(raw, false));
  }

  submitLocal(raw: Uint8Array): Submitted {
    return this.#add(raw, true);
  }

  unconfirmed(limit: number): readonly Uint8Array[] {
    return [...this.#pool.values()].slice(0, Math.max(0, limit));
  }

  onStatus(): () => void {
    return () => undefined;
  }

  async close(): Promise<void> {
    this.#waiters.close();
    await this.#clearing;
  }

  #add(raw: Uint8Array, local: boolean): Submitted {
    if (raw.length === 0 || raw.length > LIMITS.txBytes) {
      return {
        accepted: false,
        reason: `a transaction has 1 to ${LIMITS.txBytes} bytes, this one ${raw.length}`,
      };
    }
    const key = sha256Key(raw);
    if (this.#pool.has(key)) return { accepted: true };
    if (this.#decided.has(key)) return { accepted: false, reason: "this transaction is in a block already" };
    if (this.#pool.size >= LIMITS.poolTxs || this.#bytes + raw.length > LIMITS.poolBytes) {
      return { accepted: false, reason: "the pool is full: wait until blocks have emptied it" };
    }
    this.#pool.set(key, raw);
    if (local) this.#outbox.set(key, raw);
    this.#bytes += raw.length;
    return { accepted: true };
  }

  #advance(height: Height): void {
    if (height <= this.#executed) return;
    this.#executed = height;
    this.#waiters.reached(height);
  }

  async #clear(): Promise<void> {
    while (this.#cleared < this.#executed) {
      const height = this.#cleared + 1;
      const found = await this.#modules.store.block(height);
      this.#cleared = height;
      const txs = found?.block.txs ?? [];
      const hashes = txHashes(txs);
      for (let i = 1; i < txs.length; i++) this.#drop(keyOf(hashes[i]!), txs[i]!.length);
    }
  }

  #drop(key: string, bytes: number): void {
    this.#decided.add(key);
    if (this.#pool.delete(key)) this.#bytes -= bytes;
    this.#outbox.delete(key);
  }
}

/** A character per byte of the hash: half as long as hex, and made in one call. */
function keyOf(hash: Uint8Array): string {
  return Buffer.from(hash.buffer, hash.byteOffset, hash.length).toString("latin1");
}
