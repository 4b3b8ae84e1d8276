import { RecentKeys } from "@quorate/crypto";
import { type Answer, diagnose, type Failure, RpcCode } from "./engine/failure.ts";
import { isRecord, type JsonRpc, type RpcCall } from "./engine/rpc.ts";
import { LIMITS } from "./limits.ts";
import { data, readData, ShapeError } from "./payload/hex.ts";
import type { EngineTiming, ExecutionLog } from "./ports.ts";

export interface Submitted {
  readonly accepted: boolean;
  readonly reason?: string;
}

interface Waiting {
  readonly raw: Uint8Array;
  resolve(result: Submitted): void;
}

/**
 * The EL's transaction pool over its public port: what appeared there goes to gossip, what gossip brought goes there.
 * What came by gossip is not handed out again.
 */
export class TxPool {
  readonly #eth: JsonRpc;
  readonly #timing: EngineTiming;
  readonly #log: ExecutionLog;
  readonly #seen = new RecentKeys(LIMITS.seenTxs);
  /** Hashes announced by the EL and not fetched yet. */
  #announced: string[] = [];
  #filter: string | null = null;
  #polling: Promise<readonly Uint8Array[]> | null = null;
  #queue: Waiting[] = [];
  #sending = false;
  #complained = false;
  /** Something of the poll under way, or of what was sent meanwhile, failed. */
  #failing = false;

  constructor(eth: JsonRpc, timing: EngineTiming, log: ExecutionLog) {
    this.#eth = eth;
    this.#timing = timing;
    this.#log = log;
  }

  /** Raw transactions that appeared since the last call; one poll at a time. */
  pending(): Promise<readonly Uint8Array[]> {
    this.#polling ??= this.#poll().finally(() => {
      this.#polling = null;
    });
    return this.#polling;
  }

  submit(raw: Uint8Array): Promise<Submitted> {
    if (raw.length === 0 || raw.length > LIMITS.txBytes) {
      return Promise.resolve({ accepted: false, reason: `a transaction of ${raw.length} bytes` });
    }
    if (raw[0] === 0x03)
      return Promise.resolve({ accepted: false, reason: "blob transactions are not allowed" });
    if (this.#queue.length >= LIMITS.submitQueue) {
      return Promise.resolve({
        accepted: false,
        reason: "too many transactions wait for the execution client",
      });
    }
    return new Promise((resolve, reject) => {
      this.#queue.push({ raw, resolve });
      if (!this.#sending) this.#send().catch(reject);
    });
  }

  async #poll(): Promise<readonly Uint8Array[]> {
    this.#failing = false;
    const followed = this.#filter !== null;
    const hashes = this.#filter === null ? await this.#install() : await this.#changes(this.#filter);
    for (const hash of hashes) {
      if (this.#announced.length >= LIMITS.seenTxs) break;
      if (this.#seen.add(hash)) this.#announced.push(hash);
    }
    const txs = await this.#fetch();
    // A filter that was only installed has proven nothing yet: the next call may fail as the last one did.
    if (!this.#failing && (followed || this.#filter === null)) this.#complained = false;
    return txs;
  }

  /** A new filter, and what the pool held before it. */
  async #install(): Promise<readonly string[]> {
    const answer = await this.#eth.call("eth_newPendingTransactionFilter", [], this.#options());
    if (!answer.ok) {
      // Without filters the listing itself is polled.
      const lacking = answer.failure.kind === "rpc" && answer.failure.code === RpcCode.methodNotFound;
      if (!lacking) this.#complain(answer.failure);
      return lacking ? this.#listing() : [];
    }
    this.#filter = typeof answer.value === "string" ? answer.value : null;
    return this.#listing();
  }

  async #changes(filter: string): Promise<readonly string[]> {
    const answer = await this.#eth.call("eth_getFilterChanges", [filter], this.#options());
    if (answer.ok) return readHashes(answer.value);
    // Filters die with the EL and after five minutes without a poll.
    this.#filter = null;
    if (answer.failure.kind === "rpc") return this.#install();
    this.#complain(answer.failure);
    return [];
  }

  async #listing(): Promise<readonly string[]> {
    const options = { ...this.#options(), maxReplyBytes: LIMITS.poolListingBytes };
    const answer = await this.#eth.call("txpool_content", [], options);
    if (!answer.ok || !isRecord(answer.value) || !isRecord(answer.value["pending"])) return [];
    const hashes: unknown[] = [];
    for (const byNonce of Object.values(answer.value["pending"])) {
      if (!isRecord(byNonce)) continue;
      for (const tx of Object.values(byNonce)) if (isRecord(tx)) hashes.push(tx["hash"]);
    }
    return hashes.filter(isHash);
  }

  async #fetch(): Promise<readonly Uint8Array[]> {
    const txs: Uint8Array[] = [];
    let bytes = 0;
    while (this.#announced.length > 0 && txs.length < LIMITS.pendingTxs && bytes < LIMITS.pendingTxBytes) {
      const hashes = this.#announced.splice(0, LIMITS.batchItems);
      const calls = hashes.map(
        (hash): RpcCall => ({ method: "eth_getRawTransactionByHash", params: [hash] }),
      );
      const answer = await this.#eth.batch(calls, this.#options());
      if (!answer.ok) {
        this.#announced.unshift(...hashes);
        this.#complain(answer.failure);
        break;
      }
      for (const item of answer.value) {
        // Gone meanwhile: replaced, mined or dropped.
        const raw = item.ok ? readRaw(item.value) : null;
        if (raw === null || raw[0] === 0x03) continue;
        txs.push(raw);
        bytes += raw.length;
      }
    }
    return txs;
  }

  async #send(): Promise<void> {
    this.#sending = true;
    try {
      while (this.#queue.length > 0) {
        const batch = takeBatch(this.#queue);
        const calls = batch.map(
          ({ raw }): RpcCall => ({ method: "eth_sendRawTransaction", params: [data(raw)] }),
        );
        const answer = await this.#eth.batch(calls, this.#options());
        batch.forEach((waiting, index) => {
          const item: Answer<unknown> | undefined = answer.ok ? answer.value[index] : answer;
          waiting.resolve(item === undefined ? { accepted: false, reason: "no answer" } : this.#result(item));
        });
        if (!answer.ok) this.#complain(answer.failure);
      }
    } finally {
      this.#sending = false;
    }
  }

  #result(answer: Answer<unknown>): Submitted {
    if (answer.ok) {
      if (isHash(answer.value)) this.#seen.add(answer.value);
      return { accepted: true };
    }
    const { failure } = answer;
    if (failure.kind === "rpc") {
      // Geth: "already known"; the same words with other prefixes elsewhere.
      return /already (known|imported|exists)|known transaction/i.test(failure.message)
        ? { accepted: true }
        : { accepted: false, reason: failure.message };
    }
    return { accepted: false, reason: diagnose(failure, this.#eth.label).reason };
  }

  #complain(failure: Failure): void {
    if (failure.kind === "aborted") return;
    this.#failing = true;
    if (this.#complained) return;
    this.#complained = true;
    const { reason, action } = diagnose(failure, this.#eth.label);
    this.#log.warn("the execution client's transactions cannot be exchanged with other nodes", {
      reason,
      do: action,
    });
  }

  #options(): { readonly timeoutMs: number } {
    return { timeoutMs: this.#timing.callTimeoutMs };
  }
}

function takeBatch(queue: Waiting[]): readonly Waiting[] {
  let bytes = 0;
  let count = 0;
  for (const { raw } of queue) {
    if (count === LIMITS.batchItems || (count > 0 && bytes + raw.length > LIMITS.batchBytes)) break;
    bytes += raw.length;
    count++;
  }
  return queue.splice(0, count);
}

function isHash(value: unknown): value is string {
  return typeof value === "string" && /^0x[0-9a-f]{64}$/.test(value);
}

function readHashes(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.slice(0, LIMITS.seenTxs).filter(isHash) : [];
}

function readRaw(value: unknown): Uint8Array | null {
  try {
    const raw = readData(value, "raw transaction", { max: LIMITS.txBytes });
    return raw.length === 0 ? null : raw;
  } catch (error) {
    if (error instanceof ShapeError) return null;
    throw error;
  }
}
