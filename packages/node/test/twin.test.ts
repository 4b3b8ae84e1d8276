/** The same key in a second home while the network runs: the second instance stops itself. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { copyFile, cp, readFile, rm } from "node:fs/promises";
import { test } from "node:test";
import type { NodeConfig } from "@quorate/node";
import { initState } from "@quorate/privval";
import { homePaths } from "../src/home.ts";
import { makeNetwork, type TestNetwork } from "./support/homes.ts";

interface Pair {
  readonly network: TestNetwork;
  readonly validators: readonly NodeConfig[];
  readonly original: NodeConfig;
  /** A home of another peer with the original's key, and whatever sign state the test gives it. */
  readonly twin: NodeConfig;
}

async function withTwin(run: (pair: Pair) => Promise<void>): Promise<void> {
  const network = await makeNetwork(4, 50, 1);
  try {
    const [original, ...others] = network.configs.slice(0, 4);
    const twin = network.configs[4];
    assert.ok(original !== undefined && twin !== undefined);
    await copyFile(homePaths(original.home).validatorKey, homePaths(twin.home).validatorKey);
    await run({ network, validators: [original, ...others], original, twin });
  } finally {
    await network.free();
  }
}

/** What a node sent, by its own trace: `prevote 5/0`. */
async function sentBy({ voteTrace }: NodeConfig): Promise<string[]> {
  if (voteTrace === undefined || !existsSync(voteTrace)) return [];
  return (await readFile(voteTrace, "utf8"))
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>)
    .filter(({ direction }) => direction === "out")
    .map(({ type, height, round }) => `${type} ${height}/${round}`);
}

test("regression: a second instance without the sign state signs nothing: the blocks it catches up with show it the first", async () => {
  await withTwin(async ({ network, validators, twin }) => {
    const { signState, validatorKey } = homePaths(twin.home);
    await rm(signState, { force: true });
    await initState({ keyFile: validatorKey, stateFile: signState }, { force: true });
    const nodes = await Promise.all(validators.map((config) => network.start(config)));
    await Promise.all(nodes.map(({ commits }) => commits.reached(20)));
    const second = await network.start(twin);
    const exit = await second.node.exited;
    assert.equal(exit.code, 5);
    assert.deepEqual(await sentBy(twin), []);
    // A block that was decided meanwhile, or, where it has caught up before the next one, the first's next vote.
    assert.match(
      exit.what,
      /signed while this node ran, and not by this node|received that this node did not sign/,
    );
    const goal = Math.max(...nodes.map(({ commits }) => commits.height)) + 5;
    await Promise.all(nodes.map(({ commits }) => commits.reached(goal)));
  });
});

test("of two instances that start together from copies of one home, one stops at the first vote of the other that it did not make", async () => {
  await withTwin(async ({ network, validators, original, twin }) => {
    const first = await Promise.all(validators.map((config) => network.start(config)));
    await Promise.all(first.map(({ commits }) => commits.reached(10)));
    await Promise.all(first.map(({ node }) => node.stop()));
    const data = homePaths(twin.home).data;
    await rm(data, { recursive: true });
    await cp(homePaths(original.home).data, data, { recursive: true });
    const before = (await sentBy(original)).length;
    await rm(twin.voteTrace ?? "", { force: true });
    const nodes = await Promise.all([...validators, twin].map((config) => network.start(config)));
    const pair = [nodes[0], nodes[4]].flatMap((each) => each ?? []);
    const exit = await Promise.race(pair.map(({ node }) => node.exited));
    assert.equal(exit.code, 5);
    const counts = [(await sentBy(original)).length - before, (await sentBy(twin)).length];
    assert.equal(Math.min(...counts) <= 6, true, `${counts} messages were sent`);
    const goal = Math.max(...nodes.map(({ commits }) => commits.height)) + 5;
    await Promise.all(nodes.slice(1, 4).map(({ commits }) => commits.reached(goal)));
  });
});
