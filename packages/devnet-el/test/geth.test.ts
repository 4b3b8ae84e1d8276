import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { concatHex, type Hex, padHex } from "viem";
import { elGenesisHash } from "../src/index.ts";
import {
  acceptBlock,
  attributes,
  type BuiltEnvelope,
  type ForkchoiceAnswer,
  forkchoice,
  type Json,
  ROOT,
  type Rpc,
} from "./support/client.ts";
import { type Geth, gethGenesisHash, startGeth, withoutGeth } from "./support/geth.ts";
import { type Child, startEl, testGenesis, type Workspace, workspace } from "./support/process.ts";
import { deploy, random, randomCode, Signers } from "./support/transactions.ts";

const WITHDRAWAL_CONTRACT = "0x00000961ef480eb55e80d19ad83579a64c007002";
const CONSOLIDATION_CONTRACT = "0x0000bbddc7ce488642fb579f8b00f3a590007251";
const BEACON_ROOTS = "0x000f3df6d732807ef1319fb7b8bb8522d0beac02";
const HISTORY = "0x0000f90827f1c53a10cb7a02335b175320002935";

/** Rounds of random programs; more of them for a longer search. */
const SEEDS = Number(process.env["QUORATE_SEEDS"] ?? 4);

describe("block 0 has Geth's hash", { skip: withoutGeth, concurrency: true }, () => {
  const variants = {
    "as makeElGenesis writes it": testGenesis(),
    "with other numbers in the header": {
      ...testGenesis({ gasLimit: 30_000_000, timestamp: 0 }),
      extraData: "0x1234",
      baseFeePerGas: "0x7",
      mixHash: `0x${"ab".repeat(32)}`,
      coinbase: `0x${"cd".repeat(20)}`,
    },
    "with code, storage, a high nonce, an empty account and decimal numbers": testGenesis({
      alloc: {
        "0x1000000000000000000000000000000000000001": {
          balance: "12345678901234567890",
          code: "0x600160025500",
        },
        "0x1000000000000000000000000000000000000002": { balance: "0x0", nonce: "0xffffffffffffffff" },
        "0x1000000000000000000000000000000000000003": { balance: "0x0" },
        "0x1000000000000000000000000000000000000004": {
          balance: "0x1",
          nonce: "0x1",
          code: `0xef0100${"11".repeat(20)}`,
          storage: {
            "0x01": "0x02",
            [`0x${"0".repeat(64)}`]: `0x${"0".repeat(64)}`,
            [`0x${"f".repeat(64)}`]: "0xff",
          },
        },
      },
    }),
    "with another deposit contract": testGenesis({ depositContractAddress: `0x${"de".repeat(20)}` }),
  };
  for (const [name, genesis] of Object.entries(variants)) {
    test(name, async () => {
      const space = workspace(genesis);
      try {
        const hash = `0x${Buffer.from(await elGenesisHash(genesis)).toString("hex")}`;
        assert.equal(hash, await gethGenesisHash(space, "geth"));
      } finally {
        space.remove();
      }
    });
  }
});

describe("Geth and this client execute each other's blocks alike", { skip: withoutGeth }, () => {
  let space: Workspace;
  let el: Child;
  let geth: Geth;
  let time = 1_700_000_000;
  const signers = new Signers();
  const hashes: Hex[] = [];

  before(async () => {
    space = workspace(testGenesis());
    [el, geth] = await Promise.all([startEl(space), startGeth(space)]);
    const genesis = await el.eth<{ hash: string }>("eth_getBlockByNumber", "0x0", false);
    for (const engine of [el.engine, geth.engine]) {
      await engine("engine_forkchoiceUpdatedV3", forkchoice(genesis.hash), null);
    }
  });

  after(async () => {
    await el?.stop();
    await geth?.stop();
    space?.remove();
  });

  const withdrawal = (index: number): Json => ({
    index: `0x${index.toString(16)}`,
    validatorIndex: "0x1",
    address: signers.address(index % 8),
    amount: "0x3b9aca00",
  });

  /** `builder` makes a block of these transactions out of its own pool; both accept it. */
  async function block(
    builder: "el" | "geth",
    transactions: readonly Hex[],
    withdrawals: readonly Json[] = [],
  ): Promise<BuiltEnvelope> {
    const [own, other] = builder === "el" ? [el, geth] : [geth, el];
    for (const raw of transactions) hashes.push(await own.eth<Hex>("eth_sendRawTransaction", raw));
    const head = await own.eth<{ hash: string }>("eth_getBlockByNumber", "latest", false);
    let built: BuiltEnvelope;
    // Geth fills its block in the background and stops when it is asked: a busy machine's may need longer.
    for (let waitMs = 150; ; waitMs *= 2) {
      time += 1;
      const { payloadId } = await own.engine<ForkchoiceAnswer>(
        "engine_forkchoiceUpdatedV3",
        forkchoice(head.hash),
        attributes(time, { withdrawals }),
      );
      if (builder === "geth") await new Promise<void>((resolve) => setTimeout(resolve, waitMs));
      built = await own.engine<BuiltEnvelope>("engine_getPayloadV5", payloadId);
      const whole = built.executionPayload.transactions.length >= transactions.length;
      if (whole || builder === "el" || waitMs > 10_000) break;
    }
    assert.equal(
      built.executionPayload.transactions.length,
      transactions.length,
      `${builder} includes what waits`,
    );
    const again = await geth.eth<BuiltEnvelope>(
      "testing_buildBlockV1",
      head.hash,
      attributes(time, { withdrawals }),
      built.executionPayload.transactions,
      built.executionPayload["extraData"],
    );
    assert.equal(again.executionPayload.blockHash, built.executionPayload.blockHash);
    assert.deepEqual(again.executionRequests, built.executionRequests);
    assert.equal(BigInt(again.blockValue), BigInt(built.blockValue));
    await acceptBlock(other.engine, built);
    await acceptBlock(own.engine, built);
    const [mine, theirs] = await Promise.all(
      [el, geth].map((side) => side.eth<Json[]>("eth_getBlockReceipts", built.executionPayload.blockNumber)),
    );
    assert.deepEqual(mine, theirs);
    return built;
  }

  async function bothBuild(make: () => Promise<Hex[]>, withdrawals: readonly Json[] = []): Promise<void> {
    await block("el", await make(), withdrawals);
    await block("geth", await make(), withdrawals);
  }

  test("empty blocks and withdrawals", async () => {
    await bothBuild(async () => []);
    await bothBuild(
      async () => [],
      [withdrawal(0), withdrawal(1), { ...withdrawal(2), address: `0x${"77".repeat(20)}`, amount: "0x0" }],
    );
  });

  test("transfers of every type", async () => {
    await bothBuild(async () => [
      await signers.sign(0, { to: signers.address(1), value: 1n, type: 0, gas: 21_000n }),
      await signers.sign(1, { to: signers.address(2), value: 2n, type: 1 }),
      await signers.sign(2, { to: `0x${"99".repeat(20)}`, value: 3n, gas: 21_000n }),
      await signers.sign(3, { to: signers.address(3), value: 0n, data: `0x${"00ff".repeat(200)}` }),
    ]);
  });

  test("deployments, logs, reverts, running out of gas, self-destruction, CREATE2, transient storage", async () => {
    await bothBuild(async () => [
      await signers.sign(0, { data: deploy("0x60ff60005560206000a000") }),
      await signers.sign(0, { data: "0x60ff60005260206000a1fe" }),
      await signers.sign(1, { data: "0x5f5ffd" }),
      await signers.sign(1, { data: "0x5b600056", gas: 100_000n }),
      await signers.sign(2, { data: "0x33ff", value: 7n }),
      await signers.sign(2, { data: "0x5f5f5f5ff5505f5f5f5ff500" }),
      await signers.sign(3, { data: "0x600160015d60015c60005560015460025500" }),
      await signers.sign(3, { data: deploy(`0x${"5b".repeat(24576)}`), gas: 6_000_000n }),
      await signers.sign(4, { data: "0x60ef60005360016000f3" }),
      await signers.sign(4, {
        data: "0x7fc0ffee000000000000000000000000000000000000000000000000000000000060005260016020600020600052600160026003602060006000a3",
      }),
    ]);
  });

  test("block hashes, history and beacon roots", async () => {
    await bothBuild(async () => [
      await signers.sign(0, {
        data: "0x60014303405f5560024303406001556101004303406002554340600355600043406004555f5f5260205fa000",
      }),
      await signers.sign(1, { to: BEACON_ROOTS, data: padHex(`0x${(time + 1).toString(16)}`) }),
      await signers.sign(1, { to: HISTORY, data: padHex("0x01") }),
      await signers.sign(1, { to: HISTORY, data: padHex("0xff") }),
    ]);
  });

  test("exits and consolidations become requests", async () => {
    const key = `0x${"42".repeat(48)}` as const;
    await bothBuild(async () => [
      await signers.sign(0, {
        to: WITHDRAWAL_CONTRACT,
        data: concatHex([key, "0x0000000000000001"]),
        value: 1n,
      }),
      await signers.sign(1, {
        to: WITHDRAWAL_CONTRACT,
        data: concatHex([key, "0x0102030405060708"]),
        value: 1n,
      }),
      await signers.sign(2, { to: WITHDRAWAL_CONTRACT, data: key, value: 1n }),
      await signers.sign(3, { to: CONSOLIDATION_CONTRACT, data: concatHex([key, key]), value: 1n }),
    ]);
    const last = await block("el", [
      await signers.sign(4, {
        to: WITHDRAWAL_CONTRACT,
        data: concatHex([key, "0x0000000000000000"]),
        value: 1_000n,
      }),
    ]);
    assert.equal(last.executionRequests.length, 1);
  });

  test("accounts delegate, act through their delegate and revoke", async () => {
    const target = `0x${"00".repeat(19)}04` as const;
    await bothBuild(async () => [await signers.delegate(0, 5, target, signers.address(5), "0x1234")]);
    await bothBuild(async () => [
      await signers.sign(1, { to: signers.address(5), data: "0xabcdef" }),
      await signers.delegate(2, 6, signers.address(5), signers.address(6)),
      await signers.delegate(3, 5, `0x${"00".repeat(20)}`, signers.address(5)),
    ]);
    await bothBuild(async () => [await signers.sign(5, { to: signers.address(0), value: 1n })]);
  });

  test("precompiles with arbitrary, empty and well-formed input", async () => {
    const { hex } = random(1);
    const addresses = [...Array.from({ length: 0x12 }, (_, i) => i + 1), 0x100];
    const call = async (account: number, number: number, data: Hex): Promise<Hex> =>
      signers.sign(account, { to: padHex(`0x${number.toString(16)}`, { size: 20 }), data, gas: 400_000n });
    const bn254 = concatHex([padHex("0x01"), padHex("0x02")]);
    const g1 =
      "0x0000000000000000000000000000000017f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb0000000000000000000000000000000008b3f481e3aaa0f1a09e30ed741d8ae4fcf5e095d5d00af600db18cb2c04b3edd03cc744a2888ae40caa232946c5e7e1";
    await bothBuild(async () => {
      const list: Hex[] = [];
      for (const [i, number] of addresses.entries()) {
        list.push(await call(i % 5, number, "0x"));
        list.push(await call(i % 5, number, hex(192)));
      }
      return list;
    });
    await bothBuild(async () => [
      await call(0, 6, concatHex([bn254, bn254])),
      await call(1, 7, concatHex([bn254, padHex("0x0123456789")])),
      await call(2, 8, `0x${"00".repeat(192)}`),
      await call(3, 0x0b, concatHex([g1, g1])),
      await call(4, 0x0c, concatHex([g1, padHex("0x07")])),
      await call(0, 0x10, padHex("0x09", { size: 64 })),
      await call(1, 5, concatHex([padHex("0x01"), padHex("0x01"), padHex("0x01"), "0x030507"])),
      await call(2, 9, `0x0000000c${"11".repeat(208)}01`),
    ]);
  });

  test("random programs", async () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      await bothBuild(async () => {
        const list: Hex[] = [];
        for (let i = 0; i < 12; i++) {
          const code = randomCode(seed * 1000 + i + hashes.length);
          list.push(
            await signers.sign(i % 5, {
              data: i % 2 === 0 ? code : deploy(code),
              gas: 1_000_000n,
              value: BigInt(i),
            }),
          );
        }
        return list;
      }, [withdrawal(seed)]);
    }
  });

  test("answer the same questions alike", async () => {
    const ask = async (method: string, ...params: unknown[]): Promise<void> => {
      const answers = await Promise.all(
        [el.eth, geth.eth].map((rpc: Rpc) =>
          rpc(method, ...params).catch((error: unknown) => ({
            code: (error as { code?: number }).code,
            data: (error as { data?: unknown }).data,
          })),
        ),
      );
      assert.deepEqual(answers[0], answers[1], `${method} ${JSON.stringify(params).slice(0, 200)}`);
    };
    const head = Number(await el.eth<string>("eth_blockNumber"));
    for (let number = 0; number <= head; number += 3) {
      const tag = `0x${number.toString(16)}`;
      await ask("eth_getBlockByNumber", tag, true);
      await ask("eth_getBlockByNumber", tag, false);
      await ask("eth_getBlockTransactionCountByNumber", tag);
      await ask("eth_getBalance", signers.address(0), tag);
      await ask("eth_getTransactionCount", signers.address(5), tag);
      await ask("eth_getLogs", { fromBlock: tag, toBlock: tag });
      await ask("eth_getProof", signers.address(5), ["0x1"], tag);
    }
    for (const hash of hashes.filter((_, i) => i % 5 === 0)) {
      await ask("eth_getTransactionByHash", hash);
      await ask("eth_getTransactionReceipt", hash);
      await ask("eth_getRawTransactionByHash", hash);
    }
    await ask("eth_getLogs", { fromBlock: "0x0", toBlock: "latest", topics: [null] });
    await ask("eth_getLogs", { fromBlock: "0x5", toBlock: "0x2" });
    await ask("eth_getLogs", { fromBlock: "0x0", toBlock: "0xffff" });
    await ask("eth_feeHistory", "0x8", "latest", [0, 25, 50, 100]);
    await ask("eth_getCode", WITHDRAWAL_CONTRACT, "latest");
    await ask("eth_getStorageAt", HISTORY, "0x1", "latest");
    await ask("eth_getProof", `0x${"ab".repeat(20)}`, [padHex("0x01")], "latest");
    await ask("eth_getProof", HISTORY, ["0x0", "0x1", "0xffff"], "latest");
    const from = signers.address(0);
    await ask("eth_call", { from, to: HISTORY, data: padHex("0x02") }, "latest");
    await ask("eth_call", { from, to: HISTORY, data: padHex("0xfff") }, "latest");
    await ask(
      "eth_call",
      {
        data: "0x7f08c379a00000000000000000000000000000000000000000000000000000000060005260206004526001602452604160445360456000fd",
      },
      "latest",
    );
    await ask("eth_estimateGas", { from, to: signers.address(1), value: "0x1" });
    await ask("eth_estimateGas", { from, data: deploy("0x60ff60005560206000a000") });
    await ask("eth_estimateGas", { from, data: "0x60016000556002600155600060005500" });
    await ask("eth_estimateGas", {
      from,
      to: HISTORY,
      data: padHex("0x02"),
      maxFeePerGas: "0x12a05f200",
      maxPriorityFeePerGas: "0x1",
    });
    await ask("eth_estimateGas", { from, data: "0x5f5ffd" });
    await ask("eth_createAccessList", { from, to: HISTORY, data: padHex("0x02") }, "latest");
    await ask("eth_getTransactionReceipt", `0x${"12".repeat(32)}`);
    await ask("eth_getBlockByHash", `0x${"12".repeat(32)}`, false);
    await ask("eth_config");
  });

  test("a payload changed in any field has the same status on both", async () => {
    time += 1;
    const head = await geth.eth<{ hash: string }>("eth_getBlockByNumber", "latest", false);
    const raw = await signers.sign(0, { to: signers.address(1), value: 1n });
    const built = await geth.eth<BuiltEnvelope>(
      "testing_buildBlockV1",
      head.hash,
      attributes(time),
      [raw],
      "0x",
    );
    const changes: Json = {
      stateRoot: `0x${"01".repeat(32)}`,
      gasLimit: "0x1",
      timestamp: "0x1",
      baseFeePerGas: "0x1",
      parentHash: `0x${"02".repeat(32)}`,
      blockNumber: "0x99",
      extraData: `0x${"00".repeat(33)}`,
      transactions: ["0x02"],
      withdrawals: [withdrawal(1)],
      blockHash: `0x${"03".repeat(32)}`,
      excessBlobGas: "0x1",
    };
    for (const [field, value] of Object.entries(changes)) {
      const payload = { ...built.executionPayload, [field]: value };
      const [mine, theirs] = await Promise.all(
        [el, geth].map((side) =>
          side.engine<{ status: string; latestValidHash: string | null }>(
            "engine_newPayloadV4",
            payload,
            [],
            ROOT,
            built.executionRequests,
          ),
        ),
      );
      assert.equal(mine?.status, theirs?.status, field);
      assert.equal(mine?.latestValidHash, theirs?.latestValidHash, field);
    }
    await acceptBlock(el.engine, built);
  });
});
