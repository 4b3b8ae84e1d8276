import type { Genesis, PayloadAttributes } from "@quorate/chain";
import { LIMITS } from "../limits.ts";
import { payloadFromJson } from "../payload/from-engine.ts";
import {
  data,
  quantity,
  readArray,
  readData,
  readNumber,
  readQuantity,
  readRecord,
  ShapeError,
} from "../payload/hex.ts";
import { engineMethods } from "../payload/methods.ts";
import { attributesToJson, newPayloadParams } from "../payload/to-engine.ts";
import type { EngineTiming, ExecutionMetrics } from "../ports.ts";
import type { ExecutionPayload } from "../types.ts";
import { type Answer, answered, failed, printable, textOf } from "./failure.ts";
import { Fifo } from "./fifo.ts";
import type { JsonRpc } from "./rpc.ts";

export type PayloadStatusKind = "VALID" | "INVALID" | "SYNCING" | "ACCEPTED";

export interface PayloadStatus {
  readonly status: PayloadStatusKind;
  /** The EL's own words, cut and printable. */
  readonly error: string;
}

export interface ForkchoiceAnswer extends PayloadStatus {
  readonly payloadId: string | null;
}

/** Head, safe and finalized of one forkchoiceUpdated. */
export interface Forkchoice {
  readonly head: Uint8Array;
  readonly safe: Uint8Array;
  readonly finalized: Uint8Array;
}

export interface ElBlock {
  readonly number: number;
  readonly hash: Uint8Array;
  /** Seconds. */
  readonly timestamp: number;
  readonly gasLimit: bigint;
}

/** The Engine API and the few eth methods of the authenticated port, typed; statuses are data. */
export interface EngineApi {
  readonly label: string;
  /** `wanted` is asked when its turn in the queue comes: `aborted` without a call when it says no. */
  newPayload(
    payload: ExecutionPayload,
    parentBeaconBlockRoot: Uint8Array,
    wanted: () => boolean,
  ): Promise<Answer<PayloadStatus>>;
  forkchoiceUpdated(
    forkchoice: Forkchoice,
    attributes: PayloadAttributes | null,
    signal: AbortSignal | null,
  ): Promise<Answer<ForkchoiceAnswer>>;
  getPayload(
    payloadId: string,
    timestamp: number,
    signal: AbortSignal | null,
  ): Promise<Answer<ExecutionPayload>>;
  /** `null`: no such block, or a tag that is not set yet. */
  block(at: number | "latest" | "finalized"): Promise<Answer<ElBlock | null>>;
  blockNumber(): Promise<Answer<number>>;
  chainId(): Promise<Answer<bigint>>;
  capabilities(ours: readonly string[]): Promise<Answer<readonly string[]>>;
  /** Name and version, e.g. `go-ethereum 1.17.8-stable`. */
  clientVersion(): Promise<Answer<string>>;
  close(): void;
}

export function openEngineApi(
  rpc: JsonRpc,
  genesis: Genesis,
  timing: EngineTiming,
  metrics: ExecutionMetrics | null,
): EngineApi {
  const fifo = new Fifo((length) => metrics?.queue?.(length, LIMITS.engineQueue));
  const execute = { timeoutMs: timing.executeTimeoutMs };
  const quick = { timeoutMs: timing.callTimeoutMs };
  const osaka = genesis.params.forkOsaka;

  const call = async <T>(
    method: string,
    params: readonly unknown[],
    read: (result: unknown) => T,
    signal: AbortSignal | null = null,
  ): Promise<Answer<T>> => readAnswer(await rpc.call(method, params, { ...quick, signal }), read);

  return {
    label: rpc.label,
    newPayload: (payload, root, wanted) =>
      fifo.run(async () => {
        if (!wanted()) return failed({ kind: "aborted" });
        const { newPayload } = engineMethods(payload.envelope.timestamp, osaka);
        return readAnswer(await rpc.call(newPayload, newPayloadParams(payload, root), execute), readStatus);
      }, null),
    forkchoiceUpdated: (forkchoice, attributes, signal) =>
      fifo.run(async () => {
        const { forkchoiceUpdated } = engineMethods(attributes?.timestamp ?? osaka, osaka);
        const state = {
          headBlockHash: data(forkchoice.head),
          safeBlockHash: data(forkchoice.safe),
          finalizedBlockHash: data(forkchoice.finalized),
        };
        const params = [state, attributes === null ? null : attributesToJson(attributes)];
        return readAnswer(await rpc.call(forkchoiceUpdated, params, execute), readForkchoice);
      }, signal),
    getPayload: (payloadId, timestamp, signal) =>
      call(engineMethods(timestamp, osaka).getPayload, [payloadId], payloadFromJson, signal),
    async block(at) {
      const tag = typeof at === "number" ? quantity(at) : at;
      const answer = await call("eth_getBlockByNumber", [tag, false], readBlock);
      // Geth answers an error where it has no finalized block yet (geth-verified §2).
      const unset =
        !answer.ok && answer.failure.kind === "rpc" && answer.failure.message.includes("not found");
      return unset ? answered(null) : answer;
    },
    blockNumber: () => call("eth_blockNumber", [], (result) => readNumber(result, "eth_blockNumber")),
    chainId: () => call("eth_chainId", [], (result) => readQuantity(result, "eth_chainId")),
    capabilities: (ours) => call("engine_exchangeCapabilities", [ours], readStrings),
    clientVersion: () =>
      call(
        "engine_getClientVersionV1",
        [{ code: "QU", name: "Quorate", version: "0.1.0", commit: "0x00000000" }],
        readClient,
      ),
    close: () => rpc.close(),
  };
}

export function readAnswer<T>(answer: Answer<unknown>, read: (result: unknown) => T): Answer<T> {
  if (!answer.ok) return answer;
  try {
    return answered(read(answer.value));
  } catch (error) {
    if (error instanceof ShapeError) return failed({ kind: "malformed", reason: error.message });
    throw error;
  }
}

function readStatus(result: unknown): PayloadStatus {
  const record = readRecord(result, "payload status");
  const status = record["status"];
  if (status !== "VALID" && status !== "INVALID" && status !== "SYNCING" && status !== "ACCEPTED") {
    throw new ShapeError("status: unknown");
  }
  const error = record["validationError"];
  return { status, error: typeof error === "string" ? printable(error) : "" };
}

function readForkchoice(result: unknown): ForkchoiceAnswer {
  const record = readRecord(result, "forkchoice answer");
  const id = record["payloadId"];
  if (id !== null && id !== undefined) readData(id, "payloadId", 8);
  return { ...readStatus(record["payloadStatus"]), payloadId: typeof id === "string" ? id : null };
}

function readBlock(result: unknown): ElBlock | null {
  if (result === null) return null;
  const block = readRecord(result, "block");
  return {
    number: readNumber(block["number"], "number"),
    hash: readData(block["hash"], "hash", 32),
    timestamp: readNumber(block["timestamp"], "timestamp"),
    gasLimit: readQuantity(block["gasLimit"], "gasLimit"),
  };
}

function readStrings(result: unknown): readonly string[] {
  return readArray(result, "capabilities", 1_000).filter((name) => typeof name === "string");
}

function readClient(result: unknown): string {
  const first = readRecord(readArray(result, "client versions", 16)[0], "client version");
  return printable(`${textOf(first["name"])} ${textOf(first["version"])}`).slice(0, 80);
}
