import { bytesEqual } from "./bytes.ts";
import { allocate, keyBytes, putKey } from "./platform.ts";
import { sha256, sha256Key } from "./sha256.ts";

/** Inclusion proof of one leaf: sibling hashes from the leaf upwards. */
export interface InclusionProof {
  /** Number of leaves of the tree, >= 1. */
  readonly total: number;
  /** 0 .. total-1. */
  readonly index: number;
  /** 32 bytes. */
  readonly leafHash: Uint8Array;
  /** 32 bytes each, the leaf's sibling first. */
  readonly aunts: readonly Uint8Array[];
}

/** Longest accepted proof (CometBFT crypto/merkle/proof.go): deeper than any tree that fits a 53-bit count. */
export const MAX_AUNTS = 100;

const LEAF = Uint8Array.of(0);
/** Above this a leaf is hashed in two pieces instead of being copied behind its prefix. */
const COPIED_LEAF_BYTES = 4096;

/** RFC 6962 leaf hash: SHA-256(0x00 ‖ leaf). */
export function merkleLeafHash(leaf: Uint8Array): Uint8Array {
  if (leaf.length > COPIED_LEAF_BYTES) return sha256(LEAF, leaf);
  const prefixed = allocate(1 + leaf.length);
  prefixed[0] = 0;
  prefixed.set(leaf, 1);
  return sha256(prefixed);
}

/** RFC 6962 inner hash: SHA-256(0x01 ‖ left ‖ right). */
export function merkleInnerHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  const prefixed = allocate(65);
  prefixed[0] = 1;
  prefixed.set(left, 1);
  prefixed.set(right, 33);
  return sha256(prefixed);
}

/** Largest power of two strictly below `total` (total >= 2): where RFC 6962 splits. */
function splitPoint(total: number): number {
  let split = 1;
  while (split * 2 < total) split *= 2;
  return split;
}

/** Leaves up to this size are put together in memory that all of them share. */
const SHORT_LEAF_BYTES = 255;

/**
 * What is hashed on the way to a root lies here while it is, and the hashes of the way stay texts of one character a byte:
 * an array for each, and one for what it is made of, cost more than the hashing, and a header has 27 of them.
 */
class RootHasher {
  readonly #leaf = new Uint8Array(1 + SHORT_LEAF_BYTES);
  readonly #ofLength: (Uint8Array | undefined)[] = [];
  readonly #inner = new Uint8Array(65).fill(1, 0, 1);

  root(leaves: readonly Uint8Array[], from: number, to: number): string {
    if (to - from === 1) return this.#leafKey(leaves[from]!);
    const middle = from + splitPoint(to - from);
    const left = this.root(leaves, from, middle);
    const right = this.root(leaves, middle, to);
    putKey(left, this.#inner, 1);
    putKey(right, this.#inner, 33);
    return sha256Key(this.#inner);
  }

  #leafKey(leaf: Uint8Array): string {
    const { length } = leaf;
    if (length > SHORT_LEAF_BYTES) return String.fromCharCode(...merkleLeafHash(leaf));
    this.#leaf.set(leaf, 1);
    this.#ofLength[length] ??= new Uint8Array(this.#leaf.buffer, 0, 1 + length);
    return sha256Key(this.#ofLength[length]);
  }
}

const hasher = new RootHasher();

/** RFC 6962 root over the leaves in order; without leaves SHA-256 of nothing. */
export function merkleRoot(leaves: readonly Uint8Array[]): Uint8Array {
  return leaves.length === 0 ? sha256() : keyBytes(hasher.root(leaves, 0, leaves.length));
}

/** The root and the inclusion proof of every leaf. */
export function merkleProofs(leaves: readonly Uint8Array[]): {
  root: Uint8Array;
  proofs: InclusionProof[];
} {
  const hashes = leaves.map(merkleLeafHash);
  const aunts: Uint8Array[][] = hashes.map(() => []);
  const build = (from: number, to: number): Uint8Array => {
    if (to - from === 1) return hashes[from]!;
    const middle = from + splitPoint(to - from);
    const left = build(from, middle);
    const right = build(middle, to);
    for (let i = from; i < middle; i++) aunts[i]!.push(right);
    for (let i = middle; i < to; i++) aunts[i]!.push(left);
    return merkleInnerHash(left, right);
  };
  const root = hashes.length === 0 ? sha256() : build(0, hashes.length);
  const proofs = hashes.map((leafHash, index) => ({
    total: hashes.length,
    index,
    leafHash,
    aunts: aunts[index]!,
  }));
  return { root, proofs };
}

function rootOfProof(
  total: number,
  index: number,
  hash: Uint8Array,
  aunts: readonly Uint8Array[],
): Uint8Array | null {
  if (total === 1) return aunts.length === 0 ? hash : null;
  if (aunts.length === 0) return null;
  const split = splitPoint(total);
  const below = aunts.slice(0, -1);
  const sibling = aunts[aunts.length - 1]!;
  if (index < split) {
    const left = rootOfProof(split, index, hash, below);
    return left && merkleInnerHash(left, sibling);
  }
  const right = rootOfProof(total - split, index - split, hash, below);
  return right && merkleInnerHash(sibling, right);
}

/**
 * The root that a proof leads to from its own leaf hash; null when total, index and number of aunts do not fit.
 */
export function merkleProofRoot(proof: InclusionProof): Uint8Array | null {
  const { total, index, leafHash, aunts } = proof;
  if (!Number.isSafeInteger(total) || !Number.isSafeInteger(index)) return null;
  if (index < 0 || index >= total || aunts.length > MAX_AUNTS) return null;
  if (leafHash.length !== 32 || aunts.some((aunt) => aunt.length !== 32)) return null;
  return rootOfProof(total, index, leafHash, aunts);
}

/**
 * Whether `leaf` stands under `root` by this proof. A proof may verify with a total other than the tree's own
 * (leaf 0 of 3 also reads as leaf 0 of 4): a caller that relies on `total` or `index` compares them itself.
 */
export function verifyMerkleProof(root: Uint8Array, proof: InclusionProof, leaf: Uint8Array): boolean {
  if (!bytesEqual(merkleLeafHash(leaf), proof.leafHash)) return false;
  const computed = merkleProofRoot(proof);
  return computed !== null && bytesEqual(computed, root);
}
