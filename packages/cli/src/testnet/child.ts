/** One node of a local network as a child process of its own, and what its event lines say. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, renameSync, statSync } from "node:fs";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { errorCode } from "../errors.ts";
import { at, numberAt, textAt } from "../rpc-client.ts";

export type NodeState = "starting" | "syncing" | "consensus" | "dead";

export interface Started {
  readonly pid: number;
  readonly address: string | null;
  readonly peerId: string;
  readonly p2p: string;
  readonly rpc: string;
  readonly metrics: string;
  readonly ethRpc: string;
  readonly height: number;
}

/** The commit line of `start --json`, checked. */
export interface NodeCommit {
  readonly height: number;
  readonly round: number;
  readonly time: string;
  readonly blockId: string;
  readonly appHash: string;
  readonly elHash: string | null;
  readonly txs: number;
  readonly proposer: string;
  readonly ms: number;
}

export interface ChildEvents {
  state(state: NodeState, exit: number | null): void;
  commit(commit: NodeCommit): void;
}

const STOP_TIMEOUT_MS = 15_000;
const MAX_LOG_BYTES = 64 * 1_048_576;

export class NodeChild {
  readonly home: string;
  readonly #events: ChildEvents;
  #child: ChildProcess | null = null;
  #exited: Promise<void> = Promise.resolve();
  #state: NodeState = "dead";
  started: Started | null = null;
  elPid: number | null = null;
  warning: string | null = null;
  /** Exit code of the last run; `null` before one has ended. */
  lastExit: number | null = null;
  /** What the last run said when it ended with an error line. */
  failure: string | null = null;

  constructor(home: string, events: ChildEvents) {
    this.home = home;
    this.#events = events;
  }

  get state(): NodeState {
    return this.#state;
  }

  /** Whether this process ever started it: a node that was never started is not dead, only absent. */
  get launched(): boolean {
    return this.#child !== null;
  }

  get pid(): number | null {
    return this.#state === "dead" ? null : (this.#child?.pid ?? null);
  }

  get logFile(): string {
    return join(this.home, "node.log");
  }

  /** Starts the process; its own exit is reported as an event. Must be dead. */
  start(): void {
    const main = fileURLToPath(
      new URL(import.meta.url.endsWith(".ts") ? "../main.ts" : "../main.js", import.meta.url),
    );
    const log = openLog(this.logFile);
    // Its own process group: a Ctrl-C at the terminal reaches the network's owner alone, which stops the nodes in
    // order. If the owner dies without a word, the end of standard input stops them.
    const child = spawn(
      process.execPath,
      [...process.execArgv, main, "start", "--home", this.home, "--json", "--exit-with-parent"],
      { detached: true, stdio: ["pipe", "pipe", log], env: withoutOptions(process.env) },
    );
    closeSync(log);
    this.#child = child;
    this.started = null;
    this.elPid = null;
    this.failure = null;
    this.#enter("starting", null);
    child.stdin?.on("error", () => undefined);
    const lines =
      child.stdout === null
        ? null
        : createInterface({ input: child.stdout }).on("line", (line) => this.#line(line));
    const drained =
      lines === null ? Promise.resolve() : new Promise<void>((resolve) => lines.on("close", resolve));
    this.#exited = new Promise((resolve) => {
      const ended = (code: number | null, signal: NodeJS.Signals | null): void => {
        void drained.then(() => {
          this.elPid = null;
          this.lastExit = code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
          this.#enter("dead", this.lastExit);
          resolve();
        });
      };
      child.once("exit", ended);
      child.once("error", () => ended(126, null));
    });
  }

  /** SIGTERM, after 15 s SIGKILL; resolves when it is gone. */
  async stop(): Promise<void> {
    const child = this.#child;
    if (child === null || this.#state === "dead") return;
    child.stdin?.end();
    child.kill("SIGTERM");
    const kill = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS);
    await this.#exited;
    clearTimeout(kill);
  }

  /** kill -9; resolves when it is gone. */
  async kill(): Promise<void> {
    if (this.#state === "dead") return;
    this.#child?.kill("SIGKILL");
    await this.#exited;
  }

  #enter(state: NodeState, exit: number | null): void {
    if (state === this.#state && state !== "dead") return;
    this.#state = state;
    this.#events.state(state, exit);
  }

  #line(line: string): void {
    let event: unknown;
    try {
      event = JSON.parse(line);
    } catch {
      // A foreign line on stdout is no event; it is kept where people look.
      this.warning = line.slice(0, 200);
      return;
    }
    switch (at(event, "event")) {
      case "started":
        this.started = {
          pid: numberAt(event, "pid"),
          address: textAt(event, "address") || null,
          peerId: textAt(event, "peer_id"),
          p2p: textAt(event, "p2p"),
          rpc: textAt(event, "rpc"),
          metrics: textAt(event, "metrics"),
          ethRpc: textAt(event, "eth_rpc"),
          height: numberAt(event, "height"),
        };
        return;
      case "el":
        this.elPid = typeof at(event, "pid") === "number" ? numberAt(event, "pid") : null;
        return;
      case "phase": {
        const phase = at(event, "phase");
        if (phase === "syncing" || phase === "consensus") this.#enter(phase, null);
        return;
      }
      case "warning":
        this.warning = `${textAt(event, "module")}: ${textAt(event, "message")}`;
        return;
      case "failure":
        this.failure = `${textAt(event, "what")}: ${textAt(event, "do")}`;
        return;
      case "commit":
        this.#events.commit({
          height: numberAt(event, "height"),
          round: numberAt(event, "round"),
          time: textAt(event, "time"),
          blockId: textAt(event, "block_id"),
          appHash: textAt(event, "app_hash"),
          elHash: textAt(event, "el_hash") || null,
          txs: numberAt(event, "txs"),
          proposer: textAt(event, "proposer"),
          ms: numberAt(event, "ms"),
        });
        return;
      default:
        return;
    }
  }
}

/** Options of the caller's environment are not meant for the nodes of a network. */
function withoutOptions(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith("VALIDATOR_")));
}

function openLog(file: string): number {
  mkdirSync(dirname(file), { recursive: true });
  try {
    if (statSync(file).size > MAX_LOG_BYTES) renameSync(file, `${file}.1`);
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw error;
  }
  return openSync(file, "a", 0o600);
}
