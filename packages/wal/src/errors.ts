/**
 * `WAL_IO` a write, sync or read failed; `WAL_FULL` the disk is full; `WAL_BACKLOG` records pile up unsynced;
 * `WAL_RECORD` a record that the format cannot hold; `WAL_DAMAGED` a record read back is not the one written;
 * `WAL_CLOSED` use after close.
 */
export type WalErrorCode =
  | "WAL_IO"
  | "WAL_FULL"
  | "WAL_BACKLOG"
  | "WAL_RECORD"
  | "WAL_DAMAGED"
  | "WAL_CLOSED";

/** The one error of this package. `WAL_IO`, `WAL_FULL` and `WAL_BACKLOG` are final: the log never works again. */
export class WalError extends Error {
  readonly code: WalErrorCode;
  readonly facts: Readonly<Record<string, unknown>>;

  constructor(
    code: WalErrorCode,
    message: string,
    facts: Readonly<Record<string, unknown>> = {},
    cause?: unknown,
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "WalError";
    this.code = code;
    this.facts = facts;
  }
}

/** Errno of a failed file operation (`EIO`, `ENOSPC` …), or `undefined` when the error carries none. */
export function errnoOf(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

/** The error for the operator of a failed disk operation on `file`. */
export function diskError(action: string, file: string, cause: unknown): WalError {
  if (cause instanceof WalError) return cause;
  const errno = errnoOf(cause);
  const facts = { action, file, errno };
  if (errno === "ENOSPC" || errno === "EDQUOT") {
    return new WalError(
      "WAL_FULL",
      `no space left to ${action} ${file}: free space on this disk, then start again`,
      facts,
      cause,
    );
  }
  const detail = cause instanceof Error ? cause.message : String(cause);
  return new WalError(
    "WAL_IO",
    `cannot ${action} ${file} (${detail}): check the disk and its mount, then start again`,
    facts,
    cause,
  );
}
