import { DevnetElError, RPC, RpcError, reasonOf } from "../errors.ts";

/** Answers one call: the result, or a throw of RpcError. */
export type Method = (params: readonly unknown[], signal: AbortSignal) => unknown;

/** Methods by name. */
export type Methods = Record<string, Method>;

/** Called with a failure after which the process must not go on (the store refused a write). */
export type Fatal = (error: DevnetElError) => void;

interface Answer {
  readonly jsonrpc: "2.0";
  readonly id: string | number | null;
  readonly result?: unknown;
  readonly error?: { readonly code: number; readonly message: string; readonly data?: unknown };
}

function failure(id: string | number | null, code: number, message: string, data?: unknown): Answer {
  return { jsonrpc: "2.0", id, error: { code, message, ...(data === undefined ? {} : { data }) } };
}

async function answerOne(
  request: unknown,
  methods: Methods,
  signal: AbortSignal,
  fatal: Fatal,
): Promise<Answer | undefined> {
  if (typeof request !== "object" || request === null || Array.isArray(request)) {
    return failure(null, RPC.INVALID_REQUEST, "invalid request");
  }
  const { id: rawId, method, params } = request as { id?: unknown; method?: unknown; params?: unknown };
  const id = typeof rawId === "string" || typeof rawId === "number" ? rawId : null;
  if (typeof method !== "string")
    return failure(id, RPC.INVALID_REQUEST, "invalid request: method must be a string");
  if (params !== undefined && params !== null && !Array.isArray(params)) {
    return failure(id, RPC.INVALID_PARAMS, "non-array args");
  }
  if (rawId === undefined) return undefined;
  const handler = Object.hasOwn(methods, method) ? methods[method] : undefined;
  if (handler === undefined) {
    return failure(id, RPC.METHOD_NOT_FOUND, `the method ${method} does not exist/is not available`);
  }
  try {
    const result = await handler(params ?? [], signal);
    return { jsonrpc: "2.0", id, result: result ?? null };
  } catch (thrown) {
    if (thrown instanceof RpcError) return failure(id, thrown.code, thrown.message, thrown.data);
    if (thrown instanceof DevnetElError && thrown.code === "STORE") fatal(thrown);
    return failure(id, RPC.INTERNAL, reasonOf(thrown));
  }
}

/** Bounds of one HTTP request. */
export interface BatchLimits {
  readonly maxBatch: number;
  /** a batch stops being answered in full when its answers exceed this many bytes */
  readonly maxResponseBytes: number;
}

/** The JSON text that answers a request body; undefined when there is nothing to say (notifications). */
export async function answerBody(
  body: string,
  methods: Methods,
  limits: BatchLimits,
  signal: AbortSignal,
  fatal: Fatal,
): Promise<string | undefined> {
  let request: unknown;
  try {
    request = JSON.parse(body);
  } catch {
    return JSON.stringify(failure(null, RPC.PARSE, "parse error"));
  }
  if (!Array.isArray(request)) {
    const answer = await answerOne(request, methods, signal, fatal);
    return answer === undefined ? undefined : JSON.stringify(answer);
  }
  if (request.length === 0) return JSON.stringify(failure(null, RPC.INVALID_REQUEST, "empty batch"));
  if (request.length > limits.maxBatch)
    return JSON.stringify(failure(null, RPC.INVALID_REQUEST, "batch too large"));
  const answers: string[] = [];
  let bytes = 0;
  for (const one of request) {
    if (signal.aborted) break;
    const answer = await answerOne(one, methods, signal, fatal);
    if (answer === undefined) continue;
    const text =
      bytes > limits.maxResponseBytes
        ? JSON.stringify(failure(answer.id, -32003, "response too large"))
        : JSON.stringify(answer);
    bytes += text.length;
    answers.push(text);
  }
  return answers.length === 0 ? undefined : `[${answers.join(",")}]`;
}
