import assert from "node:assert/strict";
import { test } from "node:test";
import { LIMITS } from "../src/limits.ts";
import { openBench } from "./support/bench.ts";

function hex(txs: readonly Uint8Array[]): readonly string[] {
  return txs.map((tx) => `0x${Buffer.from(tx).toString("hex")}`);
}

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text.slice(2), "hex"));

test("what the pool held before, and what comes later, is handed out once", async (t) => {
  const bench = await openBench(t);
  await bench.ready();
  bench.el.poolTxs.push("0x02aa");
  assert.deepEqual(hex(await bench.client.pendingTxs()), ["0x02aa"]);
  bench.el.poolTxs.push("0x02bb", "0x02cc");
  assert.deepEqual(hex(await bench.client.pendingTxs()), ["0x02bb", "0x02cc"]);
  assert.deepEqual(await bench.client.pendingTxs(), []);
});

test("a transaction that came by gossip enters the pool and is not handed out again", async (t) => {
  const bench = await openBench(t);
  await bench.ready();
  await bench.client.pendingTxs();
  assert.deepEqual(await bench.client.submitTx(bytes("0x02aa")), { accepted: true });
  assert.deepEqual(bench.el.sent, ["0x02aa"]);
  assert.deepEqual(await bench.client.pendingTxs(), []);
});

test("a transaction that the pool has already is accepted, another refusal is an answer with its reason", async (t) => {
  const bench = await openBench(t);
  await bench.ready();
  bench.el.poolTxs.push("0x02aa");
  assert.deepEqual(await bench.client.submitTx(bytes("0x02aa")), { accepted: true });
  bench.el.script = (method) =>
    method === "eth_sendRawTransaction" ? { error: { code: -32000, message: "nonce too low" } } : undefined;
  assert.deepEqual(await bench.client.submitTx(bytes("0x02bb")), {
    accepted: false,
    reason: "nonce too low",
  });
});

test("blob transactions travel neither way", async (t) => {
  const bench = await openBench(t);
  await bench.ready();
  bench.el.poolTxs.push("0x03aa");
  assert.deepEqual(await bench.client.pendingTxs(), []);
  assert.equal((await bench.client.submitTx(bytes("0x03bb"))).accepted, false);
  assert.deepEqual(bench.el.sent, []);
});

test("transactions that wait are sent as batches", async (t) => {
  const bench = await openBench(t);
  await bench.ready();
  const txs = Array.from({ length: 300 }, (_, index) => new Uint8Array([2, index & 255, index >> 8]));
  const results = await Promise.all(txs.map((tx) => bench.client.submitTx(tx)));
  assert.ok(results.every(({ accepted }) => accepted));
  const requests = bench.calls.filter(({ method }) => method === "eth_sendRawTransaction[]").length;
  assert.ok(requests <= 4, `${requests} requests`);
});

test("a transaction larger than a pool takes, or empty, is refused here", async (t) => {
  const bench = await openBench(t);
  await bench.ready();
  assert.equal((await bench.client.submitTx(new Uint8Array(LIMITS.txBytes + 1).fill(2))).accepted, false);
  assert.equal((await bench.client.submitTx(new Uint8Array(0))).accepted, false);
});

test("beyond the queue's bound transactions are refused, not kept", async (t) => {
  const bench = await openBench(t);
  await bench.ready();
  const all = Array.from({ length: LIMITS.submitQueue + 400 }, (_, index) =>
    bench.client.submitTx(new Uint8Array([2, index & 255, index >> 8, 1])),
  );
  const results = await Promise.all(all);
  assert.ok(results.some(({ accepted }) => !accepted));
});

test("one call hands out a bounded number, the rest comes with the next calls", async (t) => {
  const bench = await openBench(t);
  await bench.ready();
  const total = LIMITS.pendingTxs + 500;
  for (let index = 0; index < total; index++)
    bench.el.poolTxs.push(`0x02${index.toString(16).padStart(6, "0")}`);
  const first = await bench.client.pendingTxs();
  assert.ok(first.length >= LIMITS.pendingTxs && first.length < LIMITS.pendingTxs + LIMITS.batchItems);
  const second = await bench.client.pendingTxs();
  assert.equal(new Set([...hex(first), ...hex(second)]).size, total);
});

test("a filter that the EL forgot is installed anew and loses nothing", async (t) => {
  const bench = await openBench(t);
  await bench.ready();
  await bench.client.pendingTxs();
  bench.el.poolTxs.push("0x02aa");
  bench.el.forgetFilters();
  assert.deepEqual(hex(await bench.client.pendingTxs()), ["0x02aa"]);
});

test("a client without filters has its pool listed", async (t) => {
  const bench = await openBench(t);
  await bench.ready();
  bench.el.script = (method) =>
    method === "eth_newPendingTransactionFilter" ? { error: { code: -32601, message: "no" } } : undefined;
  bench.el.poolTxs.push("0x02aa");
  assert.deepEqual(hex(await bench.client.pendingTxs()), ["0x02aa"]);
  bench.el.poolTxs.push("0x02bb");
  assert.deepEqual(hex(await bench.client.pendingTxs()), ["0x02bb"]);
});

test("a transaction mined between announcement and fetch is left out", async (t) => {
  const bench = await openBench(t);
  await bench.ready();
  bench.el.poolTxs.push("0x02aa");
  bench.el.script = (method) =>
    method === "eth_getRawTransactionByHash"
      ? { error: { code: -32000, message: "transaction indexing is in progress" } }
      : undefined;
  assert.deepEqual(await bench.client.pendingTxs(), []);
});

test("an unreachable public port is told once, and costs no status", async (t) => {
  const bench = await openBench(t, { options: { ethUrl: "http://127.0.0.1:1" } });
  await bench.ready();
  for (let call = 0; call < 3; call++) assert.deepEqual(await bench.client.pendingTxs(), []);
  assert.equal(bench.log.filter(({ level }) => level === "warn").length, 1);
  assert.equal(bench.client.status.kind, "ready");
});
