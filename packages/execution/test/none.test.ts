import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { decodeEnvelope, encodeEnvelope } from "@quorate/chain";
import fc from "fast-check";
import { LIMITS } from "../src/limits.ts";
import { createNoExecution, type OpaquePool } from "../src/none.ts";
import type { ExecutionClient } from "../src/types.ts";
import { memoryLog } from "./support/bench.ts";
import { TestStore, testGenesis } from "./support/chain.ts";

const never = new AbortController().signal;

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

function heapBytes(): number {
  collect();
  return process.memoryUsage().heapUsed;
}

function open(): { store: TestStore; client: ExecutionClient & OpaquePool } {
  const store = new TestStore(testGenesis({ execution: "none" }));
  return { store, client: createNoExecution({ store, log: memoryLog([]) }) };
}

const tx = (...bytes: number[]): Uint8Array => new Uint8Array(bytes);

test("a block holds envelope version 0 and the pool's transactions in order of arrival", async () => {
  const { store, client } = open();
  await client.start(store.state);
  await client.submitTx(tx(3));
  client.submitLocal(tx(1));
  const built = await client.getBuilt(store.state, store.attributes(), never);
  assert.deepEqual(decodeEnvelope(built!.txs[0]!), { version: 0 });
  assert.deepEqual(built!.txs.slice(1), [tx(3), tx(1)]);
  assert.equal(built!.validationMs, 0);
});

test("every block of version 0 is valid at once, one with another envelope is not", async () => {
  const { store, client } = open();
  const good = store.propose([encodeEnvelope({ version: 0 }), tx(1)]);
  assert.deepEqual(await client.validate(good, new Uint8Array(32), never), { kind: "valid" });
  assert.equal((await client.validate(store.propose([tx(1)]), new Uint8Array(32), never)).kind, "invalid");
});

test("the decided height is the executed height", async () => {
  const { store, client } = open();
  await client.start(store.state);
  const waiting = client.whenExecuted(1, never);
  store.decide(store.propose([encodeEnvelope({ version: 0 })]));
  client.decided(1);
  await waiting;
  assert.equal(client.executedHeight, 1);
});

test("decided transactions leave the pool and do not come back", async () => {
  const { store, client } = open();
  await client.start(store.state);
  for (const byte of [1, 2, 3]) await client.submitTx(tx(byte));
  store.decide(store.propose([encodeEnvelope({ version: 0 }), tx(1), tx(3)]));
  client.decided(1);
  const built = await client.getBuilt(store.state, store.attributes(), never);
  assert.deepEqual(built!.txs.slice(1), [tx(2)]);
  assert.equal((await client.submitTx(tx(1))).accepted, false);
  assert.deepEqual(client.poolSize, { count: 1, bytes: 1 });
});

test("only transactions given here go to gossip, once", async () => {
  const { client } = open();
  await client.submitTx(tx(1));
  client.submitLocal(tx(2));
  client.submitLocal(tx(2));
  assert.deepEqual(await client.pendingTxs(), [tx(2)]);
  assert.deepEqual(await client.pendingTxs(), []);
});

test("what a block has taken meanwhile waits for gossip no more, so a node that never gossips holds no more than its pool", async () => {
  const { store, client } = open();
  await client.start(store.state);
  for (const byte of [1, 2, 3]) client.submitLocal(tx(byte));
  store.decide(store.propose([encodeEnvelope({ version: 0 }), tx(1), tx(3)]));
  client.decided(1);
  await client.getBuilt(store.state, store.attributes(), never);
  assert.deepEqual(await client.pendingTxs(), [tx(2)]);
});

test("the pool is bounded in number and refuses what is too large or empty", async () => {
  const { client } = open();
  for (let index = 0; index < LIMITS.poolTxs; index++) {
    assert.ok((await client.submitTx(tx(index & 255, index >> 8, 1))).accepted);
  }
  assert.equal((await client.submitTx(tx(9, 9, 9, 9))).accepted, false);
  const { client: other } = open();
  assert.equal((await other.submitTx(new Uint8Array(LIMITS.txBytes + 1))).accepted, false);
  assert.equal((await other.submitTx(tx())).accepted, false);
});

test("a block stays below max_block_bytes", async () => {
  const { store, client } = open();
  const state = { ...store.state, params: { ...store.state.params, maxBlockBytes: 10_000 } };
  for (let byte = 0; byte < 200; byte++) await client.submitTx(new Uint8Array(100).fill(byte));
  const built = await client.getBuilt(state, store.attributes(), never);
  const bytes = built!.txs.reduce((sum, item) => sum + item.length, 0);
  assert.ok(bytes > 7_000 && bytes < 9_000, `${bytes}`);
});

test("CVE-2023-34451: whatever is submitted, decided or asked for in whatever order, the pool counts exactly what it holds", async () => {
  const transaction = fc.integer({ min: 0, max: 30 }).map((i) => tx(...new Array<number>(1 + i).fill(i)));
  const action = fc.oneof(
    fc.record({ do: fc.constant("local" as const), tx: transaction }),
    fc.record({ do: fc.constant("gossip" as const), tx: transaction }),
    fc.record({ do: fc.constant("decide" as const), txs: fc.array(transaction, { maxLength: 4 }) }),
    fc.record({ do: fc.constant("build" as const) }),
    fc.record({ do: fc.constant("pending" as const) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 40 }), async (actions) => {
      const { store, client } = open();
      await client.start(store.state);
      const waiting: string[] = [];
      const decided = new Set<string>();
      const nameOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
      for (const step of actions) {
        if (step.do === "decide") {
          store.decide(store.propose([encodeEnvelope({ version: 0 }), ...step.txs]));
          client.decided(store.state.lastHeight);
          for (const gone of step.txs.map(nameOf)) {
            decided.add(gone);
            if (waiting.includes(gone)) waiting.splice(waiting.indexOf(gone), 1);
          }
        } else if (step.do === "pending") await client.pendingTxs();
        else if (step.do === "local" || step.do === "gossip") {
          const name = nameOf(step.tx);
          // What is decided leaves with the block that a build waits for.
          await client.getBuilt(store.state, store.attributes(), never);
          const { accepted } =
            step.do === "local" ? client.submitLocal(step.tx) : await client.submitTx(step.tx);
          assert.equal(accepted, waiting.includes(name) || !decided.has(name));
          if (accepted && !waiting.includes(name)) waiting.push(name);
        }
        const built = await client.getBuilt(store.state, store.attributes(), never);
        assert.deepEqual(built!.txs.slice(1).map(nameOf), waiting);
        assert.deepEqual(client.unconfirmed(100).map(nameOf), waiting);
        const bytes = waiting.reduce((sum, name) => sum + name.length / 2, 0);
        assert.deepEqual(client.poolSize, { count: waiting.length, bytes });
      }
    }),
    { numRuns: 60 },
  );
});

test("cometbft#5946: transactions of one byte or of the largest size fill the pool up to its bounds, and the heap no further", async () => {
  const { store, client } = open();
  await client.start(store.state);
  const before = heapBytes();
  let accepted = 0;
  for (let i = 0; i < LIMITS.poolTxs + 10_000; i++) {
    if (client.submitLocal(Uint8Array.of(i & 255, (i >> 8) & 255, i >> 16)).accepted) accepted++;
  }
  assert.equal(accepted, LIMITS.poolTxs);
  assert.equal(client.poolSize.count, LIMITS.poolTxs);
  const each = (heapBytes() - before) / LIMITS.poolTxs;
  assert.ok(each < 600, `${each} bytes of heap for a transaction of three`);
  const { client: large } = open();
  let taken = 0;
  for (let i = 0; i < 600; i++) {
    const raw = new Uint8Array(LIMITS.txBytes);
    raw[0] = i & 255;
    raw[1] = i >> 8;
    if (large.submitLocal(raw).accepted) taken++;
  }
  assert.equal(taken, LIMITS.poolBytes / LIMITS.txBytes);
  assert.ok(large.poolSize.bytes <= LIMITS.poolBytes);
});
