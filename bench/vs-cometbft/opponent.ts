/** Where the opponent comes from: CometBFT's releases, built once by the Go client into the cache. */
import { execFile, spawn } from "node:child_process";
import { access, mkdir, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

/** Fastest of the releases at consensus; and at block sync, where 1.0 asks for one block per 10 ms. */
export const COMETBFT = { consensus: "1.0.1", sync: "0.40.0" } as const;

/** The build takes a minute on an idle machine. */
const BUILD_LIMIT_MS = 900_000;

/** Why there is no opponent, for the operator. */
export class OpponentError extends Error {
  override readonly name = "OpponentError";
}

/**
 * Path of a CometBFT of this version: from the cache (`QUORATE_CACHE`, else `~/.cache/quorate`), built when it is not there.
 * @throws OpponentError when it cannot be had.
 */
export async function cometbft(version: string, progress: (line: string) => void): Promise<string> {
  const cache = process.env["QUORATE_CACHE"] ?? join(homedir(), ".cache", "quorate");
  const path = join(cache, "bin", `cometbft-${version}`);
  if (await runs(path)) return path;
  const bin = join(cache, `cometbft-build-${process.pid}`);
  await mkdir(join(cache, "bin"), { recursive: true });
  await mkdir(bin, { recursive: true });
  try {
    progress(`building CometBFT ${version} into ${path}, once; this takes a minute or more`);
    await install(`github.com/cometbft/cometbft/cmd/cometbft@v${version}`, bin);
    await rename(join(bin, "cometbft"), path);
  } finally {
    await rm(bin, { recursive: true, force: true });
  }
  if (!(await runs(path))) throw new OpponentError(`go install left no cometbft that runs at ${path}`);
  return path;
}

async function runs(path: string): Promise<boolean> {
  try {
    await access(path);
    await promisify(execFile)(path, ["version"], { timeout: 20_000 });
    return true;
  } catch {
    // Not there, or not a program of this machine: it is built.
    return false;
  }
}

function install(what: string, bin: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn("go", ["install", what], {
      env: { ...process.env, GOBIN: bin },
      stdio: ["ignore", "ignore", "pipe"],
      signal: AbortSignal.timeout(BUILD_LIMIT_MS),
    });
    let told = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      told = (told + text).slice(-2_000);
    });
    child.on("error", (error) => {
      const missing = "code" in error && error.code === "ENOENT";
      reject(
        new OpponentError(
          missing ? "there is no go on this machine: install Go, which builds CometBFT" : error.message,
        ),
      );
    });
    child.on("close", (code) => {
      if (code === 0) resolve();
      else
        reject(
          new OpponentError(`go install ${what} failed (exit ${code}): ${told.trim().split("\n").at(-1)}`),
        );
    });
  });
}
