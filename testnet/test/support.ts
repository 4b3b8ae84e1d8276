/** Networks and nodes as a user starts them: processes, their output, their exit codes. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";

export const ROOT: string = join(import.meta.dirname, "..", "..");
export const VALIDATOR: string = join(ROOT, "packages", "cli", "bin", "validator");

/** Long enough for a loaded machine; a test that reaches it has failed. */
export const PATIENCE_MS = 120_000;

export interface NodeFacts {
  readonly name: string;
  readonly pid: number;
  readonly home: string;
  readonly address: string;
  readonly peer_id: string;
  readonly p2p: string;
  readonly rpc: string;
  readonly metrics: string;
  readonly eth_rpc: string;
  readonly el_pid: number;
}

export interface CommitFacts {
  readonly event: "commit";
  readonly node: string;
  readonly height: number;
  readonly round: number;
  /** Of the header, RFC 3339. */
  readonly time: string;
  readonly block_id: string;
  readonly app_hash: string;
  readonly el_hash: string;
  readonly txs: number;
  readonly proposer: string;
}

export type NetworkEvent =
  | {
      readonly event: "ready";
      readonly chain_id: string;
      readonly evm_chain_id: number;
      readonly genesis_hash: string;
      readonly home: string;
      readonly nodes: readonly NodeFacts[];
      readonly accounts: readonly { readonly address: `0x${string}`; readonly private_key: `0x${string}` }[];
    }
  | CommitFacts
  | { readonly event: "demo"; readonly step: string; readonly ok: boolean; readonly height: number }
  | { readonly event: "node"; readonly name: string; readonly state: string; readonly exit?: number }
  | {
      readonly event: "done";
      readonly ok: boolean;
      readonly heights: number;
      readonly txs_sent: number;
      readonly txs_mined: number;
      readonly diverged: boolean;
      readonly conflicting_signatures: number;
    };

export function temporaryDirectory(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), "quorate-e2e-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true, maxRetries: 10 }) };
}

/** First of `count` consecutive ports that are all free now, below the ephemeral range. */
export async function freePorts(count: number): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const base = 10_000 + 10 * Math.floor(Math.random() * 2_000);
    const free = await Promise.all(Array.from({ length: count }, (_, index) => portFree(base + index)));
    if (free.every(Boolean)) return base;
  }
  throw new Error(`no ${count} consecutive free ports`);
}

function portFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs `validator …` to its end. */
export function validator(...args: readonly string[]): Promise<Ended> {
  const child = spawn(VALIDATOR, [...args], { stdio: ["ignore", "pipe", "pipe"] });
  return ended(child);
}

export function ended(child: ChildProcess): Promise<Ended> {
  let out = "";
  let err = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    err += text;
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, out, err }));
  });
}

/** A running `testnet --json`, its events kept in order. */
export class RunningNetwork {
  readonly process: ChildProcess;
  readonly events: NetworkEvent[] = [];
  readonly lines: string[] = [];
  readonly ended: Promise<Ended>;
  readonly #commits: CommitFacts[] = [];
  /** Last committed height by node: asked for at each event. */
  readonly #heights = new Map<string, number>();
  /** Told each event as it comes. */
  listener: (event: NetworkEvent) => void = () => undefined;
  #over = false;
  #woken: () => void = () => undefined;

  constructor(command: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env) {
    this.process = spawn(command, [...args], { stdio: ["ignore", "pipe", "pipe"], cwd: ROOT, env });
    if (this.process.stdout !== null) {
      createInterface({ input: this.process.stdout }).on("line", (line) => {
        const event = JSON.parse(line) as NetworkEvent;
        this.lines.push(line);
        this.events.push(event);
        if (event.event === "commit") {
          this.#commits.push(event);
          this.#heights.set(event.node, event.height);
        }
        this.listener(event);
        this.#woken();
      });
    }
    this.ended = ended(this.process).then((result) => {
      this.#over = true;
      this.#woken();
      return result;
    });
  }

  /** The first event that answers, now or later. Rejects when the network ends before or patience does. */
  async until<T>(what: string, find: (events: readonly NetworkEvent[]) => T | undefined): Promise<T> {
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      const found = find(this.events);
      if (found !== undefined) return found;
      if (this.#over) {
        const { code, err } = await this.ended;
        throw new Error(`the network ended (exit ${code}) before ${what}:\n${err}`);
      }
      const left = deadline - performance.now();
      if (left <= 0) throw new Error(`${what} did not happen; last event ${this.lines.at(-1)}`);
      const wake = Promise.withResolvers<void>();
      this.#woken = wake.resolve;
      await Promise.race([wake.promise, delay(Math.min(left, 1000))]);
    }
  }

  ready(): Promise<Extract<NetworkEvent, { event: "ready" }>> {
    return this.until("ready", (events) => events.find((event) => event.event === "ready"));
  }

  commits(): readonly CommitFacts[] {
    return this.#commits;
  }

  heightOf(name: string): number {
    return this.#heights.get(name) ?? 0;
  }

  /** Until this node has committed `height`. */
  async reaches(name: string, height: number): Promise<void> {
    await this.until(`${name} at height ${height}`, () => (this.heightOf(name) >= height ? true : undefined));
  }

  async stop(): Promise<Ended> {
    if (!this.#over) this.process.kill("SIGINT");
    return await this.ended;
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Until `check` answers true; the message names what was waited for. */
export async function eventually(what: string, check: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!(await check())) {
    if (performance.now() > deadline) throw new Error(`${what} did not happen`);
    await delay(100);
  }
}

/** The result of a CometBFT call, of the shape that the caller says. @throws Error with the server's own words. */
export async function rpc<T = Readonly<Record<string, unknown>>>(url: string, method: string): Promise<T> {
  const response = await fetch(`${url}/${method}`);
  const { result, error } = (await response.json()) as {
    readonly result?: T;
    readonly error?: { readonly message: string; readonly data?: string };
  };
  if (result === undefined) throw new Error(`${method}: ${error?.message} ${error?.data}`);
  return result;
}
