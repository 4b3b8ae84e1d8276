import { DevnetElError } from "../errors.ts";
import { fromHex, type Hex, padded, toHex } from "../hex.ts";
import { CONSOLIDATION_REQUESTS, DEPOSIT, WITHDRAWAL_REQUESTS } from "./system-contracts.ts";

/** The last fork that is active; every earlier one is active too. */
export type Fork = "prague" | "osaka";

/** An account of genesis with its values decoded. */
export interface GenesisAccount {
  readonly address: Hex;
  readonly balance: bigint;
  readonly nonce: bigint;
  readonly code: Uint8Array;
  readonly storage: ReadonlyMap<Hex, Uint8Array>;
}

/** A genesis that this client and Geth execute alike. */
export interface ChainSpec {
  readonly chainId: bigint;
  readonly fork: Fork;
  readonly depositContract: Hex;
  /** the file's `config`, as given, for eth_config */
  readonly config: Readonly<Record<string, unknown>>;
  readonly header: {
    readonly timestamp: bigint;
    readonly gasLimit: bigint;
    readonly extraData: Uint8Array;
    readonly mixHash: Uint8Array;
    readonly coinbase: Hex;
    readonly baseFeePerGas: bigint;
  };
  readonly alloc: readonly GenesisAccount[];
}

const BLOCK_FORKS = [
  "homesteadBlock",
  "eip150Block",
  "eip155Block",
  "eip158Block",
  "byzantiumBlock",
  "constantinopleBlock",
  "petersburgBlock",
  "istanbulBlock",
  "berlinBlock",
  "londonBlock",
];
const OPTIONAL_BLOCK_FORKS = [
  "muirGlacierBlock",
  "arrowGlacierBlock",
  "grayGlacierBlock",
  "mergeNetsplitBlock",
  "mergeForkBlock",
];
const TIME_FORKS = ["shanghaiTime", "cancunTime", "pragueTime"];

function refuse(field: string, why: string): never {
  throw new DevnetElError("GENESIS", `genesis ${field}: ${why}`, { field });
}

function record(value: unknown, field: string): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) refuse(field, "must be an object");
  return value as Readonly<Record<string, unknown>>;
}

/** Geth reads decimal and 0x-hex strings, and JSON numbers. */
function integer(value: unknown, field: string, bits: number): bigint {
  let parsed: bigint;
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) parsed = BigInt(value);
  else if (typeof value === "string" && /^(0x[0-9a-fA-F]{1,64}|[0-9]{1,78})$/.test(value))
    parsed = BigInt(value);
  else refuse(field, "must be a non-negative integer, decimal or 0x-hex");
  if (parsed >= 1n << BigInt(bits)) refuse(field, `must be below 2^${bits}`);
  return parsed;
}

function bytes(value: unknown, field: string, limits: { exact?: number; max?: number } = {}): Uint8Array {
  if (typeof value !== "string") refuse(field, "must be a hex string");
  const digits = value.startsWith("0x") || value.startsWith("0X") ? value.slice(2) : value;
  if (!/^([0-9a-fA-F]{2})*$/.test(digits)) refuse(field, "must be hex of even length");
  const decoded = fromHex(`0x${digits}`);
  if (limits.exact !== undefined && decoded.length !== limits.exact)
    refuse(field, `must have ${limits.exact} bytes`);
  if (limits.max !== undefined && decoded.length > limits.max)
    refuse(field, `must have at most ${limits.max} bytes`);
  return decoded;
}

/** A 32-byte word that Geth accepts shortened. */
function word(value: string, field: string): Uint8Array {
  const digits = value.startsWith("0x") ? value.slice(2) : value;
  if (!/^[0-9a-fA-F]{0,64}$/.test(digits)) refuse(field, "must be at most 32 bytes of hex");
  return padded(digits === "" ? 0n : BigInt(`0x${digits}`), 32);
}

function parseFork(config: Readonly<Record<string, unknown>>, timestamp: bigint): Fork {
  for (const name of BLOCK_FORKS)
    if (config[name] !== 0) refuse(`config.${name}`, "must be 0 (active from genesis)");
  for (const name of OPTIONAL_BLOCK_FORKS) {
    if (config[name] !== undefined && config[name] !== 0) refuse(`config.${name}`, "must be 0 or absent");
  }
  for (const name of TIME_FORKS) {
    if (config[name] === undefined || integer(config[name], `config.${name}`, 64) > timestamp) {
      refuse(`config.${name}`, "must be set and not later than the genesis timestamp");
    }
  }
  const known = new Set([...BLOCK_FORKS, ...OPTIONAL_BLOCK_FORKS, ...TIME_FORKS, "osakaTime"]);
  for (const name of Object.keys(config)) {
    if (/(Time|Block)$/.test(name) && !known.has(name) && config[name] !== null) {
      refuse(`config.${name}`, "this fork is not supported by the embedded client; use Geth for this chain");
    }
  }
  if (config["osakaTime"] === undefined || config["osakaTime"] === null) return "prague";
  if (integer(config["osakaTime"], "config.osakaTime", 64) > timestamp) {
    refuse(
      "config.osakaTime",
      "must be active from genesis or absent; a fork on a running chain is not supported",
    );
  }
  return "osaka";
}

function parseAccount(rawAddress: string, raw: unknown): GenesisAccount {
  const address = toHex(bytes(rawAddress, `alloc key ${rawAddress}`, { exact: 20 }));
  const field = `alloc.${address}`;
  const entry = record(raw, field);
  const storage = new Map<Hex, Uint8Array>();
  for (const [key, value] of Object.entries(record(entry["storage"] ?? {}, `${field}.storage`))) {
    if (typeof value !== "string") refuse(`${field}.storage.${key}`, "must be a hex string");
    const decoded = word(value, `${field}.storage.${key}`);
    if (decoded.some((byte) => byte !== 0))
      storage.set(toHex(word(key, `${field}.storage key ${key}`)), decoded);
  }
  const account: GenesisAccount = {
    address,
    balance: integer(entry["balance"] ?? 0, `${field}.balance`, 256),
    nonce: integer(entry["nonce"] ?? 0, `${field}.nonce`, 64),
    code: bytes(entry["code"] ?? "0x", `${field}.code`),
    storage,
  };
  if (storage.size > 0 && account.code.length === 0 && account.nonce === 0n) {
    refuse(
      field,
      "has storage but neither code nor nonce; execution clients disagree about creating a contract there",
    );
  }
  if (toHex(account.code).startsWith("0xef0100") && account.code.length !== 23) {
    refuse(`${field}.code`, "begins with ef0100 (a delegation of EIP-7702) but has not 23 bytes");
  }
  return account;
}

/**
 * Reads a genesis in Geth's format. Refused, with the field's name, is what this client cannot execute as Geth
 * does: forks not active from genesis or later than Osaka, proof-of-work headers, and the account forms on which
 * execution clients disagree. Throws DevnetElError GENESIS.
 */
export function parseElGenesis(genesis: unknown): ChainSpec {
  const file = record(genesis, "file");
  const config = record(file["config"], "config");
  const timestamp = integer(file["timestamp"] ?? 0, "timestamp", 63);
  const zero = (name: string): void => {
    const value = file[name];
    if (value !== undefined && integer(value, name, 256) !== 0n) refuse(name, "must be 0");
  };
  for (const name of ["difficulty", "nonce", "number", "gasUsed", "excessBlobGas", "blobGasUsed"]) zero(name);
  const parentHash = file["parentHash"];
  if (parentHash !== undefined && bytes(parentHash, "parentHash").some((byte) => byte !== 0)) {
    refuse("parentHash", "must be zero");
  }
  if (config["terminalTotalDifficulty"] === undefined) refuse("config.terminalTotalDifficulty", "must be 0");
  if (integer(config["terminalTotalDifficulty"], "config.terminalTotalDifficulty", 256) !== 0n) {
    refuse("config.terminalTotalDifficulty", "must be 0");
  }
  const gasLimit = integer(file["gasLimit"], "gasLimit", 63);
  if (gasLimit < 5000n) refuse("gasLimit", "must be at least 5000");
  const alloc = Object.entries(record(file["alloc"], "alloc")).map(([address, raw]) =>
    parseAccount(address, raw),
  );
  const seen = new Map(alloc.map((account) => [account.address, account]));
  if (seen.size !== alloc.length) refuse("alloc", "names an address twice");
  for (const contract of [WITHDRAWAL_REQUESTS, CONSOLIDATION_REQUESTS]) {
    if ((seen.get(contract.address)?.code.length ?? 0) === 0) {
      refuse(`alloc.${contract.address}`, "has no code; without this system contract no block is valid");
    }
  }
  return {
    chainId: integer(config["chainId"], "config.chainId", 53),
    fork: parseFork(config, timestamp),
    depositContract: toHex(
      bytes(config["depositContractAddress"] ?? DEPOSIT.address, "config.depositContractAddress", {
        exact: 20,
      }),
    ),
    config,
    header: {
      timestamp,
      gasLimit,
      extraData: bytes(file["extraData"] ?? "0x", "extraData", { max: 32 }),
      mixHash: bytes(file["mixHash"] ?? `0x${"00".repeat(32)}`, "mixHash", { exact: 32 }),
      coinbase: toHex(bytes(file["coinbase"] ?? `0x${"00".repeat(20)}`, "coinbase", { exact: 20 })),
      baseFeePerGas: integer(file["baseFeePerGas"] ?? 1_000_000_000, "baseFeePerGas", 64),
    },
    alloc,
  };
}
