import { createHmac } from "node:crypto";

export type Json = Readonly<Record<string, unknown>>;

/** An answer of a JSON-RPC server that is an error. */
export class RemoteError extends Error {
  readonly code: number;
  readonly data: unknown;
  constructor(code: number, message: string, data: unknown) {
    super(message);
    this.code = code;
    this.data = data;
  }
}

export function jwt(
  secret: Uint8Array,
  claims: Json = { iat: Math.floor(Date.now() / 1000) },
  alg = "HS256",
): string {
  const part = (value: Json): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const body = `${part({ alg, typ: "JWT" })}.${part(claims)}`;
  return `${body}.${createHmac("sha256", secret).update(body).digest("base64url")}`;
}

/** A JSON-RPC client; with a secret it is one of the Engine API. */
export function rpcClient(
  url: string,
  secret?: Uint8Array,
): <T = unknown>(method: string, ...params: unknown[]) => Promise<T> {
  let id = 0;
  return async <T>(method: string, ...params: unknown[]): Promise<T> => {
    id += 1;
    const response = await fetch(url, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        ...(secret === undefined ? {} : { authorization: `Bearer ${jwt(secret)}` }),
      },
      body: JSON.stringify({ jsonrpc: "2.0", id, method, params }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`HTTP ${response.status}: ${text}`);
    const answer = JSON.parse(text) as {
      result?: T;
      error?: { code: number; message: string; data?: unknown };
    };
    if (answer.error !== undefined)
      throw new RemoteError(answer.error.code, answer.error.message, answer.error.data);
    return answer.result as T;
  };
}

export type Rpc = ReturnType<typeof rpcClient>;

export interface Payload extends Json {
  readonly blockHash: string;
  readonly parentHash: string;
  readonly blockNumber: string;
  readonly timestamp: string;
  readonly transactions: readonly string[];
}

export interface BuiltEnvelope {
  readonly executionPayload: Payload;
  readonly executionRequests: readonly string[];
  readonly blockValue: string;
}

export interface PayloadStatus {
  readonly status: string;
  readonly latestValidHash: string | null;
  readonly validationError: string | null;
}

export interface ForkchoiceAnswer {
  readonly payloadStatus: PayloadStatus;
  readonly payloadId: string | null;
}

export const ROOT = `0x${"5a".repeat(32)}`;
export const ZERO = `0x${"00".repeat(32)}`;

export interface Attributes {
  readonly timestamp?: number;
  readonly prevRandao?: string;
  readonly suggestedFeeRecipient?: string;
  readonly withdrawals?: readonly Json[];
  readonly parentBeaconBlockRoot?: string;
}

export function attributes(timestamp: number, changes: Attributes = {}): Json {
  return {
    timestamp: `0x${timestamp.toString(16)}`,
    prevRandao: changes.prevRandao ?? `0x${"11".repeat(32)}`,
    suggestedFeeRecipient: changes.suggestedFeeRecipient ?? `0x${"fe".repeat(20)}`,
    withdrawals: changes.withdrawals ?? [],
    parentBeaconBlockRoot: changes.parentBeaconBlockRoot ?? ROOT,
  };
}

export function forkchoice(hash: string): Json {
  return { headBlockHash: hash, safeBlockHash: hash, finalizedBlockHash: hash };
}

/** What a consensus layer does for one block: build on the head, validate, make it final. */
export async function produceBlock(engine: Rpc, changes: Attributes = {}): Promise<BuiltEnvelope> {
  const head = await engine<{ hash: string; timestamp: string }>("eth_getBlockByNumber", "latest", false);
  const started = await engine<ForkchoiceAnswer>(
    "engine_forkchoiceUpdatedV3",
    forkchoice(head.hash),
    attributes(changes.timestamp ?? Number(head.timestamp) + 1, changes),
  );
  const built = await engine<BuiltEnvelope>("engine_getPayloadV5", started.payloadId);
  await acceptBlock(engine, built, changes.parentBeaconBlockRoot ?? ROOT);
  return built;
}

/** Validates a payload and makes it final. */
export async function acceptBlock(engine: Rpc, built: BuiltEnvelope, root = ROOT): Promise<void> {
  const status = await engine<PayloadStatus>(
    "engine_newPayloadV4",
    built.executionPayload,
    [],
    root,
    built.executionRequests,
  );
  if (status.status !== "VALID") throw new Error(`payload is ${status.status}: ${status.validationError}`);
  const moved = await engine<ForkchoiceAnswer>(
    "engine_forkchoiceUpdatedV3",
    forkchoice(built.executionPayload.blockHash),
    null,
  );
  if (moved.payloadStatus.status !== "VALID") throw new Error(`fork choice is ${moved.payloadStatus.status}`);
}
