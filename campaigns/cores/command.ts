/** The command line of the campaigns on bare cores: so many seeds from one on, what was seen, what did not hold. */
import { parseArgs } from "node:util";
import type { Outcome } from "./outcome.ts";

export interface SeededCampaign {
  /** As in `npm run NAME`. */
  readonly name: string;
  /** What one seed is, plural. */
  readonly unit: string;
  readonly run: (seed: number) => Outcome;
  readonly describe: (seed: number) => string;
}

export interface SeededReport {
  readonly count: number;
  /** Seeds whose scenario broke a rule or stalled. */
  readonly failed: number;
  /** The first {@link SHOWN} of them, in words. */
  readonly failures: readonly string[];
  /** In how many scenarios each thing was seen. */
  readonly seen: ReadonlyMap<string, number>;
  readonly steps: number;
}

const SHOWN = 10;
const PROGRESS_MS = 10_000;

export function runSeeds(
  campaign: SeededCampaign,
  options: { readonly seed: number; readonly count: number; readonly progress?: (done: number) => void },
): SeededReport {
  const seen = new Map<string, number>();
  const failures: string[] = [];
  let failed = 0;
  let steps = 0;
  for (let done = 0; done < options.count; done++) {
    const seed = options.seed + done;
    const outcome = campaign.run(seed);
    steps += outcome.steps;
    for (const name of outcome.seen) seen.set(name, (seen.get(name) ?? 0) + 1);
    if (outcome.violations.length > 0) {
      failed++;
      const replay = `npm run ${campaign.name} -- --seed ${seed} --count 1`;
      const lines = outcome.violations.map((each) => `  ${each}`).join("\n");
      if (failures.length < SHOWN)
        failures.push(`seed ${seed}: ${campaign.describe(seed)}\n${lines}\n  again: ${replay}`);
    }
    options.progress?.(done + 1);
  }
  return { count: options.count, failed, failures, seen, steps };
}

/**
 * `npm run NAME [-- --seed N] [--count N] [--json]`. With `--json` the last line is `{"campaign","unit","count","failed",
 * "next_seed"}`. Exit 0: everything held; 1: something did not; 2: wrong usage.
 */
export function main(campaign: SeededCampaign, defaultCount: number): void {
  const { seed, count, json } = parse(campaign.name, defaultCount);
  const started = performance.now();
  let told = started;
  const report = runSeeds(campaign, {
    seed,
    count,
    progress: (done) => {
      if (performance.now() - told < PROGRESS_MS) return;
      told = performance.now();
      process.stderr.write(`${done} of ${count} ${campaign.unit}\n`);
    },
  });
  const seconds = (performance.now() - started) / 1000;
  for (const failure of report.failures) process.stdout.write(`${failure}\n`);
  for (const [name, times] of [...report.seen].sort(([a], [b]) => (a < b ? -1 : 1))) {
    process.stdout.write(`  ${String(times).padStart(8)}  ${name}\n`);
  }
  process.stdout.write(
    `${count} ${campaign.unit} from seed ${seed}: ${report.failed} failed; ${report.steps} inputs to cores, ` +
      `${seconds.toFixed(1)} s, ${(count / seconds).toFixed(0)} ${campaign.unit} a second\n`,
  );
  if (json) {
    const { failed } = report;
    const line = { campaign: campaign.name, unit: campaign.unit, count, failed, next_seed: seed + count };
    process.stdout.write(`${JSON.stringify(line)}\n`);
  }
  process.exitCode = report.failed === 0 ? 0 : 1;
}

function parse(
  name: string,
  defaultCount: number,
): { readonly seed: number; readonly count: number; readonly json: boolean } {
  const usage = `usage: npm run ${name} -- [--seed N] [--count N] [--json]`;
  if (process.argv.includes("--help")) {
    console.log(usage);
    process.exit(0);
  }
  try {
    const { values } = parseArgs({
      options: {
        seed: { type: "string", default: "1" },
        count: { type: "string", default: String(defaultCount) },
        json: { type: "boolean", default: false },
      },
    });
    const seed = Number(values.seed);
    const count = Number(values.count);
    if (!Number.isSafeInteger(seed) || seed < 0) throw new RangeError("--seed takes a whole number");
    if (!Number.isSafeInteger(count) || count < 1)
      throw new RangeError("--count takes a whole number from 1 on");
    return { seed, count, json: values.json };
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error);
    process.stderr.write(`${what}\n${usage}\n`);
    process.exit(2);
  }
}
