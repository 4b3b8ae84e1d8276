/** One network of four validators with embedded clients, started by `npm run testnet`, through its whole life. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, readFileSync } from "node:fs";
import { createConnection } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { createPublicClient, createWalletClient, defineChain, http, parseEther } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { ethBlockAt } from "./support/eth.ts";
import {
  ended,
  eventually,
  freePorts,
  isAlive,
  type NodeFacts,
  RunningNetwork,
  rpc,
  temporaryDirectory,
  VALIDATOR,
  validator,
} from "./support.ts";

/**
 * Emits `Stored(uint256)` with the word it was called with. Creation code copies the runtime:
 * CALLDATALOAD(0) MSTORE(0) LOG1(0, 32, topic).
 */
const TOPIC = "0xc6d8c0af6d21f291e7c359603aa97e0ed500f04db6e983b9fce75a91c6b8da6b";
const RUNTIME = `5f355f527f${TOPIC.slice(2)}60205fa100`;
const CREATION = `0x60${(RUNTIME.length / 2).toString(16).padStart(2, "0")}600a5f3960${(RUNTIME.length / 2).toString(16).padStart(2, "0")}5ff3`;

const directory = temporaryDirectory();
const home = join(directory.path, "net");
let network: RunningNetwork;
let nodes: readonly NodeFacts[];
let basePort: number;
let accounts: readonly { readonly address: `0x${string}`; readonly private_key: `0x${string}` }[];

function node(name: string): NodeFacts {
  const found = nodes.find((candidate) => candidate.name === name);
  assert.ok(found !== undefined, name);
  return found;
}

function start(...args: readonly string[]): RunningNetwork {
  return new RunningNetwork("npm", ["run", "--silent", "testnet", "--", "--json", "--home", home, ...args]);
}

const others = (name: string): string[] =>
  nodes.map((candidate) => candidate.name).filter((other) => other !== name);

function client(facts: NodeFacts, evmChainId: number) {
  const chain = defineChain({
    id: evmChainId,
    name: "testnet",
    nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
    rpcUrls: { default: { http: [facts.eth_rpc] } },
  });
  const account = privateKeyToAccount(accounts[0]!.private_key);
  const transport = http(facts.eth_rpc);
  return {
    account,
    reader: createPublicClient({ chain, transport, pollingInterval: 200 }),
    wallet: createWalletClient({ chain, transport, account }),
  };
}

describe("a network of four validators", { timeout: 600_000 }, () => {
  let evmChainId = 0;

  before(async () => {
    basePort = await freePorts(60);
    network = start("--base-port", String(basePort));
    const ready = await network.ready();
    nodes = ready.nodes;
    accounts = ready.accounts;
    evmChainId = ready.evm_chain_id;
  });

  after(async () => {
    await network.stop();
    directory.remove();
  });

  test("the first line is ready, with the keys of the contract in their order", () => {
    const first = JSON.parse(network.lines[0] ?? "null");
    assert.deepEqual(Object.keys(first), [
      "event",
      "chain_id",
      "evm_chain_id",
      "genesis_hash",
      "home",
      "nodes",
      "accounts",
    ]);
    assert.equal(first.event, "ready");
    assert.equal(first.home, home);
    assert.deepEqual(Object.keys(first.nodes[0]), [
      "name",
      "pid",
      "home",
      "address",
      "peer_id",
      "p2p",
      "rpc",
      "metrics",
      "eth_rpc",
      "el_pid",
    ]);
    assert.deepEqual(
      first.nodes.map(({ name }: NodeFacts) => name),
      ["node0", "node1", "node2", "node3"],
    );
    assert.equal(new Set(first.nodes.flatMap(({ pid, el_pid }: NodeFacts) => [pid, el_pid])).size, 8);
    assert.equal(first.nodes[1].rpc, `http://127.0.0.1:${basePort + 11}`);
  });

  test("every node commits the same block, app hash and EL block at each height, told in the contract's keys", async () => {
    for (const { name } of nodes) await network.reaches(name, 4);
    const line = network.lines.find((text) => text.startsWith('{"event":"commit"')) ?? "";
    assert.deepEqual(Object.keys(JSON.parse(line)), [
      "event",
      "node",
      "height",
      "round",
      "time",
      "block_id",
      "app_hash",
      "el_hash",
      "txs",
      "proposer",
      "ms",
    ]);
    for (let height = 1; height <= 4; height++) {
      const seen = network.commits().filter((commit) => commit.height === height);
      assert.equal(seen.length, 4);
      assert.equal(
        new Set(seen.map(({ block_id, app_hash, el_hash }) => `${block_id}${app_hash}${el_hash}`)).size,
        1,
      );
    }
  });

  test("the execution clients agree on block hash and state root", async () => {
    const blocks = await Promise.all(
      nodes.map((facts) => client(facts, evmChainId).reader.getBlock({ blockNumber: 3n })),
    );
    assert.equal(new Set(blocks.map(({ hash, stateRoot }) => `${hash}${stateRoot}`)).size, 1);
    assert.equal(blocks[0]?.hash, network.commits().find(({ height }) => height === 3)?.el_hash);
  });

  test("a transfer, a contract and its log through viem are the same on every node", async () => {
    const { reader, wallet } = client(node("node0"), evmChainId);
    const to = "0x00000000000000000000000000000000000b0b01";
    const transfer = await wallet.sendTransaction({ to, value: parseEther("1.5") });
    await reader.waitForTransactionReceipt({ hash: transfer });
    const deployed = await wallet.sendTransaction({ data: `${CREATION}${RUNTIME}` as `0x${string}` });
    const { contractAddress } = await reader.waitForTransactionReceipt({ hash: deployed });
    assert.ok(contractAddress);
    const word = `0x${"00".repeat(31)}2a` as const;
    const called = await wallet.sendTransaction({ to: contractAddress, data: word });
    const receipt = await reader.waitForTransactionReceipt({ hash: called });
    assert.equal(receipt.status, "success");
    for (const { name } of nodes) await network.reaches(name, Number(receipt.blockNumber));
    for (const facts of nodes) {
      await ethBlockAt(facts.eth_rpc, Number(receipt.blockNumber));
      const { reader: there } = client(facts, evmChainId);
      assert.equal(await there.getBalance({ address: to }), parseEther("1.5"));
      const logs: readonly { data: string; topics: readonly string[]; transactionHash: string }[] =
        await there.getLogs({ address: contractAddress, fromBlock: 0n });
      assert.deepEqual(
        logs.map(({ data, topics, transactionHash }) => [data, topics[0], transactionHash]),
        [[word, TOPIC, called]],
      );
    }
  });

  test("a held home refuses a second node, a held network a second owner: exit 4", async () => {
    const second = await validator("start", "--home", node("node0").home);
    assert.equal(second.code, 4);
    assert.match(second.err, /^error code=4 what=".*in use.*" do=".*"\n$/);
    const owner = await validator("testnet", "--home", home);
    assert.equal(owner.code, 4);
    await network.reaches("node0", network.heightOf("node0") + 1);
  });

  test("only loopback addresses listen, and the metrics of each node are Prometheus text", async () => {
    for (const { metrics, p2p, rpc: address } of nodes) {
      assert.match(p2p, /^\/ip4\/127\.0\.0\.1\//);
      assert.match(address, /^http:\/\/127\.0\.0\.1:/);
      const text = await (await fetch(`${metrics}/metrics`)).text();
      assert.match(text, /^cometbft_consensus_height\{.*chain_id="quorate-testnet".*\} \d+$/m);
    }
  });

  test("garbage on every port leaves the node at work", async () => {
    const { p2p, rpc: address, metrics, eth_rpc } = node("node1");
    const ports = [p2p.split("/")[4], ...[address, metrics, eth_rpc].map((url) => new URL(url).port)].map(
      Number,
    );
    for (const port of [...ports, basePort + 14]) await throwGarbage(port);
    const height = network.heightOf("node1");
    await network.reaches("node1", height + 2);
    assert.ok(isAlive(node("node1").pid));
  });

  test("a killed validator is reported and left dead while the others go on", async () => {
    const killed = await validator("testnet", "kill", "node2", "--home", home);
    assert.equal(killed.code, 0, killed.err);
    const dead = await network.until("node2 reported dead", (events) =>
      events.find((event) => event.event === "node" && event.name === "node2" && event.state === "dead"),
    );
    assert.deepEqual(dead, { event: "node", name: "node2", state: "dead", exit: 137 });
    const height = network.heightOf("node0");
    for (const name of others("node2")) await network.reaches(name, height + 5);
    await eventually("the end of node2's embedded client", () => !isAlive(node("node2").el_pid));
    const status = await validator("testnet", "status", "--home", home, "--json");
    const states = JSON.parse(status.out).map(({ name, state }: { name: string; state: string }) => [
      name,
      state,
    ]);
    assert.deepEqual(states[2], ["node2", "dead"]);
  });

  test("restarted it catches up and its commits go on in the same output", async () => {
    const before = network.heightOf("node2");
    const restarted = await validator("testnet", "restart", "node2", "--home", home, "--json");
    assert.equal(restarted.code, 0, restarted.err);
    const facts: NodeFacts = JSON.parse(restarted.out);
    assert.equal((await fetch(`${facts.rpc}/health`)).status, 200);
    const target = network.heightOf("node0") + 2;
    await network.reaches("node2", target);
    const heights = network.commits().flatMap(({ node: name, height }) => (name === "node2" ? [height] : []));
    const caught = heights.filter((height) => height > before && height <= target);
    // The kill may have come between a block's being stored and its being told.
    const first = Math.min(caught[0] ?? 0, before + 2);
    assert.ok(first > before, `${caught}`);
    assert.deepEqual(
      caught,
      Array.from({ length: target - first + 1 }, (_, index) => first + index),
      "every height once, in order",
    );
    nodes = nodes.map((known) => (known.name === "node2" ? facts : known));
  });

  test("an unknown node is a usage error, an absent network exit 9", async () => {
    assert.equal((await validator("testnet", "kill", "node9", "--home", home)).code, 2);
    assert.equal((await validator("testnet", "status", "--home", join(directory.path, "none"))).code, 9);
  });

  test("a node that is added syncs and reaches the tip", async () => {
    const added = await validator("testnet", "add-node", "--home", home, "--json");
    assert.equal(added.code, 0, added.err);
    const facts: NodeFacts = JSON.parse(added.out);
    assert.equal(facts.name, "node4");
    const tip = network.heightOf("node0");
    await network.reaches("node4", tip + 2);
    assert.equal(network.commits().find(({ node: name }) => name === "node4")?.height, 1);
    const synced = await validator(
      "status",
      "--node",
      facts.rpc,
      "--wait",
      "synced",
      "--timeout",
      "60",
      "--json",
    );
    assert.equal(synced.code, 0, synced.err);
    nodes = [...nodes, facts];
  });

  test("a home made by init with the network's genesis joins by --persistent-peers and reaches the tip", async () => {
    const own = join(directory.path, "joined");
    const port = await freePorts(10);
    const peer = node("node0").p2p;
    const made = await validator(
      ...["init", "joined", "--home", own, "--base-port", String(port)],
      ...["--genesis", join(node("node0").home, "config", "genesis.json"), "--json"],
    );
    assert.equal(made.code, 0, made.err);
    const child = spawn(
      VALIDATOR,
      ["start", "--home", own, "--persistent-peers", peer, "--exit-with-parent"],
      {
        stdio: ["pipe", "pipe", "pipe"],
      },
    );
    const result = ended(child);
    const tip = network.heightOf("node0");
    const url = `http://127.0.0.1:${port + 1}`;
    const waited = await validator("status", "--node", url, "--wait", `height=${tip + 1}`, "--timeout", "90");
    assert.equal(waited.code, 0, waited.err);
    const status = await rpc(url, "status");
    assert.equal((status["sync_info"] as { earliest_block_height: string }).earliest_block_height, "1");
    child.kill("SIGTERM");
    assert.equal((await result).code, 0);
  });

  test("signals to npm, the group or both end it once: done, exit 0, no process left", async () => {
    const pids = nodes.flatMap(({ pid, el_pid }) => [pid, el_pid]);
    network.process.kill("SIGINT");
    network.process.kill("SIGINT");
    network.process.kill("SIGTERM");
    const { code } = await network.ended;
    assert.equal(code, 0);
    const done = network.events.at(-1);
    assert.ok(done?.event === "done");
    assert.deepEqual(Object.keys(done), [
      "event",
      "ok",
      "heights",
      "txs_sent",
      "txs_mined",
      "diverged",
      "conflicting_signatures",
      "latency_ms",
      "interval_ms",
    ]);
    assert.deepEqual([done.ok, done.diverged, done.conflicting_signatures], [true, false, 0]);
    assert.ok(done.txs_mined > 0);
    await eventually("the end of all processes", () => !pids.some(isAlive));
  });

  test("prometheus.yml names every node, and no secret stands in a log", () => {
    const text = readFileSync(join(home, "prometheus.yml"), "utf8");
    for (const { metrics } of nodes) assert.ok(text.includes(new URL(metrics).host), metrics);
    for (const { home: own } of nodes) {
      const log = readFileSync(join(own, "node.log"), "utf8");
      const key = JSON.parse(readFileSync(join(own, "config", "priv_validator_key.json"), "utf8"));
      const nodeKey = JSON.parse(readFileSync(join(own, "config", "node_key.json"), "utf8"));
      const jwt = readFileSync(join(own, "config", "jwt.hex"), "utf8").trim();
      for (const secret of [key.priv_key.value, nodeKey.priv_key.value, jwt])
        assert.ok(!log.includes(secret));
    }
  });

  test("the next start resumes the chain, and ends by itself with --heights and --txs met", async () => {
    const reached = Math.max(...network.commits().map(({ height }) => height));
    network = start("--heights", "3", "--txs", "4", "--timeout", "120");
    const { code, err } = await network.ended;
    assert.equal(code, 0, err);
    const first = network.commits()[0];
    assert.ok(first !== undefined && first.height >= reached, "it goes on where it was");
    const done = network.events.at(-1);
    assert.ok(done?.event === "done" && done.ok && done.heights >= 3);
    assert.deepEqual([done.txs_sent, done.txs_mined], [4, 4]);
  });

  test("a network asked to be another one is refused, and a goal out of reach ends with 10", async () => {
    const other = await validator("testnet", "--home", home, "--validators", "7");
    assert.equal(other.code, 3);
    assert.match(other.err, /was made with 4/);
    network = start("--heights", "100000", "--timeout", "15");
    assert.equal((await network.ended).code, 10);
  });

  test("the nodes of an owner that is killed stop by themselves", async () => {
    network = new RunningNetwork(VALIDATOR, ["testnet", "--json", "--home", home]);
    const ready = await network.ready();
    const pids = ready.nodes.flatMap(({ pid, el_pid }) => [pid, el_pid]);
    network.process.kill("SIGKILL");
    await network.ended;
    await eventually("the end of all processes", () => !pids.some(isAlive));
  });

  test("a key that others can read is refused with exit 3, naming file and mode", async () => {
    const own = join(home, "node3");
    const file = join(own, "config", "priv_validator_key.json");
    chmodSync(file, 0o644);
    const refused = await validator("start", "--home", own);
    chmodSync(file, 0o600);
    assert.equal(refused.code, 3);
    assert.match(refused.err, /priv_validator_key\.json/);
    assert.match(refused.err, /644/);
    const exit = JSON.parse(readFileSync(join(own, "data", "last-exit.json"), "utf8"));
    assert.equal(exit.code, 3);
  });

  test("--clean starts anew at height 1", async () => {
    network = start("--clean", "--base-port", String(basePort), "--heights", "1", "--load", "0");
    assert.equal((await network.ended).code, 0);
    assert.equal(network.commits()[0]?.height, 1);
    assert.ok(!existsSync(join(home, "node4")), "the added node belonged to the old network");
  });
});

/** Random bytes, a huge length prefix, a half-open HTTP request; the other side closes or is closed. */
async function throwGarbage(port: number): Promise<void> {
  for (const bytes of [
    randomBytes(4096),
    Buffer.alloc(65_536, 0xff),
    Buffer.from("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999\r\n\r\n{"),
    Buffer.from("\x13/multistream/1.0.0\n\x07/noise\n"),
  ]) {
    await new Promise<void>((resolve) => {
      const socket = createConnection(port, "127.0.0.1");
      socket.setTimeout(500, () => socket.destroy());
      socket.on("error", () => undefined);
      socket.on("close", () => resolve());
      socket.write(bytes);
    });
  }
}
