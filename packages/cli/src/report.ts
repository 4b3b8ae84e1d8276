import { existsSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Io } from "./command.ts";
import { ExitCode, type Failure, failureLine, reasonOf } from "./errors.ts";

/** Codes >= 3: the fixed line on stderr and `data/last-exit.json`; 1 and 2: one sentence. */
export function reportFailure(failure: Failure, home: string | null, io: Pick<Io, "err">): void {
  if (failure.exitCode === ExitCode.usage) {
    io.err(`${failure.what}: ${failure.do}\n`);
    return;
  }
  io.err(`${failureLine(failure)}\n`);
  if (home !== null && failure.exitCode >= 3) writeLastExit(home, failure, io);
}

/** Only where a home is: a mistyped --home must not leave a directory behind. */
function writeLastExit(home: string, failure: Failure, io: Pick<Io, "err">): void {
  const config = join(home, "config");
  if (!existsSync(config)) return;
  const file = join(home, "data", "last-exit.json");
  try {
    mkdirSync(join(home, "data"), { recursive: true, mode: 0o700 });
    const document = {
      time: new Date().toISOString(),
      code: failure.exitCode,
      what: failure.what,
      do: failure.do,
    };
    writeFileSync(`${file}.tmp`, `${JSON.stringify(document)}\n`);
    renameSync(`${file}.tmp`, file);
  } catch (error) {
    io.err(`${file} could not be written (${reasonOf(error)})\n`);
  }
}
