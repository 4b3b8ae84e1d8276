/** A steady stream of real signed transfers, spread over the nodes' execution clients, each followed until mined. */
import { type PrivateKeyAccount, privateKeyToAccount } from "viem/accounts";
import { at, numberAt, textAt } from "../rpc-client.ts";
import type { DevAccount } from "./accounts.ts";

const TICK_MS = 50;
const REQUEST_TIMEOUT_MS = 5_000;
/** Unmined transactions at most: beyond, the stream waits. */
const MAX_OUTSTANDING = 2_000;
/** A transaction that a dead client took with it is sent again after this. */
const RESEND_MS = 5_000;
/** Nonces filled at once. */
const MAX_FILLED = 16;
const GWEI = 1_000_000_000n;
const TRANSFER_GAS = 21_000n;

interface Outstanding {
  readonly raw: `0x${string}`;
  readonly hash: string;
  readonly signer: PrivateKeyAccount;
  readonly nonce: number;
  sentAtMs: number;
}

export interface LoadOptions {
  /** Per second. */
  readonly rate: number;
  /** Transactions in all; `null` = until stopped. */
  readonly total: number | null;
  readonly chainId: number;
  readonly accounts: readonly DevAccount[];
  /** eth_* URLs of nodes that are alive now. */
  readonly endpoints: () => readonly string[];
  /** A transaction that is not mined after this is sent again, ms; default 5000. */
  readonly resendAfterMs?: number;
  /** Called when a transaction was refused or could not be sent. */
  readonly warn: (message: string) => void;
}

export class LoadGenerator {
  readonly #options: LoadOptions;
  readonly #signers: readonly PrivateKeyAccount[];
  readonly #nonces = new Map<string, number>();
  readonly #outstanding = new Map<string, Outstanding>();
  #sent = 0;
  #mined = 0;
  #scannedHeight: number | null = null;
  #latestHeight = 0;
  #timer: NodeJS.Timeout | null = null;
  #working: Promise<void> = Promise.resolve();
  #busy = false;
  #startedAtMs = 0;
  #turn = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#signers = options.accounts.map(({ privateKey }) => privateKeyToAccount(privateKey));
  }

  get sent(): number {
    return this.#sent;
  }

  get mined(): number {
    return this.#mined;
  }

  /** Everything that was to be sent was sent and mined. */
  get complete(): boolean {
    return this.#options.total !== null && this.#sent >= this.#options.total && this.#outstanding.size === 0;
  }

  start(height: number): void {
    if (this.#options.rate <= 0 && this.#options.total === null) return;
    this.#scannedHeight = height;
    this.#latestHeight = height;
    this.#startedAtMs = performance.now();
    this.#timer = setInterval(() => {
      if (this.#busy) return;
      this.#busy = true;
      this.#working = this.#tick().finally(() => {
        this.#busy = false;
      });
    }, TICK_MS);
  }

  /** Height that some node committed: its block is looked through for our transactions. */
  committed(height: number): void {
    this.#latestHeight = Math.max(this.#latestHeight, height);
  }

  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    await this.#working;
  }

  async #tick(): Promise<void> {
    try {
      await this.#scan();
      await this.#sendDue();
      await this.#resend();
    } catch (error) {
      this.#options.warn(error instanceof Error ? error.message : String(error));
    }
  }

  async #sendDue(): Promise<void> {
    const { rate, total } = this.#options;
    const elapsed = (performance.now() - this.#startedAtMs) / 1000;
    const wanted = Math.min(Math.floor(elapsed * rate) + 1, total ?? Number.POSITIVE_INFINITY);
    const due = Math.min(wanted - this.#sent, MAX_OUTSTANDING - this.#outstanding.size, Math.ceil(rate) + 1);
    for (let count = 0; count < due; count++) {
      if (this.#timer === null || !(await this.#sendOne())) return;
    }
  }

  async #sendOne(): Promise<boolean> {
    const url = this.#endpoint();
    const signer = this.#signers[this.#sent % this.#signers.length];
    const receiver = this.#signers[(this.#sent + 1) % this.#signers.length];
    if (url === null || signer === undefined || receiver === undefined) return false;
    const nonce = this.#nonces.get(signer.address) ?? (await this.#nonceOf(url, signer.address, "pending"));
    const raw = await this.#sign(signer, nonce, receiver.address);
    const answer = await call(url, "eth_sendRawTransaction", [raw]);
    const hash = textAt(answer, "result");
    if (hash === "") {
      // Whatever the client thinks the nonce is, it is asked again.
      this.#nonces.delete(signer.address);
      this.#options.warn(`a transaction was refused: ${textAt(answer, "error", "message")}`);
      return false;
    }
    this.#nonces.set(signer.address, nonce + 1);
    this.#outstanding.set(hash.toLowerCase(), { raw, hash, signer, nonce, sentAtMs: performance.now() });
    this.#sent++;
    return true;
  }

  /** Looks through the blocks that were committed since, on any client that has them. */
  async #scan(): Promise<void> {
    while (this.#scannedHeight !== null && this.#scannedHeight < this.#latestHeight) {
      if (this.#outstanding.size === 0) {
        this.#scannedHeight = this.#latestHeight;
        return;
      }
      const url = this.#endpoint();
      if (url === null) return;
      const next = this.#scannedHeight + 1;
      const answer = await call(url, "eth_getBlockByNumber", [`0x${next.toString(16)}`, false]);
      const transactions = at(answer, "result", "transactions");
      // Not there yet on this client: another turn asks another one.
      if (!Array.isArray(transactions)) return;
      for (const hash of transactions) {
        if (typeof hash === "string" && this.#outstanding.delete(hash.toLowerCase())) this.#mined++;
      }
      this.#scannedHeight = next;
    }
  }

  async #resend(): Promise<void> {
    const now = performance.now();
    for (const entry of this.#outstanding.values()) {
      if (now - entry.sentAtMs < (this.#options.resendAfterMs ?? RESEND_MS)) return;
      const url = this.#endpoint();
      if (url === null) return;
      this.#outstanding.delete(entry.hash.toLowerCase());
      this.#outstanding.set(entry.hash.toLowerCase(), { ...entry, sentAtMs: now });
      // "already known" is the usual answer and no fault.
      const answer = await call(url, "eth_sendRawTransaction", [entry.raw]);
      if (/nonce too low/i.test(textAt(answer, "error", "message"))) await this.#settle(url, entry);
      else await this.#fillGap(url, entry);
    }
  }

  /** A client that died took a transaction of an earlier nonce with it: another one takes that nonce. */
  async #fillGap(url: string, { signer, nonce }: Outstanding): Promise<void> {
    const first = await this.#nonceOf(url, signer.address, "latest");
    const held = new Set(
      [...this.#outstanding.values()].filter((entry) => entry.signer === signer).map((entry) => entry.nonce),
    );
    for (let missing = first; missing < Math.min(nonce, first + MAX_FILLED); missing++) {
      if (held.has(missing)) continue;
      await call(url, "eth_sendRawTransaction", [await this.#sign(signer, missing, signer.address)]);
    }
  }

  #sign(signer: PrivateKeyAccount, nonce: number, to: `0x${string}`): Promise<`0x${string}`> {
    return signer.signTransaction({
      type: "eip1559",
      chainId: this.#options.chainId,
      nonce,
      to,
      value: BigInt(1 + (this.#sent % 1000)),
      gas: TRANSFER_GAS,
      maxFeePerGas: 1000n * GWEI,
      maxPriorityFeePerGas: GWEI,
    });
  }

  /**
   * Its nonce is used up on this client: mined in a block that was not looked through, or another transaction has taken
   * the nonce (one of an earlier run that survived in a client's pool). Then this one can never be mined and a new one
   * goes out in its place.
   */
  async #settle(url: string, entry: Outstanding): Promise<void> {
    const answer = await call(url, "eth_getTransactionReceipt", [entry.hash]);
    if (at(answer, "error") !== undefined) return;
    if (!this.#outstanding.delete(entry.hash.toLowerCase())) return;
    const receipt = at(answer, "result");
    if (receipt !== null && receipt !== undefined) {
      this.#mined++;
      return;
    }
    this.#nonces.delete(entry.signer.address);
    this.#sent--;
  }

  async #nonceOf(url: string, address: string, block: "latest" | "pending"): Promise<number> {
    const answer = await call(url, "eth_getTransactionCount", [address, block]);
    const nonce = Number(textAt(answer, "result") || Number.NaN);
    if (!Number.isSafeInteger(nonce)) {
      throw new Error(
        `no nonce for ${address}: ${textAt(answer, "error", "message") || numberAt(answer, "result")}`,
      );
    }
    return nonce;
  }

  #endpoint(): string | null {
    const endpoints = this.#options.endpoints();
    return endpoints.length === 0 ? null : (endpoints[this.#turn++ % endpoints.length] ?? null);
  }
}

/** One JSON-RPC call of an execution client. */
export async function call(url: string, method: string, params: readonly unknown[]): Promise<unknown> {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
    signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
  });
  return await response.json();
}
