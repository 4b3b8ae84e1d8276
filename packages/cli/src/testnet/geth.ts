/** A stock Geth per node: initialised, started, restarted when it dies, ended with its owner. */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync, openSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { buildGeth, findGeth, gethArgs, gethInitArgs } from "@quorate/execution";
import { homePaths } from "@quorate/node/home";
import { CliError, ExitCode, reasonOf } from "../errors.ts";
import { type Manifest, type NodeEntry, nodeHome, nodePorts } from "./manifest.ts";

const READY_TIMEOUT_MS = 60_000;
/** Geth saves its state on SIGTERM; killed earlier it starts up to five blocks behind. */
const STOP_TIMEOUT_MS = 60_000;
const RESTART_MS = { first: 500, most: 10_000 } as const;
const POLL_MS = 100;
const CACHE_MB = 128;

/** The binary of `--el`: a path, or `geth` = found or built once. @throws CliError config. */
export async function resolveGeth(
  el: string,
  progress: (line: string) => void,
  signal: AbortSignal,
): Promise<string> {
  if (el !== "geth") {
    await run(el, ["version"], "ignore").catch((error: unknown) => {
      throw new CliError(
        ExitCode.config,
        `${el} is no Geth that runs (${reasonOf(error)})`,
        "name a geth binary, or write --el geth",
      );
    });
    return el;
  }
  try {
    const found = await findGeth(process.env);
    if (found !== null) {
      progress(`using Geth ${found.version} at ${found.path} (${found.from})`);
      return found.path;
    }
    return (await buildGeth({ env: process.env, progress, signal })).path;
  } catch (error) {
    throw new CliError(
      ExitCode.config,
      reasonOf(error),
      "or leave --el out: the embedded client needs nothing",
    );
  }
}

export class GethProcess {
  readonly #binary: string;
  readonly #dataDir: string;
  readonly #log: string;
  readonly #arguments: readonly string[];
  readonly #genesis: string;
  readonly #rpc: string;
  readonly #report: (message: string) => void;
  #child: ChildProcess | null = null;
  /** Not null while it is started or supervised. */
  #stopping: AbortController | null = null;
  #supervision: Promise<void> = Promise.resolve();

  constructor(
    binary: string,
    home: string,
    manifest: Manifest,
    node: NodeEntry,
    report: (message: string) => void,
  ) {
    const directory = nodeHome(home, node.name);
    const paths = homePaths(directory);
    const ports = nodePorts(manifest, node.index);
    this.#binary = binary;
    this.#dataDir = join(paths.data, "geth");
    this.#log = join(directory, "geth.log");
    this.#genesis = paths.elGenesis;
    this.#rpc = `http://127.0.0.1:${ports.ethRpc}`;
    this.#report = report;
    this.#arguments = [
      ...gethArgs({
        dataDir: this.#dataDir,
        chainId: manifest.evmChainId,
        jwtFile: paths.jwt,
        enginePort: ports.engine,
        httpPort: ports.ethRpc,
        p2pPort: ports.elP2p,
        gasLimit: manifest.gasLimit,
        cacheMb: CACHE_MB,
      }),
      "--nodekeyhex",
      createHash("sha256").update(`quorate testnet geth ${node.name}`).digest("hex"),
    ];
  }

  get pid(): number | null {
    const child = this.#child;
    return child === null || child.exitCode !== null || child.signalCode !== null
      ? null
      : (child.pid ?? null);
  }

  /**
   * Resolves when its RPC answers: of the client started here, or of the one that supervision is bringing back.
   * @throws CliError when it does not come up.
   */
  async start(): Promise<void> {
    if (this.#stopping !== null) {
      await this.#back(this.#stopping.signal);
      return;
    }
    const stopping = new AbortController();
    this.#stopping = stopping;
    try {
      await this.#launch(stopping.signal);
    } catch (error) {
      this.#stopping = null;
      throw error;
    }
    this.#supervision = this.#supervise(stopping.signal);
  }

  async stop(): Promise<void> {
    this.#stopping?.abort();
    await this.#end();
    await this.#supervision;
    // Supervision may have been about to start another one.
    await this.#end();
    this.#stopping = null;
  }

  async #end(): Promise<void> {
    const child = this.#child;
    if (child === null || this.pid === null) return;
    const exited = exitOf(child);
    child.kill("SIGTERM");
    const kill = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS);
    await exited;
    clearTimeout(kill);
  }

  async #back(signal: AbortSignal): Promise<void> {
    const deadline = performance.now() + READY_TIMEOUT_MS;
    while (!signal.aborted && performance.now() < deadline) {
      if (this.pid !== null && (await answersRpc(this.#rpc))) return;
      await delay(POLL_MS);
    }
    if (!signal.aborted) throw this.#down();
  }

  #down(): CliError {
    return new CliError(ExitCode.unmet, `Geth at ${this.#rpc} did not come up`, `see ${this.#log}`);
  }

  async #launch(signal: AbortSignal): Promise<void> {
    await mkdir(this.#dataDir, { recursive: true });
    const log = openSync(this.#log, "a", 0o600);
    try {
      await run(this.#binary, gethInitArgs(this.#dataDir, this.#genesis), log).catch((error: unknown) => {
        throw new CliError(ExitCode.config, `geth init failed (${reasonOf(error)})`, `see ${this.#log}`);
      });
      if (signal.aborted) return;
      const child = spawn(this.#binary, [...this.#arguments], {
        detached: true,
        stdio: ["ignore", log, log],
      });
      this.#child = child;
      guard(child);
      await this.#answers(child);
    } finally {
      closeSync(log);
    }
  }

  async #answers(child: ChildProcess): Promise<void> {
    const failed = new AbortController();
    child.once("exit", () => failed.abort());
    child.once("error", () => failed.abort());
    const deadline = performance.now() + READY_TIMEOUT_MS;
    while (!failed.signal.aborted && performance.now() < deadline) {
      if (await answersRpc(this.#rpc)) return;
      await delay(POLL_MS);
    }
    child.kill("SIGKILL");
    throw this.#down();
  }

  async #supervise(signal: AbortSignal): Promise<void> {
    let waitMs: number = RESTART_MS.first;
    while (!signal.aborted) {
      const child = this.#child;
      if (child !== null) await exitOf(child);
      if (signal.aborted) return;
      this.#report(`Geth died (${child?.signalCode ?? `exit ${child?.exitCode}`}); it is started again`);
      await delay(waitMs);
      if (signal.aborted) return;
      waitMs = Math.min(waitMs * 2, RESTART_MS.most);
      try {
        await this.#launch(signal);
        waitMs = RESTART_MS.first;
      } catch (error) {
        this.#report(reasonOf(error));
      }
    }
  }
}

function exitOf(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once("exit", () => resolve());
    child.once("error", () => resolve());
  });
}

/**
 * Geth does not notice its owner's death. A shell that waits for the end of a pipe from this process does, and ends it.
 */
function guard(child: ChildProcess): void {
  const watcher = spawn("/bin/sh", ["-c", 'read -r _ || kill -TERM "$1"', "sh", String(child.pid)], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  watcher.stdin?.on("error", () => undefined);
  watcher.on("error", () => undefined);
  // A line lets the watcher go without a kill: the pid may soon be another process's.
  child.once("exit", () => watcher.stdin?.end("done\n"));
}

async function answersRpc(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}',
      signal: AbortSignal.timeout(1_000),
    });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}

function run(command: string, args: readonly string[], output: "ignore" | number): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, [...args], { stdio: ["ignore", output, output] });
    child.once("error", reject);
    child.once("exit", (code) => (code === 0 ? resolve() : reject(new Error(`exit ${code}`))));
  });
}
