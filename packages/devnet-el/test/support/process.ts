import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { devnetElEntry, devnetElNodeFlags, type ElGenesis, makeElGenesis } from "../../src/index.ts";
import { type Rpc, rpcClient } from "./client.ts";

export const CHAIN_ID = 31337001;
/** Well known keys; the accounts that hold money in the genesis of the tests. */
export const KEYS: readonly `0x${string}`[] = [1, 2, 3, 4, 5, 6, 7, 8].map(
  (i): `0x${string}` => `0x${i.toString(16).padStart(2, "0").repeat(32)}`,
);
export const ADDRESSES: readonly `0x${string}`[] = [
  "0x1a642f0e3c3af545e7acbd38b07251b3990914f1",
  "0x5050a4f4b3f9338c3472dcc01a87c76a144b3c9c",
  "0x3325a78425f17a7e487eb5666b2bfd93abb06c70",
  "0xc48b812bb43401392c037381aca934f4069c0517",
  "0xd09ad14080d4b257a819a4f579b8485be88f086c",
  "0x0cb030d11a8be48b60418857874deee61d1071e0",
  "0x4a62316623ad457f02cdc5d997ded67a383ec569",
  "0x99c851eaa3c3976914d63b822c67e201ec0bfbb8",
];
export const SECRET: Uint8Array = new Uint8Array(32).fill(7);

export interface Workspace {
  readonly dir: string;
  readonly genesisFile: string;
  readonly jwtFile: string;
  remove(): void;
}

/** A temporary directory with genesis and secret. */
export function workspace(genesis: ElGenesis): Workspace {
  const dir = mkdtempSync(join(tmpdir(), "devnet-el-"));
  const genesisFile = join(dir, "genesis.json");
  const jwtFile = join(dir, "jwt.hex");
  writeFileSync(genesisFile, JSON.stringify(genesis));
  writeFileSync(jwtFile, Buffer.from(SECRET).toString("hex"));
  return { dir, genesisFile, jwtFile, remove: () => rmSync(dir, { recursive: true, force: true }) };
}

export interface Child {
  readonly process: ChildProcess;
  readonly http: string;
  readonly engineUrl: string;
  readonly engine: Rpc;
  readonly eth: Rpc;
  readonly stderr: () => string;
  /** Sends a signal and waits for the end; the exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

export function spawnEl(args: readonly string[]): ChildProcess {
  return spawn(
    process.execPath,
    [
      ...process.execArgv.filter((arg) => arg.startsWith("--conditions")),
      ...devnetElNodeFlags,
      devnetElEntry.pathname,
      ...args,
    ],
    {
      stdio: ["pipe", "pipe", "pipe"],
    },
  );
}

/** Starts the client in a child process and waits until it is ready. */
export async function startEl(
  space: Workspace,
  name = "data",
  extra: readonly string[] = [],
): Promise<Child> {
  const child = spawnEl([
    ...["--genesis", space.genesisFile, "--datadir", join(space.dir, name), "--jwt", space.jwtFile],
    ...["--http-port", "0", "--engine-port", "0", "--exit-with-parent", "--build-budget", "60000", ...extra],
  ]);
  let errors = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    errors += chunk.toString();
  });
  if (child.stdout === null) throw new Error("no stdout");
  const lines = createInterface({ input: child.stdout });
  const first = await Promise.race([
    once(lines, "line").then(([line]) => line as string),
    once(child, "exit").then(([code]) => {
      throw new Error(`exit ${String(code)}: ${errors}`);
    }),
  ]);
  const ready = JSON.parse(first as string) as { http: string; engine: string };
  return {
    process: child,
    http: ready.http,
    engineUrl: ready.engine,
    engine: rpcClient(ready.engine, SECRET),
    eth: rpcClient(ready.http),
    stderr: () => errors,
    stop: async (signal = "SIGTERM") => {
      const exited = child.exitCode === null && child.signalCode === null ? once(child, "exit") : undefined;
      child.kill(signal);
      await exited;
      return child.exitCode;
    },
  };
}

/** The genesis of the tests: every fork at genesis, rich accounts. */
export function testGenesis(changes: Partial<Parameters<typeof makeElGenesis>[0]> = {}): ElGenesis {
  return makeElGenesis({
    chainId: CHAIN_ID,
    timestamp: 1_700_000_000,
    alloc: Object.fromEntries(ADDRESSES.map((address) => [address, 10n ** 24n])),
    ...changes,
  });
}
