/** Stock Geths with the very arguments of the product, each in a folder of its own, with no validator over them. */
import { execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { closeSync, openSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { gethArgs, gethInitArgs } from "@quorate/execution";
import { freePort } from "../../packages/node/test/support/homes.ts";
import { Children } from "../support/children.ts";
import { pause } from "../vs-cometbft/rpc.ts";
import { type Endpoint, rpc } from "./engine.ts";

const START_MS = 60_000;
/** As the local network of the product starts them. */
const CACHE_MB = 128;

export interface GethEndpoint extends Endpoint {
  readonly jwtFile: string;
}

export interface Geths {
  readonly endpoints: readonly GethEndpoint[];
  stop(): Promise<void>;
}

export interface GethsOptions {
  readonly binary: string;
  readonly dir: string;
  readonly count: number;
  readonly chainId: number;
  readonly gasLimit: number;
  /** File of the chain's execution genesis. */
  readonly genesis: string;
}

export async function startGeths(options: GethsOptions): Promise<Geths> {
  const children = new Children();
  try {
    const endpoints = await Promise.all(
      Array.from({ length: options.count }, (_, index) => startOne(options, index, children)),
    );
    return { endpoints, stop: () => children.endAll() };
  } catch (error) {
    await children.endAll();
    throw error;
  }
}

async function startOne(options: GethsOptions, index: number, children: Children): Promise<GethEndpoint> {
  const { binary, chainId, gasLimit, genesis } = options;
  const home = join(options.dir, `geth${index}`);
  await mkdir(home, { recursive: true });
  const secret = randomBytes(32);
  const jwtFile = join(home, "jwt.hex");
  await writeFile(jwtFile, secret.toString("hex"), { mode: 0o600 });
  const dataDir = join(home, "data");
  await promisify(execFile)(binary, [...gethInitArgs(dataDir, genesis)]);
  const [enginePort, httpPort, p2pPort] = [await freePort(), await freePort(), await freePort()];
  const args = gethArgs({
    ...{ dataDir, chainId, jwtFile, enginePort, httpPort, p2pPort, gasLimit },
    cacheMb: CACHE_MB,
  });
  const log = openSync(join(home, "geth.log"), "a");
  children.add(index, spawn(binary, [...args], { stdio: ["ignore", log, log] }));
  closeSync(log);
  const url = (port: number): string => `http://127.0.0.1:${port}`;
  const endpoint = { eth: url(httpPort), engine: url(enginePort), secret, jwtFile };
  for (const end = performance.now() + START_MS; ; await pause(50)) {
    try {
      await rpc(endpoint.eth, "eth_chainId", []);
      return endpoint;
    } catch (error) {
      if (performance.now() > end) throw new Error(`Geth ${index} did not come up: ${String(error)}`);
    }
  }
}
