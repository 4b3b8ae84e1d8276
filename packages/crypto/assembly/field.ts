/**
 * Arithmetic modulo p = 2^255 - 19 on four elements at a time ("quads"), one per 32-bit lane.
 *
 * An element is the sum of ten unsigned limbs, limb i of weight 2^ceil(25.5 i): even limbs have 26 bits, odd ones 25, and
 * 2^255 = 19 closes the circle. All limbs are below 2^32, all sums of products below 2^64; nothing is negative. Bounds are
 * counted in units: an element has **k units** when its even limbs are below k·2^26 and its odd ones below k·(2^25 + 2^18).
 *
 *   tight  1 unit: what multiply, square, carry and the decoding of bytes give
 *   2p     2 units: what is added before a subtraction, limb by limb at least as large as any tight element
 *
 *   multiply(a, b) takes units(a)·units(b) <= 28, units(b) <= 3, units(a) <= 32
 *   square(a)      takes units(a) <= 3
 *
 * Why these suffice. The largest column is h0 = a0 b0 + 19·(2 a1 b9 + a2 b8 + … + 2 a9 b1): one product of even limbs, and
 * times 19 four products of even and five doubled products of odd limbs. With units A and B that is below
 * A·B·(2^52 + 19·(4·2^52 + 5·2·(2^25 + 2^18)^2)) < A·B·2^52·126.1 < A·B·2^58.98; for A·B <= 28 below 2^63.8, which leaves
 * room for the carry, below 2^42, that each column receives. Limbs multiplied beforehand stay below 2^32: 19 b with
 * B <= 3: 19·3·2^26 < 2^31.84 (odd limbs: half of it); 2 a for odd limbs with A <= 32: 2·32·(2^25 + 2^18) < 2^31.02; 4 a
 * with A <= 3 likewise.
 *
 * Why the result is tight. A column is below 2^64 and hands on its bits from 26 (25) upwards: below 2^39. Carries go
 * 0→1→2→3→4 and 4→5→6→7→8 side by side, then 4→5, 8→9→0→1. At the end limbs 0, 2, 3, 4, 6, 7, 8 and 9 have been masked last.
 * Limb 4, masked, took at most 2^39 from limb 3 and gave limb 5 at most (2^26 + 2^39) / 2^26 < 2^14; limb 8 likewise gave
 * limb 9 less than 2^14, before that was carried; limb 9, below 2^64, gave limb 0 at most 19·2^39 < 2^43.3, which gave
 * limb 1 less than 2^17.4. So limbs 1 and 5 are below 2^25 + 2^18, the others below their own width.
 */

export const LIMB_EVEN: i32 = 0x3ffffff;
export const LIMB_ODD: i32 = 0x1ffffff;
/** The limbs of 2p. */
export const BIAS_0: i32 = 0x7ffffda;
export const BIAS_EVEN: i32 = 0x7fffffe;
export const BIAS_ODD: i32 = 0x3fffffe;

/** Limb `i` of the quad at `quad`. */
@inline
export function limb(quad: usize, i: i32): v128 {
  return v128.load(quad + (<usize>i << 4));
}

/** Sets limb `i` of the quad at `quad`. */
@inline
export function setLimb(quad: usize, i: i32, value: v128): void {
  v128.store(quad + (<usize>i << 4), value);
}

/** Products of two lanes as two u64: of lanes 0 and 1, or of lanes 2 and 3. */
@inline
function product(upper: bool, a: v128, b: v128): v128 {
  return upper ? i64x2.extmul_high_i32x4_u(a, b) : i64x2.extmul_low_i32x4_u(a, b);
}

@inline
function five(upper: bool, a: v128, b: v128, c: v128, d: v128, e: v128, f: v128, g: v128, h: v128, i: v128, j: v128): v128 {
  return i64x2.add(
    i64x2.add(i64x2.add(product(upper, a, b), product(upper, c, d)), i64x2.add(product(upper, e, f), product(upper, g, h))),
    product(upper, i, j),
  );
}

@inline
function times19(a: v128): v128 {
  return i32x4.mul(a, i32x4.splat(19));
}

/** Carried columns of lanes 0 and 1, while those of lanes 2 and 3 are computed. */
const HALF: usize = memory.data(160, 16);

/** Carries ten columns of two lanes; the lower half is kept, the upper one joined with it and stored. */
@inline
function finish(
  upper: bool, out: usize,
  h0: v128, h1: v128, h2: v128, h3: v128, h4: v128, h5: v128, h6: v128, h7: v128, h8: v128, h9: v128,
): void {
  const even = i64x2.splat(LIMB_EVEN);
  const odd = i64x2.splat(LIMB_ODD);
  let c = i64x2.shr_u(h0, 26);
  let d = i64x2.shr_u(h4, 26);
  h1 = i64x2.add(h1, c);
  h5 = i64x2.add(h5, d);
  h0 = v128.and(h0, even);
  h4 = v128.and(h4, even);
  c = i64x2.shr_u(h1, 25);
  d = i64x2.shr_u(h5, 25);
  h2 = i64x2.add(h2, c);
  h6 = i64x2.add(h6, d);
  h1 = v128.and(h1, odd);
  h5 = v128.and(h5, odd);
  c = i64x2.shr_u(h2, 26);
  d = i64x2.shr_u(h6, 26);
  h3 = i64x2.add(h3, c);
  h7 = i64x2.add(h7, d);
  h2 = v128.and(h2, even);
  h6 = v128.and(h6, even);
  c = i64x2.shr_u(h3, 25);
  d = i64x2.shr_u(h7, 25);
  h4 = i64x2.add(h4, c);
  h8 = i64x2.add(h8, d);
  h3 = v128.and(h3, odd);
  h7 = v128.and(h7, odd);
  c = i64x2.shr_u(h4, 26);
  d = i64x2.shr_u(h8, 26);
  h5 = i64x2.add(h5, c);
  h9 = i64x2.add(h9, d);
  h4 = v128.and(h4, even);
  h8 = v128.and(h8, even);
  c = i64x2.shr_u(h9, 25);
  h9 = v128.and(h9, odd);
  // 19 c = 16 c + 2 c + c
  h0 = i64x2.add(h0, i64x2.add(i64x2.add(i64x2.shl(c, 4), i64x2.shl(c, 1)), c));
  c = i64x2.shr_u(h0, 26);
  h0 = v128.and(h0, even);
  h1 = i64x2.add(h1, c);
  keep(upper, out, 0, h0);
  keep(upper, out, 1, h1);
  keep(upper, out, 2, h2);
  keep(upper, out, 3, h3);
  keep(upper, out, 4, h4);
  keep(upper, out, 5, h5);
  keep(upper, out, 6, h6);
  keep(upper, out, 7, h7);
  keep(upper, out, 8, h8);
  keep(upper, out, 9, h9);
}

@inline
function keep(upper: bool, out: usize, i: i32, h: v128): void {
  if (upper) setLimb(out, i, v128.shuffle<i32>(limb(HALF, i), h, 0, 2, 4, 6));
  else setLimb(HALF, i, h);
}

@inline
function multiplyHalf(
  upper: bool, out: usize,
  a0: v128, a1: v128, a2: v128, a3: v128, a4: v128, a5: v128, a6: v128, a7: v128, a8: v128, a9: v128,
  t1: v128, t3: v128, t5: v128, t7: v128, t9: v128,
  b0: v128, b1: v128, b2: v128, b3: v128, b4: v128, b5: v128, b6: v128, b7: v128, b8: v128, b9: v128,
  n1: v128, n2: v128, n3: v128, n4: v128, n5: v128, n6: v128, n7: v128, n8: v128, n9: v128,
): void {
  // Column k sums a_i b_j over i + j = k and, times 19, over i + j = k + 10; two odd limbs count double, since
  // 2^ceil(25.5 i)·2^ceil(25.5 j) is twice the weight of limb i + j then.
  const h0 = i64x2.add(five(upper, a0, b0, t1, n9, a2, n8, t3, n7, a4, n6), five(upper, t5, n5, a6, n4, t7, n3, a8, n2, t9, n1));
  const h1 = i64x2.add(five(upper, a0, b1, a1, b0, a2, n9, a3, n8, a4, n7), five(upper, a5, n6, a6, n5, a7, n4, a8, n3, a9, n2));
  const h2 = i64x2.add(five(upper, a0, b2, t1, b1, a2, b0, t3, n9, a4, n8), five(upper, t5, n7, a6, n6, t7, n5, a8, n4, t9, n3));
  const h3 = i64x2.add(five(upper, a0, b3, a1, b2, a2, b1, a3, b0, a4, n9), five(upper, a5, n8, a6, n7, a7, n6, a8, n5, a9, n4));
  const h4 = i64x2.add(five(upper, a0, b4, t1, b3, a2, b2, t3, b1, a4, b0), five(upper, t5, n9, a6, n8, t7, n7, a8, n6, t9, n5));
  const h5 = i64x2.add(five(upper, a0, b5, a1, b4, a2, b3, a3, b2, a4, b1), five(upper, a5, b0, a6, n9, a7, n8, a8, n7, a9, n6));
  const h6 = i64x2.add(five(upper, a0, b6, t1, b5, a2, b4, t3, b3, a4, b2), five(upper, t5, b1, a6, b0, t7, n9, a8, n8, t9, n7));
  const h7 = i64x2.add(five(upper, a0, b7, a1, b6, a2, b5, a3, b4, a4, b3), five(upper, a5, b2, a6, b1, a7, b0, a8, n9, a9, n8));
  const h8 = i64x2.add(five(upper, a0, b8, t1, b7, a2, b6, t3, b5, a4, b4), five(upper, t5, b3, a6, b2, t7, b1, a8, b0, t9, n9));
  const h9 = i64x2.add(five(upper, a0, b9, a1, b8, a2, b7, a3, b6, a4, b5), five(upper, a5, b4, a6, b3, a7, b2, a8, b1, a9, b0));
  finish(upper, out, h0, h1, h2, h3, h4, h5, h6, h7, h8, h9);
}

/** out = a·b, tight. `out` may be `a` or `b`. */
export function multiply(out: usize, a: usize, b: usize): void {
  const a0 = limb(a, 0), a1 = limb(a, 1), a2 = limb(a, 2), a3 = limb(a, 3), a4 = limb(a, 4);
  const a5 = limb(a, 5), a6 = limb(a, 6), a7 = limb(a, 7), a8 = limb(a, 8), a9 = limb(a, 9);
  const b0 = limb(b, 0), b1 = limb(b, 1), b2 = limb(b, 2), b3 = limb(b, 3), b4 = limb(b, 4);
  const b5 = limb(b, 5), b6 = limb(b, 6), b7 = limb(b, 7), b8 = limb(b, 8), b9 = limb(b, 9);
  const t1 = i32x4.shl(a1, 1), t3 = i32x4.shl(a3, 1), t5 = i32x4.shl(a5, 1), t7 = i32x4.shl(a7, 1), t9 = i32x4.shl(a9, 1);
  const n1 = times19(b1), n2 = times19(b2), n3 = times19(b3), n4 = times19(b4), n5 = times19(b5);
  const n6 = times19(b6), n7 = times19(b7), n8 = times19(b8), n9 = times19(b9);
  multiplyHalf(false, out, a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, t1, t3, t5, t7, t9,
    b0, b1, b2, b3, b4, b5, b6, b7, b8, b9, n1, n2, n3, n4, n5, n6, n7, n8, n9);
  multiplyHalf(true, out, a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, t1, t3, t5, t7, t9,
    b0, b1, b2, b3, b4, b5, b6, b7, b8, b9, n1, n2, n3, n4, n5, n6, n7, n8, n9);
}

@inline
function squareHalf(
  upper: bool, out: usize,
  a0: v128, a1: v128, a2: v128, a3: v128, a4: v128, a5: v128, a6: v128, a7: v128, a8: v128, a9: v128,
  t0: v128, t1: v128, t2: v128, t3: v128, t4: v128, t5: v128, t6: v128, t7: v128, t8: v128, t9: v128,
  q1: v128, q3: v128, q5: v128, q7: v128,
  n5: v128, n6: v128, n7: v128, n8: v128, n9: v128,
): void {
  // The columns of multiplyHalf with a = b, each mixed product once and doubled: t = 2 a, q = 4 a, n = 19 a.
  const h0 = i64x2.add(five(upper, a0, a0, q1, n9, t2, n8, q3, n7, t4, n6), product(upper, t5, n5));
  const h1 = five(upper, t0, a1, t2, n9, t3, n8, t4, n7, t5, n6);
  const h2 = i64x2.add(five(upper, t0, a2, t1, a1, q3, n9, t4, n8, q5, n7), product(upper, a6, n6));
  const h3 = five(upper, t0, a3, t1, a2, t4, n9, t5, n8, t6, n7);
  const h4 = i64x2.add(five(upper, t0, a4, q1, a3, a2, a2, q5, n9, t6, n8), product(upper, t7, n7));
  const h5 = five(upper, t0, a5, t1, a4, t2, a3, t6, n9, t7, n8);
  const h6 = i64x2.add(five(upper, t0, a6, q1, a5, t2, a4, t3, a3, q7, n9), product(upper, a8, n8));
  const h7 = five(upper, t0, a7, t1, a6, t2, a5, t3, a4, t8, n9);
  const h8 = i64x2.add(five(upper, t0, a8, q1, a7, t2, a6, q3, a5, a4, a4), product(upper, t9, n9));
  const h9 = five(upper, t0, a9, t1, a8, t2, a7, t3, a6, t4, a5);
  finish(upper, out, h0, h1, h2, h3, h4, h5, h6, h7, h8, h9);
}

/** out = a², tight. `out` may be `a`. */
export function square(out: usize, a: usize): void {
  const a0 = limb(a, 0), a1 = limb(a, 1), a2 = limb(a, 2), a3 = limb(a, 3), a4 = limb(a, 4);
  const a5 = limb(a, 5), a6 = limb(a, 6), a7 = limb(a, 7), a8 = limb(a, 8), a9 = limb(a, 9);
  const t0 = i32x4.shl(a0, 1), t1 = i32x4.shl(a1, 1), t2 = i32x4.shl(a2, 1), t3 = i32x4.shl(a3, 1), t4 = i32x4.shl(a4, 1);
  const t5 = i32x4.shl(a5, 1), t6 = i32x4.shl(a6, 1), t7 = i32x4.shl(a7, 1), t8 = i32x4.shl(a8, 1), t9 = i32x4.shl(a9, 1);
  const q1 = i32x4.shl(a1, 2), q3 = i32x4.shl(a3, 2), q5 = i32x4.shl(a5, 2), q7 = i32x4.shl(a7, 2);
  const n5 = times19(a5), n6 = times19(a6), n7 = times19(a7), n8 = times19(a8), n9 = times19(a9);
  squareHalf(false, out, a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, t0, t1, t2, t3, t4, t5, t6, t7, t8, t9, q1, q3, q5, q7,
    n5, n6, n7, n8, n9);
  squareHalf(true, out, a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, t0, t1, t2, t3, t4, t5, t6, t7, t8, t9, q1, q3, q5, q7,
    n5, n6, n7, n8, n9);
}

/** out = a^(2^times), tight; times >= 1. */
export function squareTimes(out: usize, a: usize, times: i32): void {
  square(out, a);
  for (let i = 1; i < times; i++) square(out, out);
}

@inline
function biasOf(i: i32): v128 {
  return i32x4.splat(i == 0 ? BIAS_0 : i & 1 ? BIAS_ODD : BIAS_EVEN);
}

/** out = a + b, of the sum of their units. */
export function add(out: usize, a: usize, b: usize): void {
  for (let i: usize = 0; i < 160; i += 16) v128.store(out + i, i32x4.add(v128.load(a + i), v128.load(b + i)));
}

/** out = a - b, of two units more than `a`; `b` must be tight. */
export function subtract(out: usize, a: usize, b: usize): void {
  setLimb(out, 0, i32x4.sub(i32x4.add(limb(a, 0), biasOf(0)), limb(b, 0)));
  setLimb(out, 1, i32x4.sub(i32x4.add(limb(a, 1), biasOf(1)), limb(b, 1)));
  for (let i: usize = 32; i < 160; i += 32) {
    v128.store(out + i, i32x4.sub(i32x4.add(v128.load(a + i), biasOf(2)), v128.load(b + i)));
    v128.store(out + i, i32x4.sub(i32x4.add(v128.load(a + i, 16), biasOf(1)), v128.load(b + i, 16)), 16);
  }
}

/**
 * One round of carries, all limbs at once, in place: of at most 32 units (limbs below 2^32) tight. Each limb hands on
 * less than 2^7, limb 9 to limb 0 19 times that: an odd limb ends below 2^25 + 2^7, limb 0 below 2^26 + 19·2^7 and even limbs
 * below 2^26 + 2^7. That is above one unit by less than 2^-14 of it: products with it stay within the bounds above, which
 * leave a tenth unused; what must be tight to be subtracted from 2p is far below it.
 */
export function carry(a: usize): void {
  const even = i32x4.splat(LIMB_EVEN);
  const odd = i32x4.splat(LIMB_ODD);
  const a9 = limb(a, 9);
  let c = i32x4.mul(i32x4.shr_u(a9, 25), i32x4.splat(19));
  for (let i: usize = 0; i < 160; i += 32) {
    const low = v128.load(a + i);
    const high = v128.load(a + i, 16);
    v128.store(a + i, i32x4.add(v128.and(low, even), c));
    v128.store(a + i, i32x4.add(v128.and(high, odd), i32x4.shr_u(low, 26)), 16);
    c = i32x4.shr_u(high, 25);
  }
}

/**
 * The one representation below p, in place, of limbs below 2^32 - 2^7.
 *
 * The first pass of carries, from limb 0 to limb 9 and 19 times what is above 2^255 back to limb 0, leaves all limbs
 * masked but limb 0 (below 2^26 + 19·2^7); the second the same with a last carry of 0 or 1, and of that only when limbs 1 to
 * 9 were all ones, so afterwards the value is below 2^255. It is at least p exactly if value + 19 reaches 2^255; then
 * adding 19 and dropping bit 255 subtracts p.
 */
export function canonical(a: usize): void {
  pass(a, i32x4.splat(0), true);
  pass(a, i32x4.splat(0), true);
  // Is there a carry out of value + 19?
  let q = i32x4.splat(19);
  for (let i: usize = 0; i < 160; i += 32) {
    q = i32x4.shr_u(i32x4.add(v128.load(a + i), q), 26);
    q = i32x4.shr_u(i32x4.add(v128.load(a + i, 16), q), 25);
  }
  pass(a, times19(q), false);
}

/** Carries one after the other, beginning with `c` into limb 0; `close` brings back what leaves limb 9, else it is dropped. */
function pass(a: usize, c: v128, close: bool): void {
  const even = i32x4.splat(LIMB_EVEN);
  const odd = i32x4.splat(LIMB_ODD);
  for (let i: usize = 0; i < 160; i += 32) {
    const low = i32x4.add(v128.load(a + i), c);
    v128.store(a + i, v128.and(low, even));
    const high = i32x4.add(v128.load(a + i, 16), i32x4.shr_u(low, 26));
    v128.store(a + i, v128.and(high, odd), 16);
    c = i32x4.shr_u(high, 25);
  }
  if (close) setLimb(a, 0, i32x4.add(limb(a, 0), times19(c)));
}

/** Per lane all ones where the element is zero modulo p, else 0. Makes `a` canonical. */
export function zeros(a: usize): v128 {
  canonical(a);
  let any = limb(a, 0);
  for (let i: usize = 16; i < 160; i += 16) any = v128.or(any, v128.load(a + i));
  return i32x4.eq(any, i32x4.splat(0));
}

/** Lane `lane` of limb `i`. */
@inline
export function laneAt(quad: usize, i: i32, lane: i32): usize {
  return quad + (<usize>((i << 4) + (lane << 2)));
}
