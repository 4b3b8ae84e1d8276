/** `validator evidence` against a node that answers as ours does. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { invoke } from "./support/invoke.ts";

const ADDRESS = "AB".repeat(20);
const double = {
  type: "tendermint/DuplicateVoteEvidence",
  value: { vote_a: { type: 2, height: "5", round: 1, validator_address: ADDRESS } },
};
const attack = { type: "tendermint/LightClientAttackEvidence", value: { CommonHeight: "3" } };
const held = {
  pending: [{ hash: "A1".repeat(32), height: "3", evidence: attack }],
  committed: [{ block_height: "9", hash: "A2".repeat(32), height: "5", evidence: double }],
};

async function fakeNode(context: TestContext, answer: object): Promise<{ url: string; told: unknown[] }> {
  const told: unknown[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => {
      body += chunk.toString("utf8");
    });
    request.on("end", () => {
      if (body !== "") told.push(JSON.parse(body));
      response.end(JSON.stringify({ jsonrpc: "2.0", id: 1, ...answer }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  context.after(() => server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, told };
}

test("evidence list shows what waits and what blocks carry", async (context) => {
  const { url } = await fakeNode(context, { result: held });
  const { code, out } = await invoke("evidence", "list", "--node", url);
  assert.equal(code, 0);
  assert.deepEqual(out.split("\n"), [
    "waits        A1A1A1A1A1A1  attack on light clients, common height 3",
    `block 9      A2A2A2A2A2A2  two precommits of ${ADDRESS}, height 5 round 1`,
    "",
  ]);
  assert.deepEqual(JSON.parse((await invoke("evidence", "list", "--json", "--node", url)).out), held);
  const { url: quiet } = await fakeNode(context, { result: { pending: [], committed: [] } });
  assert.equal((await invoke("evidence", "list", "--node", quiet)).out, "no evidence\n");
});

test("evidence show prints the one item that a hash singles out, else ends with 10", async (context) => {
  const { url } = await fakeNode(context, { result: held });
  const shown = await invoke("evidence", "show", "a2", "--node", url);
  assert.deepEqual([shown.code, JSON.parse(shown.out)], [0, double]);
  assert.equal((await invoke("evidence", "show", "A", "--node", url)).code, 10);
  assert.equal((await invoke("evidence", "show", "FF", "--node", url)).code, 10);
  assert.equal((await invoke("evidence", "show", "--node", url)).code, 2);
});

test("evidence submit hands a file to the node: its hash, or 10 with the node's reason, or 2 for what is no JSON", async (context) => {
  const directory = mkdtempSync(join(tmpdir(), "quorate-evidence-"));
  context.after(() => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, "double.json");
  writeFileSync(file, JSON.stringify(double));
  const { url, told } = await fakeNode(context, { result: { hash: "A2A2" } });
  assert.deepEqual(await invoke("evidence", "submit", file, "--node", url), {
    code: 0,
    out: "A2A2\n",
    err: "",
  });
  assert.deepEqual(told, [
    { jsonrpc: "2.0", id: 1, method: "broadcast_evidence", params: { evidence: double } },
  ]);
  const refusing = await fakeNode(context, {
    error: { code: -32603, message: "Internal error", data: "failed to add evidence: it is too old" },
  });
  const refused = await invoke("evidence", "submit", file, "--node", refusing.url);
  assert.equal(refused.code, 10);
  assert.match(refused.err, /it is too old/);
  writeFileSync(file, "{");
  assert.equal((await invoke("evidence", "submit", file, "--node", url)).code, 2);
  assert.equal((await invoke("evidence", "submit", join(directory, "none"), "--node", url)).code, 2);
  assert.equal((await invoke("evidence", "submit", file.replace("double", "none"), "--node", url)).code, 2);
});

test("evidence ends with 9 when no node answers", async () => {
  assert.equal((await invoke("evidence", "list", "--node", "http://127.0.0.1:1")).code, 9);
});
