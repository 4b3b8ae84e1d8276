import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { documentFiles } from "../report/document.ts";
import { lastResults } from "../report/write.ts";
import { type Comparison, linesOf, ours, ratio, shortfalls } from "../support/comparison.ts";
import { NODE_FLAGS, NODE_VARIABLES } from "../vs-cometbft/quorate.ts";

const DOCS = join(import.meta.dirname, "..", "..", "docs");

test("docs/performance.md and its plots are what bench/results say (npm run bench:report writes them)", async () => {
  const files = documentFiles(lastResults());
  for (const [name, content] of files) assert.equal(await readFile(join(DOCS, name), "utf8"), content, name);
  const plots = await readdir(join(DOCS, "performance")).catch(() => []);
  assert.deepEqual(
    plots.map((name) => `performance/${name}`).sort(),
    [...files.keys()].filter((name) => name.endsWith(".svg")).sort(),
  );
});

test("validators are measured with the flags and the variables that their command gives them", async () => {
  const script = await readFile(join(DOCS, "..", "packages", "cli", "bin", "validator"), "utf8");
  for (const flag of NODE_FLAGS) assert.ok(script.includes(`"$node" ${flag} `), flag);
  const exported = [...script.matchAll(/^ *export (\w+)=/gm)].map(([, name]) => name);
  assert.deepEqual(exported.sort(), Object.keys(NODE_VARIABLES).sort());
  assert.ok(script.includes(`MALLOC_ARENA_MAX:-${NODE_VARIABLES["MALLOC_ARENA_MAX"]}}`));
});

function comparison(mine: readonly number[], theirs: readonly number[]): Comparison {
  const samples = (list: readonly number[]) => list.map((height) => ({ height }));
  return {
    id: "X",
    title: "a figure",
    opponent: "another",
    full: false,
    on: { taken: "2026-01-01T00:00:00Z", commit: "0".repeat(40), dirty: false, machine: "m", node: "v" },
    rows: [{ metric: "height", unit: "ms", goals: [ours("at most", 5), ratio("below", 0.5)] }],
    ours: { samples: samples(mine), failures: [] },
    theirs: { samples: samples(theirs), failures: [] },
  };
}

test("a ratio is that of the medians, and each goal is judged by itself", () => {
  const [line] = linesOf(comparison([4, 9, 4.5], [10, 8, 100]));
  assert.equal(line?.ratio, 0.45);
  assert.deepEqual(
    line?.goals.map(({ met }) => met),
    [true, true],
  );
  assert.deepEqual(
    linesOf(comparison([4, 9, 6], [10, 8, 100]))[0]?.goals.map(({ met }) => met),
    [false, false],
  );
});

test("a figure that gave no sample meets no goal and is told", () => {
  const none = { ...comparison([], [10]), ours: { samples: [], failures: ["no time was left for it"] } };
  assert.deepEqual(shortfalls([none]), [
    "X height: none ms, goal ≤ 5 ms",
    "X height: none, goal < 0.5x",
    "X quorate: no time was left for it",
  ]);
});

test("a benchmark called with what it does not know says what there is, and ends with 2", () => {
  const call = (option: string) =>
    spawnSync(process.execPath, [
      "--conditions=quorate-source",
      join(import.meta.dirname, "..", "network.ts"),
      option,
    ]);
  const unknown = call("--no-such-option");
  assert.equal(unknown.status, 2);
  assert.match(
    unknown.stderr.toString(),
    /'--no-such-option'.*usage: npm run bench:network -- .*\[--heights 120\]/s,
  );
  const help = call("--help");
  assert.deepEqual([help.status, help.stderr.toString()], [0, ""]);
  assert.match(help.stdout.toString(), /^usage: npm run bench:network -- .*\[--json\]$/m);
});
