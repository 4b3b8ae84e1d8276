/** What a registry command does between signing and the block, against a client that answers as Geth does. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { parseGenesis } from "@quorate/chain";
import { toHex } from "@quorate/crypto";
import { keccak256 } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { CliError } from "../src/errors.ts";
import { initHome } from "../src/home/init.ts";
import { send } from "../src/registry/send.ts";

type Reply =
  | { readonly result: unknown }
  | { readonly error: { readonly code: number; readonly message: string } };

const INDEXING: Reply = { error: { code: -32000, message: "transaction indexing is in progress" } };
const ACCOUNT = privateKeyToAccount(`0x${"17".repeat(32)}`);
const CALL = { what: "do nothing", to: ACCOUNT.address, data: "0x", value: 0n } as const;

async function listen(context: TestContext, answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  context.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A node and a client of one chain; `receipts` are the answers to whoever asks for the receipt, the last one for ever. */
async function chain(context: TestContext, receipts: readonly Reply[]) {
  const directory = mkdtempSync(join(tmpdir(), "quorate-send-"));
  context.after(() => rmSync(directory, { recursive: true, force: true }));
  const home = join(directory, "home");
  await initHome({ home, chainId: "send-test" });
  const document = readFileSync(join(home, "config", "genesis.json"));
  const { evmChainId, elGenesisHash } = parseGenesis(document.toString("utf8"));
  const node = await listen(context, (_, response) => {
    const result = { chunk: "0", total: "1", data: document.toString("base64") };
    response.end(JSON.stringify({ jsonrpc: "2.0", id: 1, result }));
  });
  const block = (number: string) => ({
    ...{ number, hash: `0x${toHex(elGenesisHash)}`, timestamp: "0x1", gasLimit: "0x1c9c380", gasUsed: "0x0" },
    ...{ baseFeePerGas: "0x7", transactions: [] },
  });
  let asked = 0;
  const sent: string[] = [];
  const reply = (method: string, [first]: readonly unknown[]): Reply => {
    switch (method) {
      case "eth_chainId":
        return { result: `0x${evmChainId.toString(16)}` };
      case "eth_getBlockByNumber":
        return { result: block(first === "0x0" ? "0x0" : "0x1") };
      case "eth_blockNumber":
      case "eth_maxPriorityFeePerGas":
        return { result: "0x1" };
      case "eth_getTransactionCount":
        return { result: "0x0" };
      case "eth_estimateGas":
        return { result: "0x5208" };
      case "eth_sendRawTransaction":
        sent.push(String(first));
        return { result: keccak256(first as `0x${string}`) };
      case "eth_getTransactionReceipt":
        return receipts[Math.min(asked++, receipts.length - 1)] ?? { result: null };
      default:
        return { error: { code: -32601, message: `the method ${method} does not exist/is not available` } };
    }
  };
  const eth = await listen(context, (request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => {
      body += chunk.toString("utf8");
    });
    request.on("end", () => {
      const { id, method, params } = JSON.parse(body);
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ jsonrpc: "2.0", id, ...reply(method, params ?? []) }));
    });
  });
  return { target: { node, eth }, sent, asked: () => asked };
}

const RECEIPT: Reply = {
  result: { status: "0x1", blockNumber: "0x1", transactionHash: `0x${"00".repeat(32)}`, logs: [] },
};

test("regression: a Geth that has just started and indexes its transactions still is asked again", async (context) => {
  const { target, sent, asked } = await chain(context, [INDEXING, INDEXING, RECEIPT]);
  const { height } = await send(target, ACCOUNT, CALL, 60_000);
  assert.equal(height, 1);
  assert.equal(sent.length, 1, "sent once");
  assert.ok(asked() >= 3);
});

test("what the client says is in the message: viem's words alone tell nobody what to do", async (context) => {
  const { target } = await chain(context, [{ error: { code: -32000, message: "the disk is on fire" } }]);
  await assert.rejects(
    send(target, ACCOUNT, CALL, 2_000),
    (error) => error instanceof CliError && error.what.includes("the disk is on fire"),
  );
});
