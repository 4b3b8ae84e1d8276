import { crc32 } from "node:zlib";
import { keccak_256 } from "@noble/hashes/sha3.js";
import {
  BEACON_ROOTS,
  CONSOLIDATION_REQUESTS,
  HISTORY_STORAGE,
  WITHDRAWAL_REQUESTS,
} from "../genesis/system-contracts.ts";
import { dataParam, fromHex, type Hex, quantity, toHex } from "../hex.ts";
import type { PooledTransaction } from "../pool/rules.ts";
import type { Methods } from "../server/jsonrpc.ts";
import { CLIENT_VERSION } from "../version.ts";
import type { EthContext } from "./context.ts";
import { transactionJson } from "./format.ts";

const PRECOMPILES = [
  "ECREC",
  "SHA256",
  "RIPEMD160",
  "ID",
  "MODEXP",
  "BN254_ADD",
  "BN254_MUL",
  "BN254_PAIRING",
  "BLAKE2F",
  "KZG_POINT_EVALUATION",
  "BLS12_G1ADD",
  "BLS12_G1MSM",
  "BLS12_G2ADD",
  "BLS12_G2MSM",
  "BLS12_PAIRING_CHECK",
  "BLS12_MAP_FP_TO_G1",
  "BLS12_MAP_FP2_TO_G2",
];

function addressOf(number: number): Hex {
  return `0x${number.toString(16).padStart(40, "0")}`;
}

/** eth_config (EIP-7910). */
function configOf(context: EthContext): unknown {
  const { spec, chain } = context;
  const schedule = (spec.config["blobSchedule"] ?? {}) as Record<string, unknown>;
  const precompiles = Object.fromEntries(PRECOMPILES.map((name, i) => [name, addressOf(i + 1)]));
  if (spec.fork === "osaka") precompiles["P256VERIFY"] = addressOf(0x100);
  const forkId = crc32(fromHex(chain.genesisHash)).toString(16).padStart(8, "0");
  return {
    current: {
      activationTime: 0,
      blobSchedule: schedule[spec.fork] ?? schedule["prague"] ?? null,
      chainId: quantity(spec.chainId),
      forkId: `0x${forkId}`,
      precompiles,
      systemContracts: {
        BEACON_ROOTS_ADDRESS: BEACON_ROOTS.address,
        CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS: CONSOLIDATION_REQUESTS.address,
        DEPOSIT_CONTRACT_ADDRESS: spec.depositContract,
        HISTORY_STORAGE_ADDRESS: HISTORY_STORAGE.address,
        WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS: WITHDRAWAL_REQUESTS.address,
      },
    },
    next: null,
    last: null,
  };
}

function inspect(entry: PooledTransaction): string {
  const { transaction } = entry;
  const to = transaction.to === undefined ? "contract creation" : transaction.to.toString();
  return `${to}: ${transaction.value} wei + ${transaction.gasLimit} gas × ${entry.feeCap} wei`;
}

/** net_*, web3_*, txpool_* and eth_config. */
export function infoMethods(context: EthContext): Methods {
  const { pool, spec } = context;
  const content = (show: (entry: PooledTransaction) => unknown): unknown => {
    const pending: Record<string, unknown> = {};
    const queued: Record<string, unknown> = {};
    const list = (entries: readonly PooledTransaction[]): unknown =>
      Object.fromEntries(entries.map((entry) => [String(entry.nonce), show(entry)]));
    for (const [address, lists] of pool.content()) {
      if (lists.pending.length > 0) pending[address] = list(lists.pending);
      if (lists.queued.length > 0) queued[address] = list(lists.queued);
    }
    return { pending, queued };
  };
  return {
    eth_config: () => configOf(context),
    net_version: () => String(spec.chainId),
    net_listening: () => true,
    net_peerCount: () => "0x0",
    web3_clientVersion: () => CLIENT_VERSION,
    web3_sha3: (params) => toHex(keccak_256(dataParam(params[0], "data"))),
    txpool_status: () => {
      let pending = 0;
      let queued = 0;
      for (const lists of pool.content().values()) {
        pending += lists.pending.length;
        queued += lists.queued.length;
      }
      return { pending: quantity(pending), queued: quantity(queued) };
    },
    txpool_content: () => content((entry) => transactionJson(entry.transaction, entry.from, undefined)),
    txpool_inspect: () => content(inspect),
  };
}
