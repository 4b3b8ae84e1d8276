/** Exit codes of every command (docs/operator.md says what to do for each). */
export const ExitCode = {
  ok: 0,
  bug: 1,
  usage: 2,
  config: 3,
  inUse: 4,
  signState: 5,
  durability: 6,
  safety: 7,
  upgrade: 8,
  unreachable: 9,
  unmet: 10,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** A user's mistake or a refused request: what happened and where, and what to do. Never shown with a stack. */
export class CliError extends Error {
  override readonly name = "CliError";
  readonly exitCode: number;
  readonly what: string;
  readonly do: string;

  constructor(exitCode: number, what: string, action: string) {
    super(`${what}: ${action}`);
    this.exitCode = exitCode;
    this.what = what;
    this.do = action;
  }
}

export interface Failure {
  readonly exitCode: number;
  readonly what: string;
  readonly do: string;
}

/** Errors of the packages below, by name and code: which exit code they mean, and what to do. */
const KNOWN: Readonly<Record<string, readonly [exitCode: number, action: string]>> = {
  "PrivvalError/KEY_MISSING": [ExitCode.config, "run `validator init`, or restore the key"],
  "PrivvalError/KEY_MODE": [ExitCode.config, "chmod 600 the file"],
  "PrivvalError/KEY_INVALID": [ExitCode.config, "restore the key file from its backup"],
  "PrivvalError/KEY_EXISTS": [ExitCode.config, "use another --home, or move the key away yourself"],
  "PrivvalError/SIGN_STATE_MISSING": [ExitCode.signState, "see `validator key state --help`"],
  "PrivvalError/SIGN_STATE_DAMAGED": [ExitCode.signState, "see `validator key state --help`"],
  "PrivvalError/SIGN_STATE_FOREIGN": [ExitCode.signState, "restore the right key and sign state together"],
  "PrivvalError/SIGN_STATE_EXISTS": [ExitCode.signState, "see `validator key state --help`"],
  "PrivvalError/SIGN_STATE_IO": [ExitCode.durability, "repair the disk"],
  "PrivvalError/SIGN_STATE_FULL": [ExitCode.durability, "free space on the disk"],
  "PrivvalError/IMPORT_INVALID": [ExitCode.config, "export the state again"],
  "PrivvalError/IMPORT_LOWER": [ExitCode.signState, "an import only raises; nothing was changed"],
  "StoreError/HOME_LOCKED": [ExitCode.inUse, "one home, one node: stop the other one, or use another --home"],
  "StoreError/STORE_LOCKED": [ExitCode.inUse, "stop the node that uses this home"],
  "StoreError/STORE_CORRUPT": [
    ExitCode.config,
    "`validator reset` removes the blocks (keys and sign state stay)",
  ],
  "StoreError/STORE_IO": [ExitCode.durability, "repair the disk"],
  "StoreError/STORE_FULL": [ExitCode.durability, "free space on the disk"],
  "DevnetElError/GENESIS": [ExitCode.config, "correct the EL genesis"],
};

/**
 * Any thrown value as an exit code with its two sentences. Errors of the packages below carry `what` and `do`; anything
 * else is a bug of ours (code 1).
 */
export function failureOf(error: unknown): Failure {
  if (
    typeof error === "object" &&
    error !== null &&
    "exitCode" in error &&
    "what" in error &&
    "do" in error
  ) {
    const { exitCode, what, do: action } = error;
    if (typeof exitCode === "number" && typeof what === "string" && typeof action === "string") {
      return { exitCode, what, do: action };
    }
  }
  if (error instanceof Error) {
    const known = KNOWN[`${error.name}/${errorCode(error)}`];
    if (known !== undefined) return { exitCode: known[0], what: error.message, do: known[1] };
    const system = systemFailure(error);
    if (system !== null) return system;
  }
  return {
    exitCode: ExitCode.bug,
    what: error instanceof Error ? `${error.name}: ${error.message}` : String(error),
    do: "this is a bug of validator: report it with the stack that --log-level debug shows",
  };
}

/** A refusal of the operating system is the operator's to lift, not a bug. */
function systemFailure(error: Error): Failure | null {
  switch (errorCode(error)) {
    case "ENOSPC":
    case "EDQUOT":
      return { exitCode: ExitCode.durability, what: error.message, do: "free space on the disk" };
    case "EIO":
    case "EROFS":
      return {
        exitCode: ExitCode.durability,
        what: error.message,
        do: "repair the disk, or choose another --home",
      };
    case "EACCES":
    case "EPERM":
    case "ENOTDIR":
    case "EISDIR":
      return {
        exitCode: ExitCode.config,
        what: error.message,
        do: "check the path, its owner and permissions",
      };
    case "EADDRINUSE":
      return {
        exitCode: ExitCode.inUse,
        what: error.message,
        do: "stop what uses the port, or choose another",
      };
    default:
      return null;
  }
}

/** `error code=… what=… do=…`: one line, values quoted as JSON. */
export function failureLine(failure: Failure): string {
  return `error code=${failure.exitCode} what=${JSON.stringify(failure.what)} do=${JSON.stringify(failure.do)}`;
}

export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Code of a file-system error, e.g. ENOENT. */
export function errorCode(error: unknown): string | null {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : null;
}
