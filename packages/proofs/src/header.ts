/** What the functions of ConsensusHeader.sol take, made of a consensus header. */
import { type Header, headerLeaves } from "@quorate/chain";
import { merkleInnerHash, merkleLeafHash, merkleProofs, toHex } from "@quorate/crypto";
import type { Hex } from "viem";

/** Fields of a header that are hashes, by their place among its 14 leaves. */
export const HASH_FIELDS = {
  lastCommitHash: 5,
  dataHash: 6,
  validatorsHash: 7,
  nextValidatorsHash: 8,
  consensusHash: 9,
  appHash: 10,
  lastResultsHash: 11,
  evidenceHash: 12,
} as const;

export type HashField = keyof typeof HASH_FIELDS;

/** Argument `facts` of `requireFacts`. */
export interface HeaderFacts {
  readonly height: bigint;
  readonly validatorsHash: Hex;
  readonly appHash: Hex;
  readonly siblings: readonly [Hex, Hex, Hex, Hex, Hex, Hex, Hex];
}

/** Arguments of `requireHash` behind the timestamp. */
export interface HashProof {
  readonly index: bigint;
  readonly value: Hex;
  readonly aunts: readonly Hex[];
}

/** Height, set and app hash of a header, with the seven hashes that lead from them to its own. */
export function headerFacts(header: Header): HeaderFacts {
  const leaves = headerLeaves(header).map(merkleLeafHash);
  const pair = (left: number): Hex => hex(merkleInnerHash(leaves[left]!, leaves[left + 1]!));
  return {
    height: BigInt(header.height),
    validatorsHash: hex(header.validatorsHash),
    appHash: hex(header.appHash),
    siblings: [pair(0), hex(leaves[3]!), pair(4), hex(leaves[6]!), pair(8), hex(leaves[11]!), pair(12)],
  };
}

/** One hash of a header, with its siblings from the leaf upwards. */
export function hashProof(header: Header, field: HashField): HashProof {
  const index = HASH_FIELDS[field];
  return { ...inclusionProof(headerLeaves(header), index), index: BigInt(index), value: hex(header[field]) };
}

/**
 * Arguments of `included` behind the root: leaf `index` of a Merkle tree (RFC 6962), such as that of `app_hash`, of the
 * registry, or of a block's transactions.
 */
export function inclusionProof(
  leaves: readonly Uint8Array[],
  index: number,
): { readonly index: bigint; readonly total: bigint; readonly leaf: Hex; readonly aunts: readonly Hex[] } {
  const proof = merkleProofs(leaves).proofs[index];
  if (proof === undefined) throw new RangeError(`there is no leaf ${index} of ${leaves.length}`);
  return {
    index: BigInt(index),
    total: BigInt(leaves.length),
    leaf: hex(leaves[index]!),
    aunts: proof.aunts.map(hex),
  };
}

export function hex(bytes: Uint8Array): Hex {
  return `0x${toHex(bytes)}`;
}
