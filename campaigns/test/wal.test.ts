/** A sixteenth of every flipped bit and every cut of a real log, another one in each run. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { walCampaign } from "../wal/campaign.ts";

const SEED = Number(process.env["QUORATE_SEED"] ?? Date.now() % 2 ** 31);

test("every flipped bit and every cut of a log is told as what it is, and the node that starts on it signs nothing wrong", async (t) => {
  t.diagnostic(`QUORATE_SEED=${SEED}`);
  const report = await walCampaign({ all: false, seed: SEED, progress: (line) => t.diagnostic(line) });
  assert.deepEqual(report.violations, []);
  const { counts } = report;
  assert.equal((counts["log bytes in records"] ?? 0) >= 64 * 1024, true);
  for (const kind of [
    "flips clean",
    "flips torn",
    "flips damaged",
    "cuts clean",
    "cuts torn",
    "cuts damaged",
  ]) {
    assert.equal((counts[kind] ?? 0) > 0, true, `no case was ${kind}`);
  }
  for (const kind of ["clean", "torn", "damaged"]) {
    assert.equal((counts[`restarts ${kind}`] ?? 0) > 0, true, `no restart on a ${kind} log`);
  }
});
