/** Runs the Quint command line of the installed package: offline, with its TypeScript back end. */
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const COMMAND = join(
  dirname(createRequire(import.meta.url).resolve("@informalsystems/quint/package.json")),
  "dist",
  "src",
  "cli.js",
);

/** Longest that one call may take: a typecheck, the tests of one file, or one batch of traces. */
const LIMIT_MS = 20 * 60_000;

export interface QuintResult {
  readonly ok: boolean;
  /** Everything printed, standard error after standard output. */
  readonly text: string;
}

/** `quint ARGS`, e.g. `["typecheck", "network.qnt"]`. Never rejects: a program that cannot be run is not ok either. */
export function quint(args: readonly string[]): Promise<QuintResult> {
  const child = spawn(process.execPath, ["--max-old-space-size=4096", COMMAND, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    timeout: LIMIT_MS,
  });
  const said: [Buffer[], Buffer[]] = [[], []];
  child.stdout.on("data", (bytes: Buffer) => said[0].push(bytes));
  child.stderr.on("data", (bytes: Buffer) => said[1].push(bytes));
  return new Promise((resolve) => {
    child.on("error", (error) => resolve({ ok: false, text: error.message }));
    child.on("close", (code) =>
      resolve({ ok: code === 0, text: Buffer.concat([...said[0], ...said[1]]).toString("utf8") }),
    );
  });
}

/** The arguments that make a run the same on every machine. */
export const OFFLINE: readonly string[] = ["--backend=typescript", "--verbosity=1"];
