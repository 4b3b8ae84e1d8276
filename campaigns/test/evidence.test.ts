/** A sixty-fourth of the losses of power around a conviction, another one in each run. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { evidenceCases, judgeEvidenceCase, judgeOutcome } from "../evidence/campaign.ts";
import { judgeFloodCase } from "../evidence/flood.ts";
import { Tally } from "../support/report.ts";

const SEED = Number(process.env["QUORATE_SEED"] ?? Date.now() % 2 ** 31);
const PART = 64;

test("a double vote is convicted by exactly one block, wherever honest nodes lose their power and whatever their disks kept", async (t) => {
  t.diagnostic(`QUORATE_SEED=${SEED}`);
  const tally = new Tally();
  for (const [index, each] of [...evidenceCases()].entries())
    if (index % PART === SEED % PART) await judgeEvidenceCase(each, index, tally);
  const { violations, counts } = tally.report("evidence", ["R37"], {
    ...{ all: false, seed: SEED, progress: () => undefined },
  });
  assert.deepEqual(violations, []);
  assert.ok((counts["convictions 1"] ?? 0) >= 20, JSON.stringify(counts));
  assert.ok((counts["power lost at send"] ?? 0) > 0, JSON.stringify(counts));
});

test("regression: votes that were lost with the power of all who heard them convict nobody, and are no violation", () => {
  for (const [duplicateVotes, convictions, held] of [
    [0, 0, true],
    [1, 1, true],
    [1, 0, false],
    [1, 2, false],
  ] as const) {
    const tally = new Tally();
    judgeOutcome({ verdict: "ok", violations: [], witness: { duplicateVotes, convictions } }, "here", tally);
    const { violated, counts } = tally.report("evidence", ["R37"], {
      ...{ all: false, seed: 0, progress: () => undefined },
    });
    assert.equal(violated === 0, held, `${duplicateVotes} caught, ${convictions} convictions`);
    assert.equal(counts["nobody ever held both votes"] ?? 0, duplicateVotes === 0 ? 1 : 0);
  }
});

test("a thousand made-up items a second cost one signature each, and whoever signs twice meanwhile is convicted", async () => {
  const tally = new Tally();
  for (const [index, forgery] of (["both", "first"] as const).entries())
    await judgeFloodCase({ forgery, heights: 8, seed: 1 + ((SEED + index) % 1000) }, index, tally);
  const { violations, counts } = tally.report("evidence", ["R37"], {
    ...{ all: false, seed: SEED, progress: () => undefined },
  });
  assert.deepEqual(violations, []);
  assert.ok((counts["flood: nobody ever held both votes"] ?? 0) < 2, JSON.stringify(counts));
  for (const forgery of ["both", "first"]) {
    const items = counts[`flood: items with ${forgery} forged`] ?? 0;
    const looks = counts[`flood: signatures of those verified, ${forgery}`] ?? 0;
    assert.ok(items >= 2_000 && looks >= items / 2 && looks <= items, JSON.stringify(counts));
  }
});
