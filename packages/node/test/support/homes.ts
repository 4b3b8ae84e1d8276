import { randomInt } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DEFAULT_PARAMS, type Genesis, genesisToJson, timeFromMs } from "@quorate/chain";
import { ed25519Keygen, toHexUpper } from "@quorate/crypto";
import { nodeKeyFromSeed, peerIdOf } from "@quorate/gossip";
import { createNode, homePaths, type NodeConfig, type NodeModules, type QuorateNode } from "@quorate/node";
import { createKeyAndState } from "@quorate/privval";

/** Homes of a network without EL in a temporary directory; `free()` removes them. */
export interface TestNetwork {
  readonly dir: string;
  readonly genesis: Genesis;
  readonly configs: readonly NodeConfig[];
  /** Starts a node that {@link free} stops, should a failed test not have. */
  start(config: NodeConfig): Promise<RunningNode>;
  free(): Promise<void>;
}

/** Below the range from which the system takes the ports of outgoing connections: those would take it away again. */
const PORTS = { first: 10_000, count: 22_000 };
const given = new Set<number>();

/** A port that nobody listens on, not given before in this process. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = PORTS.first + randomInt(PORTS.count);
    if (given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    return port;
  }
  throw new Error("no port");
}

function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

export async function makeNetwork(
  validators: number,
  blockIntervalMs = 0,
  fullNodes = 0,
  changes: Partial<Genesis> = {},
): Promise<TestNetwork> {
  const dir = await mkdtemp(join(tmpdir(), "quorate-node-"));
  const nodes = await Promise.all(
    Array.from({ length: validators + fullNodes }, async (_, index) => {
      const home = join(dir, `node${index}`);
      const paths = homePaths(home);
      await mkdir(join(home, "config"), { recursive: true });
      await mkdir(paths.data, { recursive: true });
      const key = await createKeyAndState({ keyFile: paths.validatorKey, stateFile: paths.signState });
      const { seed, publicKey } = ed25519Keygen();
      const value = Buffer.concat([seed, publicKey]).toString("base64");
      const document = { priv_key: { type: "tendermint/PrivKeyEd25519", value } };
      await writeFile(paths.nodeKey, JSON.stringify(document), { mode: 0o600 });
      return { home, key, peerId: peerIdOf(nodeKeyFromSeed(seed)), port: await freePort() };
    }),
  );
  const zero32 = new Uint8Array(32);
  const genesis: Genesis = {
    chainId: "quorate-test",
    genesisTime: timeFromMs(Date.now() - 1000),
    initialHeight: 1,
    execution: "none",
    evmChainId: 0,
    elGenesisHash: zero32,
    anchorNumber: 0,
    anchorHash: zero32,
    depositContractAddress: new Uint8Array(20),
    params: { ...DEFAULT_PARAMS, blockIntervalMs },
    validators: nodes.slice(0, validators).map(({ key }, index) => ({
      pubKey: key.publicKey,
      power: 10n,
      name: `node${index}`,
      owner: new Uint8Array(20).fill(index + 1),
    })),
    upgrades: [],
    ...changes,
  };
  const validatorPeers = Object.fromEntries(
    nodes.slice(0, validators).map(({ key, peerId }) => [toHexUpper(key.address), peerId]),
  );
  const multiaddr = (node: (typeof nodes)[number]): string =>
    `/ip4/127.0.0.1/tcp/${node.port}/p2p/${node.peerId}`;
  const configs = await Promise.all(
    nodes.map(async (node, index): Promise<NodeConfig> => {
      await writeFile(homePaths(node.home).genesis, genesisToJson(genesis));
      return {
        home: node.home,
        moniker: `node${index}`,
        version: "0.0.0-test",
        p2p: {
          listen: [`/ip4/127.0.0.1/tcp/${node.port}`],
          announce: [],
          persistentPeers: nodes.filter((other) => other !== node).map(multiaddr),
          allow: [],
          validatorPeers,
          maxPeers: 32,
          gossipTxs: true,
        },
        rpcListen: "127.0.0.1:0",
        metricsListen: "127.0.0.1:0",
        verifyWorkers: 1,
        voteTrace: join(node.home, "data", "vote-trace.ndjson"),
      };
    }),
  );
  const started: QuorateNode[] = [];
  return {
    dir,
    genesis,
    configs,
    async start(config) {
      const running = await startNode(config);
      started.push(running.node);
      return running;
    },
    async free() {
      await Promise.all(started.map((node) => node.stop()));
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** Heights as they commit; `reached(h)` resolves when this node has committed h. */
export class Commits {
  readonly hashes = new Map<number, string>();
  height = 0;
  private waiting: { readonly height: number; readonly resolve: () => void }[] = [];

  readonly modules = (log: NodeModules["log"]): NodeModules => ({
    log,
    onCommit: (commit) => {
      this.hashes.set(commit.height, toHexUpper(commit.blockHash));
      this.height = Math.max(this.height, commit.height);
      this.waiting = this.waiting.filter((each) => {
        if (each.height > this.height) return true;
        each.resolve();
        return false;
      });
    },
  });

  reached(height: number): Promise<void> {
    if (this.height >= height) return Promise.resolve();
    return new Promise((resolve) => this.waiting.push({ height, resolve }));
  }
}

export interface RunningNode {
  readonly node: QuorateNode;
  readonly commits: Commits;
}

export async function startNode(config: NodeConfig, log: NodeModules["log"] = silent): Promise<RunningNode> {
  const commits = new Commits();
  return { node: await createNode(config, commits.modules(log)), commits };
}

const nothing = (): void => undefined;
export const silent: NodeModules["log"] = () => ({
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
});
