import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DEFAULT_PARAMS, type Genesis, genesisHash, genesisToJson } from "@quorate/chain";
import { homePaths } from "@quorate/node/home";
import { renderConfig } from "../config/file.ts";
import type { OptionValue } from "../config/options.ts";
import { Inventory, MODE, writeNew } from "../home/files.ts";
import { makeExecutionGenesis, makeGenesis } from "../home/genesis.ts";
import { STAKE_POWER, VALIDATOR_POWER } from "../home/init.ts";
import { ensureKeys, type HomeIdentity, ownerDocument, ownerKeyFile } from "../home/keys.ts";
import { devAccounts, loadAccounts } from "./accounts.ts";
import { composeFile, prometheusFile } from "./files.ts";
import {
  type Manifest,
  manifestFile,
  manifestText,
  type NodeEntry,
  nodeHome,
  nodePorts,
  registryOwnerFile,
} from "./manifest.ts";

export interface NetworkOptions {
  readonly validators: number;
  readonly full: number;
  readonly basePort: number;
  readonly blockIntervalMs: number;
  readonly gasLimit: number;
  /** Deposits decide on the set, and power is stake in ether. */
  readonly stake: boolean;
  /** Seconds that evidence counts and stake that left is held. */
  readonly unbondingS: number;
  readonly el: string;
  readonly demo?: string;
}

const CHAIN_ID = "quorate-testnet";
const EVM_CHAIN_ID = 26_656;
/** Below one second the EL's whole-second timestamps must run ahead of the header's (DESIGN §3). */
const MAX_EL_TIME_DRIFT_S = 3_600;

/** Writes all homes of a new network; `network.json` comes last, so that a broken attempt is no network. */
export async function createNetwork(home: string, options: NetworkOptions): Promise<Manifest> {
  await mkdir(home, { recursive: true, mode: MODE.directory });
  const names = Array.from({ length: options.validators + options.full }, (_, index) => `node${index}`);
  const identities = new Map<string, HomeIdentity>();
  for (const name of names) {
    identities.set(name, await ensureKeys(nodeHome(home, name), true, new Inventory()));
  }
  const validators = names.slice(0, options.validators);
  const owners = [...identities.values()].flatMap(({ owner }) => (owner === null ? [] : [owner]));
  const accounts = devAccounts();
  const [registryOwner] = accounts;
  if (registryOwner === undefined) throw new Error("there are no accounts for development");
  const now = Date.now();
  const elGenesis = makeExecutionGenesis({
    evmChainId: EVM_CHAIN_ID,
    gasLimit: options.gasLimit,
    genesisTimeMs: now,
    funded: [...accounts, ...loadAccounts()].map(({ address }) => address).concat(owners),
    registryOwner: options.stake ? null : registryOwner.address,
  });
  const genesis = await makeGenesis({
    chainId: CHAIN_ID,
    evmChainId: EVM_CHAIN_ID,
    initialHeight: 1,
    genesisTimeMs: now,
    execution: "engine",
    blockIntervalMs: options.blockIntervalMs,
    gasLimit: options.gasLimit,
    unbondingS: options.unbondingS,
    validators: validators.map((name) => {
      const { pubKey, owner } = identities.get(name)!;
      if (owner === null) throw new Error(`${ownerKeyFile(nodeHome(home, name))} was not made`);
      return {
        pubKey,
        power: options.stake ? STAKE_POWER : VALIDATOR_POWER,
        name,
        owner: new Uint8Array(Buffer.from(owner.slice(2), "hex")),
      };
    }),
    elGenesis,
  });
  const manifest: Manifest = {
    chainId: CHAIN_ID,
    evmChainId: EVM_CHAIN_ID,
    genesisHash: "",
    basePort: options.basePort,
    blockIntervalMs: options.blockIntervalMs,
    gasLimit: options.gasLimit,
    stake: options.stake,
    unbondingS: options.unbondingS,
    el: options.el,
    ...(options.demo === undefined ? {} : { demo: options.demo }),
    nodes: names.map((name, index) => ({
      name,
      index,
      validator: index < options.validators,
      peerId: identities.get(name)!.peerId,
      address: addressText(identities.get(name)!),
    })),
  };
  const final = withDrift(genesis);
  for (const node of manifest.nodes) {
    const paths = homePaths(nodeHome(home, node.name));
    await writeFile(paths.genesis, genesisToJson(final), { mode: MODE.public });
    await writeFile(paths.elGenesis, `${JSON.stringify(elGenesis, null, 2)}\n`, { mode: MODE.public });
    await writeFile(paths.config, nodeConfigText(manifest, node), { mode: MODE.public });
  }
  if (!options.stake) {
    const owner = ownerDocument(registryOwner.privateKey);
    await writeFile(registryOwnerFile(home), owner, { mode: MODE.secret });
  }
  const written = { ...manifest, genesisHash: Buffer.from(genesisHash(final)).toString("hex").toUpperCase() };
  await writeNetworkFiles(home, written);
  return written;
}

function withDrift(genesis: Genesis): Genesis {
  if (genesis.params.blockIntervalMs >= DEFAULT_PARAMS.blockIntervalMs) return genesis;
  return { ...genesis, params: { ...genesis.params, maxElTimeDriftS: MAX_EL_TIME_DRIFT_S } };
}

/** network.json and what is derived from it. */
async function writeNetworkFiles(home: string, manifest: Manifest): Promise<void> {
  await writeFile(join(home, "prometheus.yml"), prometheusFile(manifest));
  await writeFile(join(home, "compose.yaml"), composeFile(manifest));
  await writeFile(manifestFile(home), manifestText(manifest));
}

const addressText = ({ address }: HomeIdentity): string => Buffer.from(address).toString("hex").toUpperCase();

/** config.toml of a node: everything on loopback, every other validator a persistent peer. */
function nodeConfigText(manifest: Manifest, node: NodeEntry): string {
  const ports = nodePorts(manifest, node.index);
  const others = manifest.nodes.filter(({ name, validator }) => validator && name !== node.name);
  const values = new Map<string, OptionValue>([
    ["moniker", node.name],
    ["verify_workers", 1],
    ["vote_trace", "data/vote-trace.ndjson"],
    ["p2p.listen", [`/ip4/127.0.0.1/tcp/${ports.p2p}`]],
    [
      "p2p.persistent_peers",
      others.map(({ index, peerId }) => `/ip4/127.0.0.1/tcp/${nodePorts(manifest, index).p2p}/p2p/${peerId}`),
    ],
    [
      "p2p.validator_peers",
      Object.fromEntries(
        manifest.nodes.filter(({ validator }) => validator).map(({ address, peerId }) => [address, peerId]),
      ),
    ],
    ["rpc.listen", `127.0.0.1:${ports.rpc}`],
    ["metrics.listen", `127.0.0.1:${ports.metrics}`],
    ["execution.http_port", ports.ethRpc],
    ["execution.engine_port", ports.engine],
  ]);
  if (manifest.el !== "embedded") {
    values.set("execution.client", `http://127.0.0.1:${ports.engine}`);
    values.set("execution.eth_url", `http://127.0.0.1:${ports.ethRpc}`);
  }
  return renderConfig(values);
}

/** Makes one more home, a full node that follows this network, and names it in network.json. */
export async function addNode(
  home: string,
  manifest: Manifest,
): Promise<{ manifest: Manifest; node: NodeEntry }> {
  const index = Math.max(...manifest.nodes.map((node) => node.index)) + 1;
  const name = `node${index}`;
  const directory = nodeHome(home, name);
  const identity = await ensureKeys(directory, true, new Inventory());
  const node: NodeEntry = {
    name,
    index,
    validator: false,
    peerId: identity.peerId,
    address: addressText(identity),
  };
  const next = { ...manifest, nodes: [...manifest.nodes, node] };
  const from = homePaths(nodeHome(home, manifest.nodes[0]!.name));
  const to = homePaths(directory);
  await writeNew(to.genesis, await readFile(from.genesis, "utf8"), MODE.public);
  await writeNew(to.elGenesis, await readFile(from.elGenesis, "utf8"), MODE.public);
  await writeNew(to.config, nodeConfigText(next, node), MODE.public);
  await writeNetworkFiles(home, next);
  return { manifest: next, node };
}

/** Removes a network, and nothing that is not one. */
export async function removeNetwork(home: string, manifest: Manifest): Promise<void> {
  for (const { name } of manifest.nodes) await rm(nodeHome(home, name), { recursive: true, force: true });
  for (const name of [
    "prometheus.yml",
    "compose.yaml",
    "registry_owner.json",
    "control.sock",
    "network.json",
  ]) {
    await rm(join(home, name), { force: true });
  }
}
