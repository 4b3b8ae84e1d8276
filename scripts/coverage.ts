/**
 * `npm run coverage [-- PACKAGE…]`: line and branch coverage of the packages that decide what a validator signs and
 * executes, by their own tests and the others named here. Counted are lines with code: no comments, no types, no
 * blank lines, no lone brackets. Exit 0: every package reaches the goal, every test passed, and each line that no test reaches is in
 * {@link UNREACHED} with its reason; 1: not so; 2: wrong usage.
 */
import { globSync, readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { availableParallelism } from "node:os";
import { join, relative } from "node:path";
import { run } from "node:test";
import { inspect } from "node:util";
import { UNREACHED } from "./coverage-unreached.ts";

const ROOT = join(import.meta.dirname, "..");
/** Percent of the lines with code, of each package. */
const GOAL = 95;
const TEST_TIMEOUT_MS = 12 * 60_000;

/** Test files per package, besides its own. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  crypto: [],
  chain: [],
  consensus: [],
  wal: [],
  privval: [],
  execution: [],
};

interface Hit {
  readonly line: number;
  readonly count: number;
}

interface FileSummary {
  readonly path: string;
  readonly totalBranchCount: number;
  readonly coveredBranchCount: number;
  readonly lines: readonly Hit[];
}

interface Row {
  readonly file: string;
  readonly lines: number;
  readonly branches: number;
  readonly coveredBranches: number;
  /** Numbers of the lines with code that no test ran. */
  readonly missed: readonly number[];
}

/** Numbers of the lines that hold more than brackets. The formatter gives comments lines of their own. */
export function codeLines(source: string): number[] {
  const found: number[] = [];
  let comment = false;
  for (const [at, text] of stripTypeScriptTypes(source).split("\n").entries()) {
    const line = text.trim();
    if (comment || line.startsWith("/*")) {
      comment = !line.includes("*/");
    } else if (/[^\s(){}[\];,]/.test(line) && !line.startsWith("//")) found.push(at + 1);
  }
  return found;
}

function rowOf(file: string, summary: FileSummary | undefined): Row {
  const code = codeLines(readFileSync(join(ROOT, file), "utf8"));
  const counts = new Map(summary?.lines.map(({ line, count }) => [line, count]));
  return {
    file,
    lines: code.length,
    branches: summary?.totalBranchCount ?? 0,
    coveredBranches: summary?.coveredBranchCount ?? 0,
    missed: code.filter((line) => (counts.get(line) ?? 0) === 0),
  };
}

/** `12-15 20`. */
function ranges(lines: readonly number[]): string {
  const parts: [number, number][] = [];
  for (const line of lines) {
    const last = parts.at(-1);
    if (last !== undefined && last[1] === line - 1) last[1] = line;
    else parts.push([line, line]);
  }
  return parts.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(" ");
}

const percent = (covered: number, all: number): string =>
  `${(all === 0 ? 100 : Math.floor((covered * 1000) / all) / 10).toFixed(1)} %`;

function print(name: string, rows: readonly Row[], which = ""): void {
  const sum = (of: (row: Row) => number): number => rows.reduce((all, row) => all + of(row), 0);
  const lines = sum((row) => row.lines);
  const covered = percent(lines - sum((row) => row.missed.length), lines);
  const branches = percent(
    sum((row) => row.coveredBranches),
    sum((row) => row.branches),
  );
  const cells = [name.padEnd(44), String(lines).padStart(6), covered.padStart(8), branches.padStart(9)];
  process.stdout.write(`${`${cells.join(" ")}  ${which}`.trimEnd()}\n`);
}

const USAGE = `usage: npm run coverage [-- ${Object.keys(PACKAGES).join(" | ")}]...`;

function usage(problem: string): never {
  process.stderr.write(`${problem}\n${USAGE}\n`);
  process.exit(2);
}

async function main(args: readonly string[]): Promise<boolean> {
  const names = args.length === 0 ? Object.keys(PACKAGES) : args;
  for (const name of names) if (!(name in PACKAGES)) usage(`no coverage is taken of ${name}`);
  const glob = (pattern: string): string[] => globSync(pattern, { cwd: ROOT }).toSorted();
  const files = [
    ...new Set(
      names.flatMap((name) => [`packages/${name}/test/**/*.test.ts`, ...PACKAGES[name]!].flatMap(glob)),
    ),
  ];
  let failed = 0;
  const summaries = new Map<string, FileSummary>();
  const stream = run({
    files,
    concurrency: availableParallelism(),
    cwd: ROOT,
    timeout: TEST_TIMEOUT_MS,
    execArgv: [...process.execArgv],
    coverage: true,
    coverageIncludeGlobs: names.map((name) => `packages/${name}/src/**/*.ts`),
  });
  for await (const { type, data } of stream) {
    if (type === "test:fail") {
      failed++;
      process.stdout.write(
        `failed: ${data.file ?? ""}: ${data.name}\n${inspect(data.details.error.cause)}\n`,
      );
    }
    if (type === "test:coverage") {
      for (const file of data.summary.files) summaries.set(relative(ROOT, file.path), file);
    }
  }
  return report(names, summaries, glob) && failed === 0;
}

/** Prints the table. @returns whether all is as it should be. */
function report(
  names: readonly string[],
  summaries: ReadonlyMap<string, FileSummary>,
  glob: (pattern: string) => string[],
): boolean {
  process.stdout.write(
    `${"file".padEnd(44)} ${"lines".padStart(6)} ${"covered".padStart(8)} ${"branches".padStart(9)}  missed\n`,
  );
  let good = true;
  const unknown: string[] = [];
  for (const name of names) {
    const rows = glob(`packages/${name}/src/**/*.ts`).map((file) => rowOf(file, summaries.get(file)));
    const lines = rows.reduce((sum, row) => sum + row.lines, 0);
    const missed = rows.reduce((sum, row) => sum + row.missed.length, 0);
    print(name, rows);
    for (const row of rows) print(`  ${row.file}`, [row], ranges(row.missed));
    if ((lines - missed) * 100 < lines * GOAL) {
      process.stdout.write(`${name} is below ${GOAL} % of lines\n`);
      good = false;
    }
    for (const { file, missed: numbers } of rows) {
      const source = readFileSync(join(ROOT, file), "utf8").split("\n");
      for (const line of numbers) {
        const text = source[line - 1]!.trim();
        if (!UNREACHED.some((known) => known.file === file && known.lines.includes(text)))
          unknown.push(`${file}:${line}: ${text}`);
      }
    }
  }
  for (const line of unknown) process.stdout.write(`reached by no test, and no reason is given: ${line}\n`);
  return good && unknown.length === 0;
}

if (import.meta.main && process.argv.includes("--help")) console.log(USAGE);
else if (import.meta.main) process.exitCode = (await main(process.argv.slice(2))) ? 0 : 1;
