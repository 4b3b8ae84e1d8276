import { DEFAULT_PARAMS, type Genesis, type GenesisValidator, timeFromMs } from "@quorate/chain";
import { type ElGenesis, elGenesisHash, makeElGenesis } from "@quorate/devnet-el";
import { DEPOSIT_ADDRESS, depositAccount } from "./deposit-contract.ts";
import { REGISTRY_ADDRESS, registryAccount } from "./registry-contract.ts";

export interface ChainOptions {
  readonly chainId: string;
  readonly evmChainId: number;
  readonly initialHeight: number;
  /** ms since 1970. */
  readonly genesisTimeMs: number;
  readonly execution: "engine" | "none";
  readonly blockIntervalMs: number;
  readonly gasLimit: number;
  readonly validators: readonly GenesisValidator[];
  /** How long evidence counts and stake that left is held, seconds; absent = 48 hours. */
  readonly unbondingS?: number | undefined;
  /** The EL's genesis document; required with execution "engine". */
  readonly elGenesis: unknown;
  /** Hash of EL block initialHeight - 1; absent = the EL's genesis block (initialHeight 1). */
  readonly anchorHash?: Uint8Array;
}

/** Wei of an account that a new chain starts with: one million ether. */
export const PREFUNDED_WEI: bigint = 1_000_000n * 10n ** 18n;

export function makeExecutionGenesis(options: {
  readonly evmChainId: number;
  readonly gasLimit: number;
  readonly genesisTimeMs: number;
  /** Addresses that get {@link PREFUNDED_WEI}. */
  readonly funded: readonly string[];
  /** Address that decides on validators, params and upgrades to begin with; null = stake mode, where nobody does. */
  readonly registryOwner: string | null;
}): ElGenesis {
  const [address, contract] =
    options.registryOwner === null
      ? [DEPOSIT_ADDRESS, depositAccount()]
      : [REGISTRY_ADDRESS, registryAccount(options.registryOwner)];
  return makeElGenesis({
    chainId: options.evmChainId,
    gasLimit: options.gasLimit,
    timestamp: Math.floor(options.genesisTimeMs / 1000),
    depositContractAddress: address,
    alloc: {
      ...Object.fromEntries(options.funded.map((address) => [address, PREFUNDED_WEI])),
      [address]: contract,
    },
  });
}

/** The chain's genesis for these validators; with an EL it names the hash of the EL's own genesis block. */
export async function makeGenesis(options: ChainOptions): Promise<Genesis> {
  const engine = options.execution === "engine";
  const elHash = engine ? await elGenesisHash(options.elGenesis as ElGenesis) : new Uint8Array(32);
  return {
    chainId: options.chainId,
    genesisTime: timeFromMs(options.genesisTimeMs),
    initialHeight: options.initialHeight,
    execution: options.execution,
    evmChainId: engine ? options.evmChainId : 0,
    elGenesisHash: elHash,
    anchorNumber: options.initialHeight - 1,
    anchorHash: options.anchorHash ?? elHash,
    depositContractAddress: engine ? depositContract(options.elGenesis) : new Uint8Array(20),
    params: {
      ...DEFAULT_PARAMS,
      ...unbondingParams(options),
      blockIntervalMs: options.blockIntervalMs,
      gasLimit: options.gasLimit,
    },
    validators: options.validators,
    upgrades: [],
  };
}

/** Evidence counts until it is too old by blocks and by time: of both, time is to be what decides. */
function unbondingParams({
  unbondingS,
  blockIntervalMs,
}: ChainOptions): Partial<Pick<Genesis["params"], "evidenceMaxAgeMs" | "evidenceMaxAgeBlocks">> {
  if (unbondingS === undefined) return {};
  const evidenceMaxAgeMs = unbondingS * 1000;
  return {
    evidenceMaxAgeMs,
    evidenceMaxAgeBlocks: Math.max(1, Math.floor(evidenceMaxAgeMs / Math.max(1, blockIntervalMs))),
  };
}

/** Members of an EL genesis document that the chain's genesis repeats. */
export function elGenesisFacts(document: unknown): {
  readonly chainId: number | null;
  readonly timestamp: number | null;
  /** Deposits decide on the set: the deposit contract is where Ethereum's is. */
  readonly stake: boolean;
} {
  const field = (value: unknown, key: string): unknown =>
    typeof value === "object" && value !== null && key in value
      ? (value as Record<string, unknown>)[key]
      : undefined;
  const number = (value: unknown): number | null => {
    const result = typeof value === "number" || typeof value === "string" ? Number(value) : Number.NaN;
    return Number.isSafeInteger(result) ? result : null;
  };
  return {
    chainId: number(field(field(document, "config"), "chainId")),
    timestamp: number(field(document, "timestamp")),
    stake:
      document !== null && `0x${Buffer.from(depositContract(document)).toString("hex")}` === DEPOSIT_ADDRESS,
  };
}

function depositContract(document: unknown): Uint8Array {
  const config = (document as { config?: { depositContractAddress?: unknown } }).config;
  const address = config?.depositContractAddress;
  if (typeof address !== "string" || !/^0x[0-9a-fA-F]{40}$/.test(address)) return new Uint8Array(20);
  return new Uint8Array(Buffer.from(address.slice(2), "hex"));
}
