/** JSON-RPC 2.0 as CometBFT speaks it: from bytes to calls and from outcomes to answers. Pure. */
import { CallError, RPC_MESSAGES, RpcCode } from "./errors.ts";
import { MAX_BATCH, MAX_JSON_DEPTH } from "./limits.ts";

export type CallId = string | number;

/** One entry of a request: a call, a notification (never answered), or something that is no call. */
export type Entry =
  | { readonly kind: "call"; readonly id: CallId; readonly method: string; readonly params: unknown }
  | { readonly kind: "notification" }
  | { readonly kind: "invalid"; readonly id: CallId | null; readonly reason: string };

export interface Request {
  readonly batch: boolean;
  readonly entries: readonly Entry[];
}

/** The entries of a POST body. @throws CallError for what is no request at all. */
export function parseRequest(text: string): Request {
  if (nestsDeeperThan(text, MAX_JSON_DEPTH)) {
    throw new CallError(RpcCode.invalidRequest, `the request nests deeper than ${MAX_JSON_DEPTH} levels`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new CallError(RpcCode.parse, "the request body is not JSON");
  }
  if (!Array.isArray(value)) return { batch: false, entries: [toEntry(value)] };
  if (value.length === 0) throw new CallError(RpcCode.invalidRequest, "the batch is empty");
  if (value.length > MAX_BATCH) {
    throw new CallError(
      RpcCode.invalidRequest,
      `the batch has ${value.length} calls, at most ${MAX_BATCH} are allowed`,
    );
  }
  return { batch: true, entries: value.map(toEntry) };
}

function toEntry(value: unknown): Entry {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return { kind: "invalid", id: null, reason: "a call must be an object" };
  }
  const id = "id" in value ? value.id : undefined;
  if (id === undefined || id === null) return { kind: "notification" };
  if (typeof id !== "string" && typeof id !== "number") {
    return { kind: "invalid", id: null, reason: "id must be a string or a number" };
  }
  // A larger number is another one by now: the answer would carry the id of a different call.
  if (typeof id === "number" && !Number.isSafeInteger(id)) {
    return { kind: "invalid", id: null, reason: "a number as id must be a whole one up to 2^53-1" };
  }
  if ("jsonrpc" in value && value.jsonrpc !== "2.0") {
    return { kind: "invalid", id, reason: 'jsonrpc must be "2.0"' };
  }
  const method = "method" in value ? value.method : undefined;
  if (typeof method !== "string") return { kind: "invalid", id, reason: "method must be a string" };
  return { kind: "call", id, method, params: "params" in value ? value.params : undefined };
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Does JSON text nest deeper than `limit`? Counts brackets outside of strings, so it is safe before parsing. */
export function nestsDeeperThan(text: string, limit: number): boolean {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const character = text.charCodeAt(i);
    if (character === QUOTE) {
      // Not character by character: a transaction is one long string.
      i = closingQuote(text, i + 1);
      if (i < 0) return false;
    } else if (character === 0x5b || character === 0x7b) {
      depth++;
      if (depth > limit) return true;
    } else if (character === 0x5d || character === 0x7d) depth--;
  }
  return false;
}

/** Where the string ends whose content begins at `from`: a quote behind an even number of backslashes; -1 = nowhere. */
function closingQuote(text: string, from: number): number {
  for (let at = text.indexOf('"', from); at >= 0; at = text.indexOf('"', at + 1)) {
    let first = at;
    while (first > from && text.charCodeAt(first - 1) === BACKSLASH) first--;
    if ((at - first) % 2 === 0) return at;
  }
  return -1;
}

/** The answer to a call that succeeded, as JSON text. */
export function resultText(id: CallId, result: unknown): string {
  return `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${JSON.stringify(result)}}`;
}

/** The answer to a call that failed, as JSON text. */
export function errorText(id: CallId | null, error: CallError): string {
  return JSON.stringify({
    jsonrpc: "2.0",
    id,
    error: { code: error.code, message: RPC_MESSAGES[error.code], data: error.message },
  });
}
