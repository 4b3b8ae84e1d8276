/** Runs chosen tests of one file in a process of its own and says how each ended. */
import { spawn } from "node:child_process";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { TestEnd } from "./reporter.ts";

const REPORTER = pathToFileURL(join(import.meta.dirname, "reporter.ts")).href;
/** Characters of the child's own output that are kept to explain an error. */
const OUTPUT_CHARS = 2_000;

export interface FileRun {
  readonly ends: readonly TestEnd[];
  /** The process had to be ended: something in it went on for ever. */
  readonly hung: boolean;
  readonly exitCode: number | null;
  /** Tail of what it wrote. */
  readonly output: string;
  readonly ms: number;
}

/** `names`: parts of names; the tests whose name contains one of them are run. */
export async function runTests(
  root: string,
  file: string,
  names: readonly string[],
  limitMs: number,
  signal: AbortSignal,
): Promise<FileRun> {
  const started = performance.now();
  const report = join(root, "..", "report.ndjson");
  const args = [
    "--conditions=quorate-source",
    `--test-reporter=${REPORTER}`,
    `--test-reporter-destination=${report}`,
    ...names.map((name) => `--test-name-pattern=${name.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&")}`),
    file,
  ];
  // A group of its own: what a test starts ends with it.
  const child = spawn(process.execPath, args, {
    cwd: root,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, NODE_TEST_CONTEXT: undefined },
  });
  let output = "";
  const keep = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-OUTPUT_CHARS);
  };
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
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
  const ends = await readReport(report);
  return { ends, hung, exitCode, output, ms: performance.now() - started };
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
