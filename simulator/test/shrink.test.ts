/** A run that fails in truth: more liars than the protocol bears. It is named, and made smaller before it is shown. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Plan } from "../src/faults/draw.ts";
import type { Fault } from "../src/faults/fault.ts";
import { type RunOptions, runSeed } from "../src/run.ts";
import { shrink } from "../src/shrink.ts";
import { quiet } from "./support.ts";

/** What keeps the honest two apart, and faults that have nothing to do with it. */
const FAULTS: readonly Fault[] = [
  { id: 3, atMs: 50, forMs: 60_000, kind: "cut", from: 0, to: 1 },
  { id: 4, atMs: 51, forMs: 60_000, kind: "cut", from: 1, to: 0 },
  { id: 0, atMs: 60, forMs: 20, kind: "pause", node: 0 },
  { id: 1, atMs: 90, forMs: 50, kind: "slow-disk", node: 1, times: 5 },
  { id: 2, atMs: 120, forMs: 50, kind: "slow-link", from: 0, to: 1, times: 5 },
];

/** Half of the validators show each honest one another face. */
const plan = (drawn: Plan): Plan => ({
  ...quiet(FAULTS)(drawn),
  byzantine:
    drawn.validators < 4
      ? null
      : {
          nodes: [2, 3],
          behaviours: ["two-faces"],
          often: 1,
        },
});

describe("a swarm with more liars than a third", () => {
  const options: RunOptions = { seed: 2, validators: 4, heights: 40, plan };

  it("breaks agreement, and the smaller run that is shown breaks it without bystanders", async () => {
    const failed = await runSeed(options);
    assert.equal(failed.verdict, "violation");
    assert.equal(failed.violations[0]?.law, "agreement", JSON.stringify(failed.violations));
    const small = await shrink(options, failed);
    assert.equal(small.result.violations[0]?.law, "agreement");
    assert.ok(small.result.heights < failed.heights, `${small.result.heights} heights`);
    assert.ok(small.result.faults.length < failed.faults.length, small.result.faults.join());
    assert.match(small.result.faults.join(), /byzantine \{2,3\}/);
    const again = await runSeed(small.options);
    assert.deepEqual(again.violations, small.result.violations);
  });
});
