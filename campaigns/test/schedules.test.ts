/** Some hundreds of schedules, others in each run. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { schedulesCampaign } from "../schedules/campaign.ts";

const SEED = Number(process.env["QUORATE_SEED"] ?? Date.now() % 2 ** 31);

test("whatever the order of answers, only what was asked for is signed, at the height and round it was asked for", async (t) => {
  t.diagnostic(`QUORATE_SEED=${SEED}`);
  const report = await schedulesCampaign({ all: false, seed: SEED, progress: (line) => t.diagnostic(line) });
  assert.deepEqual(report.violations, []);
  for (const what of ["votes sent", "proposals sent", "heights decided"]) {
    assert.equal((report.counts[what] ?? 0) > 0, true, `${what}: none`);
  }
});
