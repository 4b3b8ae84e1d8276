import { randomInt } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import {
  ChainError,
  type Genesis,
  GWEI_PER_POWER,
  genesisRegistry,
  genesisToJson,
  MIN_STAKE_GWEI,
  parseGenesis,
} from "@quorate/chain";
import { homePaths } from "@quorate/node/home";
import { type OptionValues, renderConfig } from "../config/file.ts";
import type { OptionValue } from "../config/options.ts";
import { CliError, ExitCode, errorCode, reasonOf } from "../errors.ts";
import { DEPOSIT_ADDRESS } from "./deposit-contract.ts";
import { Inventory, MODE, writeNew } from "./files.ts";
import { elGenesisFacts, makeExecutionGenesis, makeGenesis } from "./genesis.ts";
import { ensureKeys, type HomeIdentity } from "./keys.ts";
import { portsFrom } from "./ports.ts";

export const EMBEDDED_GAS_LIMIT = 15_000_000;
/** Of a validator of genesis where powers are given: room for less and for more. */
export const VALIDATOR_POWER = 10n;
/** Of one where power is stake in ether: the least that a deposit begins with. */
export const STAKE_POWER: bigint = MIN_STAKE_GWEI / GWEI_PER_POWER;

export interface InitOptions {
  readonly home: string;
  readonly moniker?: string | undefined;
  readonly chainId?: string | undefined;
  readonly evmChainId?: number | undefined;
  readonly initialHeight?: number | undefined;
  readonly anchorHash?: string | undefined;
  readonly execution?: string | undefined;
  readonly blockIntervalMs?: number | undefined;
  readonly gasLimit?: number | undefined;
  readonly owner?: string | undefined;
  readonly registryOwner?: string | undefined;
  /** Whoever deposits validates, and nobody owns the set. */
  readonly stake?: boolean | undefined;
  readonly unbondingS?: number | undefined;
  readonly genesisFile?: string | undefined;
  readonly persistentPeers?: readonly string[] | undefined;
  readonly basePort?: number | undefined;
}

export interface InitResult {
  readonly home: string;
  readonly chain_id: string;
  readonly validator_address: string;
  readonly pub_key: { readonly type: "tendermint/PubKeyEd25519"; readonly value: string };
  readonly peer_id: string;
  readonly created: readonly string[];
  readonly kept: readonly string[];
}

/** Makes what a home lacks; an existing file is never touched. @throws CliError with the codes of DESIGN §9. */
export async function initHome(options: InitOptions): Promise<InitResult> {
  checkOptions(options);
  const inventory = new Inventory();
  const paths = homePaths(options.home);
  const config = renderConfig(configValues(options));
  inventory.note("config/config.toml", await writeNew(paths.config, config, MODE.public));
  const identity = await ensureKeys(options.home, options.owner === undefined, inventory);
  if (options.genesisFile !== undefined) await copyGenesis(options.genesisFile, options.home, inventory);
  const genesis = await ensureGenesis(options, identity, inventory);
  return {
    home: options.home,
    chain_id: genesis.chainId,
    validator_address: Buffer.from(identity.address).toString("hex").toUpperCase(),
    pub_key: { type: "tendermint/PubKeyEd25519", value: Buffer.from(identity.pubKey).toString("base64") },
    peer_id: identity.peerId,
    created: inventory.created,
    kept: inventory.kept,
  };
}

function checkOptions(options: InitOptions): void {
  for (const [flag, value] of [
    ["owner", options.owner],
    ["registry-owner", options.registryOwner],
  ] as const) {
    if (value !== undefined && !/^0x[0-9a-fA-F]{40}$/.test(value)) {
      throw new CliError(
        ExitCode.usage,
        `--${flag} ${JSON.stringify(value)} is no address`,
        "write 0x and 40 hex digits",
      );
    }
  }
  if (options.execution !== undefined && options.execution !== "engine" && options.execution !== "none") {
    throw new CliError(
      ExitCode.usage,
      `--execution ${JSON.stringify(options.execution)} is unknown`,
      "write engine or none",
    );
  }
  if (options.stake === true && (options.registryOwner !== undefined || options.execution === "none")) {
    throw new CliError(
      ExitCode.usage,
      options.execution === "none"
        ? "--stake needs an execution client: deposits are made there"
        : "--stake makes a chain whose set nobody owns, --registry-owner one whose set that account owns",
      "leave one of the two flags out",
    );
  }
  if (options.anchorHash !== undefined && !/^0x[0-9a-fA-F]{64}$/.test(options.anchorHash)) {
    throw new CliError(ExitCode.usage, "--anchor-hash is no hash", "write 0x and 64 hex digits");
  }
  const anchored = (options.initialHeight ?? 1) > 1;
  if (anchored && options.execution !== "none" && options.anchorHash === undefined) {
    throw new CliError(
      ExitCode.usage,
      `--initial-height ${options.initialHeight} builds on EL block ${options.initialHeight! - 1}, but its hash is not given`,
      "add --anchor-hash 0x…, or start at height 1",
    );
  }
}

function configValues(options: InitOptions): OptionValues {
  const values = new Map<string, OptionValue>();
  const name =
    options.moniker ??
    hostname()
      .replace(/[^\x20-\x7e]/g, "")
      .slice(0, 64);
  values.set("moniker", name === "" ? "validator" : name);
  if (options.persistentPeers !== undefined) values.set("p2p.persistent_peers", options.persistentPeers);
  if (options.basePort !== undefined) {
    const ports = portsFrom(options.basePort);
    values.set("p2p.listen", [`/ip4/0.0.0.0/tcp/${ports.p2p}`]);
    values.set("rpc.listen", `127.0.0.1:${ports.rpc}`);
    values.set("metrics.listen", `127.0.0.1:${ports.metrics}`);
    values.set("execution.http_port", ports.ethRpc);
    values.set("execution.engine_port", ports.engine);
  }
  return values;
}

async function copyGenesis(from: string, home: string, inventory: Inventory): Promise<void> {
  const paths = homePaths(home);
  const text = await readText(from, "name the genesis.json of the network to join");
  const genesis = parsed(text, from);
  inventory.note("config/genesis.json", await writeNew(paths.genesis, text, MODE.public));
  if (genesis.execution === "none") return;
  const elFrom = join(dirname(from), "el-genesis.json");
  const elText = await readText(elFrom, "put the network's el-genesis.json beside its genesis.json");
  inventory.note("config/el-genesis.json", await writeNew(paths.elGenesis, elText, MODE.public));
}

async function ensureGenesis(
  options: InitOptions,
  identity: HomeIdentity,
  inventory: Inventory,
): Promise<Genesis> {
  const paths = homePaths(options.home);
  if (existsSync(paths.genesis)) return await keepGenesis(options, inventory);
  const now = Date.now();
  const execution = options.execution === "none" ? "none" : "engine";
  const owner = options.owner ?? identity.owner ?? `0x${"00".repeat(20)}`;
  let elGenesis: unknown = null;
  if (execution === "engine") {
    const made = makeExecutionGenesis({
      evmChainId: options.evmChainId ?? randomInt(1_000_000, 2 ** 31),
      gasLimit: options.gasLimit ?? EMBEDDED_GAS_LIMIT,
      genesisTimeMs: now,
      funded: [...new Set([owner, options.registryOwner ?? owner])],
      registryOwner: options.stake === true ? null : (options.registryOwner ?? owner),
    });
    const created = await writeNew(paths.elGenesis, `${JSON.stringify(made, null, 2)}\n`, MODE.public);
    inventory.note("config/el-genesis.json", created);
    elGenesis = created ? made : parseJson(await readText(paths.elGenesis, ""), paths.elGenesis);
  }
  const facts = elGenesisFacts(elGenesis);
  if (options.stake === true && !facts.stake) throw notStake(paths.elGenesis);
  const genesis = await makeGenesis({
    chainId: options.chainId ?? `quorate-${randomInt(100_000, 1_000_000)}`,
    evmChainId: facts.chainId ?? 0,
    initialHeight: options.initialHeight ?? 1,
    genesisTimeMs: Math.max(now, (facts.timestamp ?? 0) * 1000),
    execution,
    blockIntervalMs: options.blockIntervalMs ?? 1000,
    gasLimit: options.gasLimit ?? EMBEDDED_GAS_LIMIT,
    unbondingS: options.unbondingS,
    validators: [
      {
        pubKey: identity.pubKey,
        power: facts.stake ? STAKE_POWER : VALIDATOR_POWER,
        name: options.moniker ?? hostname(),
        owner: execution === "none" ? new Uint8Array(20) : new Uint8Array(Buffer.from(owner.slice(2), "hex")),
      },
    ],
    elGenesis,
    ...(options.anchorHash === undefined
      ? {}
      : { anchorHash: new Uint8Array(Buffer.from(options.anchorHash.slice(2), "hex")) }),
  });
  const text = genesisToJson(genesis);
  // What is written must be what every node accepts: a wrong flag shows here, not at the first start.
  parsed(text, "the new genesis");
  inventory.note("config/genesis.json", await writeNew(paths.genesis, text, MODE.public));
  return genesis;
}

async function keepGenesis(options: InitOptions, inventory: Inventory): Promise<Genesis> {
  const paths = homePaths(options.home);
  const genesis = parsed(await readText(paths.genesis, "check owner and permissions"), paths.genesis);
  if (options.genesisFile === undefined) inventory.note("config/genesis.json", false);
  if (genesis.execution === "engine") {
    if (!existsSync(paths.elGenesis)) {
      throw new CliError(
        ExitCode.config,
        `${paths.genesis} is there, but ${paths.elGenesis}, which belongs to it, is missing`,
        "copy the network's el-genesis.json there",
      );
    }
    if (options.genesisFile === undefined) inventory.note("config/el-genesis.json", false);
  }
  if (options.stake === true && genesisRegistry(genesis).policy !== 1) throw notStake(paths.genesis);
  if (options.chainId !== undefined && options.chainId !== genesis.chainId) {
    throw new CliError(
      ExitCode.config,
      `--chain-id ${options.chainId}: ${paths.genesis} is kept and names the chain ${genesis.chainId}`,
      "leave the flag out, or use another --home",
    );
  }
  return genesis;
}

function notStake(file: string): CliError {
  return new CliError(
    ExitCode.config,
    `--stake: ${file} is kept and makes no chain in stake mode: its deposit contract is not at ${DEPOSIT_ADDRESS}`,
    "leave the flag out, or use another --home",
  );
}

function parsed(text: string, file: string): Genesis {
  try {
    return parseGenesis(text);
  } catch (error) {
    if (!(error instanceof ChainError)) throw error;
    throw new CliError(
      ExitCode.config,
      `${file}: ${error.message}`,
      "take the genesis.json that the other validators use",
    );
  }
}

function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new CliError(ExitCode.config, `${file} is not JSON (${reasonOf(error)})`, "restore the file");
  }
}

async function readText(file: string, action: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    const what = errorCode(error) === "ENOENT" ? "does not exist" : `cannot be read (${reasonOf(error)})`;
    throw new CliError(ExitCode.config, `${file} ${what}`, action);
  }
}
