export type ExecutionErrorCode =
  /** JWT secret file missing, readable by others, or not 32 bytes of hex. */
  | "JWT_FILE"
  /** URL of the engine or eth endpoint cannot be used. */
  | "ENDPOINT"
  /** A block carries no execution envelope of the expected version. */
  | "ENVELOPE"
  /** The caller's signal aborted the wait. */
  | "ABORTED"
  /** The client was closed. */
  | "CLOSED"
  /** No Geth binary, or `go install` failed. */
  | "GETH";

/** Every error this package throws; `message` tells what happened and what to do. */
export class ExecutionError extends Error {
  override readonly name = "ExecutionError";
  readonly code: ExecutionErrorCode;
  readonly facts: Readonly<Record<string, unknown>>;

  constructor(code: ExecutionErrorCode, message: string, facts: Readonly<Record<string, unknown>> = {}) {
    super(message);
    this.code = code;
    this.facts = facts;
  }
}
