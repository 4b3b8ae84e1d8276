/** Processes on a copy of the sources: chosen tests of one file, or one seed of the simulator. */
import { spawn } from "node:child_process";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { TestEnd } from "./reporter.ts";

const REPORTER = pathToFileURL(join(import.meta.dirname, "reporter.ts")).href;
/** Characters of a process's output that are kept to explain an error. */
const OUTPUT_CHARS = 2_000;
/** More than any document of the simulator. */
const STDOUT_CHARS = 4_000_000;

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
}

/** `names`: parts of names; the tests whose name contains one of them are run. */
export async function runTests(
  root: string,
  file: string,
  names: readonly string[],
  limitMs: number,
  signal: AbortSignal,
): Promise<FileRun> {
  const report = join(root, "..", "report.ndjson");
  const args = [
    `--test-reporter=${REPORTER}`,
    `--test-reporter-destination=${report}`,
    ...names.map((name) => `--test-name-pattern=${name.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&")}`),
    file,
  ];
  const ended = await runNode(root, args, limitMs, signal);
  return { ...ended, ends: await readReport(report) };
}

async function readReport(file: string): Promise<TestEnd[]> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch {
    return [];
  }
  await rm(file, { force: true });
  // A process that was killed may leave half a line.
  const lines = text.slice(0, text.lastIndexOf("\n") + 1).split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as TestEnd);
}

/** How a seed of the simulator ended; `null`: the simulator itself did not come to a verdict. */
export interface SeedRun extends Ended {
  readonly verdict: { readonly kind: "ok" | "violation" | "stall"; readonly laws: readonly string[] } | null;
}

export async function runSeed(
  root: string,
  seed: number,
  limitMs: number,
  signal: AbortSignal,
): Promise<SeedRun> {
  const args = ["simulator/src/main.ts", "--seed", String(seed), "--json", "--no-shrink"];
  const ended = await runNode(root, args, limitMs, signal);
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
  root: string,
  args: readonly string[],
  limitMs: number,
  signal: AbortSignal,
): Promise<Ended> {
  const started = performance.now();
  // A group of its own: what it starts ends with it.
  const child = spawn(process.execPath, ["--conditions=quorate-source", ...args], {
    cwd: root,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, NODE_TEST_CONTEXT: undefined },
  });
  let [stdout, output] = ["", ""];
  const keep = (text: string): void => {
    output = (output + text).slice(-OUTPUT_CHARS);
  };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    if (stdout.length < STDOUT_CHARS) stdout += text;
    keep(text);
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
