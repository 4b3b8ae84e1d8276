/** What lies at the edges: clients that answer strangely, and the search for one. */

import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { encodeBlock, encodeEnvelope } from "@quorate/chain";
import { RecentKeys } from "@quorate/crypto";
import { orGivenUp } from "../src/aborts.ts";
import { openEndpoint } from "../src/engine/http.ts";
import { ExecutionError } from "../src/errors.ts";
import { buildGeth, findGeth } from "../src/geth/find.ts";
import { createNoExecution } from "../src/index.ts";
import { LIMITS } from "../src/limits.ts";
import { payloadOf } from "../src/payload/to-engine.ts";
import { StatusKeeper } from "../src/status.ts";
import { fakePayload, type LogLine, memoryLog, openBench, systemClock } from "./support/bench.ts";
import { TestStore, testGenesis } from "./support/chain.ts";

const patient = AbortSignal.timeout(600_000);

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "quorate-edges-"));
  t.after(() => rm(path, { recursive: true }));
  return path;
}

async function script(path: string, text: string): Promise<void> {
  await mkdir(join(path, ".."), { recursive: true });
  await writeFile(path, `#!/bin/sh\n${text}\n`);
  await chmod(path, 0o755);
}

const GETH = "echo 'Geth'; echo 'Version: 1.17.8-stable'";

test("Geth is looked for by its name, on PATH, then in the cache; what QUORATE_GETH names has to run", async (t) => {
  const dir = await folder(t);
  const cached = join(dir, "cache", "bin", "geth");
  const env = { PATH: join(dir, "path"), QUORATE_CACHE: join(dir, "cache") };
  assert.equal(await findGeth(env), null);
  await script(cached, GETH);
  assert.deepEqual(await findGeth(env), { path: cached, from: "cache", version: "1.17.8-stable" });
  await script(join(dir, "path", "geth"), GETH);
  assert.equal((await findGeth(env))?.from, "PATH");
  await script(join(dir, "own"), GETH);
  assert.equal((await findGeth({ ...env, QUORATE_GETH: join(dir, "own") }))?.from, "QUORATE_GETH");
  for (const named of [join(dir, "nothing"), dir])
    await assert.rejects(findGeth({ ...env, QUORATE_GETH: named }), { code: "GETH" });
});

test("Geth is built with Go into the cache; a build that fails, leaves nothing, or lacks Go says so", async (t) => {
  const dir = await folder(t);
  const lines: string[] = [];
  const options = (go: string): Parameters<typeof buildGeth>[0] => ({
    env: { PATH: `${join(dir, go)}:/usr/bin:/bin`, QUORATE_CACHE: join(dir, go, "cache") },
    progress: (line) => void lines.push(line),
    signal: patient,
  });
  const install = `cat > "$GOBIN/geth" <<'END'\n#!/bin/sh\n${GETH}\nEND\nchmod 755 "$GOBIN/geth"`;
  await script(
    join(dir, "good", "go"),
    `i=0; while [ $i -lt 120 ]; do echo "package$i" >&2; i=$((i+1)); done\n${install}`,
  );
  const built = await buildGeth(options("good"));
  assert.deepEqual([built.from, built.version], ["cache", "1.17.8-stable"]);
  assert.ok(lines.some((line) => /100 steps, now package99/.test(line)));
  await script(join(dir, "bad", "go"), "echo 'no network' >&2; exit 3");
  await assert.rejects(buildGeth(options("bad")), /exit 3\): no network/);
  await script(join(dir, "empty", "go"), "exit 0");
  await assert.rejects(buildGeth(options("empty")), /left no geth that runs/);
  const without = { ...options("none"), env: { PATH: join(dir, "none"), QUORATE_CACHE: dir } };
  await assert.rejects(buildGeth(without), /neither geth nor go/);
});

test("an endpoint is plain HTTP without user and password; other addresses are refused with an example", () => {
  for (const url of [
    "https://127.0.0.1:8551",
    "http://user:pass@127.0.0.1",
    "127.0.0.1:8551",
    "ws://a",
    "",
  ]) {
    assert.throws(() => openEndpoint(url, systemClock), { code: "ENDPOINT" }, url);
  }
});

test("a block of a chain without execution client is no payload", () => {
  const store = new TestStore(testGenesis({ execution: "none" }));
  for (const txs of [[], [encodeEnvelope({ version: 0 })]]) {
    assert.throws(() => payloadOf({ ...store.propose([]), txs }), ExecutionError);
  }
});

test("a bounded set forgets its oldest members first", () => {
  const set = new RecentKeys(2);
  for (const key of ["a", "b", "a", "c"]) set.add(key);
  assert.deepEqual(
    ["a", "b", "c"].map((key) => set.has(key)),
    [false, true, true],
  );
  for (let i = 0; i < 100; i++) {
    assert.equal(set.add(`k${i}`), true);
    assert.equal(set.add(`k${i}`), false);
    assert.deepEqual(
      [set.has(`k${i}`), set.has(`k${i - 2}`), i === 0 || set.has(`k${i - 1}`)],
      [true, false, true],
    );
  }
  set.clear();
  assert.deepEqual([set.has("k99"), set.add("k99"), set.add("x"), set.has("k99")], [false, true, true, true]);
});

test("a wait that is given up answers nothing; one that fails fails, and holds no signal any longer", async () => {
  const given = new AbortController();
  const { promise } = Promise.withResolvers<number>();
  const waiting = orGivenUp(promise, given.signal);
  given.abort();
  assert.equal(await waiting, null);
  assert.equal(await orGivenUp(promise, given.signal), null);
  const failing = Promise.withResolvers<number>();
  const failed = orGivenUp(failing.promise, new AbortController().signal);
  failing.reject(new Error("gone"));
  await assert.rejects(failed, /gone/);
});

test("a status that falls back to connecting is told, once", () => {
  const lines: LogLine[] = [];
  const status = new StatusKeeper(memoryLog(lines));
  status.set({ kind: "ready", client: "x" });
  status.set({ kind: "connecting" });
  status.set({ kind: "connecting" });
  assert.deepEqual(
    lines.map(({ message }) => message),
    ["execution client is ready", "connecting to the execution client"],
  );
});

test("a chain without execution client is ready without news, and closes with its waits", async () => {
  const store = new TestStore(testGenesis({ execution: "none" }));
  const client = createNoExecution({ store, log: memoryLog([]) });
  await client.start(store.state);
  const leave = client.onStatus(() => assert.fail("there is no news"));
  leave();
  const waiting = client.whenExecuted(5, patient);
  await Promise.all([assert.rejects(waiting), client.close()]);
});

test("a payload above max_block_bytes is not proposed, and that height is built empty from then on", async (t) => {
  const bench = await openBench(t, {
    genesis: { params: { ...testGenesis({}).params, maxBlockBytes: 65_536, maxEvidenceBytes: 0 } },
  });
  await bench.ready();
  const executionPayload = fakePayload(bench.store, [`0x02${"00".repeat(70_000)}`], 0);
  bench.el.script = (method) =>
    method === "engine_getPayloadV5" ? { result: { executionPayload, executionRequests: [] } } : undefined;
  assert.equal(await bench.client.getBuilt(bench.store.state, bench.store.attributes(), patient), null);
  assert.match(JSON.stringify(bench.log), /above max_block_bytes/);
});

test("regression: what frames each of many small transactions counts against max_block_bytes, too", async (t) => {
  const params = { ...testGenesis({}).params, maxBlockBytes: 65_536, maxEvidenceBytes: 0 };
  const bench = await openBench(t, { genesis: { params } });
  await bench.ready();
  const { state } = bench.store;
  const proposed = async (count: number): Promise<readonly Uint8Array[] | null> => {
    const transactions = Array.from({ length: count }, (_, i) => `0x02${i.toString(16).padStart(38, "0")}`);
    const executionPayload = fakePayload(bench.store, transactions, 0);
    bench.el.script = (method) =>
      method === "engine_getPayloadV5" ? { result: { executionPayload, executionRequests: [] } } : undefined;
    return (await bench.client.getBuilt(state, bench.store.attributes(), patient))?.txs ?? null;
  };
  const fitting = await proposed(2_300);
  assert.ok(fitting !== null && encodeBlock(bench.store.propose(fitting)).length <= params.maxBlockBytes);
  // 60,000 bytes without their framing.
  assert.equal(await proposed(3_000), null);
});

test("a pending transaction larger than a pool takes, or no hex, is left out", async (t) => {
  const bench = await openBench(t);
  await bench.ready();
  bench.el.poolTxs.push("0x02aa", "0x02bb", "0x02cc");
  const answers = [`0x02${"00".repeat(LIMITS.txBytes)}`, "0xzz", "0x"];
  bench.el.script = (method) =>
    method === "eth_getRawTransactionByHash" ? { result: answers.shift() ?? null } : undefined;
  assert.deepEqual(await bench.client.pendingTxs(), []);
});

test("regression: a client whose filters or transactions cannot be read is told once, not with every second poll; again when it had recovered", async (t) => {
  const bench = await openBench(t);
  await bench.ready();
  const warnings = (): number => bench.log.filter(({ level }) => level === "warn").length;
  const poll = async (times: number): Promise<void> => {
    for (let i = 0; i < times; i++) await bench.client.pendingTxs();
  };
  await poll(2);
  bench.el.script = (method) => (method === "eth_getFilterChanges" ? { http: 500, text: "busy" } : undefined);
  await poll(9);
  assert.equal(warnings(), 1);
  bench.el.script = () => undefined;
  await poll(3);
  bench.el.poolTxs.push("0x02aa");
  bench.el.script = (method) =>
    method === "eth_getRawTransactionByHash" ? { http: 500, text: "no" } : undefined;
  await poll(9);
  assert.equal(warnings(), 2);
  bench.el.script = () => undefined;
  assert.equal((await bench.client.pendingTxs()).length, 1, "what could not be fetched is not lost");
});

test("an error without a code is a malformed answer", async (t) => {
  const bench = await openBench(t);
  bench.el.script = (method) =>
    method === "eth_chainId" ? { error: { code: "x" as unknown as number, message: "strange" } } : undefined;
  await bench.client.start(bench.store.state);
  const status = await bench.until((each) => "reason" in each);
  assert.match(JSON.stringify(status), /error without code/);
});

test("a client that stands on another block at the chain's anchor is misconfigured", async (t) => {
  const genesis = testGenesis({});
  const bench = await openBench(t, {
    genesis: { initialHeight: 2, anchorNumber: 1, anchorHash: new Uint8Array(32).fill(0xaa) },
  });
  assert.equal(genesis.anchorNumber, 0);
  bench.decide(0);
  const block = {
    number: "0x1",
    hash: `0x${"bb".repeat(32)}`,
    parentHash: `0x${"cc".repeat(32)}`,
    timestamp: "0x1",
    gasLimit: "0x3938700",
  };
  bench.el.script = (method, params) => {
    if (method !== "eth_getBlockByNumber") return undefined;
    return params[0] === "0x0" ? undefined : { result: block };
  };
  await bench.client.start(bench.store.state);
  const status = await bench.until(({ kind }) => kind === "misconfigured");
  assert.match(JSON.stringify(status), /anchor/);
});

test("withdrawals that are owed belong to the build: another list is another build, and a payload without them is not proposed", async (t) => {
  const bench = await openBench(t);
  await bench.ready();
  const owed = { index: 3n, validatorIndex: 1n, address: new Uint8Array(20).fill(0x11), amountGwei: 7n };
  const attributes = { ...bench.store.attributes(), withdrawals: [owed] };
  const started = (): number =>
    bench.el.calls.filter(({ method, params }) => /forkchoiceUpdated/.test(method) && params[1] !== null)
      .length;
  await bench.client.prepare(bench.store.state, bench.store.attributes());
  await bench.client.prepare(bench.store.state, attributes);
  const builds = started();
  await bench.client.prepare(bench.store.state, attributes);
  assert.equal(started(), builds, "the same list is the same build");
  const paid = { index: "0x3", validatorIndex: "0x1", address: `0x${"11".repeat(20)}`, amount: "0x7" };
  for (const withdrawals of [[], [{ ...paid, amount: "0x8" }], [paid, paid]]) {
    const executionPayload = { ...fakePayload(bench.store, [], 0), withdrawals };
    bench.el.script = (method) =>
      method === "engine_getPayloadV5" ? { result: { executionPayload, executionRequests: [] } } : undefined;
    assert.equal(await bench.client.getBuilt(bench.store.state, attributes, patient), null);
    assert.match(JSON.stringify(bench.log.at(-1)), /another list of withdrawals/);
  }
});

for (const [what, code] of [
  ["refuses a decided block with an error of its own", -32000],
  ["does not know the call for a decided block", -32601],
] as const) {
  test(`a client that ${what} is not ready: the operator is told, and it is fed again when it is healed`, async (t) => {
    const bench = await openBench(t);
    await bench.ready();
    bench.decide(1);
    bench.el.script = (method) =>
      /newPayload/.test(method) ? { error: { code, message: "cannot do that" } } : undefined;
    bench.client.decided(1);
    const status = await bench.until((each) => "reason" in each);
    assert.match(JSON.stringify(status), /cannot do that|method/);
    bench.el.script = () => undefined;
    await bench.client.whenExecuted(1, patient);
  });
}
