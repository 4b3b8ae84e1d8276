import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { parseGenesis } from "@quorate/chain";
import fc from "fast-check";
import { readConfigFile, resolveSettings } from "../src/config/settings.ts";
import { devAccounts, loadAccounts } from "../src/testnet/accounts.ts";
import { ChainWatch, percentiles } from "../src/testnet/chain-watch.ts";
import { conflictingSignatures } from "../src/testnet/conflicts.ts";
import { askControl, controlInUse, serveControl } from "../src/testnet/control.ts";
import { addNode, createNetwork, removeNetwork } from "../src/testnet/create.ts";
import { commitEvent, nodeEvent } from "../src/testnet/events.ts";
import { readManifest } from "../src/testnet/manifest.ts";
import { prepareNetwork, type TestnetOptions } from "../src/testnet/run.ts";
import { Silence } from "../src/testnet/silence.ts";
import { renderTable } from "../src/testnet/table.ts";

function temporaryDirectory(context: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "quorate-testnet-"));
  context.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

const NETWORK = {
  validators: 2,
  full: 1,
  basePort: 31_000,
  blockIntervalMs: 1000,
  gasLimit: 15_000_000,
  stake: false,
  unbondingS: 172_800,
  el: "embedded",
} as const;

const ASKED: TestnetOptions = {
  home: "",
  validators: undefined,
  full: undefined,
  el: undefined,
  basePort: undefined,
  blockIntervalMs: undefined,
  gasLimit: undefined,
  load: 2,
  txs: undefined,
  heights: undefined,
  timeoutS: undefined,
  json: true,
  clean: false,
};

function commit(height: number, blockId = `B${height}`) {
  return {
    height,
    round: 0,
    time: "2026-01-01T00:00:00.000Z",
    blockId,
    appHash: "A",
    elHash: "0x1",
    txs: 1,
    proposer: "P",
    ms: 20,
  };
}

test("the homes of a network share genesis and differ in keys and ports", async (context) => {
  const home = join(temporaryDirectory(context), "net");
  const manifest = await createNetwork(home, NETWORK);
  assert.deepEqual(readManifest(home), manifest);
  const genesis = parseGenesis(readFileSync(join(home, "node0", "config", "genesis.json"), "utf8"));
  assert.equal(genesis.validators.length, 2);
  const texts = ["node0", "node1", "node2"].map((name) =>
    readFileSync(join(home, name, "config", "genesis.json"), "utf8"),
  );
  assert.equal(new Set(texts).size, 1);
  const settings = ["node0", "node1", "node2"].map((name) =>
    resolveSettings(join(home, name), [readConfigFile(join(home, name))]),
  );
  assert.deepEqual(
    settings.map(({ rpcListen, metricsListen }) => [rpcListen, metricsListen]),
    [0, 10, 20].map((offset) => [`127.0.0.1:${31_001 + offset}`, `127.0.0.1:${31_002 + offset}`]),
  );
  assert.deepEqual(
    settings.map(({ p2p }) => p2p.persistentPeers.length),
    [1, 1, 2],
    "every other validator is a persistent peer",
  );
  assert.equal(new Set(manifest.nodes.map(({ peerId }) => peerId)).size, 3);
});

test("below one second of block interval the EL's whole seconds may run ahead", async (context) => {
  const home = join(temporaryDirectory(context), "net");
  await createNetwork(home, { ...NETWORK, blockIntervalMs: 200 });
  const genesis = parseGenesis(readFileSync(join(home, "node0", "config", "genesis.json"), "utf8"));
  assert.equal(genesis.params.maxElTimeDriftS, 3600);
});

test("an added node joins the manifest and the targets of Prometheus", async (context) => {
  const home = join(temporaryDirectory(context), "net");
  const { manifest, node } = await addNode(home, await createNetwork(home, NETWORK));
  assert.deepEqual([node.name, node.index, node.validator], ["node3", 3, false]);
  assert.deepEqual(readManifest(home), manifest);
  assert.match(readFileSync(join(home, "prometheus.yml"), "utf8"), /127\.0\.0\.1:31032/);
});

test("a network is resumed; asked to be another one it is refused; --clean makes it anew", async (context) => {
  const home = join(temporaryDirectory(context), "net");
  const asked = { ...ASKED, home };
  const quiet = () => undefined;
  const { signal } = new AbortController();
  const made = await prepareNetwork({ ...asked, validators: 1, basePort: 31_000 }, quiet, signal);
  const resumed = await prepareNetwork(asked, quiet, signal);
  assert.deepEqual(resumed, made);
  await assert.rejects(prepareNetwork({ ...asked, validators: 4 }, quiet, signal), { exitCode: 3 });
  await assert.rejects(prepareNetwork({ ...asked, blockIntervalMs: 5 }, quiet, signal), { exitCode: 3 });
  const anew = await prepareNetwork({ ...asked, validators: 2, clean: true }, quiet, signal);
  assert.equal(anew.manifest.nodes.length, 2);
  assert.notEqual(anew.manifest.genesisHash, made.manifest.genesisHash);
});

test("a directory that holds something else is neither taken over nor cleaned", async (context) => {
  const directory = temporaryDirectory(context);
  writeFileSync(join(directory, "thesis.tex"), "x");
  const asked = { ...ASKED, home: directory, clean: true };
  await assert.rejects(
    prepareNetwork(asked, () => undefined, new AbortController().signal),
    { exitCode: 3 },
  );
  assert.equal(readFileSync(join(directory, "thesis.tex"), "utf8"), "x");
  const single = join(directory, "single");
  mkdirSync(join(single, "config"), { recursive: true });
  await assert.rejects(
    prepareNetwork({ ...asked, home: single }, () => undefined, new AbortController().signal),
    {
      exitCode: 3,
    },
  );
});

test("removing a network leaves foreign files alone", async (context) => {
  const home = join(temporaryDirectory(context), "net");
  const manifest = await createNetwork(home, NETWORK);
  writeFileSync(join(home, "notes.txt"), "x");
  await removeNetwork(home, manifest);
  assert.equal(readManifest(home), null);
  assert.equal(readFileSync(join(home, "notes.txt"), "utf8"), "x");
});

test("a damaged network.json is refused, not taken for no network", async (context) => {
  const home = temporaryDirectory(context);
  for (const text of ["", "{}", '{"nodes":[{"name":"../x","index":0}]}']) {
    writeFileSync(join(home, "network.json"), text);
    assert.throws(() => readManifest(home), { exitCode: 3 });
  }
});

test("the development accounts are those of the common mnemonic, the load's are others", () => {
  assert.equal(devAccounts()[0]?.address, "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
  const all = [...devAccounts(), ...loadAccounts()].map(({ address }) => address);
  assert.equal(new Set(all).size, all.length);
});

test("two nodes that commit different blocks at one height have diverged, and it is told once", () => {
  const watch = new ChainWatch();
  const found = (): unknown[] => {
    const { divergence } = watch;
    return divergence === null
      ? []
      : [divergence.height, divergence.first.blockId, divergence.second.blockId];
  };
  watch.commit("node0", commit(1), true, 0);
  watch.commit("node1", commit(1), true, 1);
  assert.deepEqual(found(), []);
  watch.commit("node0", commit(2, "X"), true, 2);
  watch.commit("node1", commit(2, "Y"), true, 3);
  watch.commit("node0", commit(3, "X"), true, 4);
  watch.commit("node1", commit(3, "Y"), true, 5);
  assert.deepEqual(found(), [2, "X", "Y"]);
});

test("a node that catches up counts for agreement and heights, not for latency and interval", () => {
  const watch = new ChainWatch();
  assert.equal(watch.commit("node0", commit(5), true, 0), true);
  assert.equal(watch.commit("node0", commit(6), true, 1000), true);
  assert.equal(watch.commit("node1", { ...commit(5), ms: 90_000 }, false, 1001), false);
  assert.equal(watch.heightOf("node1"), 5);
  assert.equal(watch.height, 6);
  assert.deepEqual(watch.latencies, { p50: 20, p95: 20 });
  assert.deepEqual(watch.intervals, { p50: 1000, p95: 1000 });
});

test("percentiles are samples, in order, and zero without any", () => {
  assert.deepEqual(percentiles([]), { p50: 0, p95: 0 });
  fc.assert(
    fc.property(fc.array(fc.nat(10_000), { minLength: 1 }), (samples) => {
      const { p50, p95 } = percentiles(samples);
      assert.ok(samples.includes(p50) && samples.includes(p95) && p50 <= p95);
      assert.ok(samples.filter((sample) => sample <= p50).length * 2 >= samples.length);
    }),
  );
});

test("conflicting signatures are counted in pairs over all traces; repeats and a torn line are not", async (context) => {
  const directory = temporaryDirectory(context);
  const line = (validator: string, signBytes: string, type = "prevote"): string =>
    `${JSON.stringify({ direction: "in", type, height: 3, round: 0, validator, block: null, sign_bytes: signBytes })}\n`;
  const first = join(directory, "a");
  const second = join(directory, "b");
  writeFileSync(
    first,
    line("V1", "01") + line("V1", "01") + line("V2", "02") + line("V1", "09", "precommit"),
  );
  writeFileSync(second, `${line("V1", "03") + line("V1", "04")}{"direction":"in","ty`);
  assert.equal(await conflictingSignatures([first]), 0);
  assert.equal(await conflictingSignatures([first, second, join(directory, "absent")]), 3);
});

test("the control socket answers requests, passes failures on and refuses what it does not know", async (context) => {
  const home = temporaryDirectory(context);
  assert.equal(await controlInUse(home), false);
  await assert.rejects(askControl(home, { command: "status", name: "" }), { exitCode: 9 });
  const server = await serveControl(home, ({ command, name }) =>
    name === "bad"
      ? Promise.reject(Object.assign(new Error("x"), { exitCode: 10, what: "it died", do: "see the log" }))
      : Promise.resolve({ command, name }),
  );
  assert.equal(await controlInUse(home), true);
  assert.deepEqual(await askControl(home, { command: "kill", name: "node1" }), {
    command: "kill",
    name: "node1",
  });
  await assert.rejects(askControl(home, { command: "kill", name: "bad" }), { exitCode: 10, what: "it died" });
  await assert.rejects(askControl(home, { command: "shutdown" as "kill", name: "" }), { exitCode: 2 });
  await new Promise((resolve) => server.close(resolve));
  assert.equal(await controlInUse(home), false);
});

test("events have the keys of the contract, in order", () => {
  assert.equal(
    JSON.stringify(commitEvent("node0", commit(7))),
    '{"event":"commit","node":"node0","height":7,"round":0,"time":"2026-01-01T00:00:00.000Z","block_id":"B7","app_hash":"A","el_hash":"0x1","txs":1,"proposer":"P","ms":20}',
  );
  assert.equal(
    JSON.stringify(nodeEvent("node0", "dead", null, 137)),
    '{"event":"node","name":"node0","state":"dead","exit":137}',
  );
  assert.equal(
    JSON.stringify(nodeEvent("node0", "consensus", 12, null)),
    '{"event":"node","name":"node0","state":"consensus","pid":12}',
  );
});

test("the live table is no wider than the terminal and shows a dead node without stale figures", () => {
  const facts = { chainId: "c", height: 9, sent: 4, mined: 3, intervalMs: 1001, footer: "f".repeat(300) };
  const row = {
    name: "node0",
    state: "consensus",
    height: 9,
    round: 0,
    step: "Prevote",
    elHead: "9",
    txs: 2,
    peers: 3,
    ageMs: 400,
    memoryMib: [100, 80],
    warning: "",
  };
  const dead = { ...row, name: "node1", state: "dead", round: null, elHead: "", peers: null, memoryMib: [] };
  const lines = renderTable(facts, [row, dead], 100);
  assert.ok(lines.every((line) => line.length <= 100));
  assert.match(lines[0] ?? "", /height 9 {2}1\/2 in consensus {2}3\/4 transfers mined/);
  assert.match(lines[3] ?? "", /^node0 +consensus +9 +0\/Prevote +9 +2 +3 +0\.4s +100\+80 MB$/);
  assert.match(lines[4] ?? "", /^node1 +dead +9 +- +- +2 +- +0\.4s +-$/);
});

// A network whose owner was stopped at the terminal for a minute ended as one that stands when it was continued.
test("regression: a network's silence counts while somebody looks, not while its owner was stopped", () => {
  let nowMs = 5_000;
  const silence = new Silence(nowMs);
  const lookFor = (ms: number): number => {
    let quiet = 0;
    for (const end = nowMs + ms; nowMs < end; ) {
      nowMs += 250;
      quiet = silence.look(nowMs);
    }
    return quiet;
  };
  assert.equal(lookFor(59_000), 59_000);
  nowMs += 600_000;
  assert.equal(silence.look(nowMs), 60_000);
  silence.broken();
  assert.equal(lookFor(2_000), 2_000);
});
