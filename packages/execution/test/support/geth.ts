import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { type Block, DEFAULT_PARAMS, type Genesis, timeFromMs } from "@quorate/chain";
import { fromHex } from "@quorate/crypto";
import { privateKeyToAccount } from "viem/accounts";
import { createEngineClient } from "../../src/client.ts";
import { gethArgs, gethInitArgs } from "../../src/geth/args.ts";
import type { ElStatus, ExecutionClient } from "../../src/types.ts";
import { memoryLog, systemClock } from "./bench.ts";
import { TestStore, testGenesis } from "./chain.ts";

const CHAIN_ID = 1337;
const ACCOUNT = privateKeyToAccount(`0x${"42".repeat(32)}`);
const DEPOSIT = "00000000219ab540356cbb839cbe05303d7705fa";

/** Runtime code that answers nothing: what Geth needs at the addresses of EIP-7002 and EIP-7251. */
const SILENT = "0x00";

const EL_GENESIS = {
  config: {
    chainId: CHAIN_ID,
    ...Object.fromEntries([
      ..."homestead eip150 eip155 eip158 byzantium constantinople petersburg istanbul berlin london mergeNetsplit"
        .split(" ")
        .map((fork) => [`${fork}Block`, 0] as const),
      ...["shanghai", "cancun", "prague", "osaka"].map((fork) => [`${fork}Time`, 0] as const),
    ]),
    terminalTotalDifficulty: 0,
    depositContractAddress: `0x${DEPOSIT}`,
    blobSchedule: {
      cancun: { target: 3, max: 6, baseFeeUpdateFraction: 3338477 },
      prague: { target: 6, max: 9, baseFeeUpdateFraction: 5007716 },
      osaka: { target: 6, max: 9, baseFeeUpdateFraction: 5007716 },
    },
  },
  difficulty: "0x0",
  gasLimit: `0x${DEFAULT_PARAMS.gasLimit.toString(16)}`,
  timestamp: "0x0",
  baseFeePerGas: "0x3b9aca00",
  alloc: {
    [ACCOUNT.address.slice(2)]: { balance: "0x3635c9adc5dea00000" },
    "00000961Ef480Eb55e80D19ad83579A64c007002": { balance: "0x0", nonce: "0x1", code: SILENT },
    "0000BBdDc7CE488642fb579F8B00f3a590007251": { balance: "0x0", nonce: "0x1", code: SILENT },
  },
};

export interface GethBench {
  readonly client: ExecutionClient;
  readonly store: TestStore;
  ready(): Promise<void>;
  until(wanted: (status: ElStatus) => boolean): Promise<ElStatus>;
  /** A signed transfer with the next nonce. */
  transfer(): Promise<Uint8Array>;
  sendDirectly(raw: Uint8Array): Promise<void>;
  /** A block built by Geth for this time, not decided. */
  propose(time: bigint): Promise<Block>;
  /** Builds, judges, decides and executes; the number of its transactions. */
  makeBlock(): Promise<number>;
  headHash(): Promise<string>;
  kill(): Promise<void>;
  start(): Promise<void>;
  wipe(): Promise<void>;
  /** Another adapter on the same Geth that differs in one thing. */
  stranger(
    t: TestContext,
    change: {
      readonly secret?: Uint8Array;
      readonly clockOffsetMs?: number;
      readonly depositContractAddress?: Uint8Array;
    },
  ): Promise<{ until(wanted: (status: ElStatus) => boolean): Promise<ElStatus> }>;
}

export async function openGethBench(t: TestContext, binary: string): Promise<GethBench> {
  const folder = mkdtempSync(join(tmpdir(), "quorate-geth-"));
  const dataDir = join(folder, "data");
  const [enginePort, httpPort, p2pPort] = await freePorts(3);
  const jwtFile = join(folder, "jwt.hex");
  const genesisFile = join(folder, "el-genesis.json");
  writeFileSync(jwtFile, randomBytes(32).toString("hex"), { mode: 0o600 });
  writeFileSync(genesisFile, JSON.stringify(EL_GENESIS));
  const engineUrl = `http://127.0.0.1:${enginePort}`;
  const ethUrl = `http://127.0.0.1:${httpPort}`;
  let child: ChildProcess | null = null;

  const init = (): void => {
    execFileSync(binary, [...gethInitArgs(dataDir, genesisFile)], { stdio: "ignore" });
  };
  const start = async (): Promise<void> => {
    const args = gethArgs({
      ...{
        dataDir,
        chainId: CHAIN_ID,
        jwtFile,
        enginePort: enginePort!,
        httpPort: httpPort!,
        p2pPort: p2pPort!,
      },
      gasLimit: DEFAULT_PARAMS.gasLimit,
      cacheMb: 64,
    });
    child = spawn(binary, [...args], { stdio: "ignore" });
    while ((await ethCall(ethUrl, "eth_chainId", []).catch(() => null)) === null) {
      if (child.exitCode !== null) throw new Error(`geth ended with ${child.exitCode}`);
    }
  };
  const kill = async (): Promise<void> => {
    const running = child;
    child = null;
    if (running === null || running.exitCode !== null) return;
    const gone = new Promise((resolve) => running.once("exit", resolve));
    running.kill("SIGKILL");
    await gone;
  };
  t.after(async () => {
    await kill();
    rmSync(folder, { recursive: true, force: true });
  });
  init();
  await start();

  const zero = (await ethCall(ethUrl, "eth_getBlockByNumber", ["0x0", false])) as { hash: string };
  const elGenesisHash = fromHex(zero.hash.slice(2));
  const genesis: Genesis = testGenesis({
    evmChainId: CHAIN_ID,
    elGenesisHash,
    depositContractAddress: fromHex(DEPOSIT),
    genesisTime: timeFromMs(Math.floor(Date.now() / 1000) * 1000 - 3_600_000),
  });
  const store = new TestStore(genesis);
  const client = createEngineClient(
    {
      engineUrl,
      ethUrl,
      jwtFile,
      buildWindowMs: 200,
      timing: { probeMs: 100, retryMinMs: 20, retryMaxMs: 200 },
    },
    { store, genesis, log: memoryLog([]), metrics: null, clock: systemClock },
  );
  t.after(() => client.close());
  const until = waiter(client);
  const patient = AbortSignal.timeout(590_000);
  let nonce = 0;

  const propose = async (time: bigint): Promise<Block> => {
    const built = await client.getBuilt(store.state, store.attributes(time), patient);
    if (built === null) throw new Error("geth built nothing");
    return store.propose(built.txs, time);
  };
  return {
    ...{ client, store, until, propose, kill, start },
    async ready() {
      await client.start(store.state);
      await until(({ kind }) => kind === "ready");
    },
    async transfer() {
      const raw = await ACCOUNT.signTransaction({
        chainId: CHAIN_ID,
        type: "eip1559",
        nonce: nonce++,
        to: `0x${"77".repeat(20)}`,
        value: 1n,
        gas: 21_000n,
        maxFeePerGas: 10_000_000_000n,
        maxPriorityFeePerGas: 1_000_000_000n,
      });
      return fromHex(raw.slice(2));
    },
    async sendDirectly(raw) {
      await ethCall(ethUrl, "eth_sendRawTransaction", [`0x${Buffer.from(raw).toString("hex")}`]);
    },
    async makeBlock() {
      const block = await propose(store.nextTime);
      const verdict = await client.validate(block, store.attributes().parentBeaconBlockRoot, patient);
      if (verdict.kind !== "valid") throw new Error(`${verdict.kind}: ${verdict.reason}`);
      store.decide(block);
      client.decided(store.height);
      await client.whenExecuted(store.height, patient);
      return block.txs.length - 1;
    },
    async headHash() {
      const head = (await ethCall(ethUrl, "eth_getBlockByNumber", ["latest", false])) as { hash: string };
      return head.hash.slice(2);
    },
    async wipe() {
      rmSync(dataDir, { recursive: true });
      init();
    },
    async stranger(inner, change) {
      const secretFile = join(folder, `stranger-${randomBytes(4).toString("hex")}.hex`);
      if (change.secret !== undefined) {
        writeFileSync(secretFile, Buffer.from(change.secret).toString("hex"), { mode: 0o600 });
      }
      const { clockOffsetMs = 0, depositContractAddress } = change;
      const other = createEngineClient(
        {
          engineUrl,
          ethUrl,
          jwtFile: change.secret === undefined ? jwtFile : secretFile,
          buildWindowMs: 200,
        },
        {
          store: new TestStore(genesis),
          genesis: depositContractAddress === undefined ? genesis : { ...genesis, depositContractAddress },
          log: memoryLog([]),
          metrics: null,
          clock: { ...systemClock, wallMs: () => Date.now() + clockOffsetMs },
        },
      );
      inner.after(() => other.close());
      await other.start(store.state);
      return { until: waiter(other) };
    },
  };
}

function waiter(client: ExecutionClient): (wanted: (status: ElStatus) => boolean) => Promise<ElStatus> {
  return (wanted) => {
    if (wanted(client.status)) return Promise.resolve(client.status);
    return new Promise((resolve) => {
      const leave = client.onStatus((status) => {
        if (!wanted(status)) return;
        leave();
        resolve(status);
      });
    });
  };
}

async function ethCall(url: string, method: string, params: readonly unknown[]): Promise<unknown> {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
  });
  const { result, error } = (await response.json()) as { result?: unknown; error?: { message: string } };
  if (error !== undefined) throw new Error(error.message);
  return result;
}

async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve) =>
          server.listen(0, "127.0.0.1", () => {
            const address = server.address();
            resolve(typeof address === "object" && address !== null ? address.port : 0);
          }),
        ),
    ),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
