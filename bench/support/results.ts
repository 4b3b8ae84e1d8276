/** Where figures are kept, and what they were taken on. */
import { execFileSync } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { cpus, release, totalmem } from "node:os";
import { join } from "node:path";

export interface Environment {
  /** RFC 3339, UTC. */
  readonly taken: string;
  readonly commit: string;
  /** Sources differ from the commit. */
  readonly dirty: boolean;
  readonly machine: string;
  readonly node: string;
}

export function environment(): Environment {
  const git = (...args: readonly string[]): string =>
    execFileSync("git", args, { cwd: import.meta.dirname, encoding: "utf8" }).trim();
  const [cpu] = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  return {
    taken: new Date().toISOString(),
    commit: git("rev-parse", "HEAD"),
    dirty: git("status", "--porcelain", "--", "../../packages", "..").length > 0,
    machine: `${cpus().length} x ${cpu?.model.trim() ?? "?"}, ${memory} GB, Linux ${release()}`,
    node: process.version,
  };
}

export async function writeResults(name: string, result: object): Promise<void> {
  const dir = join(import.meta.dirname, "..", "results");
  await mkdir(dir, { recursive: true });
  await writeFile(join(dir, `${name}.json`), `${JSON.stringify(result, null, 1)}\n`);
}
