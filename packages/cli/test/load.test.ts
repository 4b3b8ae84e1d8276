import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { keccak256 } from "viem";
import { loadAccounts } from "../src/testnet/accounts.ts";
import { LoadGenerator } from "../src/testnet/load.ts";

type Answers = (method: string, params: readonly unknown[]) => unknown;

/** An execution client that answers as told; an Error becomes a JSON-RPC error. */
async function fakeClient(answers: Answers): Promise<{ readonly url: string; readonly server: Server }> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { method, params } = JSON.parse(Buffer.concat(chunks).toString()) as {
        method: string;
        params: unknown[];
      };
      const result = answers(method, params);
      const body =
        result instanceof Error ? { error: { code: -32000, message: result.message } } : { result };
      response.end(JSON.stringify({ jsonrpc: "2.0", id: 1, ...body }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}

test("a transfer whose nonce another transaction took is replaced by a new one, so that --txs is met", async () => {
  const mined: string[] = [];
  let nonce = 7;
  let sends = 0;
  const { url, server } = await fakeClient((method, params) => {
    switch (method) {
      case "eth_getTransactionCount":
        return `0x${nonce.toString(16)}`;
      case "eth_sendRawTransaction": {
        sends++;
        const hash = keccak256(params[0] as `0x${string}`);
        // The first one is accepted, then a leftover of an earlier run is mined with its nonce.
        if (sends === 1) {
          nonce = 8;
          return hash;
        }
        if (sends === 2) return new Error("nonce too low: next nonce 8, tx nonce 7");
        mined.push(hash);
        load.committed(2);
        return hash;
      }
      case "eth_getTransactionReceipt":
        return null;
      case "eth_getBlockByNumber":
        return { transactions: params[0] === "0x2" ? mined : [] };
      default:
        return new Error(`unexpected ${method}`);
    }
  });
  const warnings: string[] = [];
  const load = new LoadGenerator({
    rate: 10,
    total: 1,
    chainId: 1337,
    accounts: loadAccounts(),
    endpoints: () => [url],
    resendAfterMs: 100,
    warn: (message) => warnings.push(message),
  });
  load.start(1);
  const deadline = AbortSignal.timeout(120_000);
  while (!load.complete && !deadline.aborted) await new Promise((resolve) => setImmediate(resolve));
  await load.stop();
  server.close();
  server.closeAllConnections();
  assert.deepEqual([load.sent, load.mined], [1, 1], warnings.join("; "));
});
