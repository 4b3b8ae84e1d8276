/**
 * What stands between a validator and its execution client: an HTTP proxy for the Engine API and the public port that
 * hands everything on, tokens included, until a test tells it to misbehave.
 */
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What becomes of a call. Errors of HTTP and of the socket concern the whole request, be it a batch. */
export type Behaviour =
  /** Handed on, the answer after so many ms. */
  | { readonly kind: "delay"; readonly ms: number }
  /** Never reaches the client; this is the answer. */
  | { readonly kind: "result"; readonly value: unknown }
  | { readonly kind: "http"; readonly status: number; readonly text: string }
  /** Taken, never answered. */
  | { readonly kind: "hang" }
  /** The connection is reset. */
  | { readonly kind: "reset" };

export interface Call {
  readonly method: string;
  readonly params: readonly unknown[];
}

/** Sees every call before the client gets it, and its answer before the validator does. */
export type Watcher = (call: Call, side: "before" | "after") => void | Promise<void>;

const STATUS = { latestValidHash: null, validationError: null } as const;

/** A client that says SYNCING to every payload and every head. */
export const SYNCING: ReadonlyMap<string, Behaviour> = payloadAnswers({ ...STATUS, status: "SYNCING" });

/** A client that says INVALID to every payload, and goes on adopting heads. */
export const INVALID: ReadonlyMap<string, Behaviour> = new Map<string, Behaviour>([
  [
    "engine_newPayloadV4",
    { kind: "result", value: { ...STATUS, status: "INVALID", validationError: "its disk has lost a leaf" } },
  ],
]);

function payloadAnswers(status: object): ReadonlyMap<string, Behaviour> {
  return new Map<string, Behaviour>([
    ["engine_newPayloadV4", { kind: "result", value: status }],
    ["engine_forkchoiceUpdatedV3", { kind: "result", value: { payloadStatus: status, payloadId: null } }],
  ]);
}

const MAX_BODY = 64 * 1_048_576;

/** One port in front of one URL. */
class Door {
  readonly #server = createServer((from, to) => void this.#serve(from, to));
  readonly #agent = new Agent({ keepAlive: true });
  readonly #proxy: ExecutionProxy;
  readonly #target: URL;

  constructor(proxy: ExecutionProxy, target: string) {
    this.#proxy = proxy;
    this.#target = new URL(target);
  }

  async open(): Promise<string> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(0, "127.0.0.1", resolve);
    });
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#agent.destroy();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }

  /** Ends what hangs, so that a trouble that is over is over at once. */
  dropConnections(): void {
    this.#server.closeAllConnections();
  }

  async #serve(from: IncomingMessage, to: ServerResponse): Promise<void> {
    // The validator gave the request up.
    to.on("error", () => to.destroy());
    try {
      const body = await readAll(from);
      const calls = callsOf(body);
      const behaviour = calls
        .map(({ method }) => this.#proxy.behaviourOf(method))
        .find((one) => one !== null);
      switch (behaviour?.kind) {
        case "hang":
          return;
        case "reset":
          from.socket.resetAndDestroy();
          return;
        case "http":
          to.writeHead(behaviour.status, { "content-type": "text/plain" }).end(behaviour.text);
          return;
        case "result": {
          const { id } = JSON.parse(body.toString("utf8")) as { readonly id?: unknown };
          to.writeHead(200, { "content-type": "application/json" });
          to.end(JSON.stringify({ jsonrpc: "2.0", id, result: behaviour.value }));
          return;
        }
        case "delay":
        case undefined:
          break;
      }
      for (const call of calls) await this.#proxy.watcher?.(call, "before");
      const reply = await this.#forward(from, body);
      for (const call of calls) await this.#proxy.watcher?.(call, "after");
      if (behaviour !== undefined) await this.#proxy.rest(behaviour.ms);
      to.writeHead(reply.status, reply.headers).end(reply.body);
    } catch {
      // The client is away or one side broke off: the other sees what it would see without a proxy.
      from.socket.resetAndDestroy();
    }
  }

  #forward(
    from: IncomingMessage,
    body: Buffer,
  ): Promise<{
    readonly status: number;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: Buffer;
  }> {
    return new Promise((resolve, reject) => {
      const { authorization } = from.headers;
      const call = request(this.#target, {
        method: from.method ?? "POST",
        agent: this.#agent,
        headers: {
          "content-type": "application/json",
          "content-length": body.length,
          ...(authorization === undefined ? {} : { authorization }),
        },
      });
      call.on("error", reject);
      call.on("response", (reply) => {
        const { "content-type": type = "application/json", date } = reply.headers;
        const headers = { "content-type": type, ...(date === undefined ? {} : { date }) };
        const status = reply.statusCode ?? 502;
        readAll(reply).then((bytes) => resolve({ status, headers, body: bytes }), reject);
      });
      call.end(body);
    });
  }
}

export class ExecutionProxy {
  #behaviours: ReadonlyMap<string, Behaviour> = new Map();
  #over = new AbortController();
  watcher: Watcher | null = null;
  readonly #engine: Door;
  readonly #eth: Door;
  engineUrl = "";
  ethUrl = "";

  private constructor(engineUrl: string, ethUrl: string) {
    this.#engine = new Door(this, engineUrl);
    this.#eth = new Door(this, ethUrl);
  }

  /** In front of the client at these two URLs. */
  static async open(engineUrl: string, ethUrl: string): Promise<ExecutionProxy> {
    const proxy = new ExecutionProxy(engineUrl, ethUrl);
    proxy.engineUrl = await proxy.#engine.open();
    proxy.ethUrl = await proxy.#eth.open();
    return proxy;
  }

  /** From now on; by method, `*` for all others. */
  behave(behaviours: ReadonlyMap<string, Behaviour>): void {
    this.#behaviours = behaviours;
  }

  /** From now on everything is handed on; whatever was held back ends. */
  heal(): void {
    this.#behaviours = new Map();
    this.#over.abort();
    this.#over = new AbortController();
    this.#engine.dropConnections();
    this.#eth.dropConnections();
  }

  behaviourOf(method: string): Behaviour | null {
    return this.#behaviours.get(method) ?? this.#behaviours.get("*") ?? null;
  }

  /** Until `ms` have passed or the trouble is over. */
  rest(ms: number): Promise<void> {
    const { signal } = this.#over;
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal.addEventListener("abort", done, { once: true });
    });
  }

  async close(): Promise<void> {
    this.#over.abort();
    await Promise.all([this.#engine.close(), this.#eth.close()]);
  }
}

function callsOf(body: Buffer): Call[] {
  const document: unknown = JSON.parse(body.toString("utf8"));
  return (Array.isArray(document) ? document : [document]).map((one: unknown) => {
    const { method, params } = one as { readonly method?: unknown; readonly params?: unknown };
    return { method: String(method), params: Array.isArray(params) ? params : [] };
  });
}

async function readAll(stream: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY) throw new Error(`more than ${MAX_BODY} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
