/**
 * An execution client as its Engine API shows it: keeps a tree of payloads, follows the fork choice, builds from its
 * pool. It executes by hashing, so a payload is valid exactly when somebody's simulated client built it like this. It
 * outlives the node's processes, has a memory of its own to lose, and can be slow, behind, wrong or away.
 */
import { createHash } from "node:crypto";
import type { Random } from "../core/random.ts";
import type { Scheduler } from "../core/scheduler.ts";
import { depositsOf, type RequestsOf } from "./churn.ts";
import { type ElEdge, edgeFields, edgeRequests, edgeTransactions, fitting, roomFor } from "./edges.ts";

export type Json = Readonly<Record<string, unknown>>;
export type Reply =
  | { readonly result: unknown }
  | { readonly error: { readonly code: number; readonly message: string } };

interface KnownBlock {
  readonly number: number;
  readonly hash: string;
  readonly parent: string;
  readonly timestamp: number;
  readonly payload: Json | null;
  /** Index of the next deposit after it. */
  readonly deposits: bigint;
}

interface Build {
  readonly template: Json;
  readonly root: string;
  readonly requests: readonly string[];
  readonly fromMs: number;
  stopped: Json | null;
}

/**
 * Told of every head that was set, whether it was also finalized, and whether the client stood there already: a client
 * that is ahead of a store which lost its tail is opened with the head and the finalized block that it has.
 */
export type HeadWatch = (number: number, hash: string, finalized: boolean, stood: boolean) => void;

/** What a fault makes of the client; all of it ends with the fault. */
export interface ElMood {
  /** No connection at all. */
  away: boolean;
  /** Answers SYNCING to every payload and fork choice. */
  syncing: boolean;
  /** Share of payloads that it calls INVALID though they are not. */
  lies: number;
  /** Every answer takes so many times longer. */
  slowness: number;
  /** What its builds are the edge of. */
  edge: ElEdge | null;
}

const ZERO32 = `0x${"00".repeat(32)}`;
/** Payloads kept under construction; older ones are forgotten, as by Geth. */
const MAX_BUILDS = 10;
/** Pending transactions are taken into a build that is this old, ms: a younger one is empty. */
const FILL_MS = 20;
/** Hex digits of pending transactions that the pool holds; further ones are turned away. */
const POOL_DIGITS = 400_000;
const METHODS: readonly string[] = [
  "engine_forkchoiceUpdatedV3",
  "engine_newPayloadV4",
  "engine_getPayloadV4",
  "engine_getPayloadV5",
];

export class SimulatedClient {
  readonly mood: ElMood = { away: false, syncing: false, lies: 0, slowness: 1, edge: null };
  readonly #scheduler: Scheduler;
  readonly #random: Random;
  readonly #watch: HeadWatch;
  readonly #genesis: KnownBlock;
  readonly #chainId: number;
  readonly #gasLimit: number;
  readonly #size: { readonly maxBlockBytes: number; readonly validators: number };
  readonly #requests: RequestsOf | null;
  #blocks = new Map<string, KnownBlock>();
  #canonical: KnownBlock[] = [];
  #finalized: string | null = null;
  #builds = new Map<string, Build>();
  #pool = new Map<string, string>();
  #pooled = 0;
  readonly #filters = new Map<string, string[]>();
  #lastFilter = 0;

  constructor(
    chain: {
      readonly genesisHash: string;
      readonly chainId: number;
      readonly gasLimit: number;
      readonly maxBlockBytes: number;
      /** As many as a set of the chain has at most. */
      readonly validators: number;
      readonly requests?: RequestsOf;
    },
    scheduler: Scheduler,
    random: Random,
    watch: HeadWatch,
  ) {
    this.#scheduler = scheduler;
    this.#random = random;
    this.#watch = watch;
    this.#chainId = chain.chainId;
    this.#gasLimit = chain.gasLimit;
    this.#size = chain;
    this.#requests = chain.requests ?? null;
    this.#genesis = {
      number: 0,
      hash: chain.genesisHash,
      parent: ZERO32,
      timestamp: 0,
      payload: null,
      deposits: 0n,
    };
    this.wipe();
  }

  /** Its data directory is empty again. */
  wipe(): void {
    this.#blocks = new Map([[this.#genesis.hash, this.#genesis]]);
    this.#canonical = [this.#genesis];
    this.restart(0);
  }

  /** A crash: the newest `lost` blocks were acknowledged and never written (Geth loses up to five so). */
  restart(lost: number): void {
    for (const block of this.#canonical.splice(Math.max(1, this.#canonical.length - lost))) {
      this.#blocks.delete(block.hash);
    }
    const kept = new Set(this.#canonical);
    for (const [hash, block] of this.#blocks) if (!kept.has(block)) this.#blocks.delete(hash);
    this.#finalized = null;
    this.#builds.clear();
    this.#pool.clear();
    this.#pooled = 0;
    this.#filters.clear();
  }

  get head(): { readonly number: number; readonly hash: string } {
    return this.#canonical.at(-1) ?? this.#genesis;
  }

  /** A user's transaction. */
  submit(raw: string): void {
    const hash = hashOf(raw);
    if (this.#pool.has(hash) || this.#pooled + raw.length > POOL_DIGITS) return;
    this.#pooled += raw.length;
    this.#pool.set(hash, raw);
    for (const pending of this.#filters.values()) pending.push(hash);
  }

  /** ms until the answer is there. */
  delayMs(method: string): number {
    const mean = method.startsWith("engine_newPayload") ? 4 : 0.6;
    return (0.1 + this.#random.exponential(mean)) * this.mood.slowness;
  }

  answer(method: string, params: readonly unknown[]): Reply {
    switch (method) {
      case "eth_chainId":
        return { result: hex(this.#chainId) };
      case "eth_blockNumber":
        return { result: hex(this.head.number) };
      case "eth_getBlockByNumber":
        return this.#blockByTag(String(params[0]));
      case "engine_exchangeCapabilities":
        return { result: METHODS };
      case "engine_getClientVersionV1":
        return { result: [{ code: "SM", name: "simulated", version: "1", commit: "0x00000000" }] };
      case "engine_newPayloadV4":
        return { result: this.#newPayload(params[0] as Json, String(params[2]), params[3]) };
      case "engine_forkchoiceUpdatedV3":
        return { result: this.#forkchoice(params[0] as Json, params[1] as Json | null) };
      case "engine_getPayloadV4":
      case "engine_getPayloadV5":
        return this.#getPayload(String(params[0]));
      case "eth_newPendingTransactionFilter": {
        const id = hex(++this.#lastFilter);
        this.#filters.set(id, []);
        return { result: id };
      }
      case "eth_getFilterChanges": {
        const pending = this.#filters.get(String(params[0]));
        if (pending === undefined) return { error: { code: -32000, message: "filter not found" } };
        return { result: pending.splice(0) };
      }
      case "eth_getRawTransactionByHash":
        return { result: this.#pool.get(String(params[0])) ?? null };
      case "eth_sendRawTransaction": {
        const raw = String(params[0]);
        if (this.#pool.has(hashOf(raw))) return { error: { code: -32000, message: "already known" } };
        this.submit(raw);
        return { result: hashOf(raw) };
      }
      case "txpool_content":
        return { result: { pending: { sender: this.#listing() }, queued: {} } };
      case "txpool_status":
        return { result: { pending: hex(this.#pool.size), queued: "0x0" } };
      default:
        return { error: { code: -32601, message: `the method ${method} does not exist` } };
    }
  }

  #listing(): Json {
    return Object.fromEntries([...this.#pool.keys()].map((hash, index) => [String(index), { hash }]));
  }

  #blockByTag(tag: string): Reply {
    if (tag === "finalized" && this.#finalized === null) {
      return { error: { code: -32000, message: "finalized block not found" } };
    }
    const block =
      tag === "latest"
        ? this.#canonical.at(-1)
        : tag === "finalized"
          ? this.#blocks.get(this.#finalized ?? "")
          : this.#canonical[Number(tag)];
    if (block === undefined) return { result: null };
    const { number, hash, timestamp } = block;
    return {
      result: { number: hex(number), hash, timestamp: hex(timestamp), gasLimit: hex(this.#gasLimit) },
    };
  }

  #newPayload(payload: Json, root: string, requests: unknown): Json {
    if (this.mood.syncing) return SYNCING;
    if (this.mood.lies > 0 && this.#random.chance(this.mood.lies))
      return invalid("a consensus rule of another chain");
    const hash = String(payload["blockHash"]);
    if (hash !== blockHashOf(payload, root, requests)) return invalid("blockhash mismatch");
    const parent = this.#blocks.get(String(payload["parentHash"]));
    if (parent === undefined) return SYNCING;
    const timestamp = Number(payload["timestamp"]);
    if (Number(payload["blockNumber"]) !== parent.number + 1) return invalid("invalid number");
    if (timestamp <= parent.timestamp) return invalid("invalid timestamp");
    if (payload["stateRoot"] !== stateRootOf(parent.hash, payload["transactions"]))
      return invalid("invalid state root");
    if (!this.#blocks.has(hash)) {
      const deposits = depositsOf(requests as readonly string[], parent.deposits);
      this.#blocks.set(hash, {
        number: parent.number + 1,
        hash,
        parent: parent.hash,
        timestamp,
        payload,
        deposits,
      });
    }
    return { status: "VALID", latestValidHash: hash, validationError: null };
  }

  #forkchoice(state: Json, attributes: Json | null): Json {
    const head = this.#blocks.get(String(state["headBlockHash"]));
    if (head === undefined || this.mood.syncing) return { payloadStatus: SYNCING, payloadId: null };
    const finalized = String(state["finalizedBlockHash"]);
    this.#finalized = this.#blocks.has(finalized) ? finalized : null;
    const stood = this.#canonical.at(-1) === head;
    this.#adopt(head);
    this.#watch(head.number, head.hash, this.#finalized === head.hash, stood);
    const payloadStatus = { status: "VALID", latestValidHash: head.hash, validationError: null };
    if (attributes === null) return { payloadStatus, payloadId: null };
    if (Number(attributes["timestamp"]) <= head.timestamp)
      return { payloadStatus: invalid("invalid timestamp"), payloadId: null };
    const id = `0x03${hashOf(JSON.stringify([head.hash, attributes])).slice(4, 18)}`;
    if (!this.#builds.has(id)) {
      this.#builds.set(id, {
        template: this.#template(head, attributes),
        root: String(attributes["parentBeaconBlockRoot"]),
        requests: edgeRequests(this.mood.edge, this.#requests?.(head.number + 1, head.deposits) ?? []),
        fromMs: this.#scheduler.now,
        stopped: null,
      });
      const [oldest] = this.#builds.keys();
      if (this.#builds.size > MAX_BUILDS && oldest !== undefined) this.#builds.delete(oldest);
    }
    return { payloadStatus, payloadId: id };
  }

  #adopt(head: KnownBlock): void {
    if (this.#canonical.at(-1) === head) return;
    const chain: KnownBlock[] = [];
    for (let at: KnownBlock | undefined = head; at !== undefined; at = this.#blocks.get(at.parent)) {
      if (this.#canonical[at.number] === at) break;
      chain.unshift(at);
    }
    const [first] = chain;
    if (first === undefined) {
      this.#canonical.length = head.number + 1;
      return;
    }
    this.#canonical.splice(first.number, this.#canonical.length, ...chain);
    for (const { payload } of chain) {
      for (const raw of (payload?.["transactions"] ?? []) as string[]) {
        if (this.#pool.delete(hashOf(raw))) this.#pooled -= raw.length;
      }
    }
  }

  /** Empty when asked too early, and the same for ever after. */
  #getPayload(id: string): Reply {
    const build = this.#builds.get(id);
    if (build === undefined) return { error: { code: -38001, message: "Unknown payload" } };
    const filled = this.#scheduler.now - build.fromMs >= FILL_MS;
    if (build.stopped === null) {
      // One that is asked for early is empty and at no edge.
      const edge = filled ? this.mood.edge : null;
      const room = roomFor(this.#size, build.template, build.requests);
      const pending = filled ? fitting(this.#pool.values(), room) : [];
      const transactions = edgeTransactions(edge, pending, room);
      const stateRoot = stateRootOf(String(build.template["parentHash"]), transactions);
      const payload = { ...build.template, ...edgeFields(edge, this.#gasLimit), stateRoot, transactions };
      build.stopped = { ...payload, blockHash: blockHashOf(payload, build.root, build.requests) };
    }
    return {
      result: { executionPayload: build.stopped, blockValue: "0x0", executionRequests: build.requests },
    };
  }

  #template(head: KnownBlock, attributes: Json): Json {
    return {
      parentHash: head.hash,
      feeRecipient: attributes["suggestedFeeRecipient"],
      receiptsRoot: ZERO32,
      logsBloom: `0x${"00".repeat(256)}`,
      prevRandao: attributes["prevRandao"],
      blockNumber: hex(head.number + 1),
      gasLimit: hex(this.#gasLimit),
      gasUsed: "0x0",
      timestamp: attributes["timestamp"],
      extraData: "0x",
      baseFeePerGas: "0x7",
      withdrawals: attributes["withdrawals"],
      blobGasUsed: "0x0",
      excessBlobGas: "0x0",
    };
  }
}

const SYNCING: Json = { status: "SYNCING", latestValidHash: null, validationError: null };

function invalid(validationError: string): Json {
  return { status: "INVALID", latestValidHash: null, validationError };
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

export function hashOf(text: string): string {
  return `0x${createHash("sha256").update(text).digest("hex")}`;
}

function stateRootOf(parentHash: string, transactions: unknown): string {
  return hashOf(`${parentHash}${JSON.stringify(transactions)}`);
}

/** Over everything that a block commits to, in the order of the names. */
function blockHashOf(payload: Json, root: string, requests: unknown): string {
  const fields = Object.entries(payload).filter(([name]) => name !== "blockHash");
  fields.sort(([a], [b]) => (a < b ? -1 : 1));
  return hashOf(JSON.stringify([fields, root, requests]));
}
