import { LIMITS } from "../limits.ts";
import type { ExecutionClock, ExecutionMetrics } from "../ports.ts";
import { type Answer, answered, type Failure, failed, printable, textOf } from "./failure.ts";
import type { HttpEndpoint, HttpReply } from "./http.ts";
import { signToken } from "./jwt.ts";

export interface CallOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | null;
  readonly maxReplyBytes?: number;
}

export interface RpcCall {
  readonly method: string;
  readonly params: readonly unknown[];
}

/** JSON-RPC 2.0 over HTTP; every failure is data. */
export interface JsonRpc {
  readonly label: string;
  call(method: string, params: readonly unknown[], options: CallOptions): Promise<Answer<unknown>>;
  /** One HTTP request; answers in the order of the calls. */
  batch(calls: readonly RpcCall[], options: CallOptions): Promise<Answer<readonly Answer<unknown>[]>>;
  close(): void;
}

/** `secret` null: no authentication. */
export function openJsonRpc(
  endpoint: HttpEndpoint,
  secret: Uint8Array | null,
  clock: ExecutionClock,
  metrics: ExecutionMetrics | null,
): JsonRpc {
  let lastId = 0;
  let token = { iat: Number.NaN, text: "" };

  /** All calls of one second carry the same bytes. */
  const tokenAt = (key: Uint8Array, iat: number): string => {
    if (token.iat !== iat) token = { iat, text: signToken(key, iat) };
    return token.text;
  };

  const post = async (label: string, body: unknown, options: CallOptions): Promise<Answer<unknown>> => {
    const from = clock.monotonicMs();
    const iat = Math.floor(clock.wallMs() / 1000);
    const reply = await endpoint.post({
      body: Buffer.from(JSON.stringify(body)),
      authorization: secret === null ? null : tokenAt(secret, iat),
      timeoutMs: options.timeoutMs,
      maxReplyBytes: options.maxReplyBytes ?? LIMITS.replyBytes,
      signal: options.signal ?? null,
    });
    const answer = reply.kind === "reply" ? readReply(reply, iat) : failed(reply);
    metrics?.call(label, statusLabel(answer), (clock.monotonicMs() - from) / 1000);
    return answer;
  };

  return {
    label: endpoint.label,
    async call(method, params, options) {
      const id = ++lastId;
      const answer = await post(method, { jsonrpc: "2.0", id, method, params }, options);
      return answer.ok ? readResponse(answer.value, id) : answer;
    },
    async batch(calls, options) {
      if (calls.length === 0) return answered([]);
      const first = lastId + 1;
      lastId += calls.length;
      const body = calls.map((call, index) => ({ jsonrpc: "2.0", id: first + index, ...call }));
      const answer = await post(`${calls[0]?.method ?? ""}[]`, body, options);
      if (!answer.ok) return answer;
      if (!Array.isArray(answer.value)) return failed({ kind: "malformed", reason: "no array for a batch" });
      return answered(matchBatch(answer.value, first, calls.length));
    },
    close: () => endpoint.close(),
  };
}

function matchBatch(replies: readonly unknown[], first: number, count: number): readonly Answer<unknown>[] {
  const results: Answer<unknown>[] = Array.from({ length: count }, () =>
    failed({ kind: "malformed", reason: "no response for one call of a batch" }),
  );
  for (const reply of replies.slice(0, count)) {
    const id = isRecord(reply) ? reply["id"] : null;
    if (typeof id === "number" && Number.isInteger(id) && id >= first && id < first + count) {
      results[id - first] = readResponse(reply, id);
    }
  }
  return results;
}

function readReply(reply: HttpReply, iat: number): Answer<unknown> {
  if (reply.status === 401) return failed(readRefusal(reply, iat));
  if (reply.status !== 200) return failed({ kind: "http", status: reply.status });
  try {
    return answered(JSON.parse(reply.body.toString("utf8")));
  } catch {
    return failed({ kind: "malformed", reason: "no JSON" });
  }
}

/** Geth tells in plain text what it disliked; other clients only send a date. */
function readRefusal(reply: HttpReply, iat: number): Failure {
  const serverMs = reply.date === null ? Number.NaN : Date.parse(reply.date);
  const skewSeconds = Number.isNaN(serverMs) ? null : iat - Math.floor(serverMs / 1000);
  const text = reply.body.toString("utf8").toLowerCase();
  const clock = /stale|future|expired|iat|issued/.test(text);
  const secret = /signature|signing/.test(text);
  const farOff = skewSeconds !== null && Math.abs(skewSeconds) >= 59;
  return { kind: "unauthorized", cause: clock || (!secret && farOff) ? "clock" : "secret", skewSeconds };
}

function readResponse(reply: unknown, id: number): Answer<unknown> {
  if (!isRecord(reply) || reply["jsonrpc"] !== "2.0")
    return failed({ kind: "malformed", reason: "no JSON-RPC" });
  const error = reply["error"];
  // A server that could not read the request answers with id null.
  if (reply["id"] !== id && !(error && reply["id"] === null)) {
    return failed({ kind: "malformed", reason: "response to another request" });
  }
  if (error !== undefined && error !== null) {
    if (!isRecord(error) || !Number.isSafeInteger(error["code"])) {
      return failed({ kind: "malformed", reason: "error without code" });
    }
    const code = Number(error["code"]);
    const data = error["data"];
    const detail = isRecord(data) && typeof data["err"] === "string" ? `: ${data["err"]}` : "";
    return failed({ kind: "rpc", code, message: printable(`${textOf(error["message"])}${detail}`) });
  }
  if (!("result" in reply)) return failed({ kind: "malformed", reason: "neither result nor error" });
  return answered(reply["result"]);
}

function statusLabel(answer: Answer<unknown>): string {
  if (answer.ok) return "ok";
  return answer.failure.kind === "http" ? `http_${answer.failure.status}` : answer.failure.kind;
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
