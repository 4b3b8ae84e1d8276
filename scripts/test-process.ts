/**
 * Preloaded into every test file's process (`--import …/test-process.ts?ms=N&nice=P`): gives it the niceness P, and ends it
 * when it has not ended by itself after N ms, because Node's runner waits for ever for a file that something keeps alive.
 * The timer asks first and says what is open; a thread of its own kills a process whose event loop no longer turns.
 * Properties draw from QUORATE_SEED, as everything else in the tests does.
 */
import { getPriority, setPriority } from "node:os";
import { isMainThread, Worker, workerData } from "node:worker_threads";

/** ms that a process gets to end after it was told to. */
const GRACE_MS = 2000;

if (isMainThread) {
  // What a test starts with its own arguments is not a test file.
  const own = process.execArgv.findIndex((argument) => argument.endsWith(import.meta.url));
  if (own >= 0) process.execArgv.splice(own, 1);
  const { searchParams } = new URL(import.meta.url);
  const limit = Number(searchParams.get("ms"));
  // What the test starts inherits it. Nothing to lower when the whole run was started with a lower one.
  if (Number(searchParams.get("nice")) > getPriority()) setPriority(Number(searchParams.get("nice")));
  const seed = Number(process.env["QUORATE_SEED"] ?? Number.NaN);
  if (Number.isSafeInteger(seed)) (await import("fast-check")).configureGlobal({ seed });
  const file = process.argv[1] ?? "the test file";
  const timer = setTimeout(() => {
    const open = process.getActiveResourcesInfo().join(", ");
    process.stderr.write(`${file} did not end within ${limit} ms; still open: ${open}\n`, () =>
      process.exit(1),
    );
  }, limit);
  timer.unref();
  new Worker(new URL(import.meta.url), {
    workerData: { watchdog: limit + GRACE_MS },
    execArgv: [],
  }).unref();
} else {
  const after = (workerData as { watchdog?: unknown } | null)?.watchdog;
  // Threads that the tests themselves start inherit the preload, but are not this one.
  if (typeof after === "number") setTimeout(() => process.kill(process.pid, "SIGKILL"), after);
}
