import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { startGeth, withoutGeth } from "../../devnet-el/test/support/geth.ts";
import { startEl, workspace } from "../../devnet-el/test/support/process.ts";
import { type GasRow, gasGenesis, gasTable, measureGas } from "./support/gas.ts";

async function measured(start: typeof startEl | typeof startGeth): Promise<readonly GasRow[]> {
  const space = workspace(gasGenesis());
  try {
    const el = await start(space);
    try {
      return await measureGas(el);
    } finally {
      await el.stop();
    }
  } finally {
    space.remove();
  }
}

const rows = await measured(startEl);

test("what owners, stakers and provers pay is what docs/contracts.md says (npm run docs:gas)", (t) => {
  const table = gasTable(rows);
  for (const line of table.split("\n")) t.diagnostic(line);
  const guide = readFileSync(new URL("../../../docs/contracts.md", import.meta.url), "utf8");
  assert.ok(guide.includes(`\n${table}\n`), table);
});

test("Geth asks the same gas for each of them", { skip: withoutGeth }, async () => {
  assert.deepEqual(await measured(startGeth), rows);
});
