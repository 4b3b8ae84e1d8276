import type { Genesis } from "@quorate/chain";
import type { HttpEndpoint } from "./engine/http.ts";
import type { DecidedBlocks } from "./types.ts";

/** Structured log; facts never hold request bodies or secrets. */
export interface ExecutionLog {
  debug(message: string, facts?: Readonly<Record<string, unknown>>): void;
  info(message: string, facts?: Readonly<Record<string, unknown>>): void;
  warn(message: string, facts?: Readonly<Record<string, unknown>>): void;
  error(message: string, facts?: Readonly<Record<string, unknown>>): void;
}

/** Time port. */
export interface ExecutionClock {
  /** Wall clock, ms since the Unix epoch: only for `iat` of the JWT. */
  wallMs(): number;
  /** Monotonic ms: durations and time-outs. */
  monotonicMs(): number;
  /** Calls back once after `ms`; the returned function cancels. */
  timer(ms: number, callback: () => void): () => void;
}

export interface ExecutionMetrics {
  /** One JSON-RPC call; `status` is "ok", "rpc_error", "timeout", "unreachable", … */
  call(method: string, status: string, seconds: number): void;
  /** Calls that wait or run in the queue of newPayload and forkchoiceUpdated, of at most `limit`. */
  queue?(length: number, limit: number): void;
}

export interface EngineOptions {
  /** Authenticated Engine API, e.g. `http://127.0.0.1:8551`. */
  readonly engineUrl: string;
  /** Public `eth,net,web3,txpool` endpoint, e.g. `http://127.0.0.1:8545`. */
  readonly ethUrl: string;
  /** File with 32 bytes of hex, mode 0600. */
  readonly jwtFile: string;
  /** ms between forkchoiceUpdated with attributes and getPayload; widened while builds come out empty. */
  readonly buildWindowMs: number;
  /** Expected blob schedule of the active fork (target, max, baseFeeUpdateFraction); unchecked when absent. */
  readonly blobSchedule?: {
    readonly target: number;
    readonly max: number;
    readonly baseFeeUpdateFraction: number;
  };
  /** Overrides of {@link DEFAULT_TIMING}. */
  readonly timing?: Partial<EngineTiming>;
}

/** Durations in ms. */
export interface EngineTiming {
  /** newPayload and forkchoiceUpdated (execution-apis: 8 s). */
  readonly executeTimeoutMs: number;
  /** Every other call: a healthy client answers these in milliseconds. */
  readonly callTimeoutMs: number;
  /** Pause after the first failure; doubles up to `retryMaxMs`. */
  readonly retryMinMs: number;
  readonly retryMaxMs: number;
  /** Health probe of an idle, ready client. */
  readonly probeMs: number;
  /** Upper end of the widened build window. */
  readonly buildWindowMaxMs: number;
}

export const DEFAULT_TIMING: EngineTiming = {
  executeTimeoutMs: 8_000,
  callTimeoutMs: 3_000,
  retryMinMs: 100,
  retryMaxMs: 5_000,
  probeMs: 5_000,
  buildWindowMaxMs: 1_000,
};

export interface EngineModules {
  readonly store: DecidedBlocks;
  readonly genesis: Genesis;
  readonly log: ExecutionLog;
  readonly metrics: ExecutionMetrics | null;
  readonly clock: ExecutionClock;
}

/** How requests reach the client: HTTP in a node, a simulated client in its place. */
export interface EngineTransport {
  /** Of the JWT, 32 bytes. */
  readonly secret: Uint8Array;
  /** Opens nothing before the first request. @throws ExecutionError ENDPOINT when `url` cannot be used. */
  readonly open: (url: string) => HttpEndpoint;
}

export interface NoExecutionModules {
  readonly store: DecidedBlocks;
  readonly log: ExecutionLog;
}
