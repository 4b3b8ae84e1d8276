import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeEnvelope, encodeEnvelope } from "@quorate/chain";
import { findGeth, gethArgs } from "../src/index.ts";
import { openGethBench } from "./support/geth.ts";

const geth = await findGeth(process.env);
const skip =
  geth === null
    ? "NO GETH: not on PATH, not named by QUORATE_GETH, not in the cache; nothing was proven with real Geth"
    : false;
const patient = AbortSignal.timeout(600_000);

test("Geth is started with archive state on leveldb, without peers and without blobs", () => {
  const args = gethArgs({
    dataDir: "D",
    chainId: 7,
    jwtFile: "J",
    enginePort: 1,
    httpPort: 2,
    p2pPort: 3,
    gasLimit: 60_000_000,
  }).join(" ");
  for (const flag of [
    "--gcmode archive",
    "--db.engine leveldb",
    "--maxpeers 0",
    "--blobpool.datacap 1",
    "--miner.gaslimit 60000000",
  ]) {
    assert.ok(args.includes(flag), flag);
  }
  assert.ok(args.includes("--authrpc.addr 127.0.0.1") && args.includes("--http.addr 127.0.0.1"));
});

test("real Geth: 20 blocks with transfers, kill -9, wipe, siblings, blobs, its own words", {
  skip,
  timeout: 600_000,
}, async (t) => {
  const bench = await openGethBench(t, geth!.path);
  const { client, store } = bench;

  await t.test("its start checks pass, fork times and deposit contract included", async () => {
    await bench.ready();
    assert.match(client.status.kind === "ready" ? client.status.client : "", /1\.17/);
  });

  await t.test("20 blocks with transfers are built, judged and adopted", async () => {
    let included = 0;
    for (let height = 1; height <= 20; height++) {
      assert.equal((await client.submitTx(await bench.transfer())).accepted, true);
      included += await bench.makeBlock();
    }
    assert.equal(client.executedHeight, 20);
    assert.ok(included >= 19, `${included} of 20 transfers in blocks`);
  });

  await t.test("a transaction is handed out raw once, and taken again as known", async () => {
    const raw = await bench.transfer();
    await client.pendingTxs();
    await bench.sendDirectly(raw);
    const pending = await client.pendingTxs();
    assert.deepEqual(
      pending.map((tx) => Buffer.from(tx).toString("hex")),
      [Buffer.from(raw).toString("hex")],
    );
    assert.deepEqual(await client.pendingTxs(), []);
    assert.equal((await client.submitTx(raw)).accepted, true);
    await bench.makeBlock();
  });

  await t.test(
    "a sibling of a finalized block is VALID to Geth, and still its head never moves there",
    async () => {
      const { state } = store;
      const sibling = await bench.propose(store.nextTime + 1_000_000_000n);
      const decided = await bench.propose(store.nextTime);
      assert.equal(
        (await client.validate(sibling, store.attributes().parentBeaconBlockRoot, patient)).kind,
        "valid",
      );
      store.decide(decided);
      client.decided(store.height);
      await client.whenExecuted(store.height, patient);
      const envelope = decodeEnvelope(sibling.txs[0]!);
      assert.ok(envelope.version === 1);
      const aside = { ...store.state, el: { ...store.state.el, blockHash: envelope.blockHash } };
      assert.equal(await client.getBuilt(aside, store.attributes(), patient), null);
      assert.equal(await client.getBuilt(state, store.attributes(), patient), null);
      assert.equal(await bench.headHash(), Buffer.from(store.state.el.blockHash).toString("hex"));
    },
  );

  await t.test("a tampered payload is INVALID with Geth's reason", async () => {
    const block = await bench.propose(store.nextTime);
    const envelope = decodeEnvelope(block.txs[0]!);
    assert.ok(envelope.version === 1);
    const forged = encodeEnvelope({ ...envelope, stateRoot: new Uint8Array(32) });
    const verdict = await client.validate(
      store.propose([forged, ...block.txs.slice(1)]),
      store.attributes().parentBeaconBlockRoot,
      patient,
    );
    assert.equal(verdict.kind, "invalid");
    assert.match(verdict.kind === "invalid" ? verdict.reason : "", /blockhash mismatch/);
  });

  await t.test("a payload with a false parent is never VALID", async () => {
    const block = await bench.propose(store.nextTime);
    const envelope = decodeEnvelope(block.txs[0]!);
    assert.ok(envelope.version === 1);
    const orphan = encodeEnvelope({ ...envelope, parentHash: new Uint8Array(32).fill(3) });
    const verdict = client.validate(
      store.propose([orphan]),
      store.attributes().parentBeaconBlockRoot,
      patient,
    );
    // Geth recomputes the hash before it looks for the parent.
    assert.equal((await verdict).kind, "invalid");
  });

  await t.test("a blob transaction is kept out of pool and block", async () => {
    assert.equal((await client.submitTx(new Uint8Array([3, 1, 2]))).accepted, false);
  });

  await t.test("kill -9 and a restart: whatever Geth lost is fed again, and the chain goes on", async () => {
    await bench.kill();
    await bench.until(({ kind }) => kind === "offline");
    await bench.start();
    await bench.until(({ kind }) => kind === "ready");
    assert.equal(client.executedHeight, store.height);
    await bench.makeBlock();
    assert.equal(await bench.headHash(), Buffer.from(store.state.el.blockHash).toString("hex"));
  });

  await t.test("blocks decided while Geth is dead are executed when it is back", async () => {
    const ahead = await bench.propose(store.nextTime);
    await bench.kill();
    store.decide(ahead);
    client.decided(store.height);
    await bench.until(({ kind }) => kind === "offline");
    await bench.start();
    await client.whenExecuted(store.height, patient);
    assert.equal(await bench.headHash(), Buffer.from(store.state.el.blockHash).toString("hex"));
  });

  await t.test("a wiped data directory is rebuilt from the store", async () => {
    await bench.kill();
    await bench.until(({ kind }) => kind === "offline");
    await bench.wipe();
    await bench.start();
    await bench.until(({ kind }) => kind === "ready");
    assert.equal(client.executedHeight, store.height);
    assert.equal(await bench.headHash(), Buffer.from(store.state.el.blockHash).toString("hex"));
    await bench.makeBlock();
  });

  await t.test("another secret is told apart from another clock by Geth's own words", async (inner) => {
    const stranger = await bench.stranger(inner, { secret: new Uint8Array(32).fill(9) });
    const wrong = await stranger.until(({ kind }) => kind === "misconfigured");
    assert.equal(wrong.kind === "misconfigured" && wrong.code, "EL_JWT_SECRET");
    for (const offset of [-75_000, 75_000]) {
      const late = await bench.stranger(inner, { clockOffsetMs: offset });
      const skewed = await late.until(({ kind }) => kind === "misconfigured");
      assert.equal(skewed.kind === "misconfigured" && skewed.code, "EL_CLOCK_SKEW");
    }
  });

  await t.test("the same genesis hash with another deposit contract is noticed", async (inner) => {
    const stranger = await bench.stranger(inner, { depositContractAddress: new Uint8Array(20).fill(1) });
    const status = await stranger.until(({ kind }) => kind === "misconfigured");
    assert.equal(status.kind === "misconfigured" && status.code, "EL_CONFIG");
  });
});
