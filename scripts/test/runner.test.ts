import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";

const RUNNER = join(import.meta.dirname, "..", "test.ts");
const SUMMARY = ["tests", "suites", "pass", "fail", "cancelled", "skipped", "todo", "duration_ms"];

/** Runs `npm test -- FILE…` over test files with these bodies. */
function runFiles(context: TestContext, bodies: Readonly<Record<string, string>>, timeoutMs?: number) {
  const directory = mkdtempSync(join(tmpdir(), "quorate-runner-"));
  context.after(() => rmSync(directory, { recursive: true, force: true }));
  const files = Object.entries(bodies).map(([name, body]) => {
    const file = join(directory, `${name}.test.mjs`);
    writeFileSync(file, `import { test } from "node:test";\n${body}\n`);
    return file;
  });
  // Without the mark of this run, which would keep the inner runner from running anything.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const limit = timeoutMs === undefined ? {} : { QUORATE_TEST_FILE_TIMEOUT_MS: String(timeoutMs) };
  const { status, stdout } = spawnSync(process.execPath, ["--conditions=quorate-source", RUNNER, ...files], {
    env: { ...env, ...limit },
    encoding: "utf8",
  });
  const lines = stdout.trimEnd().split("\n");
  const summary = new Map(
    lines.slice(-SUMMARY.length).map((line) => {
      const [, name = line, value = ""] = /^ℹ (\w+) ([\d.]+)$/.exec(line) ?? [];
      return [name, Number(value)];
    }),
  );
  assert.deepEqual([...summary.keys()], SUMMARY, stdout);
  return { status, stdout, count: (name: string): number | undefined => summary.get(name) };
}

test("a run without a failure exits 0 and closes with Node's summary", (context) => {
  const { status, count } = runFiles(context, { good: 'test("holds", () => {});' });
  assert.equal(status, 0);
  assert.equal(count("pass"), 1);
  assert.equal(count("fail"), 0);
});

test("a failing file shows what it wrote, its error, and how its process ended; the summary still comes last", (context) => {
  const { status, stdout, count } = runFiles(context, {
    throws: 'test("breaks", () => { console.error("seen on stderr"); throw new Error("the reason"); });',
    exits: 'test("leaves", () => { process.exit(9); });',
    crashes: 'throw new Error("broken at load");',
    good: 'test("holds", () => {});',
  });
  assert.equal(status, 1);
  for (const expected of [/seen on stderr/, /the reason/, /exit code 9/, /broken at load/]) {
    assert.match(stdout, expected);
  }
  assert.equal(count("pass"), 1);
  assert.equal(count("fail"), 3);
});

test("properties draw from the run's seed, so that a tree has one verdict", (context) => {
  const { QUORATE_SEED: seed } = process.env;
  const { status, stdout } = runFiles(context, {
    seeded: `import fc from ${JSON.stringify(import.meta.resolve("fast-check"))};
      test("draws", () => console.error("seed", process.env.QUORATE_SEED, fc.readConfigureGlobal().seed));`,
  });
  assert.equal(status, 0);
  assert.match(stdout, new RegExp(`seed ${seed ?? 1} ${seed ?? 1}$`, "m"));
});

test("a file that something keeps alive, or that never yields, is ended and counts as failed", (context) => {
  const { status, stdout, count } = runFiles(
    context,
    {
      open: 'test("holds", () => {}); setInterval(() => {}, 1000);',
      spins: 'process.on("SIGTERM", () => {}); test("spins", () => { for (;;); });',
    },
    1500,
  );
  assert.equal(status, 1);
  assert.match(stdout, /open\.test\.mjs did not end within 1500 ms; still open: .*Timeout/);
  assert.match(stdout, /spins\.test\.mjs: its process ended by SIGKILL/);
  assert.equal(count("fail"), 2);
});
