/** `network.json` of a local network's home: what every start, and every other command, reads. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DEFAULT_PARAMS } from "@quorate/chain";
import { CliError, ExitCode, errorCode, reasonOf } from "../errors.ts";
import { portsFrom } from "../home/ports.ts";
import { at, numberAt, textAt } from "../rpc-client.ts";

export interface NodeEntry {
  readonly name: string;
  /** Of ten ports from base_port on. */
  readonly index: number;
  readonly validator: boolean;
  readonly peerId: string;
  /** Address of its consensus key, upper-case hex. */
  readonly address: string;
}

export interface Manifest {
  readonly chainId: string;
  readonly evmChainId: number;
  readonly genesisHash: string;
  readonly basePort: number;
  readonly blockIntervalMs: number;
  readonly gasLimit: number;
  /** Deposits decide on the set. */
  readonly stake: boolean;
  /** Seconds that evidence counts and stake that left is held. */
  readonly unbondingS: number;
  /** `embedded`, or the path of a Geth. */
  readonly el: string;
  /** The demo that was made for; what its script did to the network must not be taken for the network's doing. */
  readonly demo?: string;
  readonly nodes: readonly NodeEntry[];
}

export const DEFAULT_UNBONDING_S: number = DEFAULT_PARAMS.evidenceMaxAgeMs / 1000;
export const PORTS_PER_NODE = 10;
/** A network of one machine: ports and memory end far below. */
export const MAX_NODES = 64;

export function manifestFile(home: string): string {
  return join(home, "network.json");
}

/** The account that decides on validators: the first of the development accounts, as `--key` takes it. */
export function registryOwnerFile(home: string): string {
  return join(home, "registry_owner.json");
}

export function nodeHome(home: string, name: string): string {
  return join(home, name);
}

export function nodePorts(manifest: Pick<Manifest, "basePort">, index: number): ReturnType<typeof portsFrom> {
  return portsFrom(manifest.basePort + PORTS_PER_NODE * index);
}

export function manifestText(manifest: Manifest): string {
  const document = {
    chain_id: manifest.chainId,
    evm_chain_id: manifest.evmChainId,
    genesis_hash: manifest.genesisHash,
    base_port: manifest.basePort,
    block_interval: manifest.blockIntervalMs,
    gas_limit: manifest.gasLimit,
    stake: manifest.stake,
    unbonding: manifest.unbondingS,
    el: manifest.el,
    ...(manifest.demo === undefined ? {} : { demo: manifest.demo }),
    nodes: manifest.nodes.map(({ name, index, validator, peerId, address }) => ({
      name,
      index,
      validator,
      peer_id: peerId,
      address,
    })),
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

/** `null` when no network lies there. @throws CliError config when the file is damaged. */
export function readManifest(home: string): Manifest | null {
  const file = manifestFile(home);
  let document: unknown;
  try {
    document = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    if (errorCode(error) === "ENOENT") return null;
    throw new CliError(
      ExitCode.config,
      `${file} cannot be read (${reasonOf(error)})`,
      "start anew with --clean",
    );
  }
  const nodes = at(document, "nodes");
  const manifest: Manifest = {
    chainId: textAt(document, "chain_id"),
    evmChainId: numberAt(document, "evm_chain_id"),
    genesisHash: textAt(document, "genesis_hash"),
    basePort: numberAt(document, "base_port"),
    blockIntervalMs: numberAt(document, "block_interval"),
    gasLimit: numberAt(document, "gas_limit"),
    stake: at(document, "stake") === true,
    unbondingS:
      at(document, "unbonding") === undefined ? DEFAULT_UNBONDING_S : numberAt(document, "unbonding"),
    el: textAt(document, "el"),
    ...(textAt(document, "demo") === "" ? {} : { demo: textAt(document, "demo") }),
    nodes: (Array.isArray(nodes) ? nodes : []).map((node: unknown) => ({
      name: textAt(node, "name"),
      index: numberAt(node, "index"),
      validator: at(node, "validator") === true,
      peerId: textAt(node, "peer_id"),
      address: textAt(node, "address"),
    })),
  };
  const sound =
    manifest.nodes.length > 0 &&
    manifest.nodes.every(({ name, index }) => /^node\d+$/.test(name) && Number.isSafeInteger(index)) &&
    [
      manifest.evmChainId,
      manifest.basePort,
      manifest.blockIntervalMs,
      manifest.gasLimit,
      manifest.unbondingS,
    ].every(Number.isSafeInteger);
  if (!sound) throw new CliError(ExitCode.config, `${file} is damaged`, "start anew with --clean");
  return manifest;
}
