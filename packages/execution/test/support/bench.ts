import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { encodeEnvelope, type Genesis } from "@quorate/chain";
import { fromHex } from "@quorate/crypto";
import { createEngineClient } from "../../src/client.ts";
import { payloadFromJson } from "../../src/payload/from-engine.ts";
import type { EngineOptions, EngineTiming, ExecutionClock, ExecutionLog } from "../../src/ports.ts";
import type { ElStatus, ExecutionClient } from "../../src/types.ts";
import { TestStore, testGenesis } from "./chain.ts";
import { FakeEl, hashOf, seal } from "./fake-el.ts";

export const systemClock: ExecutionClock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  timer(ms, callback) {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};

export interface LogLine {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly message: string;
  readonly facts: Readonly<Record<string, unknown>>;
}

export function memoryLog(lines: LogLine[]): ExecutionLog {
  const at =
    (level: LogLine["level"]) =>
    (message: string, facts: Readonly<Record<string, unknown>> = {}): void => {
      lines.push({ level, message, facts });
    };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

/** Quick to try again, and patient with a machine that is busy: a test whose EL hangs says for how long. */
const FAST: EngineTiming = {
  executeTimeoutMs: 60_000,
  callTimeoutMs: 60_000,
  retryMinMs: 2,
  retryMaxMs: 20,
  probeMs: 20,
  buildWindowMaxMs: 40,
};

export const SECRET: Uint8Array = new Uint8Array(32).fill(0x5a);

/** An adapter beside a fake EL and a decided chain in memory. */
export interface Bench {
  readonly el: FakeEl;
  readonly store: TestStore;
  readonly client: ExecutionClient;
  readonly log: LogLine[];
  readonly statuses: ElStatus[];
  readonly calls: { readonly method: string; readonly status: string }[];
  /** Decides `count` blocks that the fake EL accepts, without telling the adapter. */
  decide(count: number): void;
  /** The first status for which `wanted` holds, now or later. */
  until(wanted: (status: ElStatus) => boolean): Promise<ElStatus>;
  /** Starts and waits for `ready`. */
  ready(): Promise<void>;
}

export interface BenchOptions {
  readonly options?: Partial<EngineOptions>;
  readonly timing?: Partial<EngineTiming>;
  readonly genesis?: Partial<Genesis>;
  /** Secret of the EL when it differs from ours. */
  readonly elSecret?: Uint8Array;
  readonly down?: boolean;
  /** What durations are measured with, where a test says how long something took; default is the real time. */
  readonly monotonicMs?: () => number;
}

export async function openBench(t: TestContext, given: BenchOptions = {}): Promise<Bench> {
  const genesisHash = hashOf("genesis");
  const genesis = testGenesis({ elGenesisHash: fromHex(genesisHash.slice(2)), ...given.genesis });
  const el = new FakeEl(given.elSecret ?? SECRET, genesisHash);
  await el.start();
  if (given.down === true) await el.stop();
  const folder = mkdtempSync(join(tmpdir(), "quorate-execution-"));
  const jwtFile = join(folder, "jwt.hex");
  writeFileSync(jwtFile, Buffer.from(SECRET).toString("hex"), { mode: 0o600 });
  const store = new TestStore(genesis);
  const log: LogLine[] = [];
  const calls: { readonly method: string; readonly status: string }[] = [];
  const client = createEngineClient(
    {
      engineUrl: el.url,
      ethUrl: el.url,
      jwtFile,
      buildWindowMs: 0,
      timing: { ...FAST, ...given.timing },
      ...given.options,
    },
    {
      store,
      genesis,
      log: memoryLog(log),
      metrics: { call: (method, status) => calls.push({ method, status }) },
      clock: { ...systemClock, ...(given.monotonicMs && { monotonicMs: given.monotonicMs }) },
    },
  );
  const statuses: ElStatus[] = [];
  client.onStatus((status) => statuses.push(status));
  t.after(async () => {
    await client.close();
    await el.stop();
    rmSync(folder, { recursive: true });
  });
  const until = (wanted: (status: ElStatus) => boolean): Promise<ElStatus> => {
    if (wanted(client.status)) return Promise.resolve(client.status);
    return new Promise((resolve) => {
      const leave = client.onStatus((status) => {
        if (!wanted(status)) return;
        leave();
        resolve(status);
      });
    });
  };
  return {
    ...{ el, store, client, log, statuses, calls, until },
    decide(count) {
      for (let done = 0; done < count; done++) store.decide(fakeBlock(store));
    },
    async ready() {
      await client.start(store.state);
      await until(({ kind }) => kind === "ready");
    },
  };
}

/** The next block as the fake EL would build it, with these transactions. */
export function fakeBlock(
  store: TestStore,
  transactions: readonly string[] = [],
  salt: number = 0,
): ReturnType<TestStore["propose"]> {
  const payload = payloadFromJson({
    executionPayload: fakePayload(store, transactions, salt),
    executionRequests: [],
  });
  return store.propose([encodeEnvelope(payload.envelope), ...payload.transactions]);
}

export function fakePayload(
  store: TestStore,
  transactions: readonly string[],
  salt: number,
): Readonly<Record<string, unknown>> {
  const attributes = store.attributes();
  const bytes = (value: Uint8Array): string => `0x${Buffer.from(value).toString("hex")}`;
  return seal({
    parentHash: bytes(store.state.el.blockHash),
    feeRecipient: bytes(attributes.suggestedFeeRecipient),
    stateRoot: bytes(new Uint8Array(32).fill(salt)),
    receiptsRoot: bytes(new Uint8Array(32)),
    logsBloom: bytes(new Uint8Array(256)),
    prevRandao: bytes(attributes.prevRandao),
    blockNumber: `0x${(store.state.el.number + 1).toString(16)}`,
    gasLimit: `0x${(60_000_000).toString(16)}`,
    gasUsed: "0x0",
    timestamp: `0x${attributes.timestamp.toString(16)}`,
    extraData: "0x",
    baseFeePerGas: "0x7",
    transactions,
    withdrawals: [],
    blobGasUsed: "0x0",
    excessBlobGas: "0x0",
  });
}
