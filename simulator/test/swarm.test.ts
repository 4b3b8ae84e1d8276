import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { runText, summarise } from "../src/report.ts";
import { runSeeds } from "../src/swarm.ts";

const SEEDS = Number(process.env["QUORATE_SIM_SEEDS"] ?? 24);
const HEIGHTS = 50;

describe("under a swarm of faults", () => {
  it(`every law holds and every chain goes on: ${SEEDS} seeds of ${HEIGHTS} heights`, async () => {
    const seeds = Array.from({ length: SEEDS }, (_, i) => i + 1);
    const results = await runSeeds(seeds, { heights: HEIGHTS });
    const failed = results.filter(({ verdict }) => verdict !== "ok");
    assert.equal(failed.length, 0, failed.map(runText).join("\n"));
    const { seen, recovery_ms } = summarise(results);
    assert.ok(seen.round_2 >= 10, `only ${seen.round_2} % of the seeds saw round 2`);
    assert.ok(seen.restart_mid_round >= 10, `only ${seen.restart_mid_round} % restarted in a begun height`);
    assert.ok(recovery_ms.max <= 30_000, `three heights took ${recovery_ms.max} ms after healing`);
  });
});
