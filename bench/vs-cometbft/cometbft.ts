/**
 * The opponent's network: `cometbft testnet`, the built-in key-value application in memory, and the fastest configuration
 * known of its release: no wait after a commit, no transaction index, gossip every 0.5 ms, flushed every 0.1 ms, wide p2p limits.
 * Stores, log and sign state sync as shipped.
 */
import { execFile, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { freePort } from "../../packages/node/test/support/homes.ts";
import { Children } from "../support/children.ts";
import type { Network, NetworkOptions, Side } from "./network.ts";
import { reached } from "./rpc.ts";

const run = promisify(execFile);

const FASTEST: Readonly<Record<string, string>> = {
  ".log_level": '"error"',
  ".proxy_app": '"kvstore"',
  "tx_index.indexer": '"null"',
  "consensus.timeout_commit": '"0s"',
  "consensus.skip_timeout_commit": "true",
  "consensus.create_empty_blocks": "true",
  "consensus.create_empty_blocks_interval": '"0s"',
  "consensus.peer_gossip_sleep_duration": '"500us"',
  "p2p.flush_throttle_timeout": '"100us"',
  "p2p.send_rate": "512000000",
  "p2p.recv_rate": "512000000",
  "p2p.addr_book_strict": "false",
  "p2p.allow_duplicate_ip": "true",
  // Room for the load of the scenarios.
  "mempool.size": "50000",
  "mempool.max_txs_bytes": "1073741824",
  "mempool.cache_size": "500000",
  "rpc.max_request_batch_size": "200",
};

export function cometbftSide(binary: string): Side {
  return { name: "cometbft", make: (options) => make(binary, options) };
}

async function make(binary: string, options: NetworkOptions): Promise<Network> {
  const { validators, fullNodes = 0, blockBytes, spreadTxs = true } = options;
  const dir = await mkdtemp(join(tmpdir(), "quorate-vs-cometbft-"));
  const homes = Array.from({ length: validators + fullNodes }, (_, index) => join(dir, `node${index}`));
  const ports = await Promise.all(homes.map(async () => ({ p2p: await freePort(), rpc: await freePort() })));
  await run(binary, ["testnet", "--v", String(validators), "--n", String(fullNodes), "--o", dir]);
  const ids = await Promise.all(
    homes.map(async (home) => (await run(binary, ["show-node-id", "--home", home])).stdout.trim()),
  );
  const peers = ids.map((id, index) => `${id}@127.0.0.1:${ports[index]?.p2p ?? 0}`);
  await Promise.all(
    homes.map(async (home, index) => {
      const config = join(home, "config", "config.toml");
      const edits = {
        ...FASTEST,
        "p2p.laddr": `"tcp://127.0.0.1:${ports[index]?.p2p ?? 0}"`,
        "rpc.laddr": `"tcp://127.0.0.1:${ports[index]?.rpc ?? 0}"`,
        "p2p.persistent_peers": `"${peers.filter((_, other) => other !== index).join(",")}"`,
        "p2p.max_num_inbound_peers": "100",
        "mempool.broadcast": String(spreadTxs),
      };
      await writeFile(config, editedToml(await readFile(config, "utf8"), edits));
      if (blockBytes === undefined) return;
      const file = join(home, "config", "genesis.json");
      await writeFile(file, editedGenesis(await readFile(file, "utf8"), blockBytes));
    }),
  );
  const children = new Children();
  const rpcPort = (index: number): number => ports[index]?.rpc ?? 0;
  const startNode = (index: number): Promise<void> => {
    const home = homes[index] ?? dir;
    const log = openSync(`${home}.log`, "a");
    const child = spawn(binary, ["start", "--home", home], { stdio: ["ignore", log, log] });
    closeSync(log);
    children.add(index, child);
    return Promise.resolve();
  };
  return {
    validators,
    rpcPort,
    startNode,
    async start(limitMs) {
      for (let index = 0; index < validators; index++) await startNode(index);
      await reached(rpcPort(0), 2, limitMs);
    },
    end: (index, signal) => children.end(index, signal),
    async wipe(index) {
      const kept = join(homes[index] ?? dir, "data", "priv_validator_state.json");
      const state = await readFile(kept, "utf8");
      await run(binary, ["unsafe-reset-all", "--home", homes[index] ?? dir]);
      await writeFile(kept, state);
    },
    pids: () => children.pids(),
    async free() {
      await children.endAll();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** @throws Error when a key is not in the file: the release does not have the option. */
function editedToml(text: string, edits: Readonly<Record<string, string>>): string {
  const left = new Set(Object.keys(edits));
  let section = "";
  const lines = text.split("\n").map((line) => {
    const header = /^\[([^\]]+)\]/.exec(line)?.[1];
    if (header !== undefined) section = header;
    const key = /^([a-zA-Z0-9_-]+)\s*=/.exec(line)?.[1];
    const name = `${section}.${key ?? ""}`;
    const value = key === undefined ? undefined : edits[name];
    if (value === undefined) return line;
    left.delete(name);
    return `${key} = ${value}`;
  });
  if (left.size > 0) throw new Error(`CometBFT's config has no ${[...left].join(", ")}`);
  return lines.join("\n");
}

function editedGenesis(text: string, blockBytes: number): string {
  const genesis = JSON.parse(text) as {
    consensus_params: { block: Record<string, string>; evidence: Record<string, string> };
  };
  Object.assign(genesis.consensus_params.block, { max_bytes: String(blockBytes), max_gas: "-1" });
  Object.assign(genesis.consensus_params.evidence, { max_bytes: "10000" });
  return JSON.stringify(genesis, null, 2);
}
