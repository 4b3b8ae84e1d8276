/**
 * `npm run mutants`: puts each known bug into a copy of the sources and says which of them the tests, and behind them some
 * seeds of the simulator, notice. Last line `N killed, M survived, K equivalent`; exit 1 when one survived or could not be
 * judged, 2 on wrong usage.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Judge, type Means, type Result } from "./judge.ts";
import { PARTS } from "./list.ts";
import { makeOverlay, type Overlay } from "./overlay.ts";
import type { Mutant } from "./types.ts";

const ROOT = join(import.meta.dirname, "..");

const USAGE = `npm run mutants -- [--only NAME] [--part PART] [--by tests|seeds|both] [--seeds 4] [--jobs 2] [--json]

  --only NAME   mutants whose name contains this; may be given more than once
  --part PART   a part of the list: ${Object.keys(PARTS).join(", ")}; may be given more than once
  --by WHAT     the tests named for each mutant, seeds of the simulator, or first those, then these; default both
  --seeds K     seeds 1 to K, default 4
  --jobs N      so many at a time, default 2
  --json        one JSON line per mutant and one at the end on stdout, the rest on stderr`;

interface Options {
  readonly mutants: readonly Mutant[];
  readonly means: Means;
  readonly jobs: number;
  readonly json: boolean;
}

function optionsOf(args: readonly string[]): Options | string {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        only: { type: "string", multiple: true },
        part: { type: "string", multiple: true },
        by: { type: "string", default: "both" },
        seeds: { type: "string", default: "4" },
        jobs: { type: "string", default: "2" },
        json: { type: "boolean", default: false },
      },
    });
    const jobs = Number(values.jobs);
    if (!Number.isInteger(jobs) || jobs < 1 || jobs > 64) return "--jobs takes a number from 1 to 64";
    const seeds = Number(values.seeds);
    if (!Number.isInteger(seeds) || seeds < 0) return "--seeds takes a number, 0 or more";
    const { by } = values;
    if (by !== "tests" && by !== "seeds" && by !== "both") return "--by takes tests, seeds or both";
    const means: Means = { tests: by !== "seeds", seeds: by === "tests" ? 0 : seeds };
    const parts = values.part ?? Object.keys(PARTS);
    const missing = parts.find((part) => PARTS[part] === undefined);
    if (missing !== undefined) return `there is no part "${missing}"`;
    const listed = parts.flatMap((part) => PARTS[part] ?? []);
    const only = values.only ?? [""];
    const unknown = only.find((word) => !listed.some(({ name }) => name.includes(word)));
    if (unknown !== undefined) return `no mutant's name contains "${unknown}"`;
    const mutants = listed.filter(({ name }) => only.some((word) => name.includes(word)));
    return { mutants, means, jobs, json: values.json };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function lineOf({ name }: Mutant, result: Result): string {
  switch (result.kind) {
    case "killed":
      return `killed      ${name}  by ${result.by}  ${seconds(result.ms)}, CPU ${seconds(result.cpuMs)}`;
    case "survived":
      return `SURVIVED    ${name}  ${seconds(result.ms)}`;
    case "equivalent":
      return `equivalent  ${name}`;
    case "error":
      return `ERROR       ${name}  ${result.reason}`;
  }
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

async function main({ mutants, means, jobs, json }: Options, signal: AbortSignal): Promise<number> {
  const say = (line: string): void => void (json ? process.stderr : process.stdout).write(`${line}\n`);
  const started = performance.now();
  const judge = new Judge(ROOT, means, signal);
  await using stack = new AsyncDisposableStack();
  const overlays: Overlay[] = [];
  for (let i = 0; i < jobs; i++) overlays.push(stack.use(await makeOverlay(ROOT)));
  const { files, problems, cpuMs } = await judge.prepare(mutants, overlays);
  for (const problem of problems) say(`ERROR       ${problem}`);
  if (problems.length > 0 || signal.aborted) return 1;
  if (means.tests) {
    say(
      `the directed tests of ${files} files pass without a mutant  ${seconds(performance.now() - started)}`,
    );
  }
  const counts = { killed: 0, survived: 0, equivalent: 0, error: 0 };
  let cpu = cpuMs;
  const work = [...mutants];
  const worker = async (overlay: Overlay): Promise<void> => {
    for (let mutant = work.shift(); mutant !== undefined && !signal.aborted; mutant = work.shift()) {
      const result = await judge
        .judge(mutant, overlay)
        .catch((error: unknown): Result => ({ kind: "error", reason: String(error) }));
      counts[result.kind]++;
      if ("cpuMs" in result) cpu += result.cpuMs;
      say(lineOf(mutant, result));
      if (json) {
        const { name, file } = mutant;
        process.stdout.write(`${JSON.stringify({ event: "mutant", name, file, ...result })}\n`);
      }
    }
  };
  await Promise.all(overlays.map(worker));
  if (means.tests) say(`${seconds(cpu)} of CPU in the processes of the tests`);
  const failed = counts.survived + counts.error;
  if (counts.error > 0) say(`${counts.error} could not be judged`);
  say(`${counts.killed} killed, ${counts.survived} survived, ${counts.equivalent} equivalent`);
  if (json) {
    const count = mutants.length;
    process.stdout.write(
      `${JSON.stringify({ campaign: "mutants", unit: "mutants", count, failed, next_seed: 0 })}\n`,
    );
  }
  return failed === 0 && !signal.aborted ? 0 : 1;
}

if (process.argv.includes("--help")) {
  console.log(USAGE);
  process.exit(0);
}
const options = optionsOf(process.argv.slice(2));
if (typeof options === "string") {
  process.stderr.write(`${options}\n\n${USAGE}\n`);
  process.exitCode = 2;
} else {
  const stopping = new AbortController();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, () => stopping.abort());
  process.exitCode = await main(options, stopping.signal);
}
