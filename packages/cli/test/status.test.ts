/** What the CLI shows of a node that it was pointed at, which may be anybody's. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { statusText } from "../src/commands/status.ts";
import { printable, timeLimit } from "../src/rpc-client.ts";

const document = {
  node_info: { network: "chain", moniker: "node0", id: "12D3KooW" },
  sync_info: { latest_block_height: "7", latest_block_hash: "AB", latest_block_time: "t", catching_up: true },
  consensus: { height: "8", round: 1, step: "Prevote", total_power: "40", missing: ["AA", "BB"] },
  execution: { client: "Geth", executed_height: "6", detail: "ready" },
};

test("status is shown in lines: chain, node, height, consensus with who is missing, execution", () => {
  const lines = statusText(document).split("\n");
  assert.match(lines[0]!, /^chain +chain$/);
  assert.match(lines[2]!, /^height +7, catching up/);
  assert.ok(lines.some((line) => /^missing +AA BB$/.test(line)));
});

test("regression: a node cannot move the terminal's cursor, nor add lines, by what it says of itself", () => {
  const evil = "a\u001b[2J\u001b[31mFAKE\r\nheight 99\u202e\u0000\u009b";
  const shown = statusText({ ...document, node_info: { network: evil, moniker: evil, id: evil } });
  assert.doesNotMatch(shown, /[^\P{C}\n]/u);
  assert.equal(shown.split("\n").length, statusText(document).split("\n").length);
  assert.equal(printable("ünï ✓ 漢字"), "ünï ✓ 漢字");
});

test("regression: a list of missing validators nested without end is left out, not followed", () => {
  const deep: unknown = JSON.parse(`${"[".repeat(100_000)}${"]".repeat(100_000)}`);
  const shown = statusText({ ...document, consensus: { ...document.consensus, missing: [deep, "AA"] } });
  assert.match(shown, /^missing +AA$/m);
});

test("anything but a status shows as nothing, without a fault", () => {
  for (const answer of [null, 5, "x", [], {}, { consensus: null }, { consensus: 7, execution: [] }])
    assert.equal(typeof statusText(answer), "string");
});

// Whoever was stopped for longer than a limit found the answer late that had come meanwhile.
test("regression: a time limit is one of time in which this process ran", async () => {
  const { signal } = timeLimit(50);
  for (const until = performance.now() + 200; performance.now() < until; ) {
    // It gets no turn.
  }
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(signal.aborted, false, "what has come is read first");
  while (!signal.aborted) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.match(String(signal.reason), /not within 50 ms/);
});
