/** Regressions: answers of an execution client that once threw instead of being a failure. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { EngineApi } from "../src/engine/api.ts";
import { openEngineApi } from "../src/engine/api.ts";
import { type Answer, diagnose } from "../src/engine/failure.ts";
import { openJsonRpc } from "../src/engine/rpc.ts";
import { faultOfConfig } from "../src/follower/el-config.ts";
import { payloadFromJson } from "../src/payload/from-engine.ts";
import { ShapeError } from "../src/payload/hex.ts";
import { payloadToJson } from "../src/payload/to-engine.ts";
import { systemClock } from "./support/bench.ts";
import { testGenesis } from "./support/chain.ts";

/** No String() gets through it. */
const UNSPEAKABLE = { toString: null, valueOf: null };

const TIMING = {
  executeTimeoutMs: 1000,
  callTimeoutMs: 1000,
  retryMinMs: 1,
  retryMaxMs: 1,
  probeMs: 1000,
  buildWindowMaxMs: 1,
};

function answering(reply: object): EngineApi {
  const endpoint = {
    label: "http://el",
    post: async () =>
      ({
        kind: "reply",
        status: 200,
        body: Buffer.from(JSON.stringify({ jsonrpc: "2.0", id: 1, ...reply })),
        date: null,
      }) as const,
    close: () => undefined,
  };
  const rpc = openJsonRpc(endpoint, new Uint8Array(32), systemClock, null);
  return openEngineApi(rpc, testGenesis(), TIMING, null);
}

const reasonOf = (answer: Answer<unknown>): string =>
  answer.ok ? "" : diagnose(answer.failure, "http://el").reason;

describe("an execution client's answer with values of another kind", () => {
  test("an error whose message is an object is still an error", async () => {
    const answer = await answering({ error: { code: -32000, message: UNSPEAKABLE } }).chainId();
    assert.match(reasonOf(answer), /answered error -32000/);
  });

  test("a client that does not say its name in text has none", async () => {
    const answer = await answering({
      result: [{ name: UNSPEAKABLE, version: [UNSPEAKABLE] }],
    }).clientVersion();
    assert.deepEqual(answer, { ok: true, value: " " });
  });

  test("a fork time that is an object is another fork time", () => {
    const config = {
      current: { chainId: "0x1", systemContracts: {}, precompiles: {} },
      next: { activationTime: UNSPEAKABLE },
    };
    const fault = faultOfConfig(config, {
      chainId: 1n,
      depositContractAddress: new Uint8Array(20),
      forkOsaka: 10,
      blobSchedule: null,
      headTimestamp: 5,
    });
    assert.match(fault ?? "", /next fork comes at no time/);
  });
});

describe("a payload that no block can carry is refused when it arrives", () => {
  const bytes = (length: number): Uint8Array => new Uint8Array(length);
  const sound = {
    executionPayload: payloadToJson({
      envelope: {
        version: 1,
        parentHash: bytes(32),
        feeRecipient: bytes(20),
        stateRoot: bytes(32),
        receiptsRoot: bytes(32),
        logsBloom: bytes(256),
        prevRandao: bytes(32),
        blockNumber: 1,
        gasLimit: 2n ** 64n - 1n,
        gasUsed: 0n,
        timestamp: 1,
        extraData: bytes(0),
        baseFeePerGas: 2n ** 256n - 1n,
        blockHash: bytes(32),
        blobGasUsed: 0n,
        excessBlobGas: 0n,
        withdrawals: [{ index: 0n, validatorIndex: 0n, address: bytes(20), amountGwei: 2n ** 64n - 1n }],
        executionRequests: [],
      },
      transactions: [],
    }),
    executionRequests: ["0x0001", "0x0102"],
  };
  const withField = (name: string, value: unknown): object => ({
    ...sound,
    executionPayload: { ...sound.executionPayload, [name]: value },
  });

  test("at the edge it is taken", () => {
    assert.equal(payloadFromJson(sound).envelope.gasLimit, 2n ** 64n - 1n);
  });

  for (const name of ["gasLimit", "gasUsed", "blobGasUsed", "excessBlobGas"]) {
    test(`with ${name} of more than 64 bits`, () => {
      assert.throws(() => payloadFromJson(withField(name, `0x1${"0".repeat(16)}`)), ShapeError);
    });
  }
  test("with a withdrawal of more than 64 bits", () => {
    const [withdrawal] = sound.executionPayload["withdrawals"] as object[];
    const wide = withField("withdrawals", [{ ...withdrawal, amount: `0x1${"0".repeat(16)}` }]);
    assert.throws(() => payloadFromJson(wide), ShapeError);
  });
  for (const [what, executionRequests] of [
    ["of descending types", ["0x0102", "0x0001"]],
    ["of one type twice", ["0x0001", "0x0002"]],
    ["without data", ["0x00"]],
    ["without a type", ["0x"]],
  ] as const) {
    test(`with execution requests ${what}`, () => {
      assert.throws(() => payloadFromJson({ ...sound, executionRequests }), ShapeError);
    });
  }
});
