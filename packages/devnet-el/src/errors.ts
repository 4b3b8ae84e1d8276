/** What went wrong before or while the process serves; each code has one exit code. */
export type DevnetElErrorCode = "USAGE" | "GENESIS" | "BUSY" | "STORE" | "INTERNAL";

const EXIT_CODES: Record<DevnetElErrorCode, number> = {
  INTERNAL: 1,
  USAGE: 2,
  GENESIS: 3,
  BUSY: 4,
  STORE: 6,
};

/**
 * A failure of the embedded execution client itself (as opposed to a request it refuses).
 * `message` says what happened and what the operator can do; `facts` carries the values.
 */
export class DevnetElError extends Error {
  override readonly name = "DevnetElError";
  readonly code: DevnetElErrorCode;
  readonly facts: Readonly<Record<string, unknown>>;

  constructor(code: DevnetElErrorCode, message: string, facts: Readonly<Record<string, unknown>> = {}) {
    super(message);
    this.code = code;
    this.facts = facts;
  }

  /** Exit code of the process: 1 bug, 2 usage, 3 genesis, 4 port or directory in use, 6 durability. */
  get exitCode(): number {
    return EXIT_CODES[this.code];
  }
}

/** JSON-RPC and Engine API error codes (execution-apis, common.md and paris.md). */
export const RPC = {
  PARSE: -32700,
  INVALID_REQUEST: -32600,
  METHOD_NOT_FOUND: -32601,
  INVALID_PARAMS: -32602,
  INTERNAL: -32603,
  SERVER: -32000,
  EXECUTION_REVERTED: 3,
  UNKNOWN_PAYLOAD: -38001,
  INVALID_FORKCHOICE: -38002,
  INVALID_ATTRIBUTES: -38003,
  TOO_LARGE: -38004,
  UNSUPPORTED_FORK: -38005,
} as const;

/** A request that is answered with a JSON-RPC error object. */
export class RpcError extends Error {
  override readonly name = "RpcError";
  readonly code: number;
  readonly data: unknown;

  constructor(code: number, message: string, data?: unknown) {
    super(message);
    this.code = code;
    this.data = data;
  }
}

/** The text of anything thrown. */
export function reasonOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
