import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import {
  acceptBlock,
  attributes,
  type BuiltEnvelope,
  type ForkchoiceAnswer,
  forkchoice,
  type Json,
  type PayloadStatus,
  produceBlock,
  ROOT,
} from "./support/client.ts";
import { spawnEl, startEl, testGenesis, type Workspace, workspace } from "./support/process.ts";
import { deploy, Signers } from "./support/transactions.ts";

let space: Workspace;

before(() => {
  space = workspace(testGenesis());
});

after(() => space.remove());

async function run(
  args: readonly string[],
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawnEl(args);
  let stdout = "";
  let stderr = "";
  child.stdout?.on("data", (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr?.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const [code] = (await once(child, "close")) as [number | null];
  return { code, stdout, stderr };
}

const flags = (changes: Record<string, string> = {}): string[] =>
  Object.entries({
    genesis: space.genesisFile,
    datadir: join(space.dir, "refused"),
    jwt: space.jwtFile,
    "http-port": "0",
    "engine-port": "0",
    ...changes,
  }).flatMap(([name, value]) => [`--${name}`, value]);

describe("a mistake of the user ends with one line that says what to do, and its exit code", () => {
  const refuses = async (args: readonly string[], code: number, line: RegExp): Promise<void> => {
    const result = await run(args);
    assert.match(result.stderr, line);
    assert.doesNotMatch(result.stderr, /^\s+at /m, "no stack trace");
    assert.equal(result.code, code);
    assert.equal(result.stdout, "");
  };

  test("2 for flags", async () => {
    await refuses([], 2, /--genesis is required/);
    await refuses(
      flags({ "http-port": "x" }),
      2,
      /--http-port must be an integer between 0 and 65535, it is x/,
    );
    await refuses([...flags(), "--unknown"], 2, /unknown/);
  });

  test("3 for genesis and secret", async () => {
    const file = join(space.dir, "broken.json");
    writeFileSync(file, "{");
    await refuses(flags({ genesis: file }), 3, /is not JSON/);
    writeFileSync(file, JSON.stringify({ ...testGenesis(), difficulty: "0x1" }));
    await refuses(flags({ genesis: file }), 3, /genesis difficulty: must be 0/);
    writeFileSync(file, "0x1234");
    await refuses(flags({ jwt: file }), 3, /must be 32 bytes in hex/);
  });

  test("3 for a directory of another chain, 4 for one in use", async () => {
    const el = await startEl(space);
    await refuses(flags({ datadir: join(space.dir, "data") }), 4, /is in use by another process/);
    await el.stop();
    const other = join(space.dir, "other.json");
    writeFileSync(other, JSON.stringify(testGenesis({ timestamp: 5 })));
    await refuses(flags({ genesis: other, datadir: join(space.dir, "data") }), 3, /another genesis/);
  });

  test("help explains every flag", async () => {
    const { code, stdout } = await run(["--help"]);
    assert.equal(code, 0);
    assert.match(stdout, /Not for production/);
  });
});

describe("a running process", () => {
  test("says in log and version that it is for development, and stops when its parent is gone", async () => {
    const el = await startEl(space, "parent");
    while (!/development and test networks only/.test(el.stderr())) await once(el.process.stderr!, "data");
    assert.match(await el.eth<string>("web3_clientVersion"), /development-only/);
    const exited = once(el.process, "exit");
    el.process.stdin?.end();
    const [code] = (await exited) as [number | null];
    assert.equal(code, 0);
  });

  test("keeps blocks, receipts and state over a restart", async () => {
    const signers = new Signers();
    let el = await startEl(space, "restart");
    const hash = await el.eth<string>(
      "eth_sendRawTransaction",
      await signers.sign(0, { data: deploy("0x6001") }),
    );
    const built = await produceBlock(el.engine);
    const questions: [string, ...unknown[]][] = [
      ["eth_getBlockByNumber", "latest", true],
      ["eth_getBlockByNumber", "finalized", false],
      ["eth_getTransactionReceipt", hash],
      ["eth_getBalance", signers.address(0), "0x0"],
      ["eth_getBalance", signers.address(0), "latest"],
      ["eth_getLogs", { fromBlock: "0x0" }],
    ];
    const ask = (): Promise<unknown[]> =>
      Promise.all(questions.map(([method, ...params]) => el.eth(method, ...params)));
    const before = await ask();
    assert.equal(await el.stop(), 0);
    el = await startEl(space, "restart");
    assert.deepEqual(await ask(), before);
    assert.equal((before[0] as Json)["hash"], built.executionPayload.blockHash);
    await produceBlock(el.engine);
    await el.stop();
  });
});

test("on a chain that stays at Prague payloads have version 4", async () => {
  const { osakaTime: _, ...config } = testGenesis().config;
  const prague = workspace({ ...testGenesis(), config });
  const el = await startEl(prague);
  try {
    const head = await el.engine<{ hash: string; timestamp: string }>(
      "eth_getBlockByNumber",
      "latest",
      false,
    );
    const { payloadId } = await el.engine<ForkchoiceAnswer>(
      "engine_forkchoiceUpdatedV3",
      forkchoice(head.hash),
      attributes(Number(head.timestamp) + 1),
    );
    await assert.rejects(el.engine("engine_getPayloadV5", payloadId), { code: -38005 });
    await acceptBlock(el.engine, await el.engine<BuiltEnvelope>("engine_getPayloadV4", payloadId));
    assert.equal(await el.eth("eth_blockNumber"), "0x1");
  } finally {
    await el.stop();
    prague.remove();
  }
});

describe("a block that takes long to execute", () => {
  test("is validated in the background: SYNCING, then VALID, and other calls are answered meanwhile", async () => {
    const signers = new Signers();
    const [fast, slow] = await Promise.all([
      startEl(space, "fast"),
      startEl(space, "slow", ["--validation-budget", "100", "--build-budget", "300"]),
    ]);
    try {
      const loop = await signers.sign(0, { data: "0x5b600056", gas: 14_000_000n });
      await fast.eth("eth_sendRawTransaction", loop);
      const built = await produceBlock(fast.engine);
      assert.equal(built.executionPayload.transactions.length, 1);
      const ask = (): Promise<PayloadStatus> =>
        slow.engine<PayloadStatus>(
          "engine_newPayloadV4",
          built.executionPayload,
          [],
          ROOT,
          built.executionRequests,
        );
      let status = await ask();
      while (status.status === "SYNCING") {
        assert.equal(await slow.eth("eth_blockNumber"), "0x0");
        status = await ask();
      }
      assert.equal(status.status, "VALID");
    } finally {
      await Promise.all([fast.stop(), slow.stop()]);
    }
  });

  test("is not built: what exceeds the time budget is left out and blocks go on", async () => {
    const signers = new Signers();
    const el = await startEl(space, "budget", ["--build-budget", "100"]);
    try {
      await el.eth(
        "eth_sendRawTransaction",
        await signers.sign(0, { data: "0x5b600056", gas: 15_000_000n, tip: 4_000_000_000n }),
      );
      await el.eth("eth_sendRawTransaction", await signers.sign(1, { to: signers.address(2), value: 1n }));
      const head = await el.engine<{ hash: string; timestamp: string }>(
        "eth_getBlockByNumber",
        "latest",
        false,
      );
      let transactions = 0;
      for (let i = 1; transactions === 0; i++) {
        const answer = await el.engine<ForkchoiceAnswer>(
          "engine_forkchoiceUpdatedV3",
          forkchoice(head.hash),
          attributes(Number(head.timestamp) + i),
        );
        const built = await el.engine<BuiltEnvelope>("engine_getPayloadV5", answer.payloadId);
        transactions = built.executionPayload.transactions.length;
        assert.ok(transactions < 2, "the loop is in no block");
        if (transactions === 1) await acceptBlock(el.engine, built);
      }
      assert.equal(
        await el.eth("eth_getBalance", signers.address(2), "latest"),
        `0x${(10n ** 24n + 1n).toString(16)}`,
      );
    } finally {
      await el.stop();
    }
  });
});
