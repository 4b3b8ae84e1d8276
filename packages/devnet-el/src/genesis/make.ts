import { createHash } from "node:crypto";
import { DevnetElError } from "../errors.ts";
import { ZERO_ADDRESS, ZERO_HASH } from "../hex.ts";
import {
  BEACON_ROOTS,
  CONSOLIDATION_REQUESTS,
  DEPOSIT,
  HISTORY_STORAGE,
  type SystemContract,
  WITHDRAWAL_REQUESTS,
} from "./system-contracts.ts";
import type { ElGenesis, ElGenesisAccount } from "./types.ts";

/** What differs from one development chain to the next. */
export interface ElGenesisOptions {
  /** EIP-155 chain id, 1 .. 2^53-1 */
  readonly chainId: number | bigint;
  /** gas limit of block 0, which every builder keeps; default 15,000,000 */
  readonly gasLimit?: number | bigint;
  /** seconds since 1970 */
  readonly timestamp: number | bigint;
  /** balances in wei, or whole accounts, by address */
  readonly alloc: Readonly<Record<string, bigint | string | ElGenesisAccount>>;
  /** where deposits of EIP-6110 are read; default the address of the standard contract */
  readonly depositContractAddress?: string;
}

/** Default gas limit: what this client executes within a validator's time limit even when it is hostile. */
export const DEFAULT_GAS_LIMIT = 15_000_000;

const ZERO_BLOCK_FORKS = [
  "homesteadBlock",
  "eip150Block",
  "eip155Block",
  "eip158Block",
  "byzantiumBlock",
  "constantinopleBlock",
  "petersburgBlock",
  "istanbulBlock",
  "muirGlacierBlock",
  "berlinBlock",
  "londonBlock",
  "arrowGlacierBlock",
  "grayGlacierBlock",
  "mergeNetsplitBlock",
];

const BLOB_SCHEDULE = {
  cancun: { target: 3, max: 6, baseFeeUpdateFraction: 3338477 },
  prague: { target: 6, max: 9, baseFeeUpdateFraction: 5007716 },
  osaka: { target: 6, max: 9, baseFeeUpdateFraction: 5007716 },
};

function systemAccount(contract: SystemContract): ElGenesisAccount {
  return { balance: "0x0", nonce: "0x1", code: contract.code };
}

/** Hashes of empty subtrees, which the constructor of the standard deposit contract would have stored. */
function depositStorage(): Record<string, string> {
  const storage: Record<string, string> = {};
  let hash = new Uint8Array(32);
  for (let i = 1; i <= 31; i++) {
    hash = new Uint8Array(createHash("sha256").update(hash).update(hash).digest());
    const slot = (0x21 + i).toString(16).padStart(64, "0");
    storage[`0x${slot}`] = `0x${Buffer.from(hash).toString("hex")}`;
  }
  return storage;
}

function account(value: bigint | string | ElGenesisAccount): ElGenesisAccount {
  if (typeof value === "object") return value;
  return { balance: `0x${BigInt(value).toString(16)}` };
}

/**
 * A genesis in Geth's format: every fork through Osaka at genesis, and the system contracts of EIP-4788, 2935,
 * 7002, 7251 and the standard deposit contract. An account of `alloc` takes the place of a system contract at the
 * same address; the standard deposit contract is left out when `depositContractAddress` names another address
 * that `alloc` fills. Throws DevnetElError GENESIS when a number is out of range.
 */
export function makeElGenesis(options: ElGenesisOptions): ElGenesis {
  const chainId = BigInt(options.chainId);
  if (chainId < 1n || chainId > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new DevnetElError("GENESIS", `chainId must be between 1 and 2^53-1, it is ${chainId}`);
  }
  const deposit = (options.depositContractAddress ?? DEPOSIT.address).toLowerCase();
  const alloc: Record<string, ElGenesisAccount> = {};
  for (const contract of [BEACON_ROOTS, HISTORY_STORAGE, WITHDRAWAL_REQUESTS, CONSOLIDATION_REQUESTS]) {
    alloc[contract.address] = systemAccount(contract);
  }
  if (deposit === DEPOSIT.address) {
    alloc[deposit] = { ...systemAccount(DEPOSIT), storage: depositStorage() };
  }
  for (const [address, value] of Object.entries(options.alloc)) alloc[address.toLowerCase()] = account(value);
  return {
    config: {
      chainId: Number(chainId),
      ...Object.fromEntries(ZERO_BLOCK_FORKS.map((name) => [name, 0])),
      terminalTotalDifficulty: 0,
      terminalTotalDifficultyPassed: true,
      shanghaiTime: 0,
      cancunTime: 0,
      pragueTime: 0,
      osakaTime: 0,
      depositContractAddress: deposit,
      blobSchedule: BLOB_SCHEDULE,
    },
    nonce: "0x0",
    timestamp: `0x${BigInt(options.timestamp).toString(16)}`,
    extraData: "0x",
    gasLimit: `0x${BigInt(options.gasLimit ?? DEFAULT_GAS_LIMIT).toString(16)}`,
    difficulty: "0x0",
    mixHash: ZERO_HASH,
    coinbase: ZERO_ADDRESS,
    baseFeePerGas: "0x3b9aca00",
    alloc,
  };
}
