/**
 * Scalars modulo the order L = 2^252 + C of the base point. Numbers are little-endian u32 limbs in memory; sums of products
 * are kept whole and reduced once.
 */
import { SUM } from "./layout";

/** Limbs of a sum: MAX_ITEMS = 2^8 products of a 128-bit coefficient and a 512-bit digest are below 2^648 < 2^672. */
export const SUM_LIMBS: i32 = 21;

const C_LIMBS: usize = memory.data<u32>([0x5cf5d3ed, 0x5812631a, 0xa2f79cd6, 0x14def9de], 16);

/**
 * sum += z·x, z of 4 limbs, x of `limbs` limbs. A step is limb·limb + limb + carry <= (2^32-1)² + 2·(2^32-1) = 2^64 - 1.
 * What is carried beyond the last limb of a product ripples on; by the bound above it ends within the sum.
 */
export function addProduct(sum: usize, z: usize, x: usize, limbs: i32): void {
  for (let i = 0; i < 4; i++) {
    const factor = <u64>load<u32>(z + (<usize>i << 2));
    let at = sum + (<usize>i << 2);
    let carry: u64 = 0;
    for (let j = 0; j < limbs; j++) {
      const t = factor * <u64>load<u32>(x + (<usize>j << 2)) + <u64>load<u32>(at) + carry;
      store<u32>(at, <u32>t);
      carry = t >> 32;
      at += 4;
    }
    while (carry != 0) {
      const t = <u64>load<u32>(at) + carry;
      store<u32>(at, <u32>t);
      carry = t >> 32;
      at += 4;
    }
  }
}

/**
 * out = sum mod L, 8 limbs, below L. Horner from the highest limb: from r < L and the next limb w,
 * x = r·2^32 + w < L·2^32 < 2^285. With q = floor(x / 2^252), x - q·L = (x mod 2^252) - q·C lies between -2^158 and 2^252, so
 * adding L once where it is negative gives x mod L.
 *
 * q <= floor(L·2^32 / 2^252) = 2^32, since C·2^32 < 2^252. A product q·C_i + carry is at most
 * 2^32·(2^32-1) + (2^32-1) = 2^64 - 1, as its carry is again below 2^32.
 */
export function reduce(out: usize, sum: usize): void {
  memory.fill(out, 0, 32);
  for (let i = SUM_LIMBS - 1; i >= 0; i--) {
    const top = <u64>load<u32>(out, 28);
    const next = <u64>load<u32>(out, 24);
    // Bits 252 and above of x: limb 8 of x is limb 7 of r.
    const q = (top << 4) | (next >> 28);
    for (let j: usize = 28; j > 0; j -= 4) store<u32>(out + j, load<u32>(out + j - 4));
    store<u32>(out, <u32>next & 0x0fffffff, 28);
    store<u32>(out, load<u32>(sum + (<usize>i << 2)));
    let carry: u64 = 0;
    let borrow: u64 = 0;
    for (let j: usize = 0; j < 32; j += 4) {
      const t = (j < 16 ? q * <u64>load<u32>(C_LIMBS + j) : 0) + carry;
      carry = t >> 32;
      const difference = <u64>load<u32>(out + j) - (t & 0xffffffff) - borrow;
      store<u32>(out + j, <u32>difference);
      borrow = difference >> 63;
    }
    if (borrow != 0) addOrder(out);
  }
}

/** r += L, dropping what leaves 256 bits: the borrow that it makes up for. */
function addOrder(r: usize): void {
  let carry: u64 = 0;
  for (let j: usize = 0; j < 32; j += 4) {
    const l: u64 = j < 16 ? <u64>load<u32>(C_LIMBS + j) : j == 28 ? 0x10000000 : 0;
    const t = <u64>load<u32>(r + j) + l + carry;
    store<u32>(r + j, <u32>t);
    carry = t >> 32;
  }
}

/** r = L - r, for r <= L: between 0 and L. */
export function negate(r: usize): void {
  let borrow: u64 = 0;
  for (let j: usize = 0; j < 32; j += 4) {
    const l: u64 = j < 16 ? <u64>load<u32>(C_LIMBS + j) : j == 28 ? 0x10000000 : 0;
    const difference = l - <u64>load<u32>(r + j) - borrow;
    store<u32>(r + j, <u32>difference);
    borrow = difference >> 63;
  }
}

/** Whether 32 bytes are a number below L. */
export function isBelowOrder(bytes: usize): bool {
  let borrow: u64 = 0;
  for (let j: usize = 0; j < 32; j += 4) {
    const l: u64 = j < 16 ? <u64>load<u32>(C_LIMBS + j) : j == 28 ? 0x10000000 : 0;
    borrow = (<u64>load<u32>(bytes + j) - l - borrow) >> 63;
  }
  return borrow != 0;
}

export function clearSum(sum: usize): void {
  memory.fill(sum, 0, SUM);
}
