/** A sixteenth of every state that a sign state's file can be left in, another one in each run. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { signstateCampaign } from "../signstate/campaign.ts";

const SEED = Number(process.env["QUORATE_SEED"] ?? Date.now() % 2 ** 31);

test("a sign state never goes back behind what was released, whatever the disk kept, rotted, or an operator imports", async (t) => {
  t.diagnostic(`QUORATE_SEED=${SEED}`);
  const report = await signstateCampaign({ all: false, seed: SEED, progress: (line) => t.diagnostic(line) });
  assert.deepEqual(report.violations, []);
  for (const outcome of [
    "loss of power: both slots whole",
    "loss of power: one slot lost",
    "import: refused",
    "cut: refused",
  ]) {
    assert.equal((report.counts[outcome] ?? 0) > 0, true, `no case with the outcome ${outcome}`);
  }
});
