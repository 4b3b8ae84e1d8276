import assert from "node:assert/strict";
import { test } from "node:test";
import {
  acceptBlock,
  attributes,
  type BuiltEnvelope,
  type ForkchoiceAnswer,
  forkchoice,
  produceBlock,
} from "./support/client.ts";
import { startEl, testGenesis, workspace } from "./support/process.ts";
import { Signers } from "./support/transactions.ts";

test("a kill at any moment loses no acknowledged block and the chain goes on", async () => {
  const space = workspace(testGenesis());
  const signers = new Signers();
  try {
    let acknowledged = "";
    for (let round = 0; round < 4; round++) {
      const el = await startEl(space);
      const head = await el.eth<{ hash: string; number: string }>("eth_getBlockByNumber", "latest", false);
      if (acknowledged !== "") {
        const known = await el.eth<{ hash: string; number: string } | null>(
          "eth_getBlockByHash",
          acknowledged,
          false,
        );
        assert.ok(known !== null, "the acknowledged block is there");
        assert.ok(Number(head.number) >= Number(known.number));
      }
      const answers = await el.eth<unknown[]>("eth_getBlockReceipts", "latest");
      assert.ok(Array.isArray(answers));
      assert.equal(
        (await el.eth<string>("eth_getBalance", signers.address(0), "latest")).startsWith("0x"),
        true,
      );
      for (let i = 0; i < 2; i++) {
        const nonce = Number(await el.eth<string>("eth_getTransactionCount", signers.address(0), "pending"));
        while (signers.nonce(0) < nonce) await signers.sign(0, { to: signers.address(1) });
        await el
          .eth("eth_sendRawTransaction", await signers.sign(0, { to: signers.address(1), value: 1n }))
          .catch(() => undefined);
        acknowledged = (await produceBlock(el.engine)).executionPayload.blockHash;
      }
      // The next block is on its way when the process dies, at another point each round.
      const last = await el.eth<{ hash: string; timestamp: string }>("eth_getBlockByNumber", "latest", false);
      const dying = (async () => {
        const { payloadId } = await el.engine<ForkchoiceAnswer>(
          "engine_forkchoiceUpdatedV3",
          forkchoice(last.hash),
          attributes(Number(last.timestamp) + 1),
        );
        if (round === 0) return;
        const built = await el.engine<BuiltEnvelope>("engine_getPayloadV5", payloadId);
        if (round === 1) return;
        await acceptBlock(el.engine, built);
        acknowledged = built.executionPayload.blockHash;
      })().catch(() => undefined);
      if (round < 2) await dying;
      await el.stop("SIGKILL");
      await dying;
    }
  } finally {
    space.remove();
  }
});

test("transactions that wait in the pool survive a restart and a kill", async () => {
  const space = workspace(testGenesis());
  const signers = new Signers();
  try {
    let el = await startEl(space);
    const first = await el.eth<string>(
      "eth_sendRawTransaction",
      await signers.sign(0, { to: signers.address(1), value: 1n }),
    );
    assert.equal(await el.stop(), 0);
    el = await startEl(space);
    const second = await el.eth<string>(
      "eth_sendRawTransaction",
      await signers.sign(0, { to: signers.address(1), value: 1n }),
    );
    await el.stop("SIGKILL");
    el = await startEl(space);
    for (const hash of [first, second]) assert.ok((await el.eth("eth_getTransactionByHash", hash)) !== null);
    const built = await produceBlock(el.engine);
    assert.equal(built.executionPayload.transactions.length, 2);
    await el.stop();
  } finally {
    space.remove();
  }
});
