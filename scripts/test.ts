/**
 * `npm test`: lint, types, boundaries, then every test of the packages (in parallel) and of the whole network (one file
 * at a time), with one closing summary by Node's own reporter. `npm test -- FILE…` runs only those test files.
 */
import { spawn } from "node:child_process";
import { globSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { run } from "node:test";
import { spec } from "node:test/reporters";

const ROOT = join(import.meta.dirname, "..");
const BIN = join(ROOT, "node_modules", ".bin");
const TOTALS = /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) (\d+(?:\.\d+)?)$/;
const FILE_TIMEOUT_MS = 12 * 60_000;

const CHECKS: readonly (readonly [name: string, command: string, ...args: string[]])[] = [
  ["lint", join(BIN, "biome"), "ci", "."],
  ["types", join(BIN, "tsc"), "-b"],
  ["types of tests", join(BIN, "tsc"), "-p", "tsconfig.tests.json"],
  ["boundaries", process.execPath, "scripts/boundaries.ts"],
];

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
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code) => {
      children.delete(child);
      resolve(code === 0);
    });
  });
}

type Event = { readonly type: string; readonly data: unknown };

/** Runs the phases one after the other and adds up their totals into one summary. */
async function* phases(plan: readonly { files: string[]; concurrency: number }[]): AsyncGenerator<Event> {
  const totals = new Map<string, number>();
  for (const { files, concurrency } of plan) {
    if (files.length === 0 || stopping.signal.aborted) continue;
    const stream = run({ files, concurrency, cwd: ROOT, timeout: FILE_TIMEOUT_MS, signal: stopping.signal });
    for await (const event of stream as AsyncIterable<Event>) {
      const total = event.type === "test:diagnostic" ? totalOf(event.data) : null;
      if (total !== null) totals.set(total.name, (totals.get(total.name) ?? 0) + total.value);
      else yield event;
    }
  }
  for (const [name, value] of totals) {
    yield { type: "test:diagnostic", data: { nesting: 0, message: `${name} ${value}`, level: "info" } };
  }
  const failed = (totals.get("fail") ?? 0) + (totals.get("cancelled") ?? 0);
  if (failed > 0 || !totals.has("pass")) process.exitCode ||= 1;
}

function totalOf(data: unknown): { name: string; value: number } | null {
  if (typeof data !== "object" || data === null) return null;
  const { nesting, message, file } = data as { nesting?: unknown; message?: unknown; file?: unknown };
  if (nesting !== 0 || typeof message !== "string" || file !== undefined) return null;
  const match = TOTALS.exec(message);
  return match === null ? null : { name: match[1] ?? "", value: Number(match[2]) };
}

const chosen = process.argv.slice(2);
let sound = true;
if (chosen.length === 0) {
  for (const [name, command, ...args] of CHECKS) {
    if (stopping.signal.aborted) break;
    const started = performance.now();
    const ok = await check(command, args);
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    process.stdout.write(`${ok ? "✔" : "✖"} ${name} (${seconds} s)\n`);
    sound &&= ok;
  }
}
if (!sound) {
  process.stdout.write("✖ the tests were not run: repair what is listed above first\n");
  process.exitCode ||= 1;
} else {
  const glob = (pattern: string): string[] => globSync(pattern, { cwd: ROOT }).sort();
  const plan =
    chosen.length > 0
      ? [{ files: chosen, concurrency: 1 }]
      : [
          {
            files: [...glob("packages/*/test/**/*.test.ts"), ...glob("scripts/test/**/*.test.ts")],
            concurrency: availableParallelism(),
          },
          { files: glob("testnet/test/**/*.test.ts"), concurrency: 1 },
        ];
  Readable.from(phases(plan)).compose(new spec()).pipe(process.stdout);
}
