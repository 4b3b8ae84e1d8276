/**
 * `npm run search [-- --states N] [--rounds 1|2] [--byzantine 0..3] [--makers 0,0] [--certificates] [--restarts N] [--every-step]
 * [--no-symmetry] [--json]`: breadth-first search of the pure core (README.md). It ends when every state was seen, with N
 * states in memory (default 1,000,000), or at the fifth violation. With `--json` the last line is one JSON document. Exit
 * 0: every state seen is safe; 1: one is not; 2: wrong usage.
 */
import { parseArgs } from "node:util";
import { type SearchOptions, type SearchReport, search } from "./explore.ts";
import { VALIDATORS } from "./instance.ts";

const MAX_STATES = 2 ** 28;

const USAGE = `usage: npm run search -- [--states N] [--rounds 1|2] [--byzantine 0..3] [--makers 0,0] [--certificates]
       [--restarts N] [--every-step] [--no-symmetry] [--json]`;

function usage(what: string): never {
  process.stderr.write(`${what}\n${USAGE}\n`);
  process.exit(2);
}

function whole(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= least && value <= most) return value;
  return usage(`--${name} takes a whole number from ${least} to ${most}`);
}

function parse(): SearchOptions & { readonly json: boolean } {
  try {
    const { values } = parseArgs({
      options: {
        states: { type: "string", default: "1000000" },
        rounds: { type: "string", default: "2" },
        byzantine: { type: "string", default: "0" },
        makers: { type: "string", default: "0,0" },
        certificates: { type: "boolean", default: false },
        restarts: { type: "string", default: "0" },
        "every-step": { type: "boolean", default: false },
        "no-symmetry": { type: "boolean", default: false },
        json: { type: "boolean", default: false },
      },
    });
    const makers = values.makers.split(",").map((each) => whole("makers", each, 0, VALIDATORS - 1));
    if (makers.length > 3) usage("--makers takes at most three validators");
    return {
      states: whole("states", values.states, 1, MAX_STATES),
      rounds: whole("rounds", values.rounds, 1, 2),
      byzantine: whole("byzantine", values.byzantine, 0, VALIDATORS - 1),
      makers,
      certificates: values.certificates,
      restarts: whole("restarts", values.restarts, 0, 3),
      lazy: !values["every-step"],
      symmetry: !values["no-symmetry"],
      json: values.json,
    };
  } catch (error) {
    return usage(error instanceof Error ? error.message : String(error));
  }
}

function show(report: SearchReport, seconds: number): string {
  const { states, unreduced, exhausted, depth, transitions, locals, steps, combinations, decided } = report;
  const megabytes = Math.round(process.memoryUsage().rss / 2 ** 20);
  return [
    ...report.violations.flatMap(({ what, path }) => [what, ...path.map((each) => `  ${each}`)]),
    `${states} states (${unreduced} without symmetry), ${exhausted ? "all there are" : "not all there are"}, ` +
      `${depth} steps deep, ${transitions} transitions`,
    `${locals} states of single validators by ${steps} inputs to the core; ${combinations} combinations of signatures; ` +
      `${decided} states with a decision`,
    `${report.violations.length} violations; ${seconds.toFixed(1)} s, ${Math.round(states / seconds)} states a second, ${megabytes} MiB`,
    "",
  ].join("\n");
}

if (process.argv.includes("--help")) {
  console.log(USAGE);
  process.exit(0);
}
const { json, ...options } = parse();
const started = performance.now();
const report = search({
  ...options,
  progress: (found, expanded, locals) => {
    process.stderr.write(`${expanded} of ${found} states expanded, ${locals} of single validators\n`);
  },
});
process.stdout.write(show(report, (performance.now() - started) / 1000));
if (json) {
  const line = {
    campaign: "search",
    unit: "states",
    count: report.states,
    failed: report.violations.length,
    next_seed: 0,
    exhausted: report.exhausted,
    unreduced: report.unreduced,
  };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
process.exitCode = report.violations.length === 0 ? 0 : 1;
