/** One mutant against its tests, then against some seeds of the simulator. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { mutated } from "./apply.ts";
import { makeOverlay, type Overlay } from "./overlay.ts";
import { type FileRun, runSeed, runTests } from "./processes.ts";
import type { TestEnd } from "./reporter.ts";
import type { DirectedTest, Mutant } from "./types.ts";

/** ms that a test, a file's tests or a seed may take, plus a multiple of what the file or seed took without a mutant. */
const TEST_MS = 5_000;
const PROCESS_MS = 20_000;
const LIMIT_TIMES = 4;
/** As much more time for a file that did not end in time. */
const AGAIN_TIMES = 3;
/** ms for what runs without a mutant. */
const BASELINE_MS = 300_000;

export type Result =
  | { readonly kind: "killed"; readonly by: string; readonly ms: number; readonly cpuMs: number }
  | { readonly kind: "survived"; readonly ms: number; readonly cpuMs: number }
  | { readonly kind: "equivalent" }
  /** Nothing can be said: the tool, the list or a file's imports are at fault. */
  | { readonly kind: "error"; readonly reason: string };

/** What a mutant is judged by: the tests named for it, seeds 1 to `seeds` of the simulator, or both in this order. */
export interface Means {
  readonly tests: boolean;
  readonly seeds: number;
}

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
type Passing = ReadonlyMap<string, { readonly ms: number; readonly passing: ReadonlySet<string> }>;

export class Judge {
  readonly #root: string;
  readonly #means: Means;
  readonly #signal: AbortSignal;
  #baseline: Passing = new Map();
  /** ms that each seed takes without a mutant, asked for when a mutant first comes to it. */
  readonly #seeds = new Map<number, Promise<number>>();

  constructor(root: string, means: Means, signal: AbortSignal) {
    this.#root = root;
    this.#means = means;
    this.#signal = signal;
  }

  /**
   * Runs every directed test on a plain copy: one that does not pass there could not tell anything.
   * @returns how many files there are, and what is wrong with them.
   */
  async prepare(
    mutants: readonly Mutant[],
    overlays: readonly Overlay[],
  ): Promise<{ readonly files: number; readonly problems: readonly string[]; readonly cpuMs: number }> {
    if (!this.#means.tests) return { files: 0, problems: [], cpuMs: 0 };
    const files = byFile(mutants.flatMap(({ verdict }) => (verdict.kind === "killed" ? verdict.by : [])));
    const baseline = new Map<string, { ms: number; passing: ReadonlySet<string> }>();
    const problems: string[] = [];
    let cpuMs = 0;
    const work = [...files];
    const worker = async (overlay: Overlay): Promise<void> => {
      for (let next = work.shift(); next !== undefined && !this.#signal.aborted; next = work.shift()) {
        const [file, names] = next;
        const run = await runTests(
          overlay,
          file,
          names,
          { testMs: BASELINE_MS, fileMs: BASELINE_MS },
          this.#signal,
        );
        baseline.set(file, { ms: run.ms, passing: passing(run) });
        cpuMs += run.cpuMs;
        problems.push(...wrongWith(file, names, run));
      }
    };
    await Promise.all(overlays.map(worker));
    this.#baseline = baseline;
    return { files: files.size, problems, cpuMs };
  }

  /** Puts the mutant into the copy, runs its tests file by file, then the seeds, until one fails. */
  async judge(mutant: Mutant, overlay: Overlay): Promise<Result> {
    const { verdict, file } = mutant;
    const text = mutated(mutant, readFileSync(join(this.#root, file), "utf8"));
    if (verdict.kind === "equivalent") return { kind: "equivalent" };
    const started = performance.now();
    const used: Used = { cpuMs: 0 };
    const timed = (result: Untimed): Result =>
      result.kind === "error" ? result : { ...result, ...used, ms: performance.now() - started };
    using _changed = overlay.change(file, text);
    if (this.#means.tests) {
      for (const [testFile, names] of byFile(verdict.by)) {
        const result = await this.#byTests(overlay, testFile, names, used);
        if (result !== null) return timed(result);
      }
    }
    for (let seed = 1; seed <= this.#means.seeds; seed++) {
      const result = await this.#bySeed(overlay, seed);
      if (result !== null) return timed(result);
    }
    return timed({ kind: "survived" });
  }

  async #byTests(
    overlay: Overlay,
    file: string,
    names: readonly string[],
    used: Used,
  ): Promise<Untimed | null> {
    const known = this.#baseline.get(file) ?? { ms: 0, passing: new Set<string>() };
    const more = LIMIT_TIMES * known.ms;
    const isKill = ({ name, outcome }: TestEnd): boolean => outcome === "fail" && known.passing.has(name);
    const attempt = async (times: number): Promise<FileRun> => {
      const limits = { testMs: times * (TEST_MS + more), fileMs: times * (PROCESS_MS + more) };
      const run = await runTests(overlay, file, names, limits, this.#signal, isKill);
      used.cpuMs += run.cpuMs;
      return run;
    };
    let run = await attempt(1);
    // A busy machine makes a test late too: what is late once more, with more time, does not end.
    if (isLate(run, isKill)) run = await attempt(AGAIN_TIMES);
    if (this.#signal.aborted) return INTERRUPTED;
    const failed = run.ends.find(isKill);
    const late = isLate(run, isKill) ? " (did not end)" : "";
    if (failed !== undefined) return { kind: "killed", by: `${file} "${failed.name}"${late}` };
    if (run.hung) return { kind: "killed", by: `${file}${late}` };
    const ran = run.ends.some(({ name }) => known.passing.has(name));
    if (ran && run.exitCode === 0) return null;
    return { kind: "error", reason: `${file} ended with ${run.exitCode}: ${run.output}` };
  }

  async #bySeed(overlay: Overlay, seed: number): Promise<Untimed | null> {
    let usualMs = this.#seeds.get(seed);
    if (usualMs === undefined) {
      usualMs = this.#seedWithout(seed);
      this.#seeds.set(seed, usualMs);
    }
    const limitMs = PROCESS_MS + LIMIT_TIMES * (await usualMs);
    const run = await runSeed(overlay, seed, limitMs, this.#signal);
    if (this.#signal.aborted) return INTERRUPTED;
    if (run.hung) return { kind: "killed", by: `seed ${seed} (did not end)` };
    if (run.verdict === null) return { kind: "error", reason: `seed ${seed} gave no verdict: ${run.output}` };
    if (run.verdict.kind === "ok") return null;
    const laws = run.verdict.laws.length === 0 ? "" : ` (${run.verdict.laws.join(", ")})`;
    return { kind: "killed", by: `seed ${seed}: ${run.verdict.kind}${laws}` };
  }

  /** A seed that fails by itself could not tell anything. */
  async #seedWithout(seed: number): Promise<number> {
    await using overlay = await makeOverlay(this.#root);
    const run = await runSeed(overlay, seed, BASELINE_MS, this.#signal);
    if (run.verdict?.kind === "ok") return run.ms;
    throw new Error(`seed ${seed} fails without any mutant: ${run.output}`);
  }
}

type Untimed =
  | { readonly kind: "killed"; readonly by: string }
  | { readonly kind: "survived" }
  | { readonly kind: "error"; readonly reason: string };

/** What the processes of a mutant cost so far, the seeds not counted. */
interface Used {
  cpuMs: number;
}

const INTERRUPTED: Untimed = { kind: "error", reason: "interrupted" };

/** Whether it is only for lack of time that a run says anything. */
function isLate(run: FileRun, isKill: (end: TestEnd) => boolean): boolean {
  const failed = run.ends.find(isKill);
  return failed === undefined ? run.hung : failed.failure === "testTimeoutFailure";
}

function passing(run: FileRun): ReadonlySet<string> {
  return new Set(run.ends.filter(({ outcome }) => outcome === "pass").map(({ name }) => name));
}

function wrongWith(file: string, names: readonly string[], run: FileRun): string[] {
  if (run.ends.length === 0 && run.exitCode !== 0) {
    return [`${file}: it ended with ${run.hung ? "a hang" : run.exitCode} before any test: ${run.output}`];
  }
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
