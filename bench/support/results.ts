/** Where figures are kept, and what they were taken on. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { cpus, release, totalmem } from "node:os";
import { join } from "node:path";
import type { Comparison } from "./comparison.ts";

export interface Environment {
  /** RFC 3339, UTC. */
  readonly taken: string;
  readonly commit: string;
  /** Sources differ from the commit. */
  readonly dirty: boolean;
  readonly machine: string;
  readonly node: string;
}

const ROOT = join(import.meta.dirname, "..", "..");
const RESULTS = join(ROOT, "bench", "results");

export function environment(): Environment {
  const git = (...args: readonly string[]): string =>
    execFileSync("git", args, { cwd: ROOT, encoding: "utf8" }).trim();
  const [cpu] = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  return {
    taken: new Date().toISOString(),
    commit: git("rev-parse", "HEAD"),
    dirty: git("status", "--porcelain", "--", "packages", "bench/**/*.ts").length > 0,
    machine: `${cpus().length} x ${cpu?.model.trim() ?? "unknown processor"}, ${memory} GB, Linux ${release()}`,
    node: process.version,
  };
}

/** What a command wrote last; `null`: nothing yet. */
export function readResults<T>(name: string): T | null {
  try {
    return JSON.parse(readFileSync(join(RESULTS, `${name}.json`), "utf8")) as T;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

/** As lint wants files. */
export async function writeResults(name: string, result: object): Promise<void> {
  await mkdir(RESULTS, { recursive: true });
  const file = join(RESULTS, `${name}.json`);
  await writeFile(file, `${JSON.stringify(result, null, 2)}\n`);
  execFileSync(join(ROOT, "node_modules", ".bin", "biome"), ["format", "--write", file], {
    cwd: ROOT,
    stdio: "ignore",
  });
}

export interface Comparisons {
  readonly comparisons: readonly Comparison[];
}

/** Figures taken now take the place of those of the same name; the others stay as they were, each with its own date. */
export async function mergeComparisons(name: string, taken: readonly Comparison[]): Promise<void> {
  const before = readResults<Comparisons>(name)?.comparisons ?? [];
  const kept = before.filter(({ id }) => !taken.some((each) => each.id === id));
  const order = (id: string): number => Number(/\d+/.exec(id)?.[0] ?? 0);
  const comparisons = [...kept, ...taken].sort((a, b) => order(a.id) - order(b.id) || (a.id < b.id ? -1 : 1));
  await writeResults(name, { comparisons });
}
