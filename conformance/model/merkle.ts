/** RFC 6962 trees and CometBFT's proofs, with the reasons for a refusal; proof places are int64. */
import { sha256 } from "@quorate/crypto";
import type { Proof } from "./values.ts";
import { join } from "./wire.ts";

export const leafHash = (leaf: Uint8Array): Uint8Array => sha256(Uint8Array.of(0), leaf);
export const inner = (left: Uint8Array, right: Uint8Array): Uint8Array =>
  sha256(join(Uint8Array.of(1), left, right));

function split(total: bigint): bigint {
  let half = 1n;
  while (half * 2n < total) half *= 2n;
  return half;
}

/** The root and each leaf's aunts, by the recursive definition of RFC 6962 section 2.1. */
export function tree(leaves: readonly Uint8Array[]): {
  readonly root: Uint8Array;
  readonly proofs: readonly Proof[];
} {
  const aunts: Uint8Array[][] = leaves.map(() => []);
  const build = (from: number, to: number): Uint8Array => {
    if (to - from === 0) return sha256();
    if (to - from === 1) return leafHash(leaves[from]!);
    const middle = from + Number(split(BigInt(to - from)));
    const left = build(from, middle);
    const right = build(middle, to);
    for (let i = from; i < middle; i++) aunts[i]!.push(right);
    for (let i = middle; i < to; i++) aunts[i]!.push(left);
    return inner(left, right);
  };
  const root = build(0, leaves.length);
  const total = BigInt(leaves.length);
  return {
    root,
    proofs: leaves.map((leaf, i) => ({
      total,
      index: BigInt(i),
      leafHash: leafHash(leaf),
      aunts: aunts[i]!,
    })),
  };
}

export const root = (leaves: readonly Uint8Array[]): Uint8Array => tree(leaves).root;

const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

function rootOf(
  index: bigint,
  total: bigint,
  leaf: Uint8Array,
  aunts: readonly Uint8Array[],
): Uint8Array | string {
  if (index >= total || index < 0n || total <= 0n) return "index_or_total";
  if (total === 1n) return aunts.length === 0 ? leaf : "aunt_count";
  const last = aunts.at(-1);
  if (last === undefined) return "aunt_count";
  const half = split(total);
  const rest = aunts.slice(0, -1);
  const child =
    index < half ? rootOf(index, half, leaf, rest) : rootOf(index - half, total - half, leaf, rest);
  if (typeof child === "string") return child;
  return index < half ? inner(child, last) : inner(last, child);
}

/** Proof.Verify. A missing or empty root is nil. */
export function verifyReason(proof: Proof, rootHash: Uint8Array, leaf: Uint8Array): string | null {
  if (rootHash.length === 0) return "nil_root";
  if (proof.total < 0n) return "negative_total";
  if (proof.index < 0n) return "negative_index";
  if (!same(proof.leafHash, leafHash(leaf))) return "leaf_hash_mismatch";
  const computed = rootOf(proof.index, proof.total, proof.leafHash, proof.aunts);
  if (typeof computed === "string") return computed;
  return same(computed, rootHash) ? null : "root_mismatch";
}

/** Proof.ValidateBasic. */
export function basicReason(proof: Proof): string | null {
  if (proof.total < 0n) return "negative_total";
  if (proof.index < 0n) return "negative_index";
  if (proof.leafHash.length !== 32) return "leaf_hash_length";
  if (proof.aunts.length > 100) return "too_many_aunts";
  return proof.aunts.some((aunt) => aunt.length !== 32) ? "aunt_length" : null;
}
