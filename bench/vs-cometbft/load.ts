/** Transactions by RPC, the same for both sides: each node's pool is kept at a level. */
import { randomBytes } from "node:crypto";
import type { Network } from "./network.ts";
import { call, pause, post } from "./rpc.ts";

export interface LoadOptions {
  /** Bytes of a transaction, of the form `key=value` that CometBFT's key-value application takes. */
  readonly txBytes: number;
  /** Bytes to keep waiting in each node's pool. */
  readonly level: number;
  /** Calls in one request. */
  readonly batch: number;
  /** Requests under way per node. */
  readonly lanes: number;
}

export interface Load {
  /** Transactions that were taken, and refused. */
  readonly sent: number;
  readonly refused: number;
  stop(): Promise<void>;
}

/** Base64 of a key: a multiple of three bytes, so that it can stand before the base64 of a value. */
const KEY_BYTES = 24;
const POLL_MS = 25;

/** JSON-RPC calls, each with a transaction of its own; values are random letters, encoded once. */
function calls(txBytes: number): () => string {
  const run = randomBytes(4).toString("hex");
  const values = Array.from({ length: txBytes > 4096 ? 8 : 256 }, () => {
    const letters = randomBytes(2 * txBytes)
      .toString("base64")
      .replaceAll(/[^A-Za-z0-9]/g, "");
    return Buffer.from(letters.slice(0, txBytes - KEY_BYTES)).toString("base64");
  });
  let serial = 0;
  return () => {
    const key = Buffer.from(`${run}${(serial++).toString(36).padStart(15, "0")}=`).toString("base64");
    const tx = `${key}${values[serial % values.length] ?? ""}`;
    return `{"jsonrpc":"2.0","id":1,"method":"broadcast_tx_async","params":{"tx":"${tx}"}}`;
  };
}

export function startLoad(network: Network, { txBytes, level, batch, lanes }: LoadOptions): Load {
  const make = calls(txBytes);
  const waiting: number[] = Array.from({ length: network.validators }, () => 0);
  const counts = { sent: 0, refused: 0 };
  let stopped = false;
  const polls = waiting.map(async (_, index) => {
    for (; !stopped; await pause(POLL_MS)) {
      const pool = call<{ total_bytes: string }>(network.rpcPort(index), "num_unconfirmed_txs");
      // A node that does not answer keeps its last figure: the lanes find out that it is gone.
      waiting[index] = await pool.then(({ total_bytes }) => Number(total_bytes)).catch(() => level);
    }
  });
  const lane = async (index: number): Promise<void> => {
    while (!stopped) {
      if ((waiting[index] ?? 0) >= level) {
        await pause(3);
        continue;
      }
      waiting[index] = (waiting[index] ?? 0) + txBytes * batch;
      const body = batch === 1 ? make() : `[${Array.from({ length: batch }, make).join(",")}]`;
      try {
        const answers = [await post(network.rpcPort(index), body)].flat() as readonly {
          readonly result?: { readonly code: number };
        }[];
        for (const { result } of answers) counts[result?.code === 0 ? "sent" : "refused"]++;
      } catch {
        counts.refused += batch;
        await pause(20);
      }
    }
  };
  const running = [
    ...polls,
    ...waiting.flatMap((_, index) => Array.from({ length: lanes }, () => lane(index))),
  ];
  return {
    get sent() {
      return counts.sent;
    },
    get refused() {
      return counts.refused;
    },
    async stop() {
      stopped = true;
      await Promise.all(running);
    },
  };
}
