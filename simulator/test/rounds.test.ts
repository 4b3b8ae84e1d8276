/** Faults that strike at a moment of the algorithm: locks that one validator has alone, and what becomes of them. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { drawPlan } from "../src/faults/draw.ts";
import type { Fault } from "../src/faults/fault.ts";
import { LOCK_STORIES, type LockStory, type RoundFault, roundsOf } from "../src/faults/rounds.ts";
import { runSeed, type SimResult } from "../src/run.ts";
import { quiet } from "./support.ts";

function lockings(story: LockStory, nodes: number): Fault[] {
  return Array.from({ length: nodes }, (_, id) => ({
    id,
    atMs: 100 + 10 * id,
    forMs: 30_000,
    kind: "lock-alone",
    order: Array.from({ length: nodes }, (_, i) => (id + i) % nodes),
    story,
  }));
}

const runs = new Map<string, Promise<SimResult>>();

function runOf(story: LockStory, validators: number): Promise<SimResult> {
  const key = `${story} ${validators}`;
  const known = runs.get(key);
  if (known !== undefined) return known;
  const run = runSeed({ seed: 1, validators, heights: 60, plan: quiet(lockings(story, validators)) });
  runs.set(key, run);
  return run;
}

describe("a lock that one validator has alone", () => {
  for (const validators of [4, 7]) {
    it(`is proposed again and taken over, among ${validators}`, async () => {
      const { verdict, witness } = await runOf("kept", validators);
      assert.equal(verdict, "ok");
      assert.ok(witness.hiddenLocks >= 2, `${witness.hiddenLocks} hidden locks`);
      assert.ok(witness.lines["L16 propose valid value again"] >= 2);
      assert.ok(witness.lines["L28-30 prevote with polka"] >= 2);
    });

    it(`moves to the block that the others decide, among ${validators}`, async () => {
      const { verdict, witness } = await runOf("moved", validators);
      assert.equal(verdict, "ok");
      assert.ok(witness.lockChanges >= 2, `${witness.lockChanges} lock changes`);
    });

    it(`makes its owner refuse an older block with a polka, among ${validators}`, async () => {
      const { verdict, witness } = await runOf("crossed", validators);
      assert.equal(verdict, "ok");
      assert.ok(witness.lines["L28,L32 prevote nil against polka"] >= 2, JSON.stringify(witness));
    });
  }

  it("begins some seeds of the swarm, crossed and before all other faults: then older polkas are refused", async () => {
    // They wait for their heights as long as others, once their own time is over.
    const crossed = (fault: Fault): boolean => fault.kind === "lock-alone" && fault.forMs > 12_000;
    const seeds = Array.from({ length: 200 }, (_, i) => i + 1).filter((seed) => {
      const { faults } = drawPlan(seed);
      const first = faults.filter(crossed);
      const end = Math.max(0, ...first.map(({ forMs }) => forMs - 12_000));
      assert.ok(
        faults.every((fault) => crossed(fault) || fault.atMs >= end),
        `seed ${seed}`,
      );
      assert.equal(new Set(faults.map(({ id }) => id)).size, faults.length);
      return first.length > 0;
    });
    assert.ok(seeds.length >= 16 && seeds.length <= 40, `${seeds.length} of 200 seeds`);
    let refused = 0;
    // Where not all have links to all, others carry what the cuts keep from going straight.
    for (const seed of seeds.filter((each) => drawPlan(each).links === null).slice(0, 6)) {
      const { verdict, witness } = await runSeed({ seed, heights: 20 });
      assert.equal(verdict, "ok");
      refused += witness.lines["L28,L32 prevote nil against polka"];
    }
    assert.ok(refused >= 4, `${refused} refusals in 6 seeds`);
  });

  it("waits for a height at which the turns and powers suit it", () => {
    const fault = (story: LockStory): RoundFault => ({
      id: 0,
      atMs: 0,
      forMs: 0,
      kind: "lock-alone",
      order: [0, 1, 2, 3],
      story,
    });
    const even = [10n, 10n, 10n, 10n];
    const turns =
      (...order: readonly number[]) =>
      (round: number): number =>
        order[round % order.length] ?? 0;
    assert.equal(roundsOf(fault("kept"), { powers: even, proposer: turns(1, 1) }), null);
    assert.deepEqual(roundsOf(fault("kept"), { powers: even, proposer: turns(1, 0, 2, 3) }), [
      { silent: [0], quiet: [], deaf: [2] },
    ]);
    assert.deepEqual(roundsOf(fault("crossed"), { powers: even, proposer: turns(2, 1, 0, 3) }), [
      { silent: [0], quiet: [], deaf: [1] },
      { silent: [2], quiet: [0], deaf: [] },
    ]);
    for (const story of LOCK_STORIES) {
      assert.equal(roundsOf(fault(story), { powers: [30n, 10n, 10n, 10n], proposer: turns(1, 0, 2) }), null);
    }
  });
});
