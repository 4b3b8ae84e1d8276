import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { drawPlan, withChurn } from "../src/faults/draw.ts";
import { runText } from "../src/report.ts";
import { runSeed, type SimResult } from "../src/run.ts";

const SEEDS = Number(process.env["QUORATE_CHURN_SEEDS"] ?? 6);
const HEIGHTS = 40;

describe("a validator set that changes at every height, under a swarm of faults", () => {
  it(`keeps every law and goes on: ${SEEDS} seeds of ${HEIGHTS} heights`, async () => {
    const results: SimResult[] = [];
    for (let seed = 1; seed <= SEEDS; seed++) {
      results.push(await runSeed({ seed, heights: HEIGHTS, plan: withChurn }));
    }
    const failed = results.filter(({ verdict }) => verdict !== "ok");
    assert.equal(failed.length, 0, failed.map(runText).join("\n"));
    for (const { seed, validators, witness } of results) {
      const least = validators === 1 ? 0 : HEIGHTS / 4;
      assert.ok(witness.setChanges >= least, `seed ${seed}: only ${witness.setChanges} changes of the set`);
    }
  });

  it("convicts whoever signs twice beside its node, wherever it stands in the set, and never lets it back", async () => {
    const framed = [6, 8, 11, 13];
    const results: SimResult[] = [];
    for (const seed of framed) results.push(await runSeed({ seed, heights: 12, churn: true }));
    assert.deepEqual(
      results.map(({ verdict }) => verdict),
      framed.map(() => "ok"),
      results.map(runText).join("\n"),
    );
    const convictions = results.reduce((sum, { witness }) => sum + witness.convictions, 0);
    assert.ok(convictions >= 3, `${convictions} convictions`);
  });

  it("runs the same way again: restarts and all", async () => {
    const seed = [1, 2, 3, 4, 5, 6].find((candidate) => drawPlan(candidate).validators > 1) ?? 1;
    const run = (): Promise<SimResult> => runSeed({ seed, heights: 12, plan: withChurn, hash: true });
    assert.equal((await run()).trace_hash, (await run()).trace_hash);
  });
});
