/** `proveHeader` against a node and a client that answer as ours do, and as ours do not. */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { type Header, headerHash, headerJson, timeFromMs } from "@quorate/chain";
import { sha256 } from "@quorate/crypto";
import { toHex } from "viem";
import { headerFacts, proveHeader } from "../src/index.ts";

const HEADER: Header = {
  version: { block: 11n, app: 1n },
  chainId: "prove",
  height: 7,
  time: timeFromMs(1_800_000_000_000),
  lastBlockId: { hash: sha256(), parts: { total: 1, hash: sha256() } },
  lastCommitHash: sha256(),
  dataHash: sha256(),
  validatorsHash: sha256(),
  nextValidatorsHash: sha256(),
  consensusHash: sha256(),
  appHash: sha256(),
  lastResultsHash: sha256(),
  evidenceHash: sha256(),
  proposerAddress: new Uint8Array(20),
};

async function nodeThatSays(context: TestContext, text: string): Promise<string> {
  const server = createServer((_, response) => response.end(text));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  context.after(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

/** As much of a viem client as it asks. */
function clientAt(head: bigint, root: string): Parameters<typeof proveHeader>[1] {
  return {
    getBlockNumber: async () => head,
    getBlock: async ({ blockNumber }: { blockNumber: bigint }) => ({
      timestamp: 1_000n + blockNumber,
      parentBeaconBlockRoot: root,
    }),
  } as unknown as Parameters<typeof proveHeader>[1];
}

const root = toHex(headerHash(HEADER));
const commit = (header: unknown): string => JSON.stringify({ result: { signed_header: { header } } });

test("names the timestamp of the block above, and what the contract wants", async (context) => {
  const node = await nodeThatSays(context, commit(headerJson(HEADER)));
  assert.deepEqual(await proveHeader(node, clientAt(8n, root), 7), {
    timestamp: 1_008n,
    header: HEADER,
    hash: root,
    facts: headerFacts(HEADER),
  });
});

test("says so when no block carries the header yet", async (context) => {
  const node = await nodeThatSays(context, commit(headerJson(HEADER)));
  await assert.rejects(proveHeader(node, clientAt(7n, root), 7), { code: "NOT_YET" });
});

test("finds that node and execution client are of different chains", async (context) => {
  const node = await nodeThatSays(context, commit(headerJson(HEADER)));
  await assert.rejects(proveHeader(node, clientAt(8n, `0x${"11".repeat(32)}`), 7), { code: "MISMATCH" });
});

test("refuses what is no header of that height", async (context) => {
  for (const text of [
    "",
    "{}",
    JSON.stringify({ error: { message: "height 7 is not available" } }),
    commit({}),
    commit({ ...headerJson(HEADER), height: "8" }),
    commit({ ...headerJson(HEADER), app_hash: "XY" }),
  ]) {
    const node = await nodeThatSays(context, text);
    await assert.rejects(proveHeader(node, clientAt(8n, root), 7), { code: "NODE" }, text);
  }
  await assert.rejects(proveHeader("http://127.0.0.1:1", clientAt(8n, root), 7), { code: "NODE" });
});
