/**
 * `KEY_MISSING`, `KEY_MODE`, `KEY_INVALID`, `KEY_EXISTS`: the key file. `SIGN_STATE_MISSING`, `SIGN_STATE_DAMAGED`,
 * `SIGN_STATE_FOREIGN`, `SIGN_STATE_EXISTS`: the sign state beside it; signing is refused. `SIGN_STATE_IO`,
 * `SIGN_STATE_FULL`: it could not be made durable; nothing is ever signed again. `IMPORT_INVALID`, `IMPORT_LOWER`: a
 * state that was to be imported. `CLOSED`: use after close.
 */
export type PrivvalErrorCode =
  | "KEY_MISSING"
  | "KEY_MODE"
  | "KEY_INVALID"
  | "KEY_EXISTS"
  | "SIGN_STATE_MISSING"
  | "SIGN_STATE_DAMAGED"
  | "SIGN_STATE_FOREIGN"
  | "SIGN_STATE_EXISTS"
  | "SIGN_STATE_IO"
  | "SIGN_STATE_FULL"
  | "IMPORT_INVALID"
  | "IMPORT_LOWER"
  | "CLOSED";

/** The one error of this package. Facts and messages never hold key material. */
export class PrivvalError extends Error {
  readonly code: PrivvalErrorCode;
  readonly facts: Readonly<Record<string, unknown>>;

  constructor(
    code: PrivvalErrorCode,
    message: string,
    facts: Readonly<Record<string, unknown>> = {},
    cause?: unknown,
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "PrivvalError";
    this.code = code;
    this.facts = facts;
  }
}

/** Errno of a failed file operation, or `undefined`. */
export function errnoOf(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

/** The error for the operator of a failed read or write of the sign state. */
export function stateError(action: string, file: string, cause: unknown): PrivvalError {
  const errno = errnoOf(cause);
  const detail = cause instanceof Error ? cause.message : String(cause);
  const full = errno === "ENOSPC" || errno === "EDQUOT";
  return new PrivvalError(
    full ? "SIGN_STATE_FULL" : "SIGN_STATE_IO",
    full
      ? `no space left to ${action} the sign state ${file}: free space on this disk, then start again`
      : `cannot ${action} the sign state ${file} (${detail}): check the disk and its mount, then start again`,
    { file, action, errno },
    cause,
  );
}
