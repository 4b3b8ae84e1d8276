/**
 * CometBFT's own Go library as judge: finds or builds the oracle beside this repository. QUORATE_ORACLE names a built
 * one; otherwise it is built once into the cache (QUORATE_CACHE or ~/.cache/quorate) where Go is present.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const SOURCE = fileURLToPath(new URL("../../../../shared/oracle/", import.meta.url));

export interface Run {
  readonly code: number | null;
  readonly output: string;
}

/** Runs a program to its end, or to the moment when its output has what `until` looks for. */
export function run(
  command: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly until?: RegExp } = {},
): Promise<Run> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: options.cwd, stdio: ["ignore", "pipe", "pipe"] });
    const chunks: Buffer[] = [];
    const onData = (chunk: Buffer): void => {
      chunks.push(chunk);
      if (options.until?.test(Buffer.concat(chunks).toString("utf8")) === true) child.kill();
    };
    child.stdout.on("data", onData);
    child.stderr.on("data", onData);
    child.once("error", (error) => resolve({ code: null, output: error.message }));
    child.once("close", (code) => resolve({ code, output: Buffer.concat(chunks).toString("utf8") }));
  });
}

/** The path of a built oracle, or why there is none. */
export async function findOracle(): Promise<{ readonly path: string } | { readonly absent: string }> {
  const { QUORATE_ORACLE: given, QUORATE_CACHE: cache } = process.env;
  if (given !== undefined) {
    return existsSync(given)
      ? { path: given }
      : { absent: `QUORATE_ORACLE names ${given}, which is not there` };
  }
  if (!existsSync(SOURCE))
    return { absent: "no ../shared/oracle beside this repository and no QUORATE_ORACLE" };
  const directory = join(cache ?? join(homedir(), ".cache", "quorate"), "oracle");
  const path = join(directory, `oracle-${sourceHash()}`);
  if (existsSync(path)) return { path };
  mkdirSync(directory, { recursive: true });
  const built = await run("go", ["build", "-o", path, "."], { cwd: SOURCE });
  return built.code === 0
    ? { path }
    : { absent: `the oracle cannot be built with Go: ${built.output.trim()}` };
}

function sourceHash(): string {
  const hash = createHash("sha256");
  for (const name of readdirSync(SOURCE).sort()) {
    if (/\.go$|^go\.(mod|sum)$/.test(name)) hash.update(name).update(readFileSync(join(SOURCE, name)));
  }
  return hash.digest("hex").slice(0, 16);
}
