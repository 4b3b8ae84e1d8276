/** More liars than the protocol bears: agreement may break, but those who broke it are named, and nobody else. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { accountabilityText, runAccountability } from "../src/accountability/scenario.ts";

/** Forks of one round and of two. Who broke a lock and nothing else is rare: misdeeds.test.ts of chain has that. */
const SEEDS = [1, 8];

describe("with a third of the power or more in the hands of liars", () => {
  it("every fork names more than a third of the power, and never an honest validator", async () => {
    const results = [];
    for (const seed of SEEDS) results.push(await runAccountability(seed));
    const text = results.map(accountabilityText).join("\n");
    assert.deepEqual(
      results.flatMap(({ violations }) => violations),
      [],
      text,
    );
    const forks = results.flatMap(({ fork }) => fork ?? []);
    assert.ok(forks.length >= SEEDS.length, text);
    for (const { named } of forks) assert.ok(named.length >= 2, text);
    assert.deepEqual(await runAccountability(8), results[1], "the same way again");
    assert.ok(
      results.some(({ exits }) => exits.includes(7)),
      `no honest node stopped over a fork\n${text}`,
    );
  });
});
