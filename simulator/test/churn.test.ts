import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { drawPlan, withChurn } from "../src/faults/draw.ts";
import { runText, summarise } from "../src/report.ts";
import { runSeed, type SimResult } from "../src/run.ts";

/** Little, a crowd, much, all that a set may have; keys in genesis and outside it; by a registry and by stake. */
const DEFAULT_SEEDS: readonly number[] = [3, 5, 6, 11, 17];
const WANTED = process.env["QUORATE_CHURN_SEEDS"];
const SEEDS: readonly number[] =
  WANTED === undefined ? DEFAULT_SEEDS : Array.from({ length: Number(WANTED) }, (_, i) => i + 1);
const HEIGHTS = 22;
/** What the seeds go through between them. */
const SEEN = [
  "fullSets",
  "refusedWhenFull",
  "cutToTotal",
  "amountsTooLarge",
  "dust",
  "joinersVoting",
  "leaversGoingOn",
] as const;

describe("a validator set that changes at every height, under a swarm of faults", () => {
  it(`keeps every law and goes on: ${SEEDS.length} seeds of ${HEIGHTS} heights`, async () => {
    const results: SimResult[] = [];
    for (const seed of SEEDS) results.push(await runSeed({ seed, heights: HEIGHTS, plan: withChurn }));
    const failed = results.filter(({ verdict }) => verdict !== "ok");
    assert.equal(failed.length, 0, failed.map(runText).join("\n"));
    for (const { seed, validators, witness } of results) {
      const least = validators === 1 ? 0 : HEIGHTS / 5;
      assert.ok(witness.setChanges >= least, `seed ${seed}: only ${witness.setChanges} changes of the set`);
    }
    const { churn } = summarise(results);
    for (const sign of SEEN) assert.ok(churn[sign].times > 0, `no ${sign} in any of ${SEEDS.length} seeds`);
  });

  it("convicts whoever signs twice beside its node, wherever it stands in the set, and never lets it back", async () => {
    const framed = [1, 6, 8, 11, 15];
    const results: SimResult[] = [];
    for (const seed of framed) results.push(await runSeed({ seed, heights: 12, churn: true }));
    assert.deepEqual(
      results.map(({ verdict }) => verdict),
      framed.map(() => "ok"),
      results.map(runText).join("\n"),
    );
    const convictions = results.reduce((sum, { witness }) => sum + witness.convictions, 0);
    assert.ok(convictions >= 3, `${convictions} convictions`);
    const { churn } = summarise(results);
    for (const oddity of ["outside", "misstated", "unsigned", "again", "tombstoned"] as const)
      assert.ok(churn[`reports-${oddity}`].times > 0, `no report was odd in being ${oddity}`);
  });

  it("runs the same way again: restarts and all", async () => {
    const seed = [1, 2, 3, 4, 5, 6].find((candidate) => drawPlan(candidate).validators > 1) ?? 1;
    const run = (): Promise<SimResult> => runSeed({ seed, heights: 12, plan: withChurn, hash: true });
    assert.equal((await run()).trace_hash, (await run()).trace_hash);
  });
});
