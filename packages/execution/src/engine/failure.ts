import { LIMITS } from "../limits.ts";

/** Why a call gave no result. Failure is data: nothing here is thrown. */
export type Failure =
  /** No connection, or it broke twice. */
  | { readonly kind: "unreachable"; readonly reason: string }
  | { readonly kind: "timeout"; readonly ms: number }
  /** Our own signal. */
  | { readonly kind: "aborted" }
  /** Too many calls wait already. */
  | { readonly kind: "busy" }
  | { readonly kind: "unauthorized"; readonly cause: "clock" | "secret"; readonly skewSeconds: number | null }
  /** HTTP status other than 200 and 401. */
  | { readonly kind: "http"; readonly status: number }
  /** No JSON, another id, another shape. */
  | { readonly kind: "malformed"; readonly reason: string }
  | { readonly kind: "too_large"; readonly limit: number }
  /** JSON-RPC error; `message` is cut and printable. */
  | { readonly kind: "rpc"; readonly code: number; readonly message: string };

export type Answer<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly failure: Failure };

export function answered<T>(value: T): Answer<T> {
  return { ok: true, value };
}

export function failed(failure: Failure): Answer<never> {
  return { ok: false, failure };
}

/** JSON-RPC codes of the Engine API that mean something to the adapter (execution-apis, common.md). */
export const RpcCode = {
  methodNotFound: -32601,
  invalidParams: -32602,
  unknownPayload: -38001,
  invalidForkchoiceState: -38002,
  invalidAttributes: -38003,
  tooLargeRequest: -38004,
  unsupportedFork: -38005,
  tooDeepReorg: -38006,
} as const;

/** What a failure says about the connection to the EL, in words for the operator. */
export interface Diagnosis {
  /** `none`: the call failed, the client is fine. */
  readonly health: "none" | "offline" | "misconfigured";
  readonly code: string;
  readonly reason: string;
  readonly action: string;
}

/** The error table: one row per kind of failure. `endpoint` is the URL without credentials. */
export function diagnose(failure: Failure, endpoint: string): Diagnosis {
  switch (failure.kind) {
    case "unreachable":
      return {
        health: "offline",
        code: "EL_UNREACHABLE",
        reason: `the execution client does not answer at ${endpoint} (${failure.reason})`,
        action: "start the execution client, or correct its URL in the config; the node goes on trying",
      };
    case "timeout":
      return {
        health: "offline",
        code: "EL_TIMEOUT",
        reason: `the execution client at ${endpoint} did not answer within ${failure.ms} ms`,
        action: "look at the execution client's log, its disk and its CPU; restart it if it hangs",
      };
    case "unauthorized":
      return unauthorized(failure.cause, failure.skewSeconds, endpoint);
    case "http":
      return httpStatus(failure.status, endpoint);
    case "malformed":
      return {
        health: "offline",
        code: "EL_MALFORMED",
        reason: `${endpoint} answered something that is not the Engine API (${failure.reason})`,
        action: "check that the URL is the execution client's and that no proxy stands in between",
      };
    case "too_large":
      return {
        health: "none",
        code: "EL_REPLY_TOO_LARGE",
        reason: `a reply of ${endpoint} exceeds ${failure.limit} bytes`,
        action: "lower the chain's gas limit or max_block_bytes",
      };
    case "rpc":
      return rpcError(failure.code, failure.message, endpoint);
    case "busy":
      return {
        health: "none",
        code: "EL_BUSY",
        reason: `${LIMITS.engineQueue} calls wait for ${endpoint}`,
        action: "the execution client is too slow for this chain: give it more CPU or a lower gas limit",
      };
    case "aborted":
      return { health: "none", code: "ABORTED", reason: "the call was given up", action: "nothing" };
  }
}

function unauthorized(cause: "clock" | "secret", skew: number | null, endpoint: string): Diagnosis {
  if (cause === "clock") {
    // A proxy in between may have set the date: then it says nothing of the client's clock.
    const distance =
      skew === null || Math.abs(skew) < 59
        ? "more than 60 s off"
        : `${Math.abs(skew)} s ${skew > 0 ? "ahead of" : "behind"}`;
    return {
      health: "misconfigured",
      code: "EL_CLOCK_SKEW",
      reason: `${endpoint} refuses the token's time: this machine's clock is ${distance} the execution client's`,
      action: "synchronise the clocks of both machines (chrony or systemd-timesyncd)",
    };
  }
  return {
    health: "misconfigured",
    code: "EL_JWT_SECRET",
    reason: `${endpoint} refuses our token: the two sides hold different JWT secrets`,
    action:
      "give the execution client and this node the same secret file (--authrpc.jwtsecret and execution.jwt_file)",
  };
}

function httpStatus(status: number, endpoint: string): Diagnosis {
  switch (status) {
    case 403:
      return {
        health: "misconfigured",
        code: "EL_HOST_REFUSED",
        reason: `${endpoint} refuses this host name (HTTP 403)`,
        action: "add the host name to the execution client's --authrpc.vhosts",
      };
    case 413:
      return {
        health: "none",
        code: "EL_REQUEST_TOO_LARGE",
        reason: `${endpoint} refuses a request of this size (HTTP 413)`,
        action: "raise the execution client's request limit, or lower the chain's max_block_bytes",
      };
    case 404:
    case 405:
    case 415:
      return {
        health: "misconfigured",
        code: "EL_ENDPOINT",
        reason: `${endpoint} is not a JSON-RPC endpoint (HTTP ${status})`,
        action: "correct execution.engine_url: it is the authenticated port, 8551 by default",
      };
    default:
      return {
        health: "offline",
        code: "EL_HTTP",
        reason: `${endpoint} answered HTTP ${status}`,
        action: "look at the execution client's log; the node goes on trying",
      };
  }
}

function rpcError(code: number, message: string, endpoint: string): Diagnosis {
  if (code === RpcCode.methodNotFound || code === RpcCode.unsupportedFork) {
    return {
      health: "misconfigured",
      code: "EL_METHOD",
      reason: `${endpoint} does not serve the Engine API methods of this chain's fork (${code} ${message})`,
      action:
        "run a client release that knows the chain's forks, and initialise it with this chain's el-genesis.json",
    };
  }
  return {
    health: "none",
    code: "EL_ERROR",
    reason: `${endpoint} answered error ${code} ${message}`,
    action: "look at the execution client's log",
  };
}

/** A foreign message for a log: printable, one line, cut. */
export function printable(text: string): string {
  return text.slice(0, LIMITS.messageChars).replace(/[^\x20-\x7e]/g, "?");
}

/** A foreign JSON value that should be text: text and numbers as they are, anything else as nothing. */
export function textOf(value: unknown): string {
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
}
