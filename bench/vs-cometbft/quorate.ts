/** Our network: validator processes composed as the command composes them, without execution client, all on disk. */
import { fork } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { DEFAULT_PARAMS } from "@quorate/chain";
import { homePaths } from "@quorate/node";
import { freePort, makeNetwork } from "../../packages/node/test/support/homes.ts";
import { Children } from "../support/children.ts";
import type { Network, NetworkOptions, Side } from "./network.ts";
import { reached } from "./rpc.ts";

const HOST = new URL("../support/host.ts", import.meta.url);
/** What `bin/validator` starts a validator with. */
export const NODE_FLAGS: readonly string[] = ["--max-semi-space-size=4"];
export const NODE_VARIABLES: Readonly<Record<string, string>> = {
  NODE_COMPILE_CACHE: join(process.env["QUORATE_CACHE"] ?? join(homedir(), ".cache", "quorate"), "compiled"),
  MALLOC_ARENA_MAX: "1",
};
/** The host's own reports to its parent, heights apart: the RPC is asked instead. */
const NO_REPORTS = String(Number.MAX_SAFE_INTEGER);

export const quorateSide: Side = { name: "quorate", make: makeQuorate };

export interface QuorateNetwork extends Network {
  metricsPort(index: number): number;
}

export async function makeQuorate(options: NetworkOptions): Promise<QuorateNetwork> {
  const { validators, fullNodes = 0, blockBytes, spreadTxs = true } = options;
  const params = {
    ...DEFAULT_PARAMS,
    blockIntervalMs: 0,
    ...(blockBytes === undefined ? {} : { maxBlockBytes: blockBytes }),
  };
  const made = await makeNetwork(validators, 0, fullNodes, { params });
  const nodes = await Promise.all(
    made.configs.map(async ({ voteTrace: _untraced, ...config }, index) => {
      const rpc = await freePort();
      const metrics = await freePort();
      // What only a validator has is a key in its home.
      if (index >= validators) await rm(homePaths(config.home).validatorKey);
      const p2p = { ...config.p2p, gossipTxs: spreadTxs, maxPeers: Math.max(32, made.configs.length) };
      const listen = { rpcListen: `127.0.0.1:${rpc}`, metricsListen: `127.0.0.1:${metrics}` };
      return { rpc, metrics, config: { ...config, p2p, ...listen } };
    }),
  );
  const children = new Children();
  const rpcPort = (index: number): number => nodes[index]?.rpc ?? 0;
  const startNode = (index: number): Promise<void> => {
    const { config } = nodes[index] ?? {};
    const log = openSync(`${config?.home ?? made.dir}.log`, "a");
    const child = fork(HOST, [JSON.stringify(config), NO_REPORTS], {
      execArgv: [...process.execArgv, ...NODE_FLAGS],
      env: { ...NODE_VARIABLES, ...process.env },
      stdio: ["ignore", log, log, "ipc"],
    });
    closeSync(log);
    children.add(index, child);
    return Promise.resolve();
  };
  return {
    validators,
    rpcPort,
    metricsPort: (index) => nodes[index]?.metrics ?? 0,
    startNode,
    async start(limitMs) {
      for (let index = 0; index < validators; index++) await startNode(index);
      await reached(rpcPort(0), 2, limitMs);
    },
    end: (index, signal) => children.end(index, signal),
    async wipe(index) {
      const { data } = homePaths(nodes[index]?.config.home ?? made.dir);
      await rm(data, { recursive: true, force: true });
      await mkdir(data);
    },
    pids: () => children.pids(),
    async free() {
      await children.endAll();
      await made.free();
    },
  };
}
