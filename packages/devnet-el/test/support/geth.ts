import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { type Rpc, rpcClient } from "./client.ts";
import { CHAIN_ID, SECRET, type Workspace } from "./process.ts";

/** Geth's binary: QUORATE_GETH, the cache of this project, or PATH. */
export function findGeth(): string | undefined {
  const named = process.env["QUORATE_GETH"];
  if (named !== undefined) return named;
  const cache = process.env["QUORATE_CACHE"] ?? join(homedir(), ".cache", "quorate");
  const path = (process.env["PATH"] ?? "").split(delimiter).map((dir) => join(dir, "geth"));
  return [join(cache, "bin", "geth"), ...path].find((file) => existsSync(file));
}

/** Reason to skip a test that needs Geth; false when Geth is there. */
export const withoutGeth: string | false =
  findGeth() === undefined ? "SKIPPED: no Geth found in QUORATE_GETH, the project's cache or PATH" : false;

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

function binary(): string {
  const geth = findGeth();
  if (geth === undefined) throw new Error("no Geth");
  return geth;
}

/** Hash of block 0 as Geth computes it. */
export async function gethGenesisHash(space: Workspace, name: string): Promise<string> {
  const geth = await startGeth(space, name);
  try {
    return (await geth.eth<{ hash: string }>("eth_getBlockByNumber", "0x0", false)).hash;
  } finally {
    await geth.stop();
  }
}

export interface Geth {
  readonly eth: Rpc;
  readonly engine: Rpc;
  stop(): Promise<void>;
}

/** Starts Geth on the genesis of a workspace and waits until it answers. */
export async function startGeth(space: Workspace, name = "geth"): Promise<Geth> {
  const datadir = join(space.dir, name);
  execFileSync(binary(), ["init", "--datadir", datadir, "--state.scheme", "hash", space.genesisFile], {
    stdio: "pipe",
  });
  const [http, auth] = [await freePort(), await freePort()];
  const child = spawn(
    binary(),
    [
      ...["--datadir", datadir, "--networkid", String(CHAIN_ID), "--syncmode", "full", "--gcmode", "archive"],
      ...["--state.scheme", "hash", "--cache", "64", "--http", "--http.port", String(http)],
      ...[
        "--http.api",
        "eth,net,web3,txpool,testing",
        "--authrpc.port",
        String(auth),
        "--authrpc.jwtsecret",
        space.jwtFile,
      ],
      ...[
        "--ipcdisable",
        "--nodiscover",
        "--nat",
        "none",
        "--maxpeers",
        "0",
        "--port",
        "0",
        "--rpc.txfeecap",
        "0",
      ],
      ...[
        "--miner.gasprice",
        "1",
        "--miner.recommit",
        "20ms",
        "--miner.gaslimit",
        "15000000",
        "--blobpool.datacap",
        "1",
      ],
    ],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  let log = "";
  child.stderr.on("data", (chunk: Buffer) => {
    log = (log + chunk.toString()).slice(-20_000);
  });
  const eth = rpcClient(`http://127.0.0.1:${http}`);
  const engine = rpcClient(`http://127.0.0.1:${auth}`, SECRET);
  for (let attempt = 0; ; attempt++) {
    try {
      await Promise.all([eth("eth_chainId"), engine("eth_chainId")]);
      break;
    } catch (error) {
      if (attempt > 1_200 || child.exitCode !== null)
        throw new Error(`Geth does not answer: ${log}`, { cause: error });
      await new Promise<void>((resolve) => setTimeout(resolve, 100));
    }
  }
  return {
    eth,
    engine,
    stop: async () => {
      const exited = child.exitCode === null ? once(child, "exit") : undefined;
      child.kill("SIGKILL");
      await exited;
    },
  };
}
