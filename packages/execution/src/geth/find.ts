import { execFile, spawn } from "node:child_process";
import { constants } from "node:fs";
import { access, mkdir } from "node:fs/promises";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { ExecutionError } from "../errors.ts";

/** The release that this adapter was verified with. */
export const GETH_VERSION = "1.17.8";

const GETH_PACKAGE = `github.com/ethereum/go-ethereum/cmd/geth@v${GETH_VERSION}`;

type Environment = Readonly<Record<string, string | undefined>>;

export interface FoundGeth {
  readonly path: string;
  readonly from: "QUORATE_GETH" | "PATH" | "cache";
  /** e.g. `1.17.8-stable`. */
  readonly version: string;
}

/** Where {@link buildGeth} puts the binary: `QUORATE_CACHE`, else `~/.cache/quorate`. */
export function gethCachePath(env: Environment): string {
  return join(env["QUORATE_CACHE"] ?? join(homedir(), ".cache", "quorate"), "bin", "geth");
}

/**
 * Looks for a Geth that runs: `QUORATE_GETH`, then PATH, then the cache. `null`: none.
 * @throws ExecutionError GETH when `QUORATE_GETH` names something that does not run.
 */
export async function findGeth(env: Environment): Promise<FoundGeth | null> {
  const named = env["QUORATE_GETH"];
  if (named !== undefined && named !== "") {
    const version = await versionOf(named);
    if (version !== null) return { path: named, from: "QUORATE_GETH", version };
    throw new ExecutionError("GETH", `QUORATE_GETH names ${named}, which does not run as geth`, {
      path: named,
    });
  }
  for (const folder of (env["PATH"] ?? "").split(delimiter).filter((entry) => entry !== "")) {
    const path = join(folder, "geth");
    const version = await versionOf(path);
    if (version !== null) return { path, from: "PATH", version };
  }
  const path = gethCachePath(env);
  const version = await versionOf(path);
  return version === null ? null : { path, from: "cache", version };
}

export interface BuildGethOptions {
  readonly env: Environment;
  /** One line of progress for a person. */
  progress(line: string): void;
  readonly signal: AbortSignal;
}

/**
 * Builds Geth once into the cache with the Go tool chain (some minutes, about 1 GB of module and build cache).
 * @throws ExecutionError GETH when Go is missing or the build fails; the message says what to do.
 */
export async function buildGeth(options: BuildGethOptions): Promise<FoundGeth> {
  const { env, progress, signal } = options;
  const path = gethCachePath(env);
  const bin = join(path, "..");
  await mkdir(bin, { recursive: true });
  progress(`building Geth ${GETH_VERSION} into ${bin}, once; this takes some minutes`);
  const from = performance.now();
  await runGo({ ...env, GOBIN: bin }, progress, signal);
  const version = await versionOf(path);
  if (version === null)
    throw new ExecutionError("GETH", `go install left no geth that runs at ${path}`, { path });
  progress(`built Geth ${version} in ${Math.round((performance.now() - from) / 1000)} s`);
  return { path, from: "cache", version };
}

function runGo(env: Environment, progress: (line: string) => void, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn("go", ["install", "-v", GETH_PACKAGE], {
      env: { ...env },
      signal,
      stdio: ["ignore", "ignore", "pipe"],
    });
    let packages = 0;
    let last = "";
    let open = "";
    child.stderr.setEncoding("utf8");
    child.stderr.on("data", (text: string) => {
      const lines = (open + text).slice(-65_536).split("\n");
      open = lines.pop() ?? "";
      for (const line of lines.filter((found) => found !== "")) {
        last = line.slice(0, 300);
        if (++packages % 50 === 0) progress(`building Geth: ${packages} steps, now ${last}`);
      }
    });
    child.on("error", (error) => {
      const missing = "code" in error && error.code === "ENOENT";
      const message = missing
        ? "there is neither geth nor go on this machine: install Geth, name it with QUORATE_GETH, or install Go"
        : `go install of Geth ended: ${error.message}`;
      reject(new ExecutionError("GETH", message));
    });
    child.on("close", (code) => {
      if (code === 0) resolve();
      else reject(new ExecutionError("GETH", `go install of Geth failed (exit ${code}): ${last}`, { code }));
    });
  });
}

async function versionOf(path: string): Promise<string | null> {
  try {
    await access(path, constants.X_OK);
    const { stdout } = await promisify(execFile)(path, ["version"], { timeout: 20_000 });
    return /^Version: (\S+)/m.exec(stdout)?.[1] ?? null;
  } catch {
    // Not there, not executable, or not Geth: the caller looks elsewhere.
    return null;
  }
}
