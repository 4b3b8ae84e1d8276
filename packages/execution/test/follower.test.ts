import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type Bench, openBench } from "./support/bench.ts";

const none = new AbortController().signal;

/** Waits until the EL stands on the decided tip and checks that it is the decided block. */
async function atTip(bench: Bench): Promise<void> {
  bench.client.decided(bench.store.height);
  await bench.client.whenExecuted(bench.store.height, none);
  await bench.until(({ kind }) => kind === "ready");
  assert.equal(bench.el.head.hash, `0x${Buffer.from(bench.store.hashes.at(-1)!).toString("hex")}`);
  assert.equal(bench.client.executedHeight, bench.store.height);
}

test("at start forkchoice is set to the EL's own head, which opens Geth's transaction gossip", async (t) => {
  const bench = await openBench(t);
  await bench.ready();
  const [state, attributes] = bench.el.calls.find(
    (call) => call.method === "engine_forkchoiceUpdatedV3",
  )!.params;
  const genesis = bench.el.head.hash;
  assert.deepEqual(state, { headBlockHash: genesis, safeBlockHash: genesis, finalizedBlockHash: genesis });
  assert.equal(attributes, null);
});

test("each decided block goes to the EL as head, safe and finalized, and the cursor is written", async (t) => {
  const bench = await openBench(t);
  await bench.ready();
  for (let height = 1; height <= 3; height++) {
    bench.decide(1);
    await atTip(bench);
  }
  assert.deepEqual(bench.store.cursors, [1, 2, 3]);
  assert.equal(bench.client.head?.number, 3);
  const sent = bench.el.calls.filter(({ method }) => method === "engine_forkchoiceUpdatedV3");
  const decided = bench.store.hashes.map((hash) => `0x${Buffer.from(hash).toString("hex")}`);
  assert.deepEqual(
    sent.slice(-3).map(({ params: [state] }) => state),
    decided.slice(1).map((hash) => ({ headBlockHash: hash, safeBlockHash: hash, finalizedBlockHash: hash })),
  );
});

test("decided blocks go to the EL one after the other, also when several wait", async (t) => {
  const bench = await openBench(t);
  await bench.ready();
  bench.decide(4);
  bench.client.decided(4);
  await Promise.race([bench.client.whenExecuted(4, none), bench.until(({ kind }) => kind === "broken")]);
  const sent = bench.el.calls.filter(({ method }) => method === "engine_newPayloadV4");
  assert.deepEqual(
    sent.map(({ params: [payload] }) => (payload as { blockNumber: string }).blockNumber),
    ["0x1", "0x2", "0x3", "0x4"],
  );
});

test("the beacon root handed to the EL is that of the store, the requests are those of the envelope", async (t) => {
  const bench = await openBench(t);
  await bench.ready();
  bench.decide(1);
  await atTip(bench);
  const [, hashes, root, requests] = bench.el.calls.find(
    (call) => call.method === "engine_newPayloadV4",
  )!.params;
  const stored = await bench.store.block(1);
  assert.deepEqual(hashes, []);
  assert.equal(root, `0x${Buffer.from(stored!.parentBeaconBlockRoot).toString("hex")}`);
  assert.deepEqual(requests, []);
});

for (const lost of [0, 1, 2, 3, 4, 5]) {
  test(`an EL that comes back without its last ${lost} blocks is fed them again`, async (t) => {
    const bench = await openBench(t);
    await bench.ready();
    bench.decide(8);
    await atTip(bench);
    await bench.el.stop();
    await bench.until(({ kind }) => kind === "offline");
    bench.el.loseTail(lost);
    bench.decide(1);
    await bench.el.start();
    await atTip(bench);
    // Found by asking, not by running into a block that it lacks.
    assert.ok(!bench.log.some(({ message }) => message.includes("refuses to adopt")));
  });
}

test("an EL that restarts between two probes and lost blocks is noticed by its head", async (t) => {
  const bench = await openBench(t);
  await bench.ready();
  bench.decide(6);
  await atTip(bench);
  bench.el.loseTail(3);
  await bench.until(({ kind }) => kind === "replaying");
  await atTip(bench);
});

test("a wiped EL is rebuilt from the store, one forkchoice per step of fifty blocks while far behind", async (t) => {
  const bench = await openBench(t);
  bench.decide(180);
  await bench.ready();
  await atTip(bench);
  const steps = bench.el.countOf("engine_forkchoiceUpdatedV3");
  assert.ok(steps < 60, `${steps} forkchoice calls`);
  await bench.el.stop();
  await bench.until(({ kind }) => kind === "offline");
  bench.el.wipe();
  await bench.el.start();
  await bench.until(({ kind }) => kind === "replaying");
  await atTip(bench);
});

test("an EL ahead of the store keeps its head and its finalized block, and its blocks are compared, not sent", async (t) => {
  const bench = await openBench(t);
  await bench.ready();
  bench.decide(5);
  await atTip(bench);
  const { el } = bench;
  await bench.client.close();

  const behind = await openBench(t, { options: { engineUrl: el.url, ethUrl: el.url } });
  for (let height = 1; height <= 3; height++) behind.store.decide((await bench.store.block(height))!.block);
  el.calls.length = 0;
  await behind.client.start(behind.store.state);
  await behind.until(({ kind }) => kind === "ready");
  assert.equal(behind.client.executedHeight, 3);
  assert.equal(el.head.number, 5);
  const tip = `0x${Buffer.from(bench.store.hashes[5]!).toString("hex")}`;
  const forkchoice = el.calls.find((call) => call.method === "engine_forkchoiceUpdatedV3")!.params[0];
  assert.deepEqual(forkchoice, { headBlockHash: tip, safeBlockHash: tip, finalizedBlockHash: tip });
  behind.store.decide((await bench.store.block(4))!.block);
  behind.client.decided(4);
  await behind.client.whenExecuted(4, none);
  assert.equal(el.countOf("engine_newPayloadV4"), 0);
  assert.equal(el.head.number, 5);
});

test("an EL that someone moved to an undecided block is brought back to the decided chain", async (t) => {
  const bench = await openBench(t);
  await bench.ready();
  bench.decide(4);
  await atTip(bench);
  bench.el.replaceTip();
  await bench.client.close();
  const again = await openBench(t, { options: { engineUrl: bench.el.url, ethUrl: bench.el.url } });
  for (let height = 1; height <= 4; height++) again.store.decide((await bench.store.block(height))!.block);
  await again.client.start(again.store.state);
  await again.client.whenExecuted(4, none);
  assert.equal(bench.el.head.hash, `0x${Buffer.from(bench.store.hashes[4]!).toString("hex")}`);
  assert.ok(again.log.some(({ message }) => message.includes("not decided")));
});

test("VALID without a moved head: the EL's own head is sent once, then the block again", async (t) => {
  const bench = await openBench(t);
  await bench.ready();
  bench.decide(1);
  let refused = 0;
  const target = `0x${Buffer.from(bench.store.hashes[1]!).toString("hex")}`;
  bench.el.script = (method, params) => {
    if (method !== "engine_forkchoiceUpdatedV3") return undefined;
    const head = (params[0] as { headBlockHash: string }).headBlockHash;
    if (head !== target || refused > 0) return undefined;
    refused++;
    return { result: { payloadStatus: { status: "VALID", latestValidHash: target }, payloadId: null } };
  };
  await atTip(bench);
  assert.equal(refused, 1);
  assert.ok(bench.log.some(({ message }) => message.includes("does not move its head")));
});

test("VALID that never moves the head ends with a demand to restart the EL, and a restart is tried before a wipe", async (t) => {
  const bench = await openBench(t);
  await bench.ready();
  bench.decide(1);
  const target = `0x${Buffer.from(bench.store.hashes[1]!).toString("hex")}`;
  bench.el.script = (method, params) =>
    method === "engine_forkchoiceUpdatedV3" &&
    (params[0] as { headBlockHash: string }).headBlockHash === target
      ? { result: { payloadStatus: { status: "VALID", latestValidHash: target }, payloadId: null } }
      : undefined;
  bench.client.decided(1);
  const first = await bench.until(({ kind }) => kind === "broken");
  assert.match("action" in first ? first.action : "", /^restart/);
  await bench.el.stop();
  await bench.until(({ kind }) => kind === "offline");
  await bench.el.start();
  const second = await bench.until(
    (status) => status.kind === "broken" && !status.action.startsWith("restart"),
  );
  assert.match("action" in second ? second.action : "", /delete its data directory/);
  bench.el.script = () => undefined;
  await atTip(bench);
});

test("a refused forkchoice leaves the cursor, though the EL's own head has the same number", async (t) => {
  const bench = await openBench(t);
  await bench.ready();
  bench.decide(1);
  const target = `0x${Buffer.from(bench.store.hashes[1]!).toString("hex")}`;
  bench.el.script = (method, params) => {
    if (method === "eth_blockNumber") return { result: "0x1" };
    if (method !== "engine_forkchoiceUpdatedV3") return undefined;
    if ((params[0] as { headBlockHash: string }).headBlockHash !== target) return undefined;
    return { result: { payloadStatus: { status: "INVALID", latestValidHash: null }, payloadId: null } };
  };
  bench.client.decided(1);
  const status = await Promise.race([
    bench.until(({ kind }) => kind === "broken"),
    bench.client.whenExecuted(1, none),
  ]);
  assert.match(
    status !== undefined && "reason" in status ? status.reason : "",
    /refuses to adopt decided block 1/,
  );
  assert.deepEqual(bench.store.cursors, []);
});

test("an EL that answers well but does not keep up is not ready until it has caught up", async (t) => {
  const bench = await openBench(t);
  await bench.ready();
  const begun = Promise.withResolvers<void>();
  const finish = Promise.withResolvers<void>();
  bench.el.gate = (method) => {
    if (method !== "engine_newPayloadV4") return;
    begun.resolve();
    return finish.promise;
  };
  bench.decide(1);
  bench.client.decided(1);
  await begun.promise;
  bench.decide(3);
  finish.resolve();
  const behind = await bench.until(({ kind }) => kind === "replaying");
  assert.deepEqual(behind, { kind: "replaying", head: 1, target: 4 });
  await atTip(bench);
});

test("SYNCING for a block whose parent the EL has ends with a demand, and heals by itself when the EL does", async (t) => {
  const bench = await openBench(t);
  await bench.ready();
  bench.decide(1);
  bench.el.script = (method) =>
    method === "engine_newPayloadV4" ? { result: { status: "SYNCING", latestValidHash: null } } : undefined;
  bench.client.decided(1);
  const status = await bench.until(({ kind }) => kind === "broken");
  assert.match("reason" in status ? status.reason : "", /SYNCING to decided block 1/);
  // Behind by more than one block now: each further attempt would be a replay, were it not broken.
  bench.decide(2);
  const from = bench.statuses.length;
  const asked = bench.el.countOf("engine_newPayloadV4");
  while (bench.el.countOf("engine_newPayloadV4") < asked + 3) await delay(5);
  assert.deepEqual([...new Set(bench.statuses.slice(from).map(({ kind }) => kind))], ["broken"]);
  bench.el.script = () => undefined;
  await atTip(bench);
});

test("INVALID for a decided block breaks the EL, never the chain, and may turn VALID later", async (t) => {
  const bench = await openBench(t);
  await bench.ready();
  bench.decide(2);
  bench.el.script = (method) =>
    method === "engine_newPayloadV4"
      ? { result: { status: "INVALID", latestValidHash: null, validationError: "disk on fire" } }
      : undefined;
  bench.client.decided(2);
  const status = await bench.until(({ kind }) => kind === "broken");
  assert.match("reason" in status ? status.reason : "", /INVALID to decided block 1 \(disk on fire\)/);
  assert.equal(bench.client.executedHeight, 0);
  bench.el.script = () => undefined;
  await atTip(bench);
});

for (const [code, name] of [
  [-38002, "invalid forkchoice state"],
  [-38006, "too deep reorg"],
] as const) {
  test(`${code} at a decided block goes to the recovery ladder and heals`, async (t) => {
    const bench = await openBench(t);
    await bench.ready();
    bench.decide(1);
    let left = 1;
    const target = `0x${Buffer.from(bench.store.hashes[1]!).toString("hex")}`;
    bench.el.script = (method, params) => {
      if (method !== "engine_forkchoiceUpdatedV3" || left === 0) return undefined;
      if ((params[0] as { headBlockHash: string }).headBlockHash !== target) return undefined;
      left--;
      return { error: { code, message: name } };
    };
    await atTip(bench);
  });
}

test("blocks that the store no longer holds are asked of the operator, not of the EL", async (t) => {
  const bench = await openBench(t);
  bench.decide(10);
  bench.store.base = 6;
  await bench.client.start(bench.store.state);
  const status = await bench.until(({ kind }) => kind === "misconfigured");
  assert.equal("code" in status && status.code, "EL_TOO_FAR_BEHIND");
});

test("a cursor that cannot be written is a warning: it is found again from the EL's head", async (t) => {
  const bench = await openBench(t);
  await bench.ready();
  bench.store.setExecutedHeight = () => Promise.reject(new Error("disk full"));
  bench.decide(1);
  await atTip(bench);
  assert.ok(bench.log.some(({ level, facts }) => level === "warn" && facts["reason"] === "disk full"));
});

test("until the EL was asked, executedHeight is the store's note of the last run", async (t) => {
  const bench = await openBench(t, { down: true });
  bench.store.cursors.push(7);
  await bench.client.start(bench.store.state);
  assert.equal(bench.client.executedHeight, 7);
});

test("waiting for a height ends when it is executed, aborted, or the adapter closes", async (t) => {
  const bench = await openBench(t);
  await bench.ready();
  const stop = new AbortController();
  const aborted = bench.client.whenExecuted(1, stop.signal);
  stop.abort();
  await assert.rejects(aborted, { code: "ABORTED" });
  const closed = bench.client.whenExecuted(9, none);
  bench.decide(1);
  await atTip(bench);
  await bench.client.close();
  await assert.rejects(closed, { code: "CLOSED" });
});

test("a replay reads the next decided block while the EL executes one", async (t) => {
  const bench = await openBench(t);
  bench.decide(8);
  const read = bench.store.block.bind(bench.store);
  let highest = 0;
  bench.store.block = (height) => {
    highest = Math.max(highest, height);
    return read(height);
  };
  const ahead: number[] = [];
  bench.el.gate = (method) => {
    if (method === "engine_newPayloadV4") ahead.push(highest);
    return undefined;
  };
  await bench.ready();
  await atTip(bench);
  assert.deepEqual(ahead, [2, 3, 4, 5, 6, 7, 8, 8]);
});
