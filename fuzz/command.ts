/**
 * `npm run fuzz -- [--target NAME]… [--seconds N | --count N] [--seed N] [--json]`: random and broken inputs for every
 * decoder. `--input HEX` gives one input to one target, `--list` names the targets. Exit 0 = all laws held, 1 = one did
 * not, 2 = wrong usage. The last line is JSON: what ran, and the seed to go on with.
 */
import { parseArgs } from "node:util";
import { fuzzTarget, type TargetReport, tryInput } from "./engine.ts";
import type { Target } from "./target.ts";
import { TARGETS } from "./targets/index.ts";

const USAGE =
  "usage: npm run fuzz -- [--target NAME]... [--seconds N | --count N] [--seed N] [--input HEX] [--list] [--json]";
/** Per target, when nothing is said. */
const DEFAULT_COUNT = 5000;

function usage(problem: string): never {
  process.stderr.write(`${problem}\n${USAGE}\n`);
  process.exit(2);
}

function whole(name: string, text: string | undefined, min: number): number | null {
  if (text === undefined) return null;
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < min)
    usage(`--${name} takes a whole number from ${min}`);
  return value;
}

interface Options {
  readonly targets: readonly Target[];
  readonly seconds: number | null;
  readonly count: number | null;
  readonly seed: number;
  readonly input: Uint8Array | null;
  readonly list: boolean;
  readonly json: boolean;
}

function options(): Options {
  const values = ((): ReturnType<typeof parse> => {
    try {
      return parse();
    } catch (error) {
      return usage(error instanceof Error ? error.message : String(error));
    }
  })();
  const seconds = whole("seconds", values.seconds, 1);
  const count = whole("count", values.count, 1);
  if (seconds !== null && count !== null) usage("either --seconds or --count");
  const names = values.target ?? [];
  const targets = names.map(
    (name) =>
      TARGETS.find((each) => each.name === name) ?? usage(`there is no target ${name}; --list names them`),
  );
  if (values.input !== undefined && (targets.length !== 1 || !/^([0-9a-f]{2})*$/i.test(values.input))) {
    usage("--input takes hex, for one --target");
  }
  return {
    targets: targets.length === 0 ? TARGETS : targets,
    seconds,
    count: seconds === null ? (count ?? DEFAULT_COUNT) : null,
    seed: whole("seed", values.seed, 0) ?? Date.now() % 2 ** 31,
    input: values.input === undefined ? null : new Uint8Array(Buffer.from(values.input, "hex")),
    list: values.list,
    json: values.json,
  };
}

function parse(): {
  readonly target?: string[] | undefined;
  readonly seconds?: string | undefined;
  readonly count?: string | undefined;
  readonly seed?: string | undefined;
  readonly input?: string | undefined;
  readonly list: boolean;
  readonly json: boolean;
} {
  return parseArgs({
    options: {
      target: { type: "string", multiple: true },
      seconds: { type: "string" },
      count: { type: "string" },
      seed: { type: "string" },
      input: { type: "string" },
      list: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
    },
  }).values;
}

if (process.argv.includes("--help")) {
  console.log(USAGE);
  process.exit(0);
}
const chosen = options();
const say = (line: string): void => {
  if (!chosen.json) process.stdout.write(`${line}\n`);
};

function show(report: TargetReport): void {
  const { target, inputs, accepted, refused, failed, slowest_ms: slowest, heap_growth_bytes: heap } = report;
  const mark = failed === 0 ? "✔" : "✖";
  say(
    `${mark} ${target.padEnd(14)} ${String(inputs).padStart(8)} inputs: ${accepted} accepted, ${refused} refused, ${failed} failed; slowest ${slowest} ms, heap +${Math.round(heap / 1024)} KiB`,
  );
  for (const { seed, what, hex } of report.failures) {
    say(`    ${what.replaceAll("\n", "\n    ")}`);
    say(`    input: ${hex.length > 4000 ? `${hex.slice(0, 4000)}… (${hex.length / 2} bytes)` : hex}`);
    say(`    replay: npm run fuzz -- --target ${target} --seed ${seed} --count 1`);
  }
}

async function campaign(): Promise<void> {
  const share = chosen.seconds === null ? null : chosen.seconds / chosen.targets.length;
  const reports: TargetReport[] = [];
  for (const target of chosen.targets) {
    const report = await fuzzTarget(target, { seed: chosen.seed, count: chosen.count, seconds: share });
    reports.push(report);
    show(report);
  }
  const count = reports.reduce((sum, { inputs }) => sum + inputs, 0);
  const failed = reports.reduce((sum, each) => sum + each.failed, 0);
  const most = reports.reduce((max, { inputs }) => Math.max(max, inputs), 0);
  const summary = { campaign: "fuzz", unit: "inputs", count, failed, next_seed: chosen.seed + most };
  process.stdout.write(`${JSON.stringify(chosen.json ? { ...summary, targets: reports } : summary)}\n`);
  process.exitCode = failed === 0 ? 0 : 1;
}

async function replay(target: Target, input: Uint8Array): Promise<void> {
  const { outcome, fault, ms } = await tryInput(target, input);
  process.stdout.write(`${target.name}: ${fault ?? outcome} in ${ms.toFixed(1)} ms\n`);
  process.exitCode = fault === null ? 0 : 1;
}

if (chosen.list) {
  for (const { name, what } of TARGETS) process.stdout.write(`${name.padEnd(14)} ${what}\n`);
} else if (chosen.input !== null) await replay(chosen.targets[0]!, chosen.input);
else await campaign();
