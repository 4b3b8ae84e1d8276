/** Answers of an execution client, from the HTTP body on, and its files. */
import { DEFAULT_PARAMS, encodeEnvelope, type Genesis } from "@quorate/chain";
import type { HttpEndpoint } from "@quorate/execution";
import { type EngineApi, openEngineApi } from "../../packages/execution/src/engine/api.ts";
import type { Answer } from "../../packages/execution/src/engine/failure.ts";
import { diagnose } from "../../packages/execution/src/engine/failure.ts";
import { openJsonRpc } from "../../packages/execution/src/engine/rpc.ts";
import { faultOfConfig } from "../../packages/execution/src/follower/el-config.ts";
import { payloadToJson } from "../../packages/execution/src/payload/to-engine.ts";
import { mutateJson } from "../mutate.ts";
import { Random } from "../random.ts";
import { type Outcome, type Target, Violation } from "../target.ts";
import * as values from "../values.ts";

const utf8 = new TextEncoder();

const GENESIS: Genesis = {
  chainId: "fuzz",
  genesisTime: 1_700_000_000_000_000_000n,
  initialHeight: 1,
  execution: "engine",
  evmChainId: 1337,
  elGenesisHash: new Uint8Array(32),
  anchorNumber: 0,
  anchorHash: new Uint8Array(32),
  depositContractAddress: new Uint8Array(20),
  params: DEFAULT_PARAMS,
  validators: [],
  upgrades: [],
};

const CLOCK = {
  wallMs: () => 1_700_000_000_000,
  monotonicMs: () => 0,
  timer: () => () => undefined,
};
const TIMING = {
  executeTimeoutMs: 1000,
  callTimeoutMs: 1000,
  retryMinMs: 1,
  retryMaxMs: 1,
  probeMs: 1000,
  buildWindowMaxMs: 1,
};

const hash = (random: Random): string => `0x${Buffer.from(random.bytes(32)).toString("hex")}`;

function envelopeOf(random: Random): Extract<ReturnType<typeof values.envelope>, { version: 1 }> {
  for (;;) {
    const envelope = values.envelope(random);
    if (envelope.version === 1 && envelope.executionRequests.length <= 16) return envelope;
  }
}

interface Method {
  readonly name: string;
  /** A result as a sound client gives it. */
  readonly result: (random: Random) => unknown;
  readonly call: (api: EngineApi) => Promise<Answer<unknown>>;
}

const status = (random: Random): object => ({
  status: random.pick(["VALID", "INVALID", "SYNCING", "ACCEPTED"]),
  latestValidHash: random.oneIn(2) ? null : hash(random),
  validationError: random.oneIn(2) ? null : "block gas limit reached",
});

const SIGNAL = null;
const FIXED = envelopeOf(new Random(1));

const METHODS: readonly Method[] = [
  {
    name: "engine_newPayload",
    result: status,
    call: (api) => api.newPayload({ envelope: FIXED, transactions: [] }, new Uint8Array(32), () => true),
  },
  {
    name: "engine_forkchoiceUpdated",
    result: (random) => ({
      payloadStatus: status(random),
      payloadId: random.oneIn(2) ? null : hash(random).slice(0, 18),
    }),
    call: (api) => {
      const zero = new Uint8Array(32);
      return api.forkchoiceUpdated({ head: zero, safe: zero, finalized: zero }, null, SIGNAL);
    },
  },
  {
    name: "engine_getPayload",
    result: (random) => {
      const envelope = envelopeOf(random);
      return {
        executionPayload: payloadToJson({ envelope, transactions: [random.bytes(random.below(200))] }),
        blockValue: "0x1",
        blobsBundle: { commitments: [], proofs: [], blobs: [] },
        shouldOverrideBuilder: false,
        executionRequests: envelope.executionRequests.map((each) => `0x${Buffer.from(each).toString("hex")}`),
      };
    },
    call: (api) => api.getPayload("0x0000000000000001", 1_700_000_000, SIGNAL),
  },
  {
    name: "eth_getBlockByNumber",
    result: (random) =>
      random.oneIn(5)
        ? null
        : {
            number: `0x${random.below(99).toString(16)}`,
            hash: hash(random),
            timestamp: "0x65",
            gasLimit: "0x1c9c380",
          },
    call: (api) => api.block("latest"),
  },
  {
    name: "eth_blockNumber",
    result: (random) => `0x${random.safe().toString(16)}`,
    call: (api) => api.blockNumber(),
  },
  { name: "eth_chainId", result: () => "0x539", call: (api) => api.chainId() },
  {
    name: "engine_exchangeCapabilities",
    result: () => ["engine_newPayloadV4", "engine_getPayloadV5"],
    call: (api) => api.capabilities([]),
  },
  {
    name: "engine_getClientVersionV1",
    result: () => [{ code: "GE", name: "go-ethereum", version: "1.17.8-stable", commit: "0x01020304" }],
    call: (api) => api.clientVersion(),
  },
];

/** One byte for the method, the rest is the HTTP body. */
const withMethod = (method: number, body: Uint8Array): Uint8Array => Uint8Array.from([method, ...body]);

const ERRORS: readonly object[] = [
  { code: -32601, message: "the method does not exist" },
  { code: -38001, message: "unknown payload" },
  { code: -32000, message: "server error", data: { err: "too old" } },
];

const answers: Target = {
  name: "el-answers",
  what: "answers of the Engine API",
  valid: (random) => {
    const method = random.below(METHODS.length);
    const outcome = random.oneIn(5)
      ? { error: random.pick(ERRORS) }
      : { result: METHODS[method]!.result(random) };
    return withMethod(method, utf8.encode(JSON.stringify({ jsonrpc: "2.0", id: 1, ...outcome })));
  },
  mutate: (bytes, random, others) =>
    withMethod(
      bytes[0] ?? 0,
      mutateJson(
        bytes.subarray(1),
        random,
        others.map((other) => other.subarray(1)),
      ),
    ),
  run: async (input): Promise<Outcome> => {
    const method = METHODS[(input[0] ?? 0) % METHODS.length]!;
    const endpoint: HttpEndpoint = {
      label: "fuzz",
      post: async () => ({
        kind: "reply",
        status: 200,
        body: Buffer.from(input.subarray(1)),
        date: null,
      }),
      close: () => undefined,
    };
    const rpc = openJsonRpc(endpoint, new Uint8Array(32), CLOCK, null);
    const answer = await method.call(openEngineApi(rpc, GENESIS, TIMING, null));
    if (!answer.ok) {
      const { reason } = diagnose(answer.failure, "fuzz");
      if (!/^[\x20-\x7e]*$/.test(reason) || reason.length > 2000) {
        throw new Violation(
          `a failure has a reason for the log that is ${reason.length} characters or unprintable`,
        );
      }
      return "refused";
    }
    judgeValue(method.name, answer.value);
    return "accepted";
  },
};

/** A payload that is taken from the client goes into a block: it must have an encoding. */
function judgeValue(method: string, value: unknown): void {
  if (method === "engine_getPayload") {
    const { envelope } = value as { envelope: Parameters<typeof encodeEnvelope>[0] };
    try {
      encodeEnvelope(envelope);
    } catch (error) {
      throw new Violation(`a payload that was accepted cannot be put into a block: ${String(error)}`);
    }
  }
  if (method === "engine_getClientVersionV1" && !/^[\x20-\x7e]{0,80}$/.test(String(value))) {
    throw new Violation("the client's name is not printable");
  }
}

const EL_CONFIG = {
  chainId: 1337n,
  depositContractAddress: new Uint8Array(20),
  forkOsaka: 0,
  blobSchedule: { target: 6, max: 9, baseFeeUpdateFraction: 5_007_716 },
  headTimestamp: 1_700_000_000,
} as const;

const config: Target = {
  name: "el-config",
  what: "answer of eth_config",
  valid: (random) =>
    utf8.encode(
      JSON.stringify({
        current: {
          activationTime: 0,
          blobSchedule: { target: 6, max: 9, baseFeeUpdateFraction: 5_007_716 },
          chainId: "0x539",
          forkId: "0x01020304",
          precompiles: { P256VERIFY: "0x0000000000000000000000000000000000000100" },
          systemContracts: random.oneIn(2) ? {} : { DEPOSIT_CONTRACT_ADDRESS: `0x${"00".repeat(20)}` },
        },
        next: null,
        last: null,
      }),
    ),
  mutate: mutateJson,
  run: (input) => {
    let value: unknown;
    try {
      value = JSON.parse(new TextDecoder().decode(input));
    } catch {
      return "refused";
    }
    for (const expected of [EL_CONFIG, { ...EL_CONFIG, forkOsaka: 1_800_000_000 }]) {
      const fault = faultOfConfig(value, expected);
      if (fault !== null && fault.length > 2000) throw new Violation(`a fault of ${fault.length} characters`);
    }
    return faultOfConfig(value, EL_CONFIG) === null ? "accepted" : "refused";
  },
};

export const executionTargets: readonly Target[] = [answers, config];
