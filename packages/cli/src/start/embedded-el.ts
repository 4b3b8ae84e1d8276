import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { devnetElNodeFlags } from "@quorate/devnet-el";
import { CliError, ExitCode, reasonOf } from "../errors.ts";

export interface EmbeddedElOptions {
  /** devnet-el's entry file. */
  readonly entry: URL;
  readonly genesisFile: string;
  readonly dataDir: string;
  readonly jwtFile: string;
  readonly httpPort: number;
  readonly enginePort: number;
  readonly gasLimit: number;
  readonly logFormat: "human" | "json";
}

export interface ElLog {
  info(message: string, facts?: Readonly<Record<string, unknown>>): void;
  warn(message: string, facts?: Readonly<Record<string, unknown>>): void;
}

const READY_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 5_000;
/**
 * Of a validator that was killed and is started again at once, the old client may still be ending: it saves its pool and
 * closes its ports within 8 s, and holds its data until then.
 */
const HELD_TIMEOUT_MS = 10_000;
const HELD_POLL_MS = 200;
const BACKOFF_MS = { first: 250, most: 10_000 } as const;
/** A client that ran this long was healthy: its next restart is prompt again. */
const HEALTHY_MS = 60_000;

/**
 * The embedded execution client as a supervised child: restarted with backoff when it dies, never outliving this process
 * (it exits when its stdin ends). It leads a process group of its own, so that a Ctrl-C at the terminal reaches the
 * validator alone, which stops first and needs its client until then.
 */
export class EmbeddedEl {
  readonly #options: EmbeddedElOptions;
  readonly #log: ElLog;
  readonly #onChange: (pid: number | null) => void;
  #child: ChildProcess | null = null;
  #ready = false;
  #stopping = false;
  #backoffMs: number = BACKOFF_MS.first;
  #restart: NodeJS.Timeout | null = null;

  constructor(options: EmbeddedElOptions, log: ElLog, onChange: (pid: number | null) => void) {
    this.#options = options;
    this.#log = log;
    this.#onChange = onChange;
  }

  /** Process id while the client answers, else `null`. */
  get pid(): number | null {
    return this.#ready ? (this.#child?.pid ?? null) : null;
  }

  /**
   * Resolves when both ports answer; waits for the client of the last run to leave them.
   * @throws CliError with the client's own exit code when it does not come up.
   */
  async start(): Promise<void> {
    // From the first refusal on: on a slow machine one attempt may take longer.
    let until: number | null = null;
    for (;;) {
      try {
        await this.#launch(true);
        return;
      } catch (error) {
        const held = error instanceof CliError && error.exitCode === ExitCode.inUse;
        if (!held || this.#stopping || (until !== null && performance.now() > until)) throw error;
        if (until === null) {
          until = performance.now() + HELD_TIMEOUT_MS;
          this.#log.warn(
            "ports or data of the embedded execution client are in use, as by the last run's: waiting for them",
          );
        }
        await delay(HELD_POLL_MS);
        if (this.#stopping) throw error;
      }
    }
  }

  /** Ends the client: end of stdin and SIGTERM, after 5 s SIGKILL. Idempotent. */
  async stop(): Promise<void> {
    this.#stopping = true;
    if (this.#restart !== null) clearTimeout(this.#restart);
    const child = this.#child;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    child.stdin?.end();
    child.kill("SIGTERM");
    const kill = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS);
    await exited;
    clearTimeout(kill);
  }

  #launch(first: boolean): Promise<void> {
    const { entry, genesisFile, dataDir, jwtFile, httpPort, enginePort, gasLimit, logFormat } = this.#options;
    const args = [
      ...["--genesis", genesisFile, "--datadir", dataDir, "--jwt", jwtFile],
      ...["--http-addr", "127.0.0.1", "--http-port", String(httpPort), "--engine-port", String(enginePort)],
      ...["--gas-limit", String(gasLimit), "--log-format", logFormat, "--exit-with-parent"],
    ];
    const startedAt = performance.now();
    const child = spawn(
      process.execPath,
      [...process.execArgv, ...devnetElNodeFlags, fileURLToPath(entry), ...args],
      {
        detached: true,
        stdio: ["pipe", "pipe", "inherit"],
      },
    );
    this.#child = child;
    // The pipe breaks when the client dies; its exit is reported below.
    child.stdin?.on("error", () => undefined);
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => child.kill("SIGKILL"), READY_TIMEOUT_MS);
      if (child.stdout !== null) {
        createInterface({ input: child.stdout }).on("line", (line) => {
          if (!isReady(line)) return;
          clearTimeout(late);
          this.#ready = true;
          this.#onChange(child.pid ?? null);
          this.#log.info("the embedded execution client answers", { pid: child.pid, port: httpPort });
          resolve();
        });
      }
      child.once("error", (error) => {
        clearTimeout(late);
        reject(
          new CliError(
            ExitCode.bug,
            `the embedded execution client cannot be run (${reasonOf(error)})`,
            "reinstall",
          ),
        );
      });
      child.once("exit", (code, signal) => {
        clearTimeout(late);
        const wasReady = this.#ready;
        this.#ready = false;
        if (wasReady) this.#onChange(null);
        if (first && !wasReady) {
          reject(this.#failure(code, signal));
          return;
        }
        resolve();
        if (!this.#stopping) this.#scheduleRestart(code, signal, performance.now() - startedAt);
      });
    });
  }

  #scheduleRestart(code: number | null, signal: string | null, ranMs: number): void {
    if (ranMs >= HEALTHY_MS) this.#backoffMs = BACKOFF_MS.first;
    const waitMs = this.#backoffMs;
    this.#backoffMs = Math.min(waitMs * 2, BACKOFF_MS.most);
    this.#log.warn("the embedded execution client died; it is started again", { code, signal, waitMs });
    this.#restart = setTimeout(() => {
      this.#launch(false).catch((error: unknown) => {
        this.#log.warn("the embedded execution client cannot be started", { reason: reasonOf(error) });
        if (!this.#stopping) this.#scheduleRestart(null, null, 0);
      });
    }, waitMs);
  }

  #failure(code: number | null, signal: string | null): CliError {
    const { httpPort, enginePort, genesisFile, dataDir } = this.#options;
    const how = signal === null ? `ended with exit code ${code}` : `was killed by ${signal}`;
    const what = `the embedded execution client ${how} before it answered; its own message stands above`;
    switch (code) {
      case ExitCode.inUse:
        return new CliError(
          ExitCode.inUse,
          what,
          `free ports ${httpPort} and ${enginePort} and ${dataDir}, or choose others (--el-http-port, --el-engine-port)`,
        );
      case ExitCode.usage:
      case ExitCode.config:
        return new CliError(ExitCode.config, what, `repair ${genesisFile}, or take the network's`);
      case ExitCode.durability:
        return new CliError(ExitCode.durability, what, `free or repair the disk under ${dataDir}`);
      default:
        return new CliError(ExitCode.bug, what, "report it with the message above");
    }
  }
}

function isReady(line: string): boolean {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null && "event" in value && value.event === "ready";
  } catch {
    return false;
  }
}
