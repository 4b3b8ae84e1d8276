import { ExecutionError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import type { ExecutionClock } from "../ports.ts";
import type { Failure } from "./failure.ts";

/** Not by an import, which for a module of Node reads all that it exports: here that loads undici, 13 MB that nobody uses. */
const { Agent, request } = process.getBuiltinModule("node:http");

export interface HttpReply {
  readonly kind: "reply";
  readonly status: number;
  readonly body: Buffer;
  /** `Date` header of the server. */
  readonly date: string | null;
}

export interface HttpRequest {
  readonly body: Buffer;
  readonly authorization: string | null;
  readonly timeoutMs: number;
  readonly maxReplyBytes: number;
  readonly signal: AbortSignal | null;
}

export interface HttpEndpoint {
  /** Without user, password, query. */
  readonly label: string;
  /** One POST; a broken connection is tried once more, since every call the adapter makes may be repeated. */
  post(call: HttpRequest): Promise<HttpReply | Failure>;
  /** Ends running and later calls as aborted. */
  close(): void;
}

/** Node's own server closes idle connections after 5 s, Geth after 120 s: ours are given up before Geth does. */
const IDLE_SOCKET_MS = 60_000;

/**
 * A JSON POST endpoint with its own keep-alive connections, a deadline for the whole exchange and a bounded reply.
 * @throws ExecutionError ENDPOINT when `url` is not a plain http URL.
 */
export function openEndpoint(url: string, clock: ExecutionClock): HttpEndpoint {
  const target = parseUrl(url);
  const agent = new Agent({ keepAlive: true, maxSockets: 16, maxFreeSockets: 4, timeout: IDLE_SOCKET_MS });

  const running = new Set<() => void>();
  let closed = false;

  const once = (call: HttpRequest): Promise<HttpReply | Failure | "broken"> =>
    new Promise((resolve) => {
      if (closed || call.signal?.aborted === true) return resolve({ kind: "aborted" });
      const headers: Record<string, string> = {
        "content-type": "application/json",
        "content-length": String(call.body.length),
      };
      if (call.authorization !== null) headers["authorization"] = `Bearer ${call.authorization}`;
      const req = request(target, { method: "POST", agent, headers });
      let settled = false;
      const settle = (outcome: HttpReply | Failure | "broken"): void => {
        if (settled) return;
        settled = true;
        cancelTimer();
        running.delete(onAbort);
        call.signal?.removeEventListener("abort", onAbort);
        resolve(outcome);
        if (typeof outcome === "string" || outcome.kind !== "reply") req.destroy();
      };
      const onAbort = (): void => settle({ kind: "aborted" });
      const cancelTimer = clock.timer(call.timeoutMs, () => settle({ kind: "timeout", ms: call.timeoutMs }));
      call.signal?.addEventListener("abort", onAbort, { once: true });
      running.add(onAbort);
      req.on("error", (error) => settle(transportFailure(error)));
      req.on("response", (res) => {
        const limit = res.statusCode === 200 ? call.maxReplyBytes : LIMITS.errorTextBytes;
        const chunks: Buffer[] = [];
        let size = 0;
        res.on("data", (chunk: Buffer) => {
          size += chunk.length;
          if (size <= limit) chunks.push(chunk);
          else if (res.statusCode === 200) settle({ kind: "too_large", limit });
        });
        res.on("error", () => settle("broken"));
        res.on("aborted", () => settle("broken"));
        res.on("end", () => {
          const date = res.headers.date ?? null;
          settle({ kind: "reply", status: res.statusCode ?? 0, body: Buffer.concat(chunks), date });
        });
      });
      req.end(call.body);
    });

  return {
    label: target.origin,
    async post(call) {
      const first = await once(call);
      if (first !== "broken") return first;
      const second = await once(call);
      return second === "broken"
        ? { kind: "unreachable", reason: "connection closed by the server" }
        : second;
    },
    close() {
      closed = true;
      for (const abort of [...running]) abort();
      agent.destroy();
    },
  };
}

function transportFailure(error: Error): Failure | "broken" {
  const code = "code" in error ? String(error.code) : "";
  if (code === "ECONNRESET" || code === "EPIPE") return "broken";
  if (code.startsWith("HPE_")) return { kind: "malformed", reason: "no HTTP" };
  return { kind: "unreachable", reason: code === "" ? "connection failed" : code };
}

function parseUrl(url: string): URL {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  if (parsed === null || parsed.protocol !== "http:" || parsed.username !== "" || parsed.password !== "") {
    throw new ExecutionError(
      "ENDPOINT",
      "an execution endpoint must be a plain http:// URL without user and password, like http://127.0.0.1:8551",
    );
  }
  return parsed;
}
