import { createHash, createHmac } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";

type Json = Readonly<Record<string, unknown>>;

/** What a script makes of one call; `undefined`: behave normally. */
export type Scripted =
  | { readonly result: unknown }
  | { readonly error: { readonly code: number; readonly message: string; readonly data?: unknown } }
  | { readonly http: number; readonly text: string }
  | { readonly raw: string }
  | { readonly oversized: number }
  | "hang"
  | "reset"
  | undefined;

export type Script = (method: string, params: readonly unknown[]) => Scripted;

interface FakeBlock {
  readonly number: number;
  readonly hash: string;
  readonly parent: string;
  readonly timestamp: number;
}

const GAS_LIMIT = 60_000_000;

/**
 * An execution client that keeps a chain of hashes and speaks HTTP, JWT and JSON-RPC for real. It judges payloads by
 * their hash alone. Scripts change single answers; `loseTail`, `wipe` and `genesis` change what it holds.
 */
export class FakeEl {
  readonly calls: { readonly method: string; readonly params: readonly unknown[] }[] = [];
  script: Script = () => undefined;
  /** Holds an answer back. */
  gate: (method: string) => Promise<void> | undefined = () => undefined;
  /** Seconds added to the server's clock. */
  skew = 0;
  secret: Uint8Array;
  capabilities: readonly string[] = [
    "engine_forkchoiceUpdatedV3",
    "engine_newPayloadV4",
    "engine_getPayloadV4",
    "engine_getPayloadV5",
  ];
  chainId = 1337;
  config: Json | null = null;
  poolTxs: string[] = [];
  /** Transactions that the next builds take, as soon as `ready` of the build. */
  fillAfterMs = 0;
  connections = 0;
  readonly sent: string[] = [];
  readonly #blocks = new Map<string, FakeBlock>();
  readonly #canonical: FakeBlock[] = [];
  readonly #payloads = new Map<
    string,
    { readonly payload: Json; readonly from: number; stopped: Json | null }
  >();
  readonly #filters = new Map<string, number>();
  #index: ReadonlyMap<string, string> = new Map();
  #finalized: string | null = null;
  readonly #sockets = new Set<Socket>();
  readonly #watchers: { readonly method: string; count: number; resolve(): void }[] = [];
  #server: Server | null = null;
  #port = 0;

  constructor(secret: Uint8Array, genesisHash: string) {
    this.secret = secret;
    this.genesis(genesisHash);
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get head(): FakeBlock {
    return this.#canonical.at(-1)!;
  }

  async start(): Promise<void> {
    const server = createServer((req, res) => void this.#serve(req, res));
    server.on("connection", (socket) => {
      this.connections++;
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
    });
    await new Promise<void>((resolve) => server.listen(this.#port, "127.0.0.1", resolve));
    const address = server.address();
    if (address !== null && typeof address === "object") this.#port = address.port;
    this.#server = server;
  }

  /** Down: connections are refused until the next start on the same port. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    for (const socket of this.#sockets) socket.destroy();
    if (server !== null) await new Promise((resolve) => server.close(resolve));
  }

  /** Closes every open connection, as an idle time-out of the server does. */
  dropConnections(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  genesis(hash: string): void {
    this.#blocks.clear();
    this.#canonical.length = 0;
    this.#finalized = null;
    const block = { number: 0, hash, parent: `0x${"00".repeat(32)}`, timestamp: 0 };
    this.#blocks.set(hash, block);
    this.#canonical.push(block);
  }

  wipe(): void {
    this.genesis(this.#canonical[0]!.hash);
  }

  /** The last blocks are gone, as after kill -9. */
  loseTail(count: number): void {
    for (const block of this.#canonical.splice(Math.max(1, this.#canonical.length - count))) {
      this.#blocks.delete(block.hash);
    }
    this.#finalized = this.head.hash;
  }

  /** Puts an undecided block on top, as another consensus layer could. */
  moveAside(): void {
    const block = {
      number: this.head.number + 1,
      hash: hashOf("aside"),
      parent: this.head.hash,
      timestamp: 9e9,
    };
    this.#blocks.set(block.hash, block);
    this.#canonical.push(block);
  }

  /** The last block of its chain is another one than the decided one. */
  replaceTip(): void {
    const tip = this.#canonical.pop()!;
    const block = { ...tip, hash: hashOf(`sibling of ${tip.hash}`) };
    this.#blocks.set(block.hash, block);
    this.#canonical.push(block);
  }

  /** Resolves after `count` more calls of `method`. */
  called(method: string, count: number = 1): Promise<void> {
    return new Promise((resolve) => this.#watchers.push({ method, count, resolve }));
  }

  countOf(method: string): number {
    return this.calls.filter((call) => call.method === method).length;
  }

  async #serve(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk as Buffer);
    const request: unknown = JSON.parse(Buffer.concat(chunks).toString());
    const calls = (Array.isArray(request) ? request : [request]) as {
      id: number;
      method: string;
      params: unknown[];
    }[];
    const refusal = calls.some(({ method }) => method.startsWith("engine_")) ? this.#unauthorized(req) : null;
    if (refusal !== null) {
      res
        .writeHead(401, { "content-type": "text/plain", date: new Date(this.#now()).toUTCString() })
        .end(refusal);
      return;
    }
    const replies: unknown[] = [];
    for (const { id, method, params } of calls) {
      this.calls.push({ method, params });
      await this.gate(method);
      const scripted = this.script(method, params);
      this.#watch(method);
      if (scripted === "hang") return;
      if (scripted === "reset") return void req.socket.destroy();
      if (scripted !== undefined && "http" in scripted) {
        return void res.writeHead(scripted.http, { "content-type": "text/plain" }).end(scripted.text);
      }
      if (scripted !== undefined && "raw" in scripted) return void res.end(scripted.raw);
      if (scripted !== undefined && "oversized" in scripted) {
        return void res.writeHead(200).end(Buffer.alloc(scripted.oversized, 0x20));
      }
      replies.push({ jsonrpc: "2.0", id, ...(scripted ?? this.#answer(method, params)) });
    }
    res.writeHead(200, { "content-type": "application/json" });
    res.end(JSON.stringify(Array.isArray(request) ? replies : replies[0]));
  }

  #watch(method: string): void {
    for (const watcher of this.#watchers) {
      if (watcher.method === method && --watcher.count === 0) watcher.resolve();
    }
  }

  #now(): number {
    return Date.now() + this.skew * 1000;
  }

  /** Geth's rules and words (geth-verified §10). */
  #unauthorized(req: IncomingMessage): string | null {
    const token = /^Bearer (.+)$/.exec(req.headers.authorization ?? "")?.[1];
    if (token === undefined) return "missing token";
    const [header, claims, signature] = token.split(".");
    const expected = createHmac("sha256", this.secret).update(`${header}.${claims}`).digest("base64url");
    if (signature !== expected) return "signature is invalid";
    const { iat } = JSON.parse(Buffer.from(claims ?? "", "base64url").toString()) as { iat: number };
    const now = this.#now() / 1000;
    if (iat <= now - 60) return "stale token";
    return iat > now + 60 ? "future token" : null;
  }

  #answer(method: string, params: readonly unknown[]): Json {
    switch (method) {
      case "eth_chainId":
        return { result: hex(this.chainId) };
      case "eth_blockNumber":
        return { result: hex(this.head.number) };
      case "eth_getBlockByNumber":
        return this.#blockByTag(String(params[0]));
      case "eth_config":
        return this.config === null ? missing(method) : { result: this.config };
      case "engine_exchangeCapabilities":
        return { result: this.capabilities };
      case "engine_getClientVersionV1":
        return { result: [{ code: "FK", name: "fake", version: "1.0", commit: "0x00000000" }] };
      case "engine_newPayloadV4":
        return { result: this.#newPayload(params[0] as Json) };
      case "engine_forkchoiceUpdatedV3":
        return this.#forkchoice(params[0] as Json, params[1] as Json | null);
      case "engine_getPayloadV4":
      case "engine_getPayloadV5":
        return this.#getPayload(String(params[0]));
      case "txpool_status":
        return { result: { pending: hex(this.poolTxs.length), queued: "0x0" } };
      case "txpool_content":
        return { result: { pending: { a: this.#listing() }, queued: {} } };
      case "eth_newPendingTransactionFilter": {
        const id = hex(this.#filters.size + 1);
        this.#filters.set(id, this.poolTxs.length);
        return { result: id };
      }
      case "eth_getFilterChanges": {
        const seen = this.#filters.get(String(params[0]));
        if (seen === undefined) return { error: { code: -32000, message: "filter not found" } };
        this.#filters.set(String(params[0]), this.poolTxs.length);
        return { result: this.poolTxs.slice(seen).map(hashOf) };
      }
      case "eth_getRawTransactionByHash":
        return { result: this.#byHash().get(String(params[0])) ?? null };
      case "eth_sendRawTransaction": {
        const raw = String(params[0]);
        if (this.poolTxs.includes(raw)) return { error: { code: -32000, message: "already known" } };
        this.poolTxs.push(raw);
        this.sent.push(raw);
        return { result: hashOf(raw) };
      }
      default:
        return missing(method);
    }
  }

  forgetFilters(): void {
    this.#filters.clear();
  }

  #byHash(): ReadonlyMap<string, string> {
    if (this.#index.size !== this.poolTxs.length) {
      this.#index = new Map(this.poolTxs.map((raw) => [hashOf(raw), raw]));
    }
    return this.#index;
  }

  #listing(): Json {
    return Object.fromEntries(this.poolTxs.map((raw, index) => [String(index), { hash: hashOf(raw) }]));
  }

  #blockByTag(tag: string): Json {
    if (tag === "finalized" && this.#finalized === null) {
      return { error: { code: -32000, message: "finalized block not found" } };
    }
    const block =
      tag === "latest"
        ? this.head
        : tag === "finalized"
          ? this.#blocks.get(this.#finalized ?? "")
          : this.#canonical[Number(tag)];
    if (block === undefined) return { result: null };
    const { number, hash, timestamp } = block;
    return { result: { number: hex(number), hash, timestamp: hex(timestamp), gasLimit: hex(GAS_LIMIT) } };
  }

  #newPayload(payload: Json): Json {
    const parent = this.#blocks.get(String(payload["parentHash"]));
    if (payload["blockHash"] !== payloadHash(payload)) return invalid("blockhash mismatch");
    if (parent === undefined) return { status: "SYNCING", latestValidHash: null, validationError: null };
    const timestamp = Number(payload["timestamp"]);
    if (timestamp <= parent.timestamp) return invalid("invalid timestamp");
    const hash = String(payload["blockHash"]);
    this.#blocks.set(hash, { number: parent.number + 1, hash, parent: parent.hash, timestamp });
    return { status: "VALID", latestValidHash: hash, validationError: null };
  }

  #forkchoice(state: Json, attributes: Json | null): Json {
    const head = this.#blocks.get(String(state["headBlockHash"]));
    if (head === undefined) return { result: { payloadStatus: { status: "SYNCING" }, payloadId: null } };
    this.#finalized = this.#blocks.has(String(state["finalizedBlockHash"]))
      ? String(state["finalizedBlockHash"])
      : null;
    const chain: FakeBlock[] = [];
    for (let at: FakeBlock | undefined = head; at !== undefined; at = this.#blocks.get(at.parent))
      chain.unshift(at);
    this.#canonical.splice(0, this.#canonical.length, ...chain);
    const payloadStatus = { status: "VALID", latestValidHash: head.hash, validationError: null };
    if (attributes === null) return { result: { payloadStatus, payloadId: null } };
    const payload = this.#template(head, attributes);
    const id = `0x03${hashOf(JSON.stringify([head.hash, attributes])).slice(4, 18)}`;
    if (!this.#payloads.has(id)) this.#payloads.set(id, { payload, from: performance.now(), stopped: null });
    return { result: { payloadStatus, payloadId: id } };
  }

  /** Like Geth: empty when asked before the first build is done, and the same for ever after. */
  #getPayload(id: string): Json {
    const build = this.#payloads.get(id);
    if (build === undefined) return { error: { code: -38001, message: "Unknown payload" } };
    const full = performance.now() - build.from >= this.fillAfterMs;
    build.stopped ??= seal({ ...build.payload, transactions: full ? [...this.poolTxs] : [] });
    return { result: { executionPayload: build.stopped, blockValue: "0x0", executionRequests: [] } };
  }

  forgetPayloads(): void {
    this.#payloads.clear();
  }

  #template(head: FakeBlock, attributes: Json): Json {
    const zero = `0x${"00".repeat(32)}`;
    return {
      parentHash: head.hash,
      feeRecipient: attributes["suggestedFeeRecipient"],
      stateRoot: zero,
      receiptsRoot: zero,
      logsBloom: `0x${"00".repeat(256)}`,
      prevRandao: attributes["prevRandao"],
      blockNumber: hex(head.number + 1),
      gasLimit: hex(GAS_LIMIT),
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

/** Completes a payload with the hash that the fake EL accepts. */
export function seal(payload: Json): Json {
  return { ...payload, blockHash: payloadHash(payload) };
}

function payloadHash(payload: Json): string {
  const fields = Object.entries(payload).filter(([key]) => key !== "blockHash");
  return hashOf(JSON.stringify(fields.sort(([a], [b]) => (a < b ? -1 : 1))));
}

export function hashOf(text: string): string {
  return `0x${createHash("sha256").update(text).digest("hex")}`;
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

function invalid(validationError: string): Json {
  return { status: "INVALID", latestValidHash: null, validationError };
}

function missing(method: string): Json {
  return { error: { code: -32601, message: `the method ${method} does not exist/is not available` } };
}
