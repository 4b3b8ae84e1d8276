import { DEFAULT_PARAMS, type Genesis, STANDARD_DEPOSIT_CONTRACT, timeFromMs } from "@quorate/chain";
import { sha256 } from "@quorate/crypto";
import type { SigningKey } from "@quorate/privval";
import { EPOCH_MS } from "../core/machine.ts";
import type { CryptoScheme } from "../crypto/keyed-hash.ts";

export interface Timeouts {
  readonly proposeMs: number;
  readonly prevoteMs: number;
  readonly precommitMs: number;
}

export interface ChainShape {
  readonly powers: readonly number[];
  readonly blockIntervalMs: number;
  readonly timeouts: Timeouts;
  readonly execution: "none" | "engine";
  /** Who may change the set; default: nobody does. Then evidence is too old within seconds: who left is forgotten. */
  readonly churn?: "permissioned" | "stake";
  /** Virtual ms; default: two seconds before the start. */
  readonly genesisMs?: number;
  /** Default of both: the product's. */
  readonly maxBlockBytes?: number;
  readonly maxEvidenceBytes?: number;
}

export const CHAIN_ID = "quorate-sim";
const ZERO32 = new Uint8Array(32);
const encoder = new TextEncoder();

export function validatorSeed(index: number): Uint8Array {
  return sha256(encoder.encode(`simulator validator ${index}`));
}

/** The same keys in every run: what a seed draws must not depend on them. */
export function validatorKey(scheme: CryptoScheme, index: number): SigningKey {
  return scheme.key(validatorSeed(index));
}

/** Hash of block 0 of every simulated execution client. */
export const EL_GENESIS: Uint8Array = sha256(encoder.encode("simulated execution client, block 0"));

export function makeGenesis(shape: ChainShape, keys: readonly SigningKey[]): Genesis {
  const { timeouts } = shape;
  const engine = shape.execution === "engine";
  const maxBlockBytes = shape.maxBlockBytes ?? DEFAULT_PARAMS.maxBlockBytes;
  return {
    chainId: CHAIN_ID,
    genesisTime: timeFromMs(EPOCH_MS + (shape.genesisMs ?? -2_000)),
    initialHeight: 1,
    execution: shape.execution,
    evmChainId: engine ? 1337 : 0,
    elGenesisHash: engine ? EL_GENESIS : ZERO32,
    anchorNumber: 0,
    anchorHash: engine ? EL_GENESIS : ZERO32,
    depositContractAddress: shape.churn === "stake" ? STANDARD_DEPOSIT_CONTRACT : new Uint8Array(20),
    params: {
      ...DEFAULT_PARAMS,
      ...(shape.churn === undefined ? {} : { evidenceMaxAgeBlocks: 5, evidenceMaxAgeMs: 4_000 }),
      blockIntervalMs: shape.blockIntervalMs,
      timeoutProposeMs: timeouts.proposeMs,
      timeoutProposeDeltaMs: Math.ceil(timeouts.proposeMs / 2),
      timeoutPrevoteMs: timeouts.prevoteMs,
      timeoutPrevoteDeltaMs: Math.ceil(timeouts.prevoteMs / 2),
      timeoutPrecommitMs: timeouts.precommitMs,
      timeoutPrecommitDeltaMs: Math.ceil(timeouts.precommitMs / 2),
      maxBlockBytes,
      maxEvidenceBytes: Math.min(maxBlockBytes, shape.maxEvidenceBytes ?? DEFAULT_PARAMS.maxEvidenceBytes),
    },
    validators: keys.map((key, index) => ({
      pubKey: key.signer.publicKey,
      power: BigInt(shape.powers[index] ?? 1),
      name: `node${index}`,
      owner: new Uint8Array(20).fill(index + 1),
    })),
    upgrades: [],
  };
}
