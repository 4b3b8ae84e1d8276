/**
 * `STORE_LOCKED` and `HOME_LOCKED` another process holds it; `STORE_CORRUPT` what was stored is gone or changed;
 * `STORE_IO` a read, write or sync failed; `STORE_FULL` the disk is full; `STORE_ORDER` a commit out of order or
 * without its body; `STORE_CONFLICT` another block at a height already decided; `STORE_CLOSED` use after close.
 */
export type StoreErrorCode =
  | "STORE_LOCKED"
  | "STORE_CORRUPT"
  | "STORE_IO"
  | "STORE_FULL"
  | "STORE_ORDER"
  | "STORE_CONFLICT"
  | "STORE_CLOSED"
  | "HOME_LOCKED";

/** The one error of this package. After `STORE_IO` or `STORE_FULL` on a write, every later write fails with it. */
export class StoreError extends Error {
  readonly code: StoreErrorCode;
  readonly facts: Readonly<Record<string, unknown>>;

  constructor(
    code: StoreErrorCode,
    message: string,
    facts: Readonly<Record<string, unknown>> = {},
    cause?: unknown,
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "StoreError";
    this.code = code;
    this.facts = facts;
  }
}

/** `code` of an error, or of the nearest cause that has one. */
export function codeOf(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null) return undefined;
  const inner = "cause" in error ? codeOf(error.cause) : undefined;
  if (inner !== undefined) return inner;
  return "code" in error && typeof error.code === "string" ? error.code : undefined;
}

function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}

/** The error for the operator of a failed operation on the store's files or its index. */
export function storageError(action: string, where: string, cause: unknown): StoreError {
  if (cause instanceof StoreError) return cause;
  const code = codeOf(cause);
  const detail = textOf(cause);
  const facts = { action, where, cause: code };
  if (code === "ENOSPC" || code === "EDQUOT" || /no space left/i.test(detail)) {
    return new StoreError(
      "STORE_FULL",
      `no space left to ${action} ${where}: free space on this disk, then start again`,
      facts,
      cause,
    );
  }
  if (code === "LEVEL_LOCKED") {
    return new StoreError(
      "STORE_LOCKED",
      `${where} is in use by another process: stop it first`,
      facts,
      cause,
    );
  }
  if (code === "LEVEL_CORRUPTION" || /corruption/i.test(detail)) {
    return new StoreError(
      "STORE_CORRUPT",
      `${where} is damaged (${detail}): check the disk, then run \`validator reset\` and let the node sync again`,
      facts,
      cause,
    );
  }
  return new StoreError(
    "STORE_IO",
    `cannot ${action} ${where} (${detail}): check the disk and its mount, then start again`,
    facts,
    cause,
  );
}
