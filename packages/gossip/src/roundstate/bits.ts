import type { BitArray } from "../types.ts";

/** All zero. */
export function emptyBits(size: number): BitArray {
  return { size, bits: new Uint8Array((size + 7) >> 3) };
}

/** Ones at these positions; positions outside the array are left out. */
export function bitsOf(size: number, positions: Iterable<number>): BitArray {
  const array = emptyBits(size);
  for (const position of positions) {
    if (position >= 0 && position < size) array.bits[position >> 3]! |= 1 << (position & 7);
  }
  return array;
}

/** False outside the array. */
export function hasBit(array: BitArray, position: number): boolean {
  if (position < 0 || position >= array.size) return false;
  return ((array.bits[position >> 3] ?? 0) & (1 << (position & 7))) !== 0;
}

export function countBits(array: BitArray): number {
  let count = 0;
  for (let i = 0; i < array.size; i++) if (hasBit(array, i)) count++;
  return count;
}

/** Positions set in `have` and not in `other`, ascending; what `other` does not cover counts as not set. */
export function missingBits(have: BitArray, other: BitArray | null): number[] {
  const missing: number[] = [];
  for (let byte = 0; byte < have.bits.length; byte++) {
    const rest = have.bits[byte]! & ~(other?.bits[byte] ?? 0);
    if (rest === 0) continue;
    for (let bit = 0; bit < 8; bit++) {
      const position = byte * 8 + bit;
      if (rest & (1 << bit) && position < have.size) missing.push(position);
    }
  }
  return missing;
}

/** True when a position set in `before` is not set in `after`: its owner forgot something. */
export function lostBits(before: BitArray, after: BitArray): boolean {
  for (let byte = 0; byte < before.bits.length; byte++) {
    if (before.bits[byte]! & ~(after.bits[byte] ?? 0)) return true;
  }
  return false;
}
