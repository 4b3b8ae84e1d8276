/** Processes on a copy of the sources: chosen tests of one file, or one seed of the simulator. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { MARK, type TestEnd } from "./reporter.ts";

const REPORTER = pathToFileURL(join(import.meta.dirname, "reporter.ts")).href;
/** Characters of a process's output that are kept to explain an error. */
const OUTPUT_CHARS = 2_000;
/** More than any document of the simulator. */
const STDOUT_CHARS = 4_000_000;

/** ms that one test, and a file with all its tests, may take. */
export interface Limits {
  readonly testMs: number;
  readonly fileMs: number;
}

/** Where a process runs, and what is added to its environment. */
export interface Place {
  readonly root: string;
  readonly env: Readonly<Record<string, string>>;
}

/** How a process ended. */
interface Ended {
  /** It had to be ended: something in it went on for ever. */
  readonly hung: boolean;
  readonly exitCode: number | null;
  readonly stdout: string;
  /** Tail of all it wrote. */
  readonly output: string;
  readonly ms: number;
}

export interface FileRun extends Ended {
  readonly ends: readonly TestEnd[];
  /** CPU ms until the last test ended. */
  readonly cpuMs: number;
}

/**
 * `names`: parts of names; the tests whose name contains one of them are run. `enough`: a test that ended so tells all
 * that is asked, the rest is not waited for.
 */
export async function runTests(
  place: Place,
  file: string,
  names: readonly string[],
  limits: Limits,
  signal: AbortSignal,
  enough: (end: TestEnd) => boolean = () => false,
): Promise<FileRun> {
  const args = [
    `--test-reporter=${REPORTER}`,
    `--test-timeout=${Math.round(limits.testMs)}`,
    ...names.map((name) => `--test-name-pattern=${name.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&")}`),
    file,
  ];
  const ends: TestEnd[] = [];
  const ended = await runNode(place, args, limits.fileMs, signal, (line) => {
    // A test may have printed something before it, without ending its line.
    const at = line.indexOf(MARK);
    if (at < 0) return false;
    const end = JSON.parse(line.slice(at + MARK.length)) as TestEnd;
    ends.push(end);
    return enough(end);
  });
  return { ...ended, ends, cpuMs: ends.at(-1)?.cpuMs ?? 0 };
}

/** How a seed of the simulator ended; `null`: the simulator itself did not come to a verdict. */
export interface SeedRun extends Ended {
  readonly verdict: { readonly kind: "ok" | "violation" | "stall"; readonly laws: readonly string[] } | null;
}

export async function runSeed(
  place: Place,
  seed: number,
  limitMs: number,
  signal: AbortSignal,
): Promise<SeedRun> {
  const args = ["simulator/src/main.ts", "--seed", String(seed), "--json", "--no-shrink"];
  const ended = await runNode(place, args, limitMs, signal);
  return { ...ended, verdict: verdictOf(ended.stdout) };
}

function verdictOf(stdout: string): SeedRun["verdict"] {
  try {
    const { verdict, violations } = JSON.parse(stdout) as {
      readonly verdict?: unknown;
      readonly violations?: readonly { readonly law?: unknown }[];
    };
    if (verdict !== "ok" && verdict !== "violation" && verdict !== "stall") return null;
    return { kind: verdict, laws: [...new Set((violations ?? []).map(({ law }) => String(law)))] };
  } catch {
    return null;
  }
}

async function runNode(
  { root, env }: Place,
  args: readonly string[],
  limitMs: number,
  signal: AbortSignal,
  onLine: (line: string) => boolean = () => false,
): Promise<Ended> {
  const started = performance.now();
  // A group of its own: what it starts ends with it.
  const child = spawn(process.execPath, ["--conditions=quorate-source", ...args], {
    cwd: root,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...env, NODE_TEST_CONTEXT: undefined },
  });
  let [stdout, output, line] = ["", "", ""];
  const keep = (text: string): void => {
    output = (output + text).slice(-OUTPUT_CHARS);
  };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    if (stdout.length < STDOUT_CHARS) stdout += text;
    keep(text);
    const lines = (line + text).split("\n");
    line = lines.pop() ?? "";
    if (lines.some((each) => onLine(each))) end();
  });
  child.stderr.setEncoding("utf8").on("data", keep);
  let hung = false;
  const end = (): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    } catch {
      // It has ended already.
    }
  };
  const timer = setTimeout(() => {
    hung = true;
    end();
  }, limitMs);
  signal.addEventListener("abort", end, { once: true });
  const exitCode = await new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  clearTimeout(timer);
  signal.removeEventListener("abort", end);
  end();
  return { hung, exitCode, stdout, output, ms: performance.now() - started };
}
