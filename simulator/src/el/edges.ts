/** Payloads at the edge of what a chain takes, and one step over it, as a client's build may come out. */
import type { Json } from "./execution-client.ts";

/**
 * - full: as many bytes as a block has room for; overfull: one more.
 * - gas-spent: all gas is used; gas-limit: a limit one above the chain's.
 * - requests: of as many types as a client may ask for; requests-too-many: one more; request-empty: a type without data.
 */
export const EL_EDGES = [
  "full",
  "overfull",
  "gas-spent",
  "gas-limit",
  "requests",
  "requests-too-many",
  "request-empty",
] as const;
export type ElEdge = (typeof EL_EDGES)[number];

/** What a block keeps for its header and last commit, and for each place in that, as the node reckons. */
const BLOCK_BYTES = 1024;
const COMMIT_PLACE_BYTES = 112;
/** Tag and length of a transaction inside a block. */
const FRAMING_BYTES = 6;
/** An execution envelope without withdrawals and requests, its framing included. */
const ENVELOPE_BYTES = 520 + FRAMING_BYTES;
const WITHDRAWAL_BYTES = 44;
const REQUEST_BYTES = 4;

/** Most types that the node takes in one payload. */
const MOST_REQUESTS = 16;

const digits = (bytes: number): string => "07".repeat(bytes);
const bytesOf = (hex: string): number => hex.length / 2 - 1;

/** Bytes for transactions, framing included, in a payload of this template and these requests. */
export function roomFor(
  chain: { readonly maxBlockBytes: number; readonly validators: number },
  template: Json,
  requests: readonly string[],
): number {
  const withdrawals = template["withdrawals"];
  const paid = Array.isArray(withdrawals) ? withdrawals.length : 0;
  const asked = requests.reduce((sum, request) => sum + REQUEST_BYTES + bytesOf(request), 0);
  const envelope = ENVELOPE_BYTES + paid * WITHDRAWAL_BYTES + asked;
  return chain.maxBlockBytes - BLOCK_BYTES - COMMIT_PLACE_BYTES * chain.validators - envelope;
}

/** Of pending transactions the first that fit. */
export function fitting(pending: Iterable<string>, room: number): string[] {
  const taken: string[] = [];
  let left = room;
  for (const raw of pending) {
    left -= bytesOf(raw) + FRAMING_BYTES;
    if (left < 0) break;
    taken.push(raw);
  }
  return taken;
}

/** The transactions of a build at this edge. */
export function edgeTransactions(edge: ElEdge | null, taken: readonly string[], room: number): string[] {
  if (edge !== "full" && edge !== "overfull") return [...taken];
  const wanted = room + (edge === "full" ? 0 : 1);
  const used = taken.reduce((sum, raw) => sum + bytesOf(raw) + FRAMING_BYTES, 0);
  const rest = wanted - used - FRAMING_BYTES;
  // One more of the size that is missing, its type byte first.
  return rest >= 1 ? [...taken, `0x02${digits(rest - 1)}`] : edgeTransactions(edge, [], room);
}

/** What else of a payload such a build has otherwise. */
export function edgeFields(edge: ElEdge | null, gasLimit: number): Json {
  if (edge === "gas-spent") return { gasUsed: `0x${gasLimit.toString(16)}` };
  return edge === "gas-limit" ? { gasLimit: `0x${(gasLimit + 1).toString(16)}` } : {};
}

/** The requests of a build at this edge, over those that it has anyway. */
export function edgeRequests(edge: ElEdge | null, asked: readonly string[]): readonly string[] {
  const types = new Map(asked.map((request) => [Number(request.slice(0, 4)), request]));
  if (edge === "request-empty") types.set(3, "0x03");
  else if (edge === "requests" || edge === "requests-too-many") {
    const most = MOST_REQUESTS + (edge === "requests" ? 0 : 1);
    // Types from 3 on mean nothing to a chain.
    for (let type = 3; types.size < most; type++)
      types.set(type, `0x${type.toString(16).padStart(2, "0")}07`);
  }
  return [...types].sort(([a], [b]) => a - b).map(([, request]) => request);
}
