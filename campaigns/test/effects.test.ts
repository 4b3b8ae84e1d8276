/** A sixteenth of every crash behind every effect, another one in each run. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { effectsCampaign } from "../effects/campaign.ts";

const SEED = Number(process.env["QUORATE_SEED"] ?? Date.now() % 2 ** 31);

test("a crash behind any effect, whatever the disk kept: the node contradicts nothing it sent, and decides with its peers", async (t) => {
  t.diagnostic(`QUORATE_SEED=${SEED}`);
  const report = await effectsCampaign({ all: false, seed: SEED, progress: (line) => t.diagnostic(line) });
  assert.deepEqual(report.violations, []);
  const { counts } = report;
  assert.equal((counts["effects of the node"] ?? 0) > 1000, true);
  for (const found of ["clean, resumed", "clean, fresh", "torn, resumed"]) {
    assert.equal((counts[`found log ${found}`] ?? 0) > 0, true, `no start found the log ${found}`);
  }
});
