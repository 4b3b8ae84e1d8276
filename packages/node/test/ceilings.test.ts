import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { allocatedBytes, Counter, type Counts } from "./support/counted.ts";
import { Commits, makeNetwork, silent } from "./support/homes.ts";

/** Heights of a window, and how many of them: the least counts, so that a round that fails on a busy machine does not. */
const HEIGHTS = 10;
const WINDOWS = 4;

test("a height of four validators costs no more messages, bytes, signatures, syncs and allocations than ceilings.json allows", async (t) => {
  const ceilings = JSON.parse(
    await readFile(new URL("./ceilings.json", import.meta.url), "utf8"),
  ) as Readonly<Record<string, number>>;
  const network = await makeNetwork(4, 50);
  const counter = new Counter();
  const commits = network.configs.map(() => new Commits());
  const nodes = [];
  try {
    for (const [index, { voteTrace: _untraced, ...config }] of network.configs.entries()) {
      const modules = (commits[index] ?? new Commits()).modules(silent);
      nodes.push(counter.start({ ...config, rpcListen: "", metricsListen: "" }, modules));
    }
    await Promise.all(nodes);
    const all = (height: number): Promise<unknown> =>
      Promise.all(commits.map((each) => each.reached(height)));
    // Until every code path of a height has been compiled.
    await all(5);
    const windows: Record<string, number>[] = [];
    for (let window = 0; window < WINDOWS; window++) {
      const from = Math.max(...commits.map(({ height }) => height));
      await all(from);
      const before = counter.read();
      const allocated = await allocatedBytes(async () => void (await all(from + HEIGHTS)));
      windows.push({ ...perHeight(before, counter.read()), allocated_bytes: allocated / HEIGHTS });
    }
    const least = Object.fromEntries(
      Object.keys(windows[0] ?? {}).map((name) => [
        name,
        Math.min(...windows.map((each) => each[name] ?? Number.NaN)),
      ]),
    );
    t.diagnostic(`per height, four validators: ${JSON.stringify(least)}`);
    assert.deepEqual(Object.keys(least).sort(), Object.keys(ceilings).sort());
    for (const [name, ceiling] of Object.entries(ceilings)) {
      const count = least[name] ?? Number.NaN;
      assert.ok(count > 0 && count <= ceiling, `${name}: ${count} per height, at most ${ceiling}`);
    }
  } finally {
    counter.close();
    await Promise.all(
      (await Promise.allSettled(nodes)).map((each) =>
        each.status === "fulfilled" ? each.value.stop() : null,
      ),
    );
    await network.free();
  }
});

function perHeight(before: Counts, after: Counts): Record<string, number> {
  return Object.fromEntries(
    (Object.keys(before) as (keyof Counts)[]).map((name) => [name, (after[name] - before[name]) / HEIGHTS]),
  );
}
