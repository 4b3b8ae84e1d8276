/** Prometheus' own programs as judges, where there are any. */
import { execFile, spawn } from "node:child_process";
import { constants } from "node:fs";
import { access, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { delimiter, join } from "node:path";

export type Tool = "promtool" | "prometheus";

export type Found =
  | { readonly kind: "found"; readonly path: string }
  /** Why a test is skipped, in words for who reads its output. */
  | { readonly kind: "absent"; readonly reason: string };

/** Where promtool's check of metrics lives; promtool itself needs 250 modules and many minutes to build. */
const LINTER = "github.com/prometheus/client_golang/prometheus/testutil/promlint";
const LINTER_VERSION = "v1.23.2";
const BUILD_MS = 180_000;

function cacheFolder(): string {
  return join(process.env["QUORATE_CACHE"] ?? join(homedir(), ".cache", "quorate"), "bin");
}

async function executable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** `QUORATE_PROMTOOL` or `QUORATE_PROMETHEUS`, then PATH, then the cache. */
export async function findTool(tool: Tool): Promise<Found> {
  const variable = `QUORATE_${tool.toUpperCase()}`;
  const named = process.env[variable];
  if (named !== undefined && named !== "") {
    if (await executable(named)) return { kind: "found", path: named };
    throw new Error(`${variable} names ${named}, which cannot be executed`);
  }
  const folders = (process.env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
  for (const folder of [...folders, cacheFolder()]) {
    const path = join(folder, tool);
    if (await executable(path)) return { kind: "found", path };
  }
  return {
    kind: "absent",
    reason: `SKIPPED: no ${tool} on this machine (install Debian's prometheus package, or name it with ${variable})`,
  };
}

const LINTER_MAIN = `package main

import (
	"fmt"
	"os"

	"${LINTER}"
)

func main() {
	problems, err := promlint.New(os.Stdin).Lint()
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for _, problem := range problems {
		fmt.Println(problem.Metric, problem.Text)
	}
	if len(problems) > 0 {
		os.Exit(3)
	}
}
`;

/** Judges metrics text on standard input: exit 0 and no output when there is nothing to object to. */
export interface Linter {
  readonly kind: "found";
  readonly path: string;
  readonly args: readonly string[];
}

/**
 * `promtool check metrics`; without promtool the same check from Prometheus' Go client, built once into the cache.
 */
export async function metricsLinter(): Promise<Linter | Extract<Found, { kind: "absent" }>> {
  const promtool = await findTool("promtool");
  if (promtool.kind === "found") return { ...promtool, args: ["check", "metrics"] };
  const path = join(cacheFolder(), `promlint-${LINTER_VERSION}`);
  if (await executable(path)) return { kind: "found", path, args: [] };
  const failure = await buildLinter(path);
  if (failure === null) return { kind: "found", path, args: [] };
  return { kind: "absent", reason: `${promtool.reason}; ${failure}` };
}

/** Why it could not be built; `null` when it was. */
async function buildLinter(path: string): Promise<string | null> {
  const folder = await mkdtemp(join(tmpdir(), "quorate-promlint-"));
  try {
    await mkdir(cacheFolder(), { recursive: true });
    await writeFile(join(folder, "main.go"), LINTER_MAIN);
    const steps = [
      ["mod", "init", "promlint"],
      ["get", `${LINTER}@${LINTER_VERSION}`],
      ["build", "-o", path, "."],
    ];
    for (const step of steps) {
      const failure = await runGo(step, folder);
      if (failure !== null) return failure;
    }
    return null;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function runGo(args: readonly string[], cwd: string): Promise<string | null> {
  return new Promise((resolve) => {
    execFile("go", args, { cwd, timeout: BUILD_MS }, (error) => {
      if (error === null) resolve(null);
      else if (error.code === "ENOENT") resolve("nor is there Go to build its check");
      else resolve(`go ${args[0]} of its check ${error.killed ? "takes too long" : "failed"}`);
    });
  });
}

export interface Verdict {
  readonly code: number | null;
  /** Standard output and error, as they came. */
  readonly output: string;
}

/** Runs a tool to its end; `input` goes to its standard input. */
export function runTool(path: string, args: readonly string[], input = ""): Promise<Verdict> {
  return new Promise((resolve, reject) => {
    const child = spawn(path, args, { stdio: ["pipe", "pipe", "pipe"] });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8");
      stream.on("data", (text: string) => {
        output += text;
      });
    }
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, output }));
    child.stdin.end(input);
  });
}
