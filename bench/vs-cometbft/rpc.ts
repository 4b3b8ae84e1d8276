/** The RPC that both sides serve, CometBFT's, and what the scenarios read from it. */
import { Agent, request } from "node:http";

const agent = new Agent({ keepAlive: true, maxSockets: 64 });
/** A node that is busy answers late; one that is gone refuses at once. */
const ANSWER_MS = 20_000;
/** Blocks that `/blockchain` shows at once. */
const METAS = 20;

export interface Meta {
  readonly height: number;
  /** Header time, ms. */
  readonly timeMs: number;
  readonly bytes: number;
  readonly txs: number;
}

/** One POST of JSON text; the parsed answer. */
export function post(port: number, body: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
    const sent = request(
      { host: "127.0.0.1", port, method: "POST", agent, timeout: ANSWER_MS, headers },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          try {
            resolve(JSON.parse(Buffer.concat(chunks).toString("utf8")));
          } catch (error) {
            reject(error);
          }
        });
      },
    );
    sent.on("error", reject);
    sent.on("timeout", () => sent.destroy(new Error(`no answer within ${ANSWER_MS} ms`)));
    sent.end(body);
  });
}

interface Answer {
  readonly result?: unknown;
  readonly error?: { readonly message: string; readonly data?: string };
}

export async function call<T>(port: number, method: string, params: object = {}): Promise<T> {
  const { result, error } = (await post(
    port,
    JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
  )) as Answer;
  if (error !== undefined) throw new Error(`${method}: ${error.message} ${error.data ?? ""}`);
  return result as T;
}

/** Height of a node; -1 while it does not answer. */
export async function heightOf(port: number): Promise<number> {
  try {
    const status = await call<{ sync_info: { latest_block_height: string } }>(port, "status");
    return Number(status.sync_info.latest_block_height);
  } catch {
    // It is starting, or gone: the caller's own limit ends the wait.
    return -1;
  }
}

/** Address of a validator's key, hex. */
export async function addressOf(port: number): Promise<string> {
  return (await call<{ validator_info: { address: string } }>(port, "status")).validator_info.address;
}

export interface RoundState {
  readonly height: number;
  readonly round: number;
  /** CometBFT's numbers: 3 = propose. */
  readonly step: number;
  readonly proposer: string;
}

export async function roundStateOf(port: number): Promise<RoundState> {
  const { round_state: state } = await call<{
    round_state: { "height/round/step": string; proposer: { address: string } };
  }>(port, "consensus_state");
  const [height = 0, round = 0, step = 0] = state["height/round/step"].split("/").map(Number);
  return { height, round, step, proposer: state.proposer.address };
}

interface RawMeta {
  readonly block_size: string;
  readonly num_txs: string;
  readonly header: { readonly height: string; readonly time: string };
}

/** What the node stored of these heights, in order. */
export async function metas(port: number, from: number, to: number): Promise<readonly Meta[]> {
  const found: Meta[] = [];
  for (let low = from; low <= to; low += METAS) {
    const range = { minHeight: String(low), maxHeight: String(Math.min(low + METAS - 1, to)) };
    const { block_metas: list } = await call<{ block_metas: readonly RawMeta[] }>(port, "blockchain", range);
    for (const meta of list) {
      found.push({
        height: Number(meta.header.height),
        timeMs: timeMs(meta.header.time),
        bytes: Number(meta.block_size),
        txs: Number(meta.num_txs),
      });
    }
  }
  return found.sort((a, b) => a.height - b.height);
}

/** RFC 3339 with up to nanoseconds, as ms with a fraction. */
export function timeMs(text: string): number {
  const fraction = /\.(\d+)/.exec(text)?.[1] ?? "0";
  return Date.parse(`${text.slice(0, 19)}Z`) + Number(`0.${fraction}`) * 1000;
}

export function now(): number {
  return performance.timeOrigin + performance.now();
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Resolves with the time when the node reached the height. @throws Error when it did not within `limitMs`. */
export async function reached(port: number, height: number, limitMs: number, everyMs = 20): Promise<number> {
  for (const end = now() + limitMs; now() < end; await pause(everyMs)) {
    if ((await heightOf(port)) >= height) return now();
  }
  throw new Error(`height ${height} was not reached within ${Math.round(limitMs / 1000)} s`);
}
