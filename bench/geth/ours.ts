/** Our side: the local network that `validator testnet --el geth` runs, watched through its events; and a node alone. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { homePaths } from "@quorate/node";
import { freePort } from "../../packages/node/test/support/homes.ts";
import { NODE_FLAGS, NODE_VARIABLES } from "../vs-cometbft/quorate.ts";
import { pause } from "../vs-cometbft/rpc.ts";
import { type Endpoint, readSecret } from "./engine.ts";
import type { GethEndpoint } from "./geths.ts";

/** The command as people start it. */
const COMMAND: readonly string[] = [
  ...[...process.execArgv, ...NODE_FLAGS],
  new URL("../../packages/cli/src/main.ts", import.meta.url).pathname,
];

const ENVIRONMENT: NodeJS.ProcessEnv = { ...NODE_VARIABLES, ...process.env };

export interface NodeFacts {
  readonly name: string;
  readonly home: string;
  readonly rpc: string;
  readonly metrics: string;
  readonly eth_rpc: string;
}

export interface Ready {
  readonly evm_chain_id: number;
  readonly nodes: readonly NodeFacts[];
  readonly accounts: readonly { readonly private_key: `0x${string}` }[];
}

export interface Commit {
  readonly node: string;
  readonly height: number;
  readonly txs: number;
  /** From the proposal's time to the commit there, ms. */
  readonly ms: number;
  /** When this process heard of it, ms. */
  readonly atMs: number;
}

export interface Testnet {
  readonly ready: Ready;
  readonly commits: readonly Commit[];
  /** Resolves when `done` holds of what has been committed. @throws Error when it does not in time, or the network ends. */
  until(done: () => boolean, limitMs: number, what: string): Promise<void>;
  stop(): Promise<void>;
}

export interface TestnetOptions {
  readonly home: string;
  readonly geth: string;
  readonly validators: number;
  readonly gasLimit: number;
  readonly intervalMs: number;
  /** Transfers per second of the network's own load. */
  readonly load: number;
}

/** A new network, as the command makes it but for what is no part of a figure: no trace of votes, no spreading of transactions. */
export async function startTestnet(options: TestnetOptions): Promise<Testnet> {
  const { home, geth, validators, gasLimit, intervalMs, load } = options;
  const command = [...COMMAND, "testnet"];
  await promisify(execFile)(process.execPath, [
    ...[...command, "init", "--home", home, "--validators", String(validators), "--el", geth],
    ...["--gas-limit", String(gasLimit), "--block-interval", String(intervalMs)],
    ...["--base-port", String(await freeBase())],
  ]);
  for (let index = 0; index < validators; index++) await configure(join(home, `node${index}`));
  const child = spawn(
    process.execPath,
    [
      ...[...command, "--home", home, "--json", "--log-level", "warn"],
      ...["--load", String(load), "--timeout", "3600"],
    ],
    { stdio: ["ignore", "pipe", "inherit"], env: ENVIRONMENT },
  );
  const commits: Commit[] = [];
  const ready = await new Promise<Ready>((resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`the network ended with ${code} before it was ready`)));
    createInterface({ input: child.stdout }).on("line", (line) => {
      const event = JSON.parse(line) as { readonly event: string } & Ready & Commit;
      if (event.event === "ready") resolve(event);
      else if (event.event === "commit") commits.push({ ...event, atMs: performance.now() });
    });
  });
  return {
    ready,
    commits,
    async until(done, limitMs, what) {
      for (const end = performance.now() + limitMs; !done(); await pause(20)) {
        if (child.exitCode !== null) throw new Error(`the network ended with ${child.exitCode}: ${what}`);
        if (performance.now() > end) throw new Error(`not within ${Math.round(limitMs / 1000)} s: ${what}`);
      }
    },
    stop: () => stop(child),
  };
}

async function configure(home: string): Promise<void> {
  const file = homePaths(home).config;
  let text = await readFile(file, "utf8");
  for (const [key, value] of [
    ["gossip_txs", "false"],
    ["vote_trace", '""'],
  ] as const) {
    const line = new RegExp(`^${key} = .*$`, "m");
    if (!line.test(text)) throw new Error(`${file} has no ${key}`);
    text = text.replace(line, `${key} = ${value}`);
  }
  await writeFile(file, text);
}

/**
 * A node of a network that has ended, alone on its home and over another Geth. Without its key it takes no part in anything:
 * it feeds what it holds to its client.
 */
export async function startAlone(home: string, client: GethEndpoint): Promise<{ stop(): Promise<void> }> {
  await rm(homePaths(home).validatorKey, { force: true });
  const log = openSync(join(home, "alone.log"), "a");
  const child = spawn(
    process.execPath,
    [
      ...[...COMMAND, "start", "--home", home, "--log-level", "warn"],
      ...["--el", client.engine, "--el-rpc", client.eth, "--jwt", client.jwtFile],
    ],
    { stdio: ["ignore", log, log], env: ENVIRONMENT },
  );
  closeSync(log);
  const killed = (): void => void child.kill("SIGKILL");
  process.once("exit", killed);
  return {
    async stop() {
      await stop(child);
      process.off("exit", killed);
    },
  };
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGTERM");
  await once(child, "exit");
}

/** The execution client of a node: its engine port follows the public one. */
export async function endpointOf({ home, eth_rpc: eth }: NodeFacts): Promise<Endpoint> {
  const url = new URL(eth);
  return {
    eth,
    engine: `http://${url.hostname}:${Number(url.port) + 1}`,
    secret: await readSecret(join(home, "config", "jwt.hex")),
  };
}

/** Forty ports in a row that are probably free: the network itself refuses a taken one by name. */
async function freeBase(): Promise<number> {
  return Math.min(await freePort(), 31_900);
}
