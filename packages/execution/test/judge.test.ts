import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_PARAMS, decodeEnvelope, encodeEnvelope } from "@quorate/chain";
import { fakeBlock, openBench } from "./support/bench.ts";
import type { Scripted } from "./support/fake-el.ts";

const root = new Uint8Array(32);
const patient = new AbortController().signal;

test("VALID is a verdict, and is not asked for twice", async (t) => {
  const bench = await openBench(t);
  await bench.ready();
  const block = fakeBlock(bench.store);
  assert.deepEqual(await bench.client.validate(block, root, patient), { kind: "valid" });
  assert.deepEqual(await bench.client.validate(block, root, patient), { kind: "valid" });
  assert.equal(bench.el.countOf("engine_newPayloadV4"), 1);
});

test("a block that was VALID here is adopted without another newPayload", async (t) => {
  const bench = await openBench(t);
  await bench.ready();
  const block = fakeBlock(bench.store);
  await bench.client.validate(block, bench.store.attributes().parentBeaconBlockRoot, patient);
  bench.store.decide(block);
  bench.client.decided(1);
  await bench.client.whenExecuted(1, patient);
  assert.equal(bench.el.countOf("engine_newPayloadV4"), 1);
});

test("INVALID is a verdict with the EL's reason, and is asked again when the block comes again", async (t) => {
  const bench = await openBench(t);
  await bench.ready();
  const block = fakeBlock(bench.store);
  let spurious = true;
  bench.el.script = (method) =>
    spurious && method === "engine_newPayloadV4"
      ? { result: { status: "INVALID", latestValidHash: null, validationError: "out of disk" } }
      : undefined;
  assert.deepEqual(await bench.client.validate(block, root, patient), {
    kind: "invalid",
    reason: "out of disk",
  });
  spurious = false;
  assert.deepEqual(await bench.client.validate(block, root, patient), { kind: "valid" });
});

test("a false body under the hash of a block that was VALID is asked for itself", async (t) => {
  const bench = await openBench(t);
  await bench.ready();
  const block = fakeBlock(bench.store, ["0x02aa"]);
  assert.deepEqual(await bench.client.validate(block, root, patient), { kind: "valid" });
  const envelope = decodeEnvelope(block.txs[0]!);
  assert.ok(envelope.version === 1);
  const forgeries = [
    [encodeEnvelope({ ...envelope, stateRoot: new Uint8Array(32).fill(7) }), block.txs[1]!],
    [block.txs[0]!, new Uint8Array([2, 0xbb])],
    [block.txs[0]!, new Uint8Array([2]), new Uint8Array([0xaa])],
    [block.txs[0]!],
  ];
  for (const txs of forgeries) {
    const verdict = await bench.client.validate(bench.store.propose(txs), root, patient);
    assert.deepEqual(verdict, { kind: "invalid", reason: "blockhash mismatch" });
  }
});

const NO_VERDICT: Readonly<Record<string, Scripted>> = {
  SYNCING: { result: { status: "SYNCING", latestValidHash: null } },
  ACCEPTED: { result: { status: "ACCEPTED", latestValidHash: null } },
  "a broken connection": "reset",
  "HTTP 500": { http: 500, text: "boom" },
  "an internal error": { error: { code: -32603, message: "method handler crashed" } },
  "a status of another kind": { result: { status: "MAYBE" } },
};
for (const [what, scripted] of Object.entries(NO_VERDICT)) {
  test(`${what} is no verdict: asked again until there is one`, async (t) => {
    const bench = await openBench(t);
    await bench.ready();
    let left = 3;
    bench.el.script = (method) => (method === "engine_newPayloadV4" && left-- > 0 ? scripted : undefined);
    assert.deepEqual(await bench.client.validate(fakeBlock(bench.store), root, patient), { kind: "valid" });
    assert.ok(left < 0, "not before the EL said VALID");
  });
}

test("a call that times out is no verdict, and the next one is asked", async (t) => {
  const bench = await openBench(t, { timing: { executeTimeoutMs: 20 } });
  await bench.ready();
  let left = 1;
  bench.el.script = (method) => (method === "engine_newPayloadV4" && left-- > 0 ? "hang" : undefined);
  assert.deepEqual(await bench.client.validate(fakeBlock(bench.store), root, patient), { kind: "valid" });
});

const REFUSED: Readonly<Record<string, Scripted>> = {
  "413": { http: 413, text: "content length too large" },
  "-38004": { error: { code: -38004, message: "Too large request" } },
  "-32602": { error: { code: -32602, message: "invalid params" } },
};
for (const [what, scripted] of Object.entries(REFUSED)) {
  test(`${what}: a payload that the EL cannot even take is invalid`, async (t) => {
    const bench = await openBench(t);
    await bench.ready();
    bench.el.script = (method) => (method === "engine_newPayloadV4" ? scripted : undefined);
    assert.equal((await bench.client.validate(fakeBlock(bench.store), root, patient)).kind, "invalid");
  });
}

test("an abort ends the wait at once; the running call's VALID is kept", async (t) => {
  const bench = await openBench(t);
  await bench.ready();
  const block = fakeBlock(bench.store);
  const stop = new AbortController();
  bench.el.script = (method) => {
    if (method === "engine_newPayloadV4") stop.abort();
    return undefined;
  };
  const verdict = await bench.client.validate(block, root, stop.signal);
  assert.ok(verdict.kind !== "invalid");
  assert.deepEqual(await bench.client.validate(block, root, patient), { kind: "valid" });
  assert.equal(bench.el.countOf("engine_newPayloadV4"), 1);
});

test("INVALID from an EL that lacks the parent is no verdict: it is fed first", async (t) => {
  const bench = await openBench(t);
  await bench.ready();
  bench.decide(2);
  const block = fakeBlock(bench.store);
  const hash = decodeEnvelope(block.txs[0]!);
  assert.ok(hash.version === 1);
  const wanted = `0x${Buffer.from(hash.blockHash).toString("hex")}`;
  // As Besu answers where Geth says ACCEPTED.
  bench.el.script = (method, params) =>
    method === "engine_newPayloadV4" &&
    (params[0] as { blockHash: string }).blockHash === wanted &&
    bench.el.head.number < 2
      ? {
          result: { status: "INVALID", latestValidHash: null, validationError: "parent world state missing" },
        }
      : undefined;
  const asked = bench.el.called("engine_newPayloadV4");
  const verdict = bench.client.validate(block, root, patient);
  await asked;
  bench.client.decided(2);
  assert.deepEqual(await verdict, { kind: "valid" });
});

test("a blob transaction is refused without asking the EL", async (t) => {
  const bench = await openBench(t);
  await bench.ready();
  const block = fakeBlock(bench.store, ["0x03aabb"]);
  const verdict = await bench.client.validate(block, root, patient);
  assert.deepEqual(verdict, { kind: "invalid", reason: "blob transactions are not allowed on this chain" });
  assert.equal(bench.el.countOf("engine_newPayloadV4"), 0);
});

test("execution requests out of order, repeated or empty are refused without asking the EL", async (t) => {
  const bench = await openBench(t);
  await bench.ready();
  const first = decodeEnvelope(fakeBlock(bench.store).txs[0]!);
  assert.ok(first.version === 1);
  for (const requests of [
    [2, 1],
    [1, 1],
  ]) {
    const executionRequests = requests.map((type) => new Uint8Array([type, 0]));
    let envelope: Uint8Array;
    try {
      envelope = encodeEnvelope({ ...first, executionRequests });
    } catch {
      continue; // The chain's own encoder does not even write it.
    }
    const verdict = await bench.client.validate(bench.store.propose([envelope]), root, patient);
    assert.equal(verdict.kind, "invalid");
  }
  assert.equal(bench.el.countOf("engine_newPayloadV4"), 0);
});

test("a payload that the EL is still validating when it is decided is not sent to it a second time", async (t) => {
  const bench = await openBench(t);
  await bench.ready();
  const block = fakeBlock(bench.store);
  const begun = Promise.withResolvers<void>();
  const finish = Promise.withResolvers<void>();
  bench.el.gate = async (method) => {
    if (method !== "engine_newPayloadV4") return;
    begun.resolve();
    await finish.promise;
  };
  const height = new AbortController();
  const beaconRoot = bench.store.attributes().parentBeaconBlockRoot;
  const verdict = bench.client.validate(block, beaconRoot, height.signal);
  await begun.promise;
  bench.store.decide(block);
  height.abort();
  bench.client.decided(1);
  assert.equal((await verdict).kind, "unknown");
  finish.resolve();
  await bench.client.whenExecuted(1, patient);
  assert.equal(bench.el.countOf("engine_newPayloadV4"), 1);
});

test("a payload that nobody wants any more when its turn comes is not sent", async (t) => {
  const bench = await openBench(t);
  await bench.ready();
  const [running, stale, wanted] = [1, 2, 3].map((salt) => fakeBlock(bench.store, [], salt));
  const begun = Promise.withResolvers<void>();
  const finish = Promise.withResolvers<void>();
  bench.el.gate = async (method) => {
    if (method !== "engine_newPayloadV4") return;
    begun.resolve();
    await finish.promise;
  };
  const first = bench.client.validate(running!, root, patient);
  await begun.promise;
  const height = new AbortController();
  const second = bench.client.validate(stale!, root, height.signal);
  const third = bench.client.validate(wanted!, root, patient);
  height.abort();
  assert.equal((await second).kind, "unknown");
  finish.resolve();
  assert.deepEqual([(await first).kind, (await third).kind], ["valid", "valid"]);
  assert.equal(bench.el.countOf("engine_newPayloadV4"), 2);
});

test("an EL that takes longer than timeoutPropose for a block is told once, and once when it is fast again", async (t) => {
  let nowMs = 0;
  const bench = await openBench(t, {
    genesis: { params: { ...DEFAULT_PARAMS, timeoutProposeMs: 400 } },
    monotonicMs: () => nowMs,
  });
  await bench.ready();
  let tookMs = 450;
  bench.el.gate = (method) => {
    if (method === "engine_newPayloadV4") nowMs += tookMs;
    return undefined;
  };
  const validate = (salt: number) => bench.client.validate(fakeBlock(bench.store, [], salt), root, patient);
  const told = () =>
    bench.log.flatMap(({ level, message }) => (/validate/.test(message) ? [`${level}: ${message}`] : []));
  await validate(1);
  await validate(2);
  assert.equal(told().length, 1);
  assert.match(told()[0]!, /^warn: .*too slow/);
  tookMs = 0;
  await validate(3);
  assert.equal(told().length, 1, "one fast answer is no recovery");
  for (const salt of [4, 5, 6, 7, 8, 9]) await validate(salt);
  assert.equal(told().length, 2);
  assert.match(told()[1]!, /^info: .*in time again/);
});

test("newPayload and forkchoiceUpdated reach the EL one at a time", async (t) => {
  const bench = await openBench(t);
  await bench.ready();
  const blocks = [1, 2, 3, 4].map((salt) => fakeBlock(bench.store, [], salt));
  let running = 0;
  let most = 0;
  bench.el.gate = async (method) => {
    if (method !== "engine_newPayloadV4" && method !== "engine_forkchoiceUpdatedV3") return;
    most = Math.max(most, ++running);
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    running--;
  };
  await Promise.all([
    ...blocks.map((block) => bench.client.validate(block, root, patient)),
    bench.client.prepare(bench.store.state, bench.store.attributes()),
  ]);
  assert.equal(most, 1);
});

test("more calls than the queue holds are no verdict until there is room", async (t) => {
  const bench = await openBench(t);
  await bench.ready();
  const blocks = Array.from({ length: 80 }, (_, salt) => fakeBlock(bench.store, [], salt));
  const verdicts = await Promise.all(blocks.map((block) => bench.client.validate(block, root, patient)));
  assert.ok(verdicts.every(({ kind }) => kind === "valid"));
});
