/**
 * `npm run accountability [-- --seed N] [--count N] [--json]`: runs with a third of the power or more on the liars' side.
 * With `--json` the last line is `{"campaign","unit","count","failed","next_seed",…}`; what is counted are forks. Exit 0: each
 * fork named more than a third of the power, and nobody honest was accused; 1: not so; 2: wrong usage.
 */
import { parseArgs } from "node:util";
import { accountabilityText, runAccountability } from "./scenario.ts";

const USAGE = "usage: npm run accountability -- [--seed N] [--count N] [--json]";

function parse(): { readonly seed: number; readonly count: number; readonly json: boolean } {
  try {
    const { values } = parseArgs({
      options: {
        seed: { type: "string", default: "1" },
        count: { type: "string", default: "20" },
        json: { type: "boolean", default: false },
      },
    });
    const [seed, count] = [Number(values.seed), Number(values.count)];
    if (!Number.isSafeInteger(seed) || seed < 0) throw new RangeError("--seed takes a whole number");
    if (!Number.isSafeInteger(count) || count < 1)
      throw new RangeError("--count takes a whole number from 1 on");
    return { seed, count, json: values.json };
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error);
    process.stderr.write(`${what}\n${USAGE}\n`);
    process.exit(2);
  }
}

if (process.argv.includes("--help")) {
  console.log(USAGE);
  process.exit(0);
}
const { seed, count, json } = parse();
let [forks, failed, halted] = [0, 0, 0];
const kinds = new Map<string, number>();
for (let each = seed; each < seed + count; each++) {
  const result = await runAccountability(each);
  if (result.violations.length > 0) failed++;
  if (result.fork !== null) {
    forks++;
    if (result.exits.includes(7)) halted++;
    for (const { kind } of result.fork.named) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  if (!json || result.violations.length > 0) {
    process.stdout.write(`${accountabilityText(result)}\n`);
    if (result.violations.length > 0)
      process.stdout.write(`  again: npm run accountability -- --seed ${each} --count 1\n`);
  }
}
const named = [...kinds].map(([kind, times]) => `${times} for ${kind}`).join(", ");
process.stdout.write(
  `${count} runs from seed ${seed}: ${forks} forks, ${failed} runs failed; named: ${named || "nobody"}; honest nodes stopped over ${halted} forks\n`,
);
if (json) {
  const line = { campaign: "accountability", unit: "forks", count: forks, failed, next_seed: seed + count };
  process.stdout.write(
    `${JSON.stringify({ ...line, runs: count, halted, named: Object.fromEntries(kinds) })}\n`,
  );
}
process.exitCode = failed === 0 ? 0 : 1;
