import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { runNightly } from "../nightly-run.ts";
import { isReached, type NightlyCampaign, TABLE, tableText } from "../nightly-table.ts";
import { readTotals, type Totals, totalsText } from "../nightly-totals.ts";

/** An npm project whose script `go` is this program; it finds the campaign's arguments in process.argv. */
function project(t: TestContext, program: string): string {
  const dir = mkdtempSync(join(tmpdir(), "quorate-nightly-test-"));
  t.after(() => rmSync(dir, { recursive: true }));
  writeFileSync(join(dir, "go.mjs"), program);
  writeFileSync(join(dir, "package.json"), JSON.stringify({ scripts: { go: "exec node go.mjs" } }));
  return dir;
}

async function night(t: TestContext, program: string, totals: Totals = {}, minutes = 0.001) {
  const campaign: NightlyCampaign = {
    ...{ name: "made-up", bars: "R00", unit: "things", target: 20, share: 1 },
    command: ({ seed }) => ["run", "-s", "go", "--", String(seed)],
  };
  const cwd = project(t, program);
  const kept: Totals[] = [];
  const result = await runNightly({
    ...{ table: [campaign], minutes, totals, logs: cwd, cwd, say: () => undefined },
    signal: new AbortController().signal,
    keep: (now) => kept.push(now),
  });
  return { ...result, totals: kept.at(-1)?.["made-up"], runs: kept.length };
}

const COUNTS = `
  const seed = Number(process.argv[2]);
  console.log("words before");
  console.log(JSON.stringify({ campaign: "made-up", unit: "things", count: 7, failed: 0, next_seed: seed + 3 }));
`;

test("a campaign goes on with the seed where the last night stopped, and its counts are added", async (t) => {
  const before = { unit: "things", count: 10, failed: 0, next_seed: 30, runs: 4, minutes: 2 };
  const { ok, totals, lines } = await night(t, COUNTS, { "made-up": before });
  assert.equal(ok, true);
  assert.deepEqual({ ...totals, minutes: 0 }, { ...before, count: 17, next_seed: 33, runs: 5, minutes: 0 });
  assert.match(lines[1]!, /7 things +0 +17 +20 +BELOW ITS TARGET/);
});

test("it runs again while its share lasts, and its target is told when it is reached", async (t) => {
  const { ok, totals, runs, lines } = await night(t, COUNTS, {}, 0.05);
  assert.equal(ok, true);
  assert.ok(runs >= 2);
  assert.equal(totals?.count, 7 * runs);
  assert.equal(totals?.next_seed, 3 * runs);
  if (runs >= 3) assert.match(lines[1]!, /reached/);
});

test("a failure ends the campaign, stays in the totals, and is the night's verdict", async (t) => {
  const { ok, totals, runs, lines } = await night(
    t,
    `console.log('{"count":5,"failed":2,"next_seed":9}'); process.exitCode = 1`,
    {},
    0.05,
  );
  assert.deepEqual([ok, totals?.failed, runs], [false, 2, 1]);
  assert.match(lines[1]!, /2 failed; see .*made-up-0\.log/);
});

test("a campaign that dies without a result has failed, and its output is kept", async (t) => {
  const { ok, totals, lines } = await night(t, `console.error("out of cheese"); process.exitCode = 3`);
  assert.deepEqual([ok, totals], [false, undefined]);
  assert.match(lines[1]!, /no result \(exit code 3/);
  const log = /see (\S+)/.exec(lines[1]!)?.[1];
  assert.match(readFileSync(log!, "utf8"), /out of cheese/);
});

test("an exit code that says failure is one, whatever the counts say", async (t) => {
  const { ok } = await night(t, `console.log('{"count":5,"failed":0,"next_seed":9}'); process.exitCode = 1`);
  assert.equal(ok, false);
});

test("what a campaign of crashes prints is what its row reads (they had grown apart, and nothing was counted)", async (t) => {
  const logs = mkdtempSync(join(tmpdir(), "quorate-nightly-test-"));
  t.after(() => rmSync(logs, { recursive: true }));
  const kept: Totals[] = [];
  const { ok } = await runNightly({
    ...{ table: TABLE.filter(({ name }) => name === "crash-disk"), minutes: 0.001, totals: {}, logs },
    ...{ cwd: join(import.meta.dirname, "..", ".."), signal: new AbortController().signal },
    ...{ say: () => undefined, keep: (now) => kept.push(now) },
  });
  assert.equal(ok, true);
  const total = kept.at(-1)?.["crash-disk"];
  assert.ok((total?.count ?? 0) > 30, JSON.stringify(total));
  assert.equal(total?.next_seed, 1);
});

test("an enumeration is whole when each of its parts ran", () => {
  const row = TABLE.find(({ name }) => name === "crash-wal")!;
  const total = { unit: "cases", count: 1_000_000, failed: 0, runs: 15, minutes: 1 };
  assert.equal(isReached(row, { ...total, next_seed: 15 }), false);
  assert.equal(isReached(row, { ...total, next_seed: 16 }), true);
});

test("totals are read back as they were written, and none are there at first", () => {
  const total = { unit: "things", count: 1, failed: 0, next_seed: 2, runs: 1, minutes: 0.5 };
  assert.deepEqual(
    readTotals(() => totalsText({ b: total, a: total })),
    { a: total, b: total },
  );
  const absent = (): string => {
    throw Object.assign(new Error("absent"), { code: "ENOENT" });
  };
  assert.deepEqual(readTotals(absent), {});
  assert.throws(() => readTotals(() => "{}"), /without campaigns/);
});

test("docs/evidence shows the table as it is", () => {
  const shown = readFileSync(join(import.meta.dirname, "..", "..", "docs", "evidence", "README.md"), "utf8");
  // As the formatter pads it.
  const unpadded = shown.replaceAll(/ +\|/g, " |").replaceAll(/-{3,}/g, "---");
  assert.ok(unpadded.includes(tableText(TABLE)), `docs/evidence/README.md should hold:\n${tableText(TABLE)}`);
});

test("every campaign of the table is a script of package.json, and its name is its own", () => {
  const { scripts } = JSON.parse(
    readFileSync(join(import.meta.dirname, "..", "..", "package.json"), "utf8"),
  ) as { readonly scripts: Readonly<Record<string, string>> };
  for (const { name, command } of TABLE) {
    const [run, silent, script = ""] = command({ seed: 1, minutes: 1 });
    assert.deepEqual([run, silent], ["run", "-s"], name);
    assert.ok(script in scripts, `${name} runs ${script}`);
  }
  assert.equal(new Set(TABLE.map(({ name }) => name)).size, TABLE.length);
});
