import { enableCompileCache } from "node:module";
import type { DevnetEl } from "./devnet.ts";
import { DevnetElError, reasonOf } from "./errors.ts";
import { readInputs } from "./inputs.ts";
import { createLog } from "./log.ts";
import { parseOptions, USAGE } from "./options.ts";

/** Milliseconds that a graceful stop may take. */
const STOP_TIMEOUT_MS = 8_000;

function fail(thrown: unknown): never {
  const error =
    thrown instanceof DevnetElError
      ? thrown
      : new DevnetElError(
          "INTERNAL",
          thrown instanceof Error ? (thrown.stack ?? thrown.message) : reasonOf(thrown),
        );
  process.stderr.write(`error code=${error.code} ${error.message}\n`);
  process.exit(error.exitCode);
}

async function main(): Promise<void> {
  const options = parseOptions(process.argv.slice(2));
  if (options === undefined) {
    process.stdout.write(USAGE);
    return;
  }
  const inputs = readInputs(options);
  const log = createLog(options.logFormat, process.stderr);
  log(
    "warn",
    "this execution client is for development and test networks only; use Geth where value is at stake",
  );
  let running: DevnetEl | undefined;
  let stopping = false;
  const stop = (reason: string): void => {
    if (stopping) return;
    stopping = true;
    log("info", "stopping", { reason });
    setTimeout(() => process.exit(0), STOP_TIMEOUT_MS).unref();
    const closed = running === undefined ? Promise.resolve() : running.close();
    closed.then(() => process.exit(0), fail);
  };
  process.on("SIGTERM", () => stop("SIGTERM"));
  process.on("SIGINT", () => stop("SIGINT"));
  process.on("uncaughtException", fail);
  process.on("unhandledRejection", fail);
  if (options.exitWithParent) {
    process.stdin.on("end", () => stop("parent is gone"));
    process.stdin.on("error", () => stop("parent is gone"));
    process.stdin.resume();
  }
  // The EVM is loaded only when the flags and files are right, and compiled only once per machine.
  enableCompileCache();
  const { startDevnetEl } = await import("./devnet.ts");
  running = await startDevnetEl(options, inputs, log, fail);
  process.stdout.write(
    `${JSON.stringify({ event: "ready", http: running.httpUrl, engine: running.engineUrl, pid: process.pid })}\n`,
  );
}

main().catch(fail);
