/**
 * `npm run test:nightly -- [--minutes 60] [--only NAME]… [--totals FILE] [--logs DIR]`: gives each campaign of the table its
 * share of the time, goes on with its seeds where the last run stopped, and adds what was done to docs/evidence/totals.json.
 *
 * Exit 0: nothing failed; 1: something did (its output lies in --logs); 2: wrong usage. A campaign below its target is
 * named, and is no failure: targets are reached over many nights.
 */
import { mkdirSync, mkdtempSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { runNightly } from "./nightly-run.ts";
import { TABLE } from "./nightly-table.ts";
import { readTotals, type Totals, totalsText } from "./nightly-totals.ts";

const ROOT = join(import.meta.dirname, "..");
const USAGE = "usage: npm run test:nightly -- [--minutes 60] [--only NAME]... [--totals FILE] [--logs DIR]";
const EXIT = { held: 0, failed: 1, usage: 2 } as const;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      minutes: { type: "string", default: "60" },
      only: { type: "string", multiple: true, default: [] },
      totals: { type: "string", default: join(ROOT, "docs", "evidence", "totals.json") },
      logs: { type: "string" },
    },
  });
  const minutes = Number(values.minutes);
  if (!(minutes > 0)) throw new TypeError(`--minutes ${values.minutes} is no number above 0`);
  const unknown = values.only.find((name) => !TABLE.some((campaign) => campaign.name === name));
  if (unknown !== undefined)
    throw new TypeError(`there is no campaign ${unknown}: ${TABLE.map(({ name }) => name).join(" ")}`);
  const table = TABLE.filter(({ name }) => values.only.length === 0 || values.only.includes(name));
  const logs = values.logs ?? mkdtempSync(join(tmpdir(), "quorate-nightly-"));
  mkdirSync(logs, { recursive: true });
  const interrupt = new AbortController();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, () => interrupt.abort());
  const keep = (totals: Totals): void => {
    writeFileSync(`${values.totals}.new`, totalsText(totals));
    renameSync(`${values.totals}.new`, values.totals);
  };
  const { ok, lines } = await runNightly({
    ...{ table, minutes, logs, keep, signal: interrupt.signal, cwd: ROOT },
    totals: readTotals(() => readFileSync(values.totals, "utf8")),
    say: (line) => void process.stdout.write(`${line}\n`),
  });
  process.stdout.write(`\n${lines.join("\n")}\n\noutputs in ${logs}, totals in ${values.totals}\n`);
  return ok ? EXIT.held : EXIT.failed;
}

if (process.argv.includes("--help")) {
  console.log(USAGE);
  process.exit(0);
}
try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof TypeError)) throw error;
  process.stderr.write(`${error.message}\n${USAGE}\n`);
  process.exitCode = EXIT.usage;
}
