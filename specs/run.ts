/**
 * `npm run spec [-- --count N] [--steps N] [--seed N] [--traces] [--json]`: typechecks the model, runs its directed tests,
 * simulates it with its invariants, and replays every trace of both on the real core. `--traces` also writes the traces
 * that `npm test` replays. Exit 0: all holds; 1: something does not; 2: wrong usage. With `--json` the last line is
 * `{"campaign","unit","count","failed","next_seed"}`; the unit is one random trace.
 */
import { availableParallelism } from "node:os";
import { basename } from "node:path";
import { parseArgs } from "node:util";
import { writeFixture } from "./fixture.ts";
import { type Batch, DIRECTED, directed, modelDigest, simulate, typecheck, WITNESSES } from "./model.ts";
import { type Divergence, replay } from "./replay/replay.ts";
import type { Trace } from "./replay/trace.ts";

/** Traces per call of Quint: each call first reads the model, and holds its traces in memory until its end. */
const BATCH = 10;
const DEFAULT_COUNT = 30;
const DEFAULT_STEPS = 250;

interface Options {
  readonly count: number;
  readonly steps: number;
  readonly seed: number;
  readonly traces: boolean;
  readonly json: boolean;
}

class Report {
  readonly directed: Trace[] = [];
  readonly random: Trace[] = [];
  readonly witnessed = new Map<string, number>();
  compared = 0;
  failed = 0;

  fail(what: string): void {
    this.failed++;
    process.stdout.write(`failed: ${what}\n`);
  }

  replay(traces: readonly Trace[]): void {
    for (const trace of traces) {
      const { compared, divergence } = replay(trace);
      this.compared += compared;
      if (divergence) this.fail(describe(divergence));
    }
  }

  witness(batch: Batch): void {
    for (const [name, count] of batch.witnessed)
      this.witnessed.set(name, (this.witnessed.get(name) ?? 0) + count);
  }
}

function describe({ trace, at, node, input, field, model, core }: Divergence): string {
  return `${trace}, step ${at}, node ${node}: ${JSON.stringify(input)}\n  ${field}\n    model: ${model}\n    core:  ${core}`;
}

async function runDirected(report: Report): Promise<void> {
  for (const file of DIRECTED) {
    const batch = await directed(file);
    if (!batch.ok) report.fail(`${basename(file)}: ${batch.text}`);
    report.directed.push(...batch.traces);
    report.replay(batch.traces);
    process.stdout.write(`${basename(file)}: ${batch.traces.length} directed runs\n`);
  }
}

async function runRandom(report: Report, { count, steps, seed }: Options): Promise<void> {
  const batches = Math.ceil(count / BATCH);
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < batches) {
      const at = next++;
      const batch = await simulate({ seed: seed + at, count: Math.min(BATCH, count - at * BATCH), steps });
      if (!batch.ok) report.fail(`seed ${seed + at}: ${batch.text}`);
      report.random.push(...batch.traces);
      report.replay(batch.traces);
      report.witness(batch);
      process.stdout.write(`seed ${seed + at}: ${batch.traces.length} random traces\n`);
    }
  };
  await Promise.all(Array.from({ length: Math.min(availableParallelism(), batches) }, work));
  report.random.sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
  for (const [name, enough] of WITNESSES) {
    const seen = report.witnessed.get(name) ?? 0;
    process.stdout.write(`  ${String(seen).padStart(6)}  ${name}\n`);
    if (seen === 0 && report.random.length >= enough)
      report.fail(`no trace showed ${name}: the simulation says nothing about it`);
  }
}

const USAGE = "usage: npm run spec -- [--count N] [--steps N] [--seed N] [--traces] [--json]";

function usage(what: string): never {
  process.stderr.write(`${what}\n${USAGE}\n`);
  process.exit(2);
}

function parse(): Options {
  try {
    const { values } = parseArgs({
      options: {
        count: { type: "string", default: String(DEFAULT_COUNT) },
        steps: { type: "string", default: String(DEFAULT_STEPS) },
        seed: { type: "string", default: "1" },
        traces: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
      },
    });
    const whole = (name: "count" | "steps" | "seed", least: number): number => {
      const value = Number(values[name]);
      if (!Number.isSafeInteger(value) || value < least)
        usage(`--${name} takes a whole number from ${least} on`);
      return value;
    };
    return {
      count: whole("count", 0),
      steps: whole("steps", 1),
      seed: whole("seed", 1),
      traces: values.traces,
      json: values.json,
    };
  } catch (error) {
    return usage(error instanceof Error ? error.message : String(error));
  }
}

if (process.argv.includes("--help")) {
  console.log(USAGE);
  process.exit(0);
}
const options = parse();
const report = new Report();
const types = await typecheck();
if (!types.ok) report.fail(types.text);
else {
  await runDirected(report);
  await runRandom(report, options);
}
const { directed: runs, random, compared, failed } = report;
process.stdout.write(
  `${runs.length} directed runs and ${random.length} random traces of up to ${options.steps} steps: ` +
    `${compared} steps compared with the core, ${failed} failures\n`,
);
if (options.traces && failed === 0) {
  const size = writeFixture({ model: modelDigest(), directed: runs, random });
  process.stdout.write(`specs/traces.json.gz written: ${size} bytes\n`);
}
if (options.json) {
  const next_seed = options.seed + Math.ceil(options.count / BATCH);
  process.stdout.write(
    `${JSON.stringify({ campaign: "spec", unit: "traces", count: random.length, failed, next_seed })}\n`,
  );
}
process.exitCode = failed === 0 ? 0 : 1;
