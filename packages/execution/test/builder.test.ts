import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { decodeEnvelope } from "@quorate/chain";
import { needsRebuild } from "../src/builder.ts";
import { TrackRecord } from "../src/track-record.ts";
import type { BuiltPayload } from "../src/types.ts";
import { fakeBlock, openBench } from "./support/bench.ts";
import { testGenesis } from "./support/chain.ts";

const patient = new AbortController().signal;
const TX = "0x02f86b01";

function numberOf(built: BuiltPayload | null): number {
  assert.ok(built !== null);
  const envelope = decodeEnvelope(built.txs[0]!);
  assert.ok(envelope.version === 1);
  return envelope.blockNumber;
}

test("a block is built on the head with the pool's transactions, checked, and accepted by every rule", async (t) => {
  const bench = await openBench(t);
  await bench.ready();
  bench.el.poolTxs.push(TX);
  const { state } = bench.store;
  await bench.client.prepare(state, bench.store.attributes());
  const built = await bench.client.getBuilt(state, bench.store.attributes(), patient);
  assert.equal(numberOf(built), 1);
  assert.deepEqual(built?.txs.slice(1), [new Uint8Array([2, 0xf8, 0x6b, 1])]);
  assert.equal(bench.el.countOf("engine_newPayloadV4"), 1);
  bench.store.decide(bench.store.propose(built!.txs));
  bench.client.decided(1);
  await bench.client.whenExecuted(1, patient);
});

test("prepare is one forkchoiceUpdated however often it is called with equal attributes", async (t) => {
  const bench = await openBench(t);
  await bench.ready();
  const before = bench.el.countOf("engine_forkchoiceUpdatedV3");
  for (let call = 0; call < 3; call++)
    await bench.client.prepare(bench.store.state, bench.store.attributes());
  assert.equal(bench.el.countOf("engine_forkchoiceUpdatedV3"), before + 1);
});

test("the build of a new head waits until the EL stands on it", async (t) => {
  const bench = await openBench(t);
  await bench.ready();
  bench.decide(1);
  const built = bench.client.getBuilt(bench.store.state, bench.store.attributes(), patient);
  await bench.client.prepare(bench.store.state, bench.store.attributes());
  bench.client.decided(1);
  assert.equal(numberOf(await built), 2);
});

test("getPayload comes no earlier than the build window after the EL's answer", async (t) => {
  const bench = await openBench(t, { options: { buildWindowMs: 30 } });
  bench.el.fillAfterMs = 15;
  bench.el.poolTxs.push(TX);
  await bench.ready();
  const built = await bench.client.getBuilt(bench.store.state, bench.store.attributes(), patient);
  assert.equal(built?.txs.length, 2);
});

test("an empty payload beside a filled pool widens the window until it is filled", async (t) => {
  const bench = await openBench(t, { timing: { buildWindowMaxMs: 400 } });
  bench.el.poolTxs.push(TX);
  await bench.ready();
  const widened = (): boolean => bench.log.some(({ message }) => message.includes("giving builds more time"));
  let found = 0;
  for (let second = 0; second < 6 && found < 2; second++) {
    // A busy machine may be longer about it than any window: the first payload is empty for sure.
    bench.el.fillAfterMs = widened() ? 60 : Number.POSITIVE_INFINITY;
    const attributes = bench.store.attributes(bench.store.nextTime + BigInt(second) * 1_000_000_000n);
    const built = await bench.client.getBuilt(bench.store.state, attributes, patient);
    found = built?.txs.length ?? 0;
  }
  assert.equal(found, 2);
  assert.ok(widened());
});

test("an immediate build takes the EL's empty block", async (t) => {
  const bench = await openBench(t, { options: { buildWindowMs: 50 } });
  bench.el.fillAfterMs = 10_000;
  bench.el.poolTxs.push(TX);
  await bench.ready();
  const built = await bench.client.getBuilt(bench.store.state, bench.store.attributes(), patient, true);
  assert.equal(built?.txs.length, 1);
  assert.equal(bench.el.countOf("txpool_status"), 0);
});

test("a payload whose own check takes more than half of timeoutPropose asks for a rebuild", () => {
  assert.equal(needsRebuild({ txs: [], validationMs: 500 }, 1_000), false);
  assert.equal(needsRebuild({ txs: [], validationMs: 501 }, 1_000), true);
  assert.equal(needsRebuild({ txs: [], validationMs: null }, 1_000), false);
});

test("after three own payloads found VALID quickly the next is offered while its newPayload is under way", async (t) => {
  // Quickly is within a quarter of it, whatever else the machine does.
  const params = { ...testGenesis({}).params, timeoutProposeMs: 240_000 };
  const bench = await openBench(t, { genesis: { params } });
  await bench.ready();
  const take = (): Promise<BuiltPayload | null> =>
    bench.client.getBuilt(bench.store.state, bench.store.attributes(), patient);
  const forward = async (): Promise<void> => {
    bench.decide(1);
    bench.client.decided(bench.store.height);
    await bench.client.whenExecuted(bench.store.height, patient);
  };
  for (let height = 1; height <= 3; height++) {
    assert.equal(typeof (await take())?.validationMs, "number");
    await forward();
  }
  const judged = Promise.withResolvers<void>();
  bench.el.gate = (method) => (method === "engine_newPayloadV4" ? judged.promise : undefined);
  assert.equal((await take())?.validationMs, null);
  judged.resolve();
  await forward();

  bench.el.script = (method) =>
    method === "engine_newPayloadV4"
      ? { result: { status: "INVALID", latestValidHash: null, validationError: "bad" } }
      : undefined;
  assert.equal((await take())?.validationMs, null);
  while (!bench.log.some(({ message }) => message.includes("calls its own payload invalid"))) await delay(5);
  bench.el.script = () => undefined;
  bench.decide(1);
  bench.client.decided(bench.store.height);
  await bench.client.whenExecuted(bench.store.height, patient);
  assert.equal(typeof (await take())?.validationMs, "number", "trust is earned anew");
});

test("how quick an EL was says nothing about a payload of much more gas", () => {
  const record = new TrackRecord();
  assert.equal(record.isQuick(0n, 1_000), false);
  for (let run = 0; run < 3; run++) record.note("valid", 1_000_000n, 5);
  assert.equal(record.isQuick(50_000_000n, 1_000), true);
  assert.equal(record.isQuick(50_100_000n, 1_000), false);
  record.note("valid", 21_000n, 251);
  assert.equal(record.isQuick(0n, 1_000), false);
  for (let run = 0; run < 3; run++) record.note("valid", 0n, 5);
  assert.equal(record.isQuick(0n, 1_000), true);
  record.note("unknown", 0n, 5);
  assert.equal(record.isQuick(0n, 1_000), false);
});

test("-38001 Unknown payload: the build is started once more", async (t) => {
  const bench = await openBench(t);
  await bench.ready();
  await bench.client.prepare(bench.store.state, bench.store.attributes());
  bench.el.forgetPayloads();
  assert.equal(
    numberOf(await bench.client.getBuilt(bench.store.state, bench.store.attributes(), patient)),
    1,
  );
});

test("VALID without a payload id is asked again until the EL builds", async (t) => {
  const bench = await openBench(t);
  await bench.ready();
  let left = 2;
  bench.el.script = (method, params) =>
    method === "engine_forkchoiceUpdatedV3" && params[1] !== null && left-- > 0
      ? { result: { payloadStatus: { status: "VALID", latestValidHash: null }, payloadId: null } }
      : undefined;
  assert.equal(
    numberOf(await bench.client.getBuilt(bench.store.state, bench.store.attributes(), patient)),
    1,
  );
});

test("prepare ends with the first attempt, also when the EL hangs, and the build starts when it answers again", async (t) => {
  const bench = await openBench(t, { timing: { executeTimeoutMs: 20 } });
  await bench.ready();
  let left = 2;
  bench.el.script = (method, params) =>
    method === "engine_forkchoiceUpdatedV3" && params[1] !== null && left-- > 0 ? "hang" : undefined;
  await bench.client.prepare(bench.store.state, bench.store.attributes());
  let built: BuiltPayload | null = null;
  // Its check may outlast so short a limit on a busy machine: then there is none this time.
  while (built === null)
    built = await bench.client.getBuilt(bench.store.state, bench.store.attributes(), patient);
  assert.equal(numberOf(built), 1);
});

test("SYNCING at the start of a build makes the adapter look where the EL stands", async (t) => {
  const bench = await openBench(t, { timing: { probeMs: 60_000 } });
  await bench.ready();
  bench.decide(3);
  bench.client.decided(3);
  await bench.client.whenExecuted(3, patient);
  bench.el.loseTail(2);
  assert.equal(
    numberOf(await bench.client.getBuilt(bench.store.state, bench.store.attributes(), patient)),
    4,
  );
});

test("-38003 names the EL's reason and yields nothing", async (t) => {
  const bench = await openBench(t);
  await bench.ready();
  bench.el.script = (method, params) =>
    method === "engine_forkchoiceUpdatedV3" && params[1] !== null
      ? {
          error: {
            code: -38003,
            message: "Invalid payload attributes",
            data: { err: "no code at 0x00000961" },
          },
        }
      : undefined;
  assert.equal(await bench.client.getBuilt(bench.store.state, bench.store.attributes(), patient), null);
  assert.ok(bench.log.some(({ facts }) => String(facts["reason"]).includes("no code at 0x00000961")));
});

test("a payload that its own EL calls INVALID is not proposed", async (t) => {
  const bench = await openBench(t);
  await bench.ready();
  bench.el.script = (method) =>
    method === "engine_newPayloadV4"
      ? { result: { status: "INVALID", latestValidHash: null, validationError: "bad" } }
      : undefined;
  assert.equal(await bench.client.getBuilt(bench.store.state, bench.store.attributes(), patient), null);
  assert.ok(bench.log.some(({ level, message }) => level === "error" && message.includes("its own payload")));
});

test("a blob transaction in the EL's payload is kept out, and the height is built empty from then on", async (t) => {
  const bench = await openBench(t, { options: { buildWindowMs: 20 } });
  bench.el.fillAfterMs = 10;
  bench.el.poolTxs.push("0x03aa");
  await bench.ready();
  assert.equal(await bench.client.getBuilt(bench.store.state, bench.store.attributes(), patient), null);
  assert.ok(bench.log.some(({ facts }) => String(facts["do"]).includes("--blobpool.datacap 1")));
  bench.el.fillAfterMs = 10_000;
  const later = bench.store.attributes(bench.store.nextTime + 1_000_000_000n);
  assert.equal((await bench.client.getBuilt(bench.store.state, later, patient))?.txs.length, 1);
});

const WRONG: Readonly<Record<string, readonly [field: string, value: unknown, text: RegExp]>> = {
  "another parent": ["parentHash", `0x${"11".repeat(32)}`, /another parent/],
  "another number": ["blockNumber", "0x7", /another number/],
  "another timestamp": ["timestamp", "0x1", /another timestamp/],
  "another prevRandao": ["prevRandao", `0x${"11".repeat(32)}`, /another prevRandao/],
  "another fee recipient": ["feeRecipient", `0x${"11".repeat(20)}`, /another fee recipient/],
  "withdrawals nobody asked for": [
    "withdrawals",
    [{ index: "0x0", validatorIndex: "0x0", address: `0x${"11".repeat(20)}`, amount: "0x1" }],
    /another list of withdrawals/,
  ],
  "a gas limit of its own": ["gasLimit", "0x3938701", /--miner\.gaslimit 60000000/],
};
for (const [what, [field, value, text]] of Object.entries(WRONG)) {
  test(`a payload with ${what} is not proposed, and the log says what to do`, async (t) => {
    const bench = await openBench(t);
    await bench.ready();
    const { executionPayload } = await built(bench);
    bench.el.script = (method) =>
      method === "engine_getPayloadV5"
        ? { result: { executionPayload: { ...executionPayload, [field]: value }, executionRequests: [] } }
        : undefined;
    assert.equal(await bench.client.getBuilt(bench.store.state, bench.store.attributes(), patient), null);
    assert.match(JSON.stringify(bench.log), text);
  });
}

async function built(bench: Awaited<ReturnType<typeof openBench>>): Promise<{ executionPayload: object }> {
  const { fakePayload } = await import("./support/bench.ts");
  return { executionPayload: fakePayload(bench.store, [], 0) };
}

test("an unreadable payload yields nothing", async (t) => {
  const bench = await openBench(t);
  await bench.ready();
  bench.el.script = (method) =>
    method === "engine_getPayloadV5" ? { result: { executionPayload: {} } } : undefined;
  assert.equal(await bench.client.getBuilt(bench.store.state, bench.store.attributes(), patient), null);
});

test("no build on a state that is not the decided head: a sibling of a finalized block is never sent", async (t) => {
  const bench = await openBench(t);
  await bench.ready();
  const parent = bench.store.state;
  const sibling = fakeBlock(bench.store, [], 9);
  bench.decide(1);
  bench.client.decided(1);
  await bench.client.whenExecuted(1, patient);
  const forked = {
    ...bench.store.state,
    el: { ...bench.store.state.el, blockHash: new Uint8Array(32).fill(8) },
  };
  const before = bench.el.countOf("engine_forkchoiceUpdatedV3");
  const soon = AbortSignal.timeout(60_000);
  assert.equal(await bench.client.getBuilt(forked, bench.store.attributes(), soon), null);
  assert.equal(await bench.client.getBuilt(parent, bench.store.attributes(), soon), null);
  assert.ok(!soon.aborted, "there is nothing to wait for");
  // A sibling may be judged; the head stays.
  await bench.client.validate(sibling, new Uint8Array(32), patient);
  assert.equal(bench.el.countOf("engine_forkchoiceUpdatedV3"), before);
  assert.equal(bench.el.head.hash, `0x${Buffer.from(bench.store.hashes[1]!).toString("hex")}`);
});

test("Prague payloads are taken with getPayloadV4, Osaka payloads with V5", async (t) => {
  const { engineMethods } = await import("../src/payload/methods.ts");
  assert.equal(engineMethods(99, 100).getPayload, "engine_getPayloadV4");
  assert.equal(engineMethods(100, 100).getPayload, "engine_getPayloadV5");
  const bench = await openBench(t);
  await bench.ready();
  await bench.client.getBuilt(bench.store.state, bench.store.attributes(), patient);
  assert.equal(bench.el.countOf("engine_getPayloadV5"), 1);
  assert.equal(bench.el.countOf("engine_getPayloadV4"), 0);
});
