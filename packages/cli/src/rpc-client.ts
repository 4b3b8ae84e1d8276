import { CliError, ExitCode, reasonOf } from "./errors.ts";

const REQUEST_TIMEOUT_MS = 5_000;
/** Of which a time limit is made. */
const PIECES = 10;
/** No answer of the node is larger; a stray server's must not fill memory. */
const MAX_RESPONSE_BYTES = 16 * 1_048_576;

/** A value of unknown JSON, walked by keys; `undefined` where there is nothing. */
export function at(value: unknown, ...path: readonly string[]): unknown {
  let here = value;
  for (const key of path) {
    if (typeof here !== "object" || here === null || !Object.hasOwn(here, key)) return undefined;
    here = (here as Record<string, unknown>)[key];
  }
  return here;
}

/** A decimal string or number of CometBFT's JSON as a number; NaN for anything else. */
export function numberAt(value: unknown, ...path: readonly string[]): number {
  const found = at(value, ...path);
  return typeof found === "number" || (typeof found === "string" && /^-?\d+$/.test(found))
    ? Number(found)
    : Number.NaN;
}

export function textAt(value: unknown, ...path: readonly string[]): string {
  const found = at(value, ...path);
  return typeof found === "string" ? found : "";
}

/** Text of a stranger for a terminal: without the characters that move its cursor, colour it or turn it round. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}]/gu, "\ufffd");
}

/**
 * A limit of time in which this process ran: what came while it was stopped, or had no processor, is read before it counts as
 * late. `clear` when it is no longer needed.
 */
export function timeLimit(ms: number): { readonly signal: AbortSignal; clear(): void } {
  const controller = new AbortController();
  let left = PIECES;
  const timer = setInterval(() => {
    if (--left > 0) return;
    clearInterval(timer);
    controller.abort(new Error(`not within ${ms} ms`));
  }, ms / PIECES);
  timer.unref();
  return { signal: controller.signal, clear: () => clearInterval(timer) };
}

/** `result` of a GET on a node's RPC. @throws CliError unreachable (9) when nothing answers as a node does. */
export async function nodeGet(url: string, method: string, signal?: AbortSignal): Promise<unknown> {
  const unreachable = (why: string): CliError =>
    new CliError(
      ExitCode.unreachable,
      `the node at ${url} does not answer (${why})`,
      "start it, or name its RPC address with --node",
    );
  let document: unknown;
  const limit = timeLimit(REQUEST_TIMEOUT_MS);
  try {
    const response = await fetch(`${url.replace(/\/$/, "")}/${method}`, {
      signal: signal === undefined ? limit.signal : AbortSignal.any([signal, limit.signal]),
    });
    document = JSON.parse(await boundedText(response));
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    throw unreachable(reasonOf(cause));
  } finally {
    limit.clear();
  }
  const result = at(document, "result");
  if (result === undefined) {
    throw unreachable(printable(textAt(document, "error", "message")) || "no JSON-RPC result");
  }
  return result;
}

/** A call that the node may refuse; `refusal` says why. @throws CliError unreachable (9) when nothing answers. */
export async function nodeTell(
  url: string,
  method: string,
  params: Readonly<Record<string, unknown>>,
): Promise<{ readonly result: unknown; readonly refusal: string | null }> {
  let document: unknown;
  const limit = timeLimit(REQUEST_TIMEOUT_MS);
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
      signal: limit.signal,
    });
    document = JSON.parse(await boundedText(response));
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    throw new CliError(
      ExitCode.unreachable,
      `the node at ${url} does not answer (${reasonOf(cause)})`,
      "start it, or name its RPC address with --node",
    );
  } finally {
    limit.clear();
  }
  const result = at(document, "result");
  if (result !== undefined) return { result, refusal: null };
  const said = [textAt(document, "error", "message"), textAt(document, "error", "data")];
  return { result: null, refusal: said.filter((text) => text !== "").join(": ") || "no reason given" };
}

/** HTTP status of a GET, `null` when nothing answers. */
export async function httpStatus(url: string, signal: AbortSignal): Promise<number | null> {
  try {
    const response = await fetch(url, { signal });
    await response.body?.cancel();
    return response.status;
  } catch {
    return null;
  }
}

async function boundedText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > MAX_RESPONSE_BYTES) throw new Error(`more than ${MAX_RESPONSE_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
