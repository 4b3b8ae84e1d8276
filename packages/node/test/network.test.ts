import assert from "node:assert/strict";
import { test } from "node:test";
import { makeNetwork } from "./support/homes.ts";
import { assertNoConflicts } from "./support/traces.ts";

test("four validators without EL decide the same blocks; one stops, the chain goes on; it comes back and catches up", async () => {
  const network = await makeNetwork(4, 50);
  try {
    const nodes = await Promise.all(network.configs.map((config) => network.start(config)));
    await Promise.all(nodes.map(({ commits }) => commits.reached(5)));
    const [, , , last] = nodes;
    assert.ok(last !== undefined);
    const exit = await last.node.stop();
    assert.equal(exit.code, 0);
    const others = nodes.slice(0, 3);
    const goal = Math.max(...others.map(({ commits }) => commits.height)) + 20;
    await Promise.all(others.map(({ commits }) => commits.reached(goal)));
    const config = network.configs[3];
    assert.ok(config !== undefined);
    const again = await network.start(config);
    await again.commits.reached(goal + 3);
    for (const height of [1, 5]) {
      assert.equal(
        new Set(nodes.map(({ commits }) => commits.hashes.get(height))).size,
        1,
        `height ${height}`,
      );
    }
    const first = nodes[0];
    assert.ok(first !== undefined);
    await first.commits.reached(goal + 3);
    assert.equal(again.commits.hashes.get(goal + 3), first.commits.hashes.get(goal + 3));
    await Promise.all([...others, again].map(({ node }) => node.stop()));
    await assertNoConflicts(network.configs.map((each) => each.voteTrace ?? ""));
  } finally {
    await network.free();
  }
});

test("a single validator makes blocks by itself and resumes at its height", async () => {
  const network = await makeNetwork(1, 20);
  try {
    const config = network.configs[0];
    assert.ok(config !== undefined);
    const first = await network.start(config);
    await first.commits.reached(10);
    await first.node.stop();
    const second = await network.start(config);
    assert.ok(second.node.started.height >= 10);
    await second.commits.reached(second.node.started.height + 5);
    await second.node.stop();
  } finally {
    await network.free();
  }
});
