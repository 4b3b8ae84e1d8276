/**
 * `npm run docs:gas`: measures on the embedded client what each operation of owners, stakers and provers costs, prints the
 * table and writes it into docs/contracts.md.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startEl, workspace } from "../packages/devnet-el/test/support/process.ts";
import { gasGenesis, gasTable, measureGas } from "../packages/proofs/test/support/gas.ts";

const FILE = join(import.meta.dirname, "..", "docs", "contracts.md");
const TABLE = /\| operation +\| by .*\n(?:\|.*\n)+/;

const space = workspace(gasGenesis());
try {
  const el = await startEl(space);
  try {
    const table = gasTable(await measureGas(el));
    process.stdout.write(`${table}\n`);
    const text = readFileSync(FILE, "utf8");
    if (!TABLE.test(text)) throw new Error(`${FILE} has no table of operations`);
    writeFileSync(FILE, text.replace(TABLE, `${table}\n`));
  } finally {
    await el.stop();
  }
} finally {
  space.remove();
}
