/** A node's life with real parts and no execution client: damage, restarts, refusals, followers. */
import assert from "node:assert/strict";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { genesisToJson } from "@quorate/chain";
import { createNode, homePaths, type NodeConfig, NodeError, type NodeExit } from "@quorate/node";
import { Commits, makeNetwork, type RunningNode, silent, type TestNetwork } from "./support/homes.ts";
import { assertNoConflicts } from "./support/traces.ts";

const SLOT_BYTES = 4096;

async function withNetwork(
  options: Parameters<typeof makeNetwork>,
  run: (network: TestNetwork, configs: readonly [NodeConfig, ...NodeConfig[]]) => Promise<void>,
): Promise<void> {
  const network = await makeNetwork(...options);
  const [first, ...others] = network.configs;
  try {
    assert.ok(first !== undefined);
    await run(network, [first, ...others]);
    await assertNoConflicts(network.configs.map(({ voteTrace }) => voteTrace ?? ""));
  } finally {
    await network.free();
  }
}

/** Damages a stopped node's home in a way that the node has to survive by itself. */
const DAMAGES: Readonly<Record<string, (home: string) => Promise<void>>> = {
  "its WAL removed": (home) => rm(homePaths(home).wal, { recursive: true }),
  "a bit of its WAL flipped": async (home) => {
    const { wal } = homePaths(home);
    const file = join(wal, (await readdir(wal)).sort()[0] ?? "");
    const bytes = await readFile(file);
    bytes[200] = (bytes[200] ?? 0) ^ 1;
    await writeFile(file, bytes);
  },
  "the newest slot of its sign state rotten": async (home) => {
    const bytes = await readFile(homePaths(home).signState);
    const generation = (at: number): bigint => bytes.readBigUInt64BE(at + 8);
    const newest = generation(0) > generation(SLOT_BYTES) ? 0 : SLOT_BYTES;
    bytes.fill(0xaa, newest, newest + 100);
    await writeFile(homePaths(home).signState, bytes);
  },
  "the index of its store damaged": async (home) => {
    const { data } = homePaths(home);
    const index = join(data, "db");
    for (const name of await readdir(index)) {
      if (/^(MANIFEST|CURRENT)/.test(name)) await writeFile(join(index, name), "rotten");
    }
  },
};

test("a validator comes back whatever was damaged, catches up, and never contradicts itself", async () => {
  await withNetwork([4, 40], async (network, configs) => {
    const nodes = await Promise.all(configs.map((config) => network.start(config)));
    const others = nodes.slice(0, 3);
    let [, , , last] = nodes as [RunningNode, RunningNode, RunningNode, RunningNode];
    const config = configs[3];
    assert.ok(config !== undefined);
    for (const [name, damage] of Object.entries(DAMAGES)) {
      await last.commits.reached(last.node.started.height + 4);
      assert.equal((await last.node.stop()).code, 0);
      await damage(config.home);
      await others[0]?.commits.reached(others[0].commits.height + 4);
      last = await network.start(config);
      const goal = Math.max(...others.map(({ commits }) => commits.height)) + 4;
      await last.commits.reached(goal);
      await others[0]?.commits.reached(goal);
      assert.equal(last.commits.hashes.get(goal), others[0]?.commits.hashes.get(goal), name);
    }
    await Promise.all([...others, last].map(({ node }) => node.stop()));
  });
});

test("a single validator takes its chain up again whatever was damaged", async () => {
  for (const [name, damage] of Object.entries(DAMAGES)) {
    await withNetwork([1, 0], async (network, [config]) => {
      const first = await network.start(config);
      await first.commits.reached(8);
      await first.node.stop();
      await damage(config.home);
      const second = await network.start(config);
      assert.equal(second.node.started.height >= first.commits.height - 1, true, name);
      await second.commits.reached(first.commits.height + 4);
      await second.node.stop();
    });
  }
});

test("both slots rotten: the node refuses with 5 and changes nothing", async () => {
  await withNetwork([1, 0], async (network, [config]) => {
    const first = await network.start(config);
    await first.commits.reached(3);
    await first.node.stop();
    const { signState } = homePaths(config.home);
    const rotten = Buffer.alloc(2 * SLOT_BYTES, 0xaa);
    await writeFile(signState, rotten);
    await assert.rejects(network.start(config), { exitCode: 5 });
    assert.deepEqual(await readFile(signState), rotten);
    await rm(signState);
    await assert.rejects(network.start(config), { exitCode: 5 });
  });
});

test("crashes at any moment: the restarted validators go on and never contradict themselves", async () => {
  await withNetwork([4, 20], async (network, configs) => {
    let nodes = await Promise.all(configs.map((config) => network.start(config)));
    for (let turn = 0; turn < 2; turn++) {
      await nodes[turn]?.commits.reached((nodes[turn]?.node.started.height ?? 0) + 3);
      const exits = await Promise.all(nodes.map(({ node }) => node.crash(new Error("a test"))));
      assert.deepEqual(
        exits.map(({ code }) => code),
        [1, 1, 1, 1],
      );
      nodes = await Promise.all(configs.map((config) => network.start(config)));
    }
    const goal = Math.max(...nodes.map(({ node }) => node.started.height)) + 4;
    await Promise.all(nodes.map(({ commits }) => commits.reached(goal)));
    await Promise.all(nodes.map(({ node }) => node.stop()));
  });
});

test("a full node follows the chain from its first block and signs nothing", async () => {
  await withNetwork([1, 30, 1], async (network, [validator, follower]) => {
    assert.ok(follower !== undefined);
    await rm(homePaths(follower.home).validatorKey);
    await rm(homePaths(follower.home).signState);
    const first = await network.start(validator);
    await first.commits.reached(5);
    const second = await network.start(follower);
    assert.equal(second.node.started.validatorAddress, null);
    await second.commits.reached(12);
    await first.commits.reached(12);
    for (const height of [1, 12]) {
      assert.equal(second.commits.hashes.get(height), first.commits.hashes.get(height));
    }
    await Promise.all([first, second].map(({ node }) => node.stop()));
    const trace = await readFile(follower.voteTrace ?? "", "utf8");
    assert.equal(trace.includes('"direction":"out"'), false);
  });
});

test("the same home twice is refused with 4 while the first lives; a taken port too; both leave nothing open", async () => {
  await withNetwork([1, 0], async (network, [config]) => {
    const first = await network.start(config);
    await assert.rejects(network.start(config), { exitCode: 4, code: "HOME_IN_USE" });
    await first.node.stop();
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    const address = taken.address();
    assert.ok(typeof address === "object" && address !== null);
    const at = `127.0.0.1:${address.port}`;
    await assert.rejects(network.start({ ...config, rpcListen: at }), { exitCode: 4, code: "RPC_LISTEN" });
    const listen = [`/ip4/127.0.0.1/tcp/${address.port}`];
    await assert.rejects(network.start({ ...config, p2p: { ...config.p2p, listen } }), { exitCode: 4 });
    await new Promise((resolve) => taken.close(resolve));
    const again = await network.start(config);
    await again.commits.reached(again.node.started.height + 2);
    await again.node.stop();
  });
});

test("a home of another genesis is refused with 3", async () => {
  await withNetwork([1, 0], async (network, [config]) => {
    const first = await network.start(config);
    await first.commits.reached(2);
    await first.node.stop();
    const other = { ...network.genesis, chainId: "another-chain" };
    await writeFile(homePaths(config.home).genesis, genesisToJson(other));
    await assert.rejects(network.start(config), { exitCode: 3, code: "GENESIS_CHANGED" });
  });
});

/** An execution client that nobody runs. */
async function noClient(config: NodeConfig): Promise<NodeConfig> {
  const jwtFile = join(config.home, "jwt.hex");
  await writeFile(jwtFile, "00".repeat(32), { mode: 0o600 });
  const nowhere = "http://127.0.0.1:9";
  return { ...config, execution: { engineUrl: nowhere, ethUrl: nowhere, jwtFile, buildWindowMs: 100 } };
}

test("regression: a node meets its peers while its execution client starts, and takes part when that is there", async () => {
  const engine = { execution: "engine", evmChainId: 7, elGenesisHash: new Uint8Array(32).fill(1) } as const;
  await withNetwork(
    [2, 1000, 0, { ...engine, anchorHash: engine.elGenesisHash }],
    async (network, [first, second]) => {
      await network.start(await noClient(first));
      const client = Promise.withResolvers<void>();
      const met = Promise.withResolvers<void>();
      const takesPart = Promise.withResolvers<void>();
      const phases: string[] = [];
      const starting = createNode(await noClient(second!), {
        log: () => ({
          ...silent(""),
          info: (message) => {
            if (message === "peer connected") met.resolve();
          },
        }),
        startExecution: () => client.promise,
        onPhase(phase) {
          phases.push(phase);
          if (phase === "consensus") takesPart.resolve();
        },
      });
      await met.promise;
      assert.deepEqual(phases, []);
      client.resolve();
      const node = await starting;
      await takesPart.promise;
      await node.stop();
    },
  );
});

test("what the host's own start of an execution client throws comes out, and the home is free again", async () => {
  const engine = { execution: "engine", evmChainId: 7, elGenesisHash: new Uint8Array(32).fill(1) } as const;
  await withNetwork(
    [1, 1000, 0, { ...engine, anchorHash: engine.elGenesisHash }],
    async (_network, [config]) => {
      const configured = await noClient(config);
      for (const ms of [0, 300]) {
        const starting = createNode(configured, {
          log: silent,
          async startExecution() {
            await delay(ms);
            throw new NodeError({ exitCode: 4, code: "PORT", what: "taken", do: "free it" });
          },
        });
        await assert.rejects(starting, { exitCode: 4, code: "PORT" });
      }
      await assert.rejects(createNode(config, { log: silent }), { exitCode: 3, code: "EXECUTION_MISSING" });
    },
  );
});

test("the halt height is the last one: exit 0, and a start at it ends at once", async () => {
  await withNetwork([1, 0], async (network, [config]) => {
    const halting = { ...config, haltHeight: 5 };
    const first = await network.start(halting);
    assert.deepEqual(await first.node.exited, { code: 0, what: "stopped", do: "" });
    assert.equal(first.commits.height, 5);
    const second = await network.start(halting);
    assert.equal((await second.node.exited).code, 0);
    assert.equal(second.commits.height, 0, "nothing was decided");
    const third = await network.start(config);
    await third.commits.reached(7);
    await third.node.stop();
  });
});

test("an upgrade that this version does not know: the node runs up to it and ends with 8, at each start", async () => {
  const upgrades = [{ height: 5, appVersion: 99, params: {} }];
  await withNetwork([1, 0, 0, { upgrades }], async (network, [config]) => {
    const first = await network.start(config);
    assert.equal((await first.node.exited).code, 8);
    assert.equal(first.commits.height, 4);
    await assert.rejects(network.start(config), { exitCode: 8, code: "UPGRADE_NEEDED" });
  });
});

test("stop is one stop however often it is asked for, also right after the start; the exit is told once", async () => {
  await withNetwork([1, 0], async (network, [config]) => {
    const { node } = await network.start(config);
    const exits = await Promise.all([node.stop(), node.stop(), node.exited, node.crash(new Error("late"))]);
    assert.deepEqual(
      exits.map(({ code }) => code),
      [0, 0, 0, 0],
    );
    assert.equal(node.phase, "stopping");
    const again = await network.start(config);
    assert.equal((await again.node.stop()).code, 0);
  });
});

test("a crash dumps the state, exits with 1 and signs nothing any more", async () => {
  await withNetwork([1, 10], async (network, [config]) => {
    const { node, commits } = await network.start(config);
    await commits.reached(3);
    const crashing = node.crash(new Error("boom"));
    const traced = (await readFile(config.voteTrace ?? "", "utf8")).length;
    const exit: NodeExit = await crashing;
    assert.deepEqual([exit.code, (await node.exited).code], [1, 1]);
    assert.match(exit.what, /boom/);
    const dump = JSON.parse(await readFile(homePaths(config.home).stateDump, "utf8"));
    assert.equal(dump.exit.code, 1);
    assert.match(dump.stack, /boom/);
    const lines = (await readFile(config.voteTrace ?? "", "utf8")).slice(traced).split("\n");
    // Only what was written before the crash and had not reached the file yet.
    assert.equal(lines.filter((line) => line.includes(`"height":${dump.height + 1}`)).length, 0);
  });
});

test("a host whose callback throws is a bug that ends the node with 1; the block is kept", async () => {
  await withNetwork([1, 0], async (network, [config]) => {
    const node = await createNode(config, {
      log: silent,
      onCommit: () => {
        throw new Error("the host failed");
      },
    });
    assert.equal((await node.exited).code, 1);
    const { node: again, commits } = await network.start(config);
    assert.equal(again.started.height, 1);
    await commits.reached(2);
    await again.stop();
  });
});

test("a stop asked for from inside a callback of the host is a stop; a callback that throws is not", async () => {
  await withNetwork([1, 0], async (_network, [config]) => {
    const commits = new Commits();
    const node = await createNode(config, {
      ...commits.modules(silent),
      onPhase: (phase) => {
        if (phase === "stopping") void node.stop();
        else throw new Error("the host failed");
      },
    });
    await commits.reached(2);
    assert.equal((await node.stop()).code, 0);
  });
});

test("phases are told in order, each once", async () => {
  await withNetwork([1, 0], async (_network, [config]) => {
    const phases: string[] = [];
    const commits = new Commits();
    const node = await createNode(config, {
      ...commits.modules(silent),
      onPhase: (phase) => void phases.push(phase),
    });
    await commits.reached(2);
    await node.stop();
    assert.deepEqual(phases, ["consensus", "stopping"]);
  });
});
