/** Consensus params in CometBFT's JSON, derived from the chain's params. */
import type { ChainParams } from "../types.ts";

export interface ConsensusParamsJson {
  readonly block: { readonly max_bytes: string; readonly max_gas: string };
  readonly evidence: {
    readonly max_age_num_blocks: string;
    readonly max_age_duration: string;
    readonly max_bytes: string;
  };
  readonly validator: { readonly pub_key_types: readonly string[] };
  readonly version: { readonly app: string };
  readonly abci: { readonly vote_extensions_enable_height: string };
}

/** max_gas is -1: gas is limited by the EL. Durations are nanoseconds. */
export function consensusParamsJson(params: ChainParams, appVersion: bigint): ConsensusParamsJson {
  return {
    block: { max_bytes: String(params.maxBlockBytes), max_gas: "-1" },
    evidence: {
      max_age_num_blocks: String(params.evidenceMaxAgeBlocks),
      max_age_duration: String(BigInt(params.evidenceMaxAgeMs) * 1_000_000n),
      max_bytes: String(params.maxEvidenceBytes),
    },
    validator: { pub_key_types: ["ed25519"] },
    version: { app: String(appVersion) },
    abci: { vote_extensions_enable_height: "0" },
  };
}
