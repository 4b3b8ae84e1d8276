/**
 * `npm test`: lint, types, boundaries, then beside each other the tests of the whole network (a file at a time, so one
 * network at a time), those of single nodes, and at a lower priority every test of the packages: a network waits most of
 * its time, they use what it leaves. One closing summary by Node's own reporter, in which a failed check counts as a
 * failed test.
 * What the tests draw, they draw from QUORATE_SEED, 1 unless it is set: a tree has one verdict, and whoever sees a failure
 * sees it again. `QUORATE_SEED=random` takes another seed and prints it; exploring is what the nights are for.
 * `npm test -- FILE…` runs only those test files. A file that has not ended after QUORATE_TEST_FILE_TIMEOUT_MS (default
 * 20 minutes) is ended and counts as failed.
 */
import { spawn } from "node:child_process";
import { globSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { inspect } from "node:util";
import { interleave, type TestEvent } from "./test-interleave.ts";

const ROOT = join(import.meta.dirname, "..");
const BIN = join(ROOT, "node_modules", ".bin");
const TOTALS = /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) (\d+(?:\.\d+)?)$/;
const TEST_TIMEOUT_MS = 12 * 60_000;
const FILE_TIMEOUT_MS = Number(process.env["QUORATE_TEST_FILE_TIMEOUT_MS"] ?? 20 * 60_000);
/** In the order of Node's own summary. */
const SUMMARY = ["tests", "suites", "pass", "fail", "cancelled", "skipped", "todo"] as const;

const CHECKS: readonly (readonly [name: string, command: string, ...args: string[]])[] = [
  ["lint", join(BIN, "biome"), "ci", "."],
  ["types", join(BIN, "tsc"), "-b"],
  ["types of tests", join(BIN, "tsc"), "-p", "tsconfig.tests.json"],
  ["boundaries", process.execPath, "scripts/boundaries.ts"],
];

/**
 * Each test file is a process of its own that loads hundreds of modules: Node keeps their stripped and compiled form here
 * between files and runs, which halves what loading costs.
 */
process.env["NODE_COMPILE_CACHE"] ??= join(ROOT, "node_modules", ".cache", "node-compile");

process.env["QUORATE_SEED"] ??= "1";
if (process.env["QUORATE_SEED"] === "random") process.env["QUORATE_SEED"] = String(Date.now() % 2 ** 31);
process.stdout.write(`QUORATE_SEED=${process.env["QUORATE_SEED"]}\n`);

/** The child that a signal to this process must reach too. */
const children = new Set<{ kill(signal: NodeJS.Signals): boolean }>();
const stopping = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => {
    if (stopping.signal.aborted) return;
    stopping.abort();
    for (const child of children) child.kill("SIGTERM");
    process.exitCode = 128 + ({ SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const)[signal];
  });
}

function check(command: string, args: readonly string[]): Promise<boolean> {
  const child = spawn(command, args, { cwd: ROOT, stdio: ["ignore", "inherit", "inherit"] });
  children.add(child);
  return new Promise((resolve) => {
    child.on("error", (error) => {
      process.stdout.write(`${command} cannot be run: ${error.message}\n`);
      children.delete(child);
      resolve(false);
    });
    child.on("exit", (code) => {
      children.delete(child);
      resolve(code === 0);
    });
  });
}

interface Part {
  readonly files: readonly string[];
  readonly concurrency: number;
  /** How far its processes step back behind others, 0 to 19. */
  readonly niceness: number;
}

const totals = new Map<string, number>(SUMMARY.map((name) => [name, 0]));
function add(name: string, value: number): void {
  totals.set(name, (totals.get(name) ?? 0) + value);
}

/** Runs the files of one part; their totals are added up instead of told. */
async function* eventsOf({ files, concurrency, niceness }: Part): AsyncGenerator<TestEvent> {
  if (files.length === 0 || stopping.signal.aborted) return;
  const preload = new URL("./test-process.ts", import.meta.url);
  preload.searchParams.set("ms", String(FILE_TIMEOUT_MS));
  preload.searchParams.set("nice", String(niceness));
  try {
    const stream = run({
      files: [...files],
      concurrency,
      cwd: ROOT,
      timeout: TEST_TIMEOUT_MS,
      signal: stopping.signal,
      execArgv: [...process.execArgv, `--import=${preload.href}`],
    });
    for await (const event of stream as AsyncIterable<TestEvent>) {
      const total = event.type === "test:diagnostic" ? totalOf(event.data) : null;
      if (total === null) yield event;
      else if (total.name !== "duration_ms") add(total.name, total.value);
      const ended = event.type === "test:fail" ? endOf(event.data) : null;
      if (ended !== null) yield { type: "test:stderr", data: { message: `${ended}\n` } };
    }
  } catch (error) {
    add("fail", 1);
    yield {
      type: "test:stderr",
      data: { file: files[0], message: `the test runner failed: ${inspect(error)}\n` },
    };
  }
}

/** Runs the parts beside each other, with one summary, which ends the output whatever happens. */
async function* everything(plan: readonly Part[]): AsyncGenerator<TestEvent> {
  const started = performance.now();
  yield* interleave(plan.map(eventsOf));
  const failed = (totals.get("fail") ?? 0) + (totals.get("cancelled") ?? 0) + failedChecks.length;
  if (failed > 0 || totals.get("pass") === 0) process.exitCode ||= 1;
  add("tests", failedChecks.length);
  add("fail", failedChecks.length);
  for (const name of failedChecks)
    yield { type: "test:stdout", data: { file: "", message: `✖ ${name} failed: see above\n` } };
  totals.set("duration_ms", performance.now() - started);
  for (const [name, value] of totals) {
    yield { type: "test:diagnostic", data: { nesting: 0, message: `${name} ${value}`, level: "info" } };
  }
}

/** How the process of a failed file ended, where that is what failed; Node's reporter only says "test failed". */
function endOf(data: unknown): string | null {
  const { name, details } = data as { name: string; details?: { error?: object } };
  const { exitCode, signal } = (details?.error ?? {}) as { exitCode?: number | null; signal?: string | null };
  if (exitCode === undefined && signal === undefined) return null;
  const how = signal == null ? `with exit code ${exitCode}` : `by ${signal}`;
  return `${name}: its process ended ${how}; run it alone with \`npm test -- ${name}\``;
}

function totalOf(data: unknown): { name: string; value: number } | null {
  if (typeof data !== "object" || data === null) return null;
  const { nesting, message, file } = data as { nesting?: unknown; message?: unknown; file?: unknown };
  if (nesting !== 0 || typeof message !== "string" || file !== undefined) return null;
  const match = TOTALS.exec(message);
  return match === null ? null : { name: match[1] ?? "", value: Number(match[2]) };
}

const chosen = process.argv.slice(2);
const failedChecks: string[] = [];
if (chosen.length === 0) {
  for (const [name, command, ...args] of CHECKS) {
    if (stopping.signal.aborted) break;
    const started = performance.now();
    const ok = await check(command, args);
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    process.stdout.write(`${ok ? "✔" : "✖"} ${name} (${seconds} s)\n`);
    if (!ok) failedChecks.push(name);
  }
}
const glob = (pattern: string): string[] => globSync(pattern, { cwd: ROOT }).sort();
/** They start one node at a time. */
const singles = glob("testnet/test/{failstop,refusals}.test.ts");
/** The one that needs Geth comes last: where it has to be built, tests of the packages have begun to. */
const networks = glob("testnet/test/**/*.test.ts")
  .filter((file) => !singles.includes(file))
  .sort((a, b) => Number(a.includes("geth")) - Number(b.includes("geth")));
const plan: readonly Part[] =
  chosen.length > 0
    ? [{ files: chosen, concurrency: 1, niceness: 0 }]
    : [
        { files: networks, concurrency: 1, niceness: 0 },
        { files: singles, concurrency: 1, niceness: 0 },
        {
          files: [
            ...glob("packages/*/test/**/*.test.ts"),
            ...glob("{bench,campaigns,conformance,fuzz,mutants,simulator,specs}/test/**/*.test.ts"),
            ...glob("scripts/test/**/*.test.ts"),
          ],
          concurrency: availableParallelism(),
          niceness: 10,
        },
      ];
await pipeline(Readable.from(everything(plan)), new spec(), process.stdout, { end: false });
