/** A sixteenth of every failing step of the disk, another one in each run. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { diskCampaign } from "../disk/campaign.ts";

const SEED = Number(process.env["QUORATE_SEED"] ?? Date.now() % 2 ** 31);

test("whichever step of the disk fails, the node ends with 6 within a second, sends nothing more, and can be started again", async (t) => {
  t.diagnostic(`QUORATE_SEED=${SEED}`);
  const report = await diskCampaign({ all: false, seed: SEED, progress: (line) => t.diagnostic(line) });
  assert.deepEqual(report.violations, []);
  assert.equal((report.counts["ended"] ?? 0) > 0, true);
});
