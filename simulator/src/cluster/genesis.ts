import { DEFAULT_PARAMS, type Genesis, STANDARD_DEPOSIT_CONTRACT, timeFromMs } from "@quorate/chain";
import { sha256 } from "@quorate/crypto";
import type { SigningKey } from "@quorate/privval";
import { EPOCH_MS } from "../core/machine.ts";
import type { CryptoScheme } from "../crypto/keyed-hash.ts";
import { ownerOf, peopleOf, validatorSeed } from "./people.ts";

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
  /** What one of the powers stands for; default 1. */
  readonly powerUnit?: bigint;
  /** Nodes whose keys are not in genesis. */
  readonly outside?: readonly number[];
  /** Validators of power 1 in genesis that nobody runs. */
  readonly crowd?: number;
  /** Virtual ms; default: two seconds before the start. */
  readonly genesisMs?: number;
  /** Default of both: the product's. */
  readonly maxBlockBytes?: number;
  readonly maxEvidenceBytes?: number;
}

export const CHAIN_ID = "quorate-sim";
const ZERO32 = new Uint8Array(32);

/** The same keys in every run: what a seed draws must not depend on them. */
export function validatorKey(scheme: CryptoScheme, index: number): SigningKey {
  return scheme.key(validatorSeed(index));
}

/** Hash of block 0 of every simulated execution client. */
export const EL_GENESIS: Uint8Array = sha256(new TextEncoder().encode("simulated execution client, block 0"));

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
    validators: [
      ...keys.flatMap((key, index) =>
        shape.outside?.includes(index) === true
          ? []
          : [
              {
                pubKey: key.signer.publicKey,
                power: BigInt(shape.powers[index] ?? 1) * (shape.powerUnit ?? 1n),
                name: `node${index}`,
                owner: ownerOf(index),
              },
            ],
      ),
      ...crowdOf(shape, keys.length),
    ],
    upgrades: [],
  };
}

function crowdOf({ outside, crowd = 0 }: ChainShape, nodes: number): Genesis["validators"] {
  if (crowd === 0) return [];
  return peopleOf({ validators: nodes, crowd, ...(outside === undefined ? {} : { outside }) })
    .filter(({ part, inGenesis }) => part === "crowd" && inGenesis)
    .map(({ pubKey, owner }, index) => ({ pubKey, owner, power: 1n, name: `absent${index}` }));
}
