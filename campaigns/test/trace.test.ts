/** Real processes for some heights: nothing leaves before it is on disk. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { traceCampaign } from "../trace/campaign.ts";

test("every signature that leaves a process was synced before, with the log up to its cause and the body of its block", async (t) => {
  const report = await traceCampaign({ all: false, seed: 0, progress: (line) => t.diagnostic(line) });
  assert.deepEqual(report.violations, []);
  const { counts, cases } = report;
  for (const what of ["proposals", "prevotes", "precommits"]) {
    assert.equal((counts[what] ?? 0) > 0, true, `no ${what} were seen going out`);
  }
  assert.equal(
    cases >= 0.8 * (counts["signatures synced"] ?? 0),
    true,
    "most of what was signed was seen going out",
  );
});
