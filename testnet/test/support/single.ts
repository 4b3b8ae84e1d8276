/** A single node as its operator meets it: a home made by `init`, `validator start`, its output and its end. */
import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { type Ended, ended, PATIENCE_MS, VALIDATOR, validator } from "../support.ts";

export interface StartedFacts {
  readonly event: "started";
  readonly pid: number;
  readonly p2p: string;
  readonly rpc: string;
  readonly metrics: string;
  readonly height: number;
}

export interface NodeLine {
  readonly event: string;
  readonly [key: string]: unknown;
}

/** Ports that the system chooses: many nodes may run at once. */
export const ANY_PORTS: readonly string[] = [
  ...["--p2p-listen", "/ip4/127.0.0.1/tcp/0"],
  ...["--rpc-listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"],
];

/** A running `validator start --json`. It ends with the test process, whatever happens to that. */
export class SingleNode {
  readonly process: ChildProcess;
  readonly lines: NodeLine[] = [];
  readonly ended: Promise<Ended>;
  /** What it has written to stderr so far: its log. */
  log = "";
  #over = false;

  constructor(home: string, args: readonly string[] = ANY_PORTS, env: NodeJS.ProcessEnv = process.env) {
    const words = ["start", "--home", home, "--json", "--exit-with-parent", ...args];
    this.process = spawn(VALIDATOR, words, { stdio: ["pipe", "pipe", "pipe"], env });
    this.process.stdin?.on("error", () => undefined);
    this.process.stderr?.on("data", (chunk: Buffer) => {
      this.log += chunk.toString("utf8");
    });
    if (this.process.stdout !== null) {
      createInterface({ input: this.process.stdout }).on("line", (line) => {
        this.lines.push(JSON.parse(line));
      });
    }
    this.ended = ended(this.process).then((result) => {
      this.#over = true;
      return result;
    });
  }

  /** The first answer of `find`. Rejects when the process ends before. */
  async until<T>(what: string, find: () => T | undefined | Promise<T | undefined>): Promise<T> {
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      const found = await find();
      if (found !== undefined) return found;
      if (this.#over) throw new Error(`the node ended before ${what}:\n${this.log}`);
      if (performance.now() > deadline) throw new Error(`${what} did not happen:\n${this.log}`);
      await delay(50);
    }
  }

  started(): Promise<StartedFacts> {
    return this.until("started", () => {
      const line = this.lines.find(({ event }) => event === "started");
      return line as StartedFacts | undefined;
    });
  }

  /** Until it has committed this height in this run. */
  async commits(height: number): Promise<void> {
    await this.until(`commit of ${height}`, () =>
      this.lines.some((line) => line.event === "commit" && Number(line["height"]) >= height)
        ? true
        : undefined,
    );
  }

  async logged(pattern: RegExp): Promise<void> {
    await this.until(`a log line like ${pattern}`, () => (pattern.test(this.log) ? true : undefined));
  }

  async stop(): Promise<Ended> {
    if (!this.#over) this.process.kill("SIGTERM");
    return await this.ended;
  }

  async kill(): Promise<Ended> {
    if (!this.#over) this.process.kill("SIGKILL");
    return await this.ended;
  }
}

export async function initHome(home: string, ...args: readonly string[]): Promise<void> {
  const { code, err } = await validator("init", "--home", home, "--json", ...args);
  if (code !== 0) throw new Error(`init failed (${code}): ${err}`);
}

export function copyHome(from: string, to: string): string {
  cpSync(from, to, { recursive: true, preserveTimestamps: true });
  return to;
}

export interface LastExit {
  readonly time: string;
  readonly code: number;
  readonly what: string;
  readonly do: string;
}

export function lastExit(home: string): LastExit {
  return JSON.parse(readFileSync(join(home, "data", "last-exit.json"), "utf8")) as LastExit;
}

/** Everything of a home that must never be shown, in every form in which it could be. */
export function secretsOf(home: string): ReadonlyMap<string, readonly string[]> {
  const secrets = new Map<string, readonly string[]>();
  const forms = (bytes: Uint8Array): string[] => {
    const buffer = Buffer.from(bytes);
    const hex = buffer.toString("hex");
    return [hex, hex.toUpperCase(), buffer.toString("base64"), buffer.toString("base64url")].map((text) =>
      text.replace(/=+$/, ""),
    );
  };
  for (const name of ["priv_validator_key.json", "node_key.json"]) {
    const document = JSON.parse(readFileSync(join(home, "config", name), "utf8")) as {
      readonly priv_key: { readonly value: string };
    };
    const seed = Buffer.from(document.priv_key.value, "base64").subarray(0, 32);
    // 30 of the 32 bytes: base64 of a longer value that begins with the seed has the same characters there.
    secrets.set(name, forms(seed.subarray(0, 30)));
  }
  const owner = join(home, "config", "owner_key.json");
  if (existsSync(owner)) {
    const key = /(?:0x)?([0-9a-f]{64})/i.exec(readFileSync(owner, "utf8"))?.[1];
    if (key === undefined) throw new Error(`${owner} holds no key of 32 bytes`);
    secrets.set("owner_key.json", forms(Buffer.from(key, "hex").subarray(0, 30)));
  }
  const jwt = readFileSync(join(home, "config", "jwt.hex"), "utf8")
    .trim()
    .replace(/^0x/, "");
  secrets.set("jwt.hex", forms(Buffer.from(jwt, "hex").subarray(0, 30)));
  return secrets;
}

/** Names of the secrets that stand in this text. */
export function secretsIn(text: string, secrets: ReadonlyMap<string, readonly string[]>): string[] {
  return [...secrets].flatMap(([name, forms]) => (forms.some((form) => text.includes(form)) ? [name] : []));
}
