/** The app hash: what every node agrees on about a height, signed in the header of the next one (DESIGN §3a). */
import { merkleRoot } from "@quorate/crypto";
import { ByteWriter } from "../bytes.ts";
import { remembered } from "../memo.ts";
import { paramsRoot } from "../params/params.ts";
import { registryRoot } from "../registry/registry.ts";
import type { ChainParams, Hash, Registry, ValidatorSet } from "../types.ts";

const APP_HASH_VERSION = 0x01;

const registryRootOf = remembered<Registry, Hash>(registryRoot);
const paramsRootOf = remembered<ChainParams, Hash>(paramsRoot);

export interface AppHashInput {
  /** EL block hash of H; data hash of H on a chain without EL; the anchor hash for genesis. */
  readonly elHash: Hash;
  readonly registry: Registry;
  /** Params in force for H+1. */
  readonly params: ChainParams;
  /** Set of H+1, priorities advanced for it. */
  readonly validators: ValidatorSet;
}

/** app_hash of header H+1: RFC-6962 root of [0x01 ‖ EL hash, registry root, params root, priority root]. */
export function appHashOf(input: AppHashInput): Hash {
  const elLeaf = new Uint8Array(1 + input.elHash.length);
  elLeaf[0] = APP_HASH_VERSION;
  elLeaf.set(input.elHash, 1);
  return merkleRoot([
    elLeaf,
    registryRootOf(input.registry),
    paramsRootOf(input.params),
    priorityRoot(input.validators),
  ]);
}

/** Root of `address[20] ‖ i64 priority` in set order: lets a syncing node verify what no header hash covers. */
export function priorityRoot(set: ValidatorSet): Hash {
  return merkleRoot(
    set.validators.map((validator) =>
      new ByteWriter(28).bytes(validator.address).i64(validator.priority).finish(),
    ),
  );
}
