/** One mutant against its tests. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { mutated } from "./apply.ts";
import { makeOverlay } from "./overlay.ts";
import { type FileRun, runTests } from "./run-tests.ts";
import type { DirectedTest, Mutant } from "./types.ts";

/** ms that one file's directed tests may take, plus a multiple of what they took on the sources as they are. */
const LIMIT_MS = 20_000;
const LIMIT_TIMES = 10;

export type Result =
  | { readonly kind: "killed"; readonly by: string; readonly ms: number }
  | { readonly kind: "survived"; readonly ms: number }
  | { readonly kind: "equivalent" }
  /** Nothing can be said: the tool, the list or a file's imports are at fault. */
  | { readonly kind: "error"; readonly reason: string };

/** Tests by file, each name once. */
export function byFile(tests: readonly DirectedTest[]): Map<string, string[]> {
  const files = new Map<string, string[]>();
  for (const { file, name } of tests) {
    const names = files.get(file) ?? [];
    if (!names.includes(name)) names.push(name);
    files.set(file, names);
  }
  return files;
}

/** Files -> ms and names of passing tests, of the sources as they are. */
export type Baseline = ReadonlyMap<string, { readonly ms: number; readonly passing: ReadonlySet<string> }>;

/**
 * Runs every directed test on a plain copy: one that does not pass there could not tell anything.
 * @returns the baseline, and what is wrong with it.
 */
export async function takeBaseline(
  root: string,
  mutants: readonly Mutant[],
  jobs: number,
  signal: AbortSignal,
): Promise<{ readonly baseline: Baseline; readonly problems: readonly string[] }> {
  const files = byFile(mutants.flatMap(({ verdict }) => (verdict.kind === "killed" ? verdict.by : [])));
  const baseline = new Map<string, { ms: number; passing: ReadonlySet<string> }>();
  const problems: string[] = [];
  const work = [...files];
  const worker = async (): Promise<void> => {
    const overlay = await makeOverlay(root, null);
    try {
      for (let next = work.shift(); next !== undefined && !signal.aborted; next = work.shift()) {
        const [file, names] = next;
        const run = await runTests(overlay.root, file, names, LIMIT_MS * LIMIT_TIMES, signal);
        baseline.set(file, { ms: run.ms, passing: passing(run) });
        problems.push(...wrongWith(file, names, run));
      }
    } finally {
      await overlay.remove();
    }
  };
  await Promise.all(Array.from({ length: jobs }, worker));
  return { baseline, problems };
}

function passing(run: FileRun): ReadonlySet<string> {
  return new Set(run.ends.filter(({ outcome }) => outcome === "pass").map(({ name }) => name));
}

function wrongWith(file: string, names: readonly string[], run: FileRun): string[] {
  const found: string[] = [];
  for (const { name, outcome, message } of run.ends) {
    if (outcome === "fail") found.push(`${file}: "${name}" fails without any mutant: ${message}`);
  }
  for (const name of names) {
    const matching = run.ends.filter((end) => end.name.includes(name));
    if (matching.length === 0) found.push(`${file}: no test's name contains "${name}"`);
    else if (matching.every(({ outcome }) => outcome === "skip")) {
      found.push(`${file}: "${name}" is skipped here`);
    }
  }
  if (found.length === 0 && (run.hung || run.exitCode !== 0)) {
    found.push(`${file}: its process ended with ${run.hung ? "a hang" : run.exitCode}: ${run.output}`);
  }
  return found;
}

/** Puts the mutant into a copy and runs its tests file by file until one fails. */
export async function judge(
  root: string,
  mutant: Mutant,
  baseline: Baseline,
  signal: AbortSignal,
): Promise<Result> {
  const { verdict, file } = mutant;
  const text = mutated(mutant, readFileSync(join(root, file), "utf8"));
  if (verdict.kind === "equivalent") return { kind: "equivalent" };
  const started = performance.now();
  const overlay = await makeOverlay(root, { file, text });
  try {
    for (const [testFile, names] of byFile(verdict.by)) {
      const known = baseline.get(testFile) ?? { ms: 0, passing: new Set<string>() };
      const limitMs = LIMIT_MS + LIMIT_TIMES * known.ms;
      const run = await runTests(overlay.root, testFile, names, limitMs, signal);
      const ms = performance.now() - started;
      if (signal.aborted) return { kind: "error", reason: "interrupted" };
      const failed = run.ends.find(({ name, outcome }) => outcome === "fail" && known.passing.has(name));
      if (failed !== undefined) return { kind: "killed", by: `${testFile} "${failed.name}"`, ms };
      if (run.hung) return { kind: "killed", by: `${testFile} (did not end within ${limitMs} ms)`, ms };
      const ran = run.ends.some(({ name }) => known.passing.has(name));
      if (!ran || run.exitCode !== 0) {
        return { kind: "error", reason: `${testFile} ended with ${run.exitCode}: ${run.output}` };
      }
    }
    return { kind: "survived", ms: performance.now() - started };
  } finally {
    await overlay.remove();
  }
}
