/** The Engine API as a bare stub calls it: HTTP, JWT, nothing checked that the client does not check itself. */
import { createHmac } from "node:crypto";
import { readFile } from "node:fs/promises";
import { Agent, request } from "node:http";

const agent = new Agent({ keepAlive: true });
const ANSWER_MS = 60_000;

/** One execution client. `secret`: 32 bytes; without, the public port alone can be used. */
export interface Endpoint {
  readonly eth: string;
  readonly engine: string;
  readonly secret: Uint8Array;
}

export async function readSecret(file: string): Promise<Uint8Array> {
  return Buffer.from((await readFile(file, "utf8")).trim().replace(/^0x/, ""), "hex");
}

export interface Payload {
  readonly blockHash: string;
  readonly blockNumber: string;
  readonly timestamp: string;
  readonly transactions: readonly string[];
}

/** A payload and what newPayload takes beside it. */
export interface Block {
  readonly payload: Payload;
  readonly parentBeaconBlockRoot: string;
  readonly requests: readonly string[];
}

export async function rpc<T>(
  url: string,
  method: string,
  params: readonly unknown[],
  secret?: Uint8Array,
): Promise<T> {
  const [answer] = await post<T>(url, JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }), secret);
  return resultOf(method, answer);
}

/** Many calls in one request, their answers in order; an error is an answer. */
export async function batch(
  url: string,
  calls: readonly (readonly [method: string, params: readonly unknown[]])[],
): Promise<readonly { readonly result?: unknown; readonly error?: { readonly message: string } }[]> {
  const body = calls.map(([method, params], id) => ({ jsonrpc: "2.0", id, method, params }));
  return await post(url, JSON.stringify(body));
}

function resultOf<T>(method: string, answer: Answer<T> | undefined): T {
  if (answer?.result === undefined) throw new Error(`${method}: ${answer?.error?.message ?? "no answer"}`);
  return answer.result;
}

interface Answer<T> {
  readonly id?: number;
  readonly result?: T;
  readonly error?: { readonly message: string };
}

function post<T>(url: string, body: string, secret?: Uint8Array): Promise<readonly Answer<T>[]> {
  const { hostname, port } = new URL(url);
  const headers: Record<string, string | number> = {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
  };
  if (secret !== undefined) headers["authorization"] = `Bearer ${tokenOf(secret)}`;
  return new Promise((resolve, reject) => {
    const sent = request(
      { hostname, port, method: "POST", agent, headers, timeout: ANSWER_MS },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          try {
            const parsed = JSON.parse(Buffer.concat(chunks).toString("utf8")) as Answer<T> | Answer<T>[];
            const list = [parsed].flat() as Answer<T>[];
            resolve(list.sort((a, b) => (a.id ?? 0) - (b.id ?? 0)));
          } catch (error) {
            reject(error);
          }
        });
      },
    );
    sent.on("error", reject);
    sent.on("timeout", () => sent.destroy(new Error(`no answer within ${ANSWER_MS} ms`)));
    sent.end(body);
  });
}

/** HS256 over the time (execution-apis authentication.md). */
function tokenOf(secret: Uint8Array): string {
  const text = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const content = `${text({ alg: "HS256", typ: "JWT" })}.${text({ iat: Math.floor(Date.now() / 1000) })}`;
  return `${content}.${createHmac("sha256", secret).update(content).digest("base64url")}`;
}

/** @throws Error unless the client calls the payload valid. */
export async function newPayload({ engine, secret }: Endpoint, block: Block): Promise<void> {
  const params = [block.payload, [], block.parentBeaconBlockRoot, block.requests];
  const { status } = await rpc<{ status: string }>(engine, "engine_newPayloadV4", params, secret);
  if (status !== "VALID") throw new Error(`newPayload of block ${block.payload.blockNumber}: ${status}`);
}

/** Adopts a head; with attributes a build starts, and its id is answered. */
export async function adopt(
  { engine, secret }: Endpoint,
  head: string,
  attributes: object | null = null,
): Promise<string> {
  const state = { headBlockHash: head, safeBlockHash: head, finalizedBlockHash: head };
  const answer = await rpc<{ payloadStatus: { status: string }; payloadId: string | null }>(
    engine,
    "engine_forkchoiceUpdatedV3",
    [state, attributes],
    secret,
  );
  if (answer.payloadStatus.status !== "VALID")
    throw new Error(`forkchoiceUpdated: ${answer.payloadStatus.status}`);
  return answer.payloadId ?? "";
}

export async function getPayload({ engine, secret }: Endpoint, id: string, root: string): Promise<Block> {
  const answer = await rpc<{ executionPayload: Payload; executionRequests?: readonly string[] }>(
    engine,
    "engine_getPayloadV5",
    [id],
    secret,
  );
  return {
    payload: answer.executionPayload,
    parentBeaconBlockRoot: root,
    requests: answer.executionRequests ?? [],
  };
}

const HEADER_FIELDS = [
  "parentHash",
  "stateRoot",
  "receiptsRoot",
  "logsBloom",
  "gasLimit",
  "gasUsed",
  "timestamp",
  "extraData",
  "baseFeePerGas",
  "blobGasUsed",
  "excessBlobGas",
] as const;

/**
 * Blocks of a chain that holds transfers alone (no requests), as newPayload takes them, from a client that has them.
 */
export async function readBlocks(from: Endpoint, first: number, last: number): Promise<readonly Block[]> {
  const blocks: Block[] = [];
  for (let number = first; number <= last; number++) {
    const hex = `0x${number.toString(16)}`;
    const header = await rpc<Record<string, string>>(from.eth, "eth_getBlockByNumber", [hex, false]);
    const [body] = await rpc<readonly { transactions: readonly string[]; withdrawals: readonly object[] }[]>(
      from.engine,
      "engine_getPayloadBodiesByRangeV1",
      [hex, "0x1"],
      from.secret,
    );
    if (body === undefined) throw new Error(`the client has no body of block ${number}`);
    const payload = {
      ...Object.fromEntries(HEADER_FIELDS.map((name) => [name, header[name]])),
      blockNumber: hex,
      blockHash: header["hash"] ?? "",
      timestamp: header["timestamp"] ?? "",
      feeRecipient: header["miner"],
      prevRandao: header["mixHash"],
      transactions: body.transactions,
      withdrawals: body.withdrawals,
    };
    blocks.push({ payload, parentBeaconBlockRoot: header["parentBeaconBlockRoot"] ?? "", requests: [] });
  }
  return blocks;
}
