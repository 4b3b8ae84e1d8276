import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { runText, summarise, summaryText } from "../src/report.ts";
import { runSeeds } from "../src/swarm.ts";
import { RULE_LINES } from "../src/witness.ts";

const SEEDS = Number(process.env["QUORATE_SIM_SEEDS"] ?? 200);
const HEIGHTS = Number(process.env["QUORATE_SIM_HEIGHTS"] ?? 6);

describe("under a swarm of faults", () => {
  it(`every law holds and every chain goes on: ${SEEDS} seeds of ${HEIGHTS} heights`, async (context) => {
    const startedAt = performance.now();
    const seeds = Array.from({ length: SEEDS }, (_, i) => i + 1);
    const results = await runSeeds(seeds, { heights: HEIGHTS });
    const failed = results.filter(({ verdict }) => verdict !== "ok");
    assert.equal(failed.length, 0, failed.map(runText).join("\n"));
    const summary = summarise(results);
    const { seen, recovery_300_ms, lines } = summary;
    context.diagnostic(summaryText(summary, performance.now() - startedAt));
    assert.ok(recovery_300_ms.max <= 30_000, `three heights took ${recovery_300_ms.max} ms after healing`);
    if (SEEDS < 200) return;
    // Runs that go through nothing prove nothing.
    assert.ok(seen.round_2 >= 30, `only ${seen.round_2} % of the seeds saw round 2`);
    assert.ok(seen.hidden_lock >= 5, `only ${seen.hidden_lock} % had a lock that a round did not decide`);
    assert.ok(seen.lock_change >= 2, `only ${seen.lock_change} % moved a lock`);
    assert.ok(seen.restart_mid_round >= 20, `only ${seen.restart_mid_round} % restarted in a begun height`);
    for (const line of RULE_LINES) assert.ok(lines[line] > 0, `${line} never fired`);
  });
});
