/**
 * Points of edwards25519, -x² + y² = 1 + d x² y². One point is one quad, so that its four coordinates are computed at once:
 *
 *   extended  (X, Y, Z, T)               x = X/Z, y = Y/Z, x·y = T/Z
 *   cached    (Y - X, Y + X, 2Z, 2d·T)   an operand of addition; its negative has the first two swapped and the last negated
 *
 * Formulas: Hisil, Wong, Carter, Dawson, "Twisted Edwards Curves Revisited" (2008), section 3.1 (k = 2d) and 3.3. With -1 a
 * square and d none modulo p they are complete: right for every pair of points of the curve, those of small order among them,
 * and Z is never 0. All coordinates stored are tight (field.ts); bounds in units stand beside each step.
 */
import {
  BIAS_0, BIAS_EVEN, BIAS_ODD, LIMB_EVEN, LIMB_ODD,
  add, canonical, carry, limb, multiply, setLimb, square, squareTimes, subtract, zeros, laneAt,
} from "./field";
import { QUAD } from "./layout";

const D: usize = memory.data(160, 16);
const ONE: usize = memory.data(160, 16);
const SQRT_MINUS_ONE: usize = memory.data(160, 16);
/** (1, 1, 2, 2d): turns (Y - X, Y + X, Z, T) into cached form. */
const TO_CACHED: usize = memory.data(160, 16);
/** (0, 1, 1, 0) */
const IDENTITY: usize = memory.data(160, 16);
/** The base point, extended. */
export const BASE: usize = memory.data(160, 16);

// Scratch of this module, each used by one function at a time.
const S1: usize = memory.data(160, 16);
const S2: usize = memory.data(160, 16);
const S3: usize = memory.data(160, 16);
const S4: usize = memory.data(160, 16);

/** Fills one lane of a quad with an element, limbs in order. */
function element(
  quad: usize, lane: i32,
  l0: u32, l1: u32, l2: u32, l3: u32, l4: u32, l5: u32, l6: u32, l7: u32, l8: u32, l9: u32,
): void {
  store<u32>(laneAt(quad, 0, lane), l0);
  store<u32>(laneAt(quad, 1, lane), l1);
  store<u32>(laneAt(quad, 2, lane), l2);
  store<u32>(laneAt(quad, 3, lane), l3);
  store<u32>(laneAt(quad, 4, lane), l4);
  store<u32>(laneAt(quad, 5, lane), l5);
  store<u32>(laneAt(quad, 6, lane), l6);
  store<u32>(laneAt(quad, 7, lane), l7);
  store<u32>(laneAt(quad, 8, lane), l8);
  store<u32>(laneAt(quad, 9, lane), l9);
}

/** Writes the constants. To be called before anything else here. */
export function initialisePoints(): void {
  for (let lane = 0; lane < 4; lane++) {
    // -121665/121666
    element(D, lane, 56195235, 13857412, 51736253, 6949390, 114729, 24766616, 60832955, 30306712, 48412415, 21499315);
    element(ONE, lane, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    // 2^((p-1)/4)
    element(SQRT_MINUS_ONE, lane, 34513072, 25610706, 9377949, 3500415, 12389472, 33281959, 41962654, 31548777, 326685, 11406482);
  }
  element(TO_CACHED, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  element(TO_CACHED, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  element(TO_CACHED, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  element(TO_CACHED, 3, 45281625, 27714825, 36363642, 13898781, 229458, 15978800, 54557047, 27058993, 29715967, 9444199);
  element(IDENTITY, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  element(IDENTITY, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  // The base point of RFC 8032 section 5.1: x, y = 4/5, 1, x·y.
  element(BASE, 0, 52811034, 25909283, 16144682, 17082669, 27570973, 30858332, 40966398, 8378388, 20764389, 8758491);
  element(BASE, 1, 40265304, 26843545, 13421772, 20132659, 26843545, 6710886, 53687091, 13421772, 40265318, 26843545);
  element(BASE, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  element(BASE, 3, 28827043, 27438313, 39759291, 244362, 8635006, 11264893, 19351346, 13413597, 16611511, 27139452);
}

export function setIdentity(out: usize): void {
  memory.copy(out, IDENTITY, QUAD);
}

/** 2p at limb `i`, plus one: -x is ~x + 1 in two's complement, so a lane that is subtracted is inverted and takes this. */
@inline
function biasPlusOne(i: i32): i32 {
  return (i == 0 ? BIAS_0 : i & 1 ? BIAS_ODD : BIAS_EVEN) + 1;
}

/** Limb of (Y - X, Y + X, Z, T), at most 3 units; with `negative` the first two swapped. */
@inline
function addendLimb(out: usize, p: usize, i: i32, negative: bool): void {
  const v = limb(p, i);
  const x = v128.shuffle<i32>(v, i32x4.splat(0), 0, 0, 4, 4);
  const y = v128.shuffle<i32>(v, v, 1, 1, 2, 3);
  const sum = negative
    ? i32x4.add(v128.xor(x, i32x4(0, -1, 0, 0)), i32x4(0, biasPlusOne(i), 0, 0))
    : i32x4.add(v128.xor(x, i32x4(-1, 0, 0, 0)), i32x4(biasPlusOne(i), 0, 0, 0));
  setLimb(out, i, i32x4.add(y, sum));
}

@inline
function addend(out: usize, p: usize, negative: bool): void {
  addendLimb(out, p, 0, negative);
  addendLimb(out, p, 1, negative);
  addendLimb(out, p, 2, negative);
  addendLimb(out, p, 3, negative);
  addendLimb(out, p, 4, negative);
  addendLimb(out, p, 5, negative);
  addendLimb(out, p, 6, negative);
  addendLimb(out, p, 7, negative);
  addendLimb(out, p, 8, negative);
  addendLimb(out, p, 9, negative);
}

/**
 * Limb of (E, G, F, E) into `left` and of (F, H, G, H) into `right`, from m = (A, B, D, C): E = B - A and F = D - C of 3
 * units, H = B + A and G = D + C of 2. `negative`: m = (B, A, D, -C).
 */
@inline
function combineLimb(left: usize, right: usize, m: usize, i: i32, negative: bool): void {
  const v = limb(m, i);
  const k = biasPlusOne(i);
  // (E, H, F, G)
  const s = negative
    ? i32x4.add(
        v128.shuffle<i32>(v, v, 0, 0, 2, 2),
        i32x4.add(v128.xor(v128.shuffle<i32>(v, v, 1, 1, 3, 3), i32x4(-1, 0, 0, -1)), i32x4(k, 0, 0, k)),
      )
    : i32x4.add(
        v128.shuffle<i32>(v, v, 1, 1, 2, 2),
        i32x4.add(v128.xor(v128.shuffle<i32>(v, v, 0, 0, 3, 3), i32x4(-1, 0, -1, 0)), i32x4(k, 0, k, 0)),
      );
  setLimb(left, i, v128.shuffle<i32>(s, s, 0, 3, 2, 0));
  setLimb(right, i, v128.shuffle<i32>(s, s, 2, 1, 3, 1));
}

@inline
function combine(left: usize, right: usize, m: usize, negative: bool): void {
  combineLimb(left, right, m, 0, negative);
  combineLimb(left, right, m, 1, negative);
  combineLimb(left, right, m, 2, negative);
  combineLimb(left, right, m, 3, negative);
  combineLimb(left, right, m, 4, negative);
  combineLimb(left, right, m, 5, negative);
  combineLimb(left, right, m, 6, negative);
  combineLimb(left, right, m, 7, negative);
  combineLimb(left, right, m, 8, negative);
  combineLimb(left, right, m, 9, negative);
}

/** out = p + q, p extended, q cached. `out` may be `p`. */
export function addPoint(out: usize, p: usize, q: usize): void {
  addend(S1, p, false);
  multiply(S2, S1, q); // 3·1
  combine(S3, S4, S2, false);
  multiply(out, S3, S4); // 3·3
}

/** out = p - q, p extended, q cached. `out` may be `p`. */
export function subtractPoint(out: usize, p: usize, q: usize): void {
  addend(S1, p, true);
  multiply(S2, S1, q); // 3·1
  combine(S3, S4, S2, true);
  multiply(out, S3, S4); // 3·3
}

/** out = 2p. `out` may be `p`. */
export function double(out: usize, p: usize): void {
  // (X, Y, Z, X + Y), at most 2 units
  for (let i: usize = 0; i < 160; i += 16) {
    const v = v128.load(p + i);
    const x = v128.shuffle<i32>(v, i32x4.splat(0), 4, 4, 4, 0);
    v128.store(S1 + i, i32x4.add(v128.shuffle<i32>(v, v, 0, 1, 2, 1), x));
  }
  square(S2, S1);
  // With A = X², B = Y², C = Z², S = (X + Y)²: (E, H, G, F) = (A + B - S, A + B, A - B, 2C + A - B), at most 5 units; all four
  // are the negatives of those of the formulas, which cancels in their products.
  for (let i: i32 = 0; i < 10; i++) {
    const v = v128.load(S2 + (<usize>i << 4));
    const k = i == 0 ? BIAS_0 + 1 : i & 1 ? BIAS_ODD + 1 : BIAS_EVEN + 1;
    const b = v128.xor(v128.shuffle<i32>(v, v, 1, 1, 1, 1), i32x4(0, 0, -1, -1));
    const s = v128.xor(v128.shuffle<i32>(v, i32x4.splat(0), 3, 4, 4, 4), i32x4(-1, 0, 0, 0));
    const c = i32x4.shl(v128.shuffle<i32>(v, i32x4.splat(0), 4, 4, 4, 2), 1);
    const bias = v128.and(i32x4.splat(k), i32x4(-1, 0, -1, -1));
    const sum = i32x4.add(i32x4.add(v128.shuffle<i32>(v, v, 0, 0, 0, 0), b), i32x4.add(i32x4.add(s, c), bias));
    v128.store(S1 + (<usize>i << 4), sum);
  }
  carry(S1);
  for (let i: usize = 0; i < 160; i += 16) {
    const v = v128.load(S1 + i);
    v128.store(S3 + i, v128.shuffle<i32>(v, v, 0, 2, 3, 0));
    v128.store(S4 + i, v128.shuffle<i32>(v, v, 3, 1, 2, 1));
  }
  multiply(out, S3, S4); // 1·1
}

/** out = p in cached form. */
export function toCached(out: usize, p: usize): void {
  addend(S1, p, false);
  multiply(out, S1, TO_CACHED); // 3·1
}

const T_POINT: usize = memory.data(160, 16);
const T_DOUBLE: usize = memory.data(160, 16);

/** `count` odd multiples p, 3p, 5p …, cached, at `out`. */
export function oddMultiples(out: usize, p: usize, count: i32): void {
  memory.copy(T_POINT, p, QUAD);
  toCached(out, T_POINT);
  if (count == 1) return;
  double(T_DOUBLE, p);
  toCached(T_DOUBLE, T_DOUBLE);
  for (let i = 1; i < count; i++) {
    addPoint(T_POINT, T_POINT, T_DOUBLE);
    toCached(out + <usize>i * QUAD, T_POINT);
  }
}

const C_POINT: usize = memory.data(160, 16);

/** Whether 8p is the identity: X = 0 and Y = Z. */
export function isSmallOrder(p: usize): bool {
  double(C_POINT, p);
  double(C_POINT, C_POINT);
  double(C_POINT, C_POINT);
  // (X, Y - Z, 0, 0), at most 3 units
  for (let i: i32 = 0; i < 10; i++) {
    const at = C_POINT + (<usize>i << 4);
    const v = v128.load(at);
    const k = i == 0 ? BIAS_0 + 1 : i & 1 ? BIAS_ODD + 1 : BIAS_EVEN + 1;
    const z = v128.xor(v128.shuffle<i32>(v, i32x4.splat(0), 4, 2, 4, 4), i32x4(0, -1, 0, 0));
    const bias = v128.and(i32x4.splat(k), i32x4(0, -1, 0, 0));
    v128.store(at, i32x4.add(v128.shuffle<i32>(v, i32x4.splat(0), 0, 1, 4, 4), i32x4.add(z, bias)));
  }
  return i32x4.all_true(v128.or(zeros(C_POINT), i32x4(0, 0, -1, -1)));
}

const Y: usize = memory.data(160, 16);
const X: usize = memory.data(160, 16);
const T: usize = memory.data(160, 16);
const U: usize = memory.data(160, 16);
const V: usize = memory.data(160, 16);
const W: usize = memory.data(160, 16);
const P0: usize = memory.data(160, 16);
const P1: usize = memory.data(160, 16);
const P2: usize = memory.data(160, 16);

/** The 255 bits of y, not reduced: tight limbs of a value that may be p or above. */
function loadY(quad: usize, lane: i32, bytes: usize): void {
  const w0 = load<u64>(bytes);
  const w1 = load<u64>(bytes, 8);
  const w2 = load<u64>(bytes, 16);
  const w3 = load<u64>(bytes, 24) & 0x7fffffffffffffff;
  element(
    quad, lane,
    <u32>w0 & LIMB_EVEN, <u32>(w0 >> 26) & LIMB_ODD, <u32>((w0 >> 51) | (w1 << 13)) & LIMB_EVEN, <u32>(w1 >> 13) & LIMB_ODD,
    <u32>(w1 >> 38), <u32>w2 & LIMB_ODD, <u32>(w2 >> 25) & LIMB_EVEN, <u32>((w2 >> 51) | (w3 << 13)) & LIMB_ODD,
    <u32>(w3 >> 12) & LIMB_EVEN, <u32>(w3 >> 38),
  );
}

/**
 * Decodes four points by ZIP-215: any encoding of y counts, also y >= p and the sign bit on x = 0. `bytes`: the first
 * encoding, the others each `stride` bytes further. Four extended points at `out`; bit j of the answer tells that the j-th is
 * one, else what stands in its place means nothing.
 */
export function decodePoints(out: usize, bytes: usize, stride: usize): i32 {
  for (let lane = 0; lane < 4; lane++) loadY(Y, lane, bytes + <usize>lane * stride);
  // x² = u/v with u = y² - 1, v = d y² + 1; x = u v³ (u v⁷)^((p-5)/8), times √-1 where v x² = -u (RFC 8032, 5.1.3).
  square(P0, Y);
  multiply(V, P0, D);
  add(V, V, ONE);
  carry(V);
  subtract(U, P0, ONE);
  carry(U);
  square(W, V);
  multiply(W, W, V);
  multiply(X, W, U); // u v³
  square(W, W);
  multiply(W, W, V);
  multiply(W, W, U); // u v⁷
  power(P0, W);
  multiply(X, X, P0);
  square(W, X);
  multiply(W, W, V); // v x²
  subtract(P0, W, U);
  const straight = zeros(P0);
  add(P0, W, U);
  const turned = zeros(P0);
  multiply(W, X, SQRT_MINUS_ONE);
  const turn = v128.andnot(turned, straight);
  for (let i: usize = 0; i < 160; i += 16) v128.store(X + i, v128.bitselect(v128.load(W + i), v128.load(X + i), turn));
  canonical(X);
  // The sign bit is the lowest bit of x; -0 = 0.
  const sign = i32x4(
    load<u8>(bytes, 31) >> 7, load<u8>(bytes + stride, 31) >> 7,
    load<u8>(bytes + 2 * stride, 31) >> 7, load<u8>(bytes + 3 * stride, 31) >> 7,
  );
  const other = i32x4.ne(v128.and(limb(X, 0), i32x4.splat(1)), sign);
  for (let i: usize = 0; i < 160; i += 16) v128.store(P0 + i, i32x4.splat(0));
  subtract(P0, P0, X);
  carry(P0);
  for (let i: usize = 0; i < 160; i += 16) v128.store(X + i, v128.bitselect(v128.load(P0 + i), v128.load(X + i), other));
  multiply(T, X, Y);
  for (let i: usize = 0; i < 160; i += 16) {
    const x = v128.load(X + i);
    const y = v128.load(Y + i);
    const z = v128.load(ONE + i);
    const t = v128.load(T + i);
    const xy = v128.shuffle<i32>(x, y, 0, 4, 1, 5);
    const zt = v128.shuffle<i32>(z, t, 0, 4, 1, 5);
    v128.store(out + i, v128.shuffle<i32>(xy, zt, 0, 1, 4, 5));
    v128.store(out + i, v128.shuffle<i32>(xy, zt, 2, 3, 6, 7), 160);
    const xy2 = v128.shuffle<i32>(x, y, 2, 6, 3, 7);
    const zt2 = v128.shuffle<i32>(z, t, 2, 6, 3, 7);
    v128.store(out + i, v128.shuffle<i32>(xy2, zt2, 0, 1, 4, 5), 320);
    v128.store(out + i, v128.shuffle<i32>(xy2, zt2, 2, 3, 6, 7), 480);
  }
  return i32x4.bitmask(v128.or(straight, turned));
}

/** out = a^((p-5)/8) = a^(2^252 - 3), by runs of ones of length 1, 2, 4, 5, 10, 20, 40, 50, 100, 200, 250. */
function power(out: usize, a: usize): void {
  square(P1, a);
  multiply(P1, P1, a); // 2 ones
  squareTimes(P2, P1, 2);
  multiply(P2, P2, P1); // 4
  square(P2, P2);
  multiply(P1, P2, a); // 5
  squareTimes(P2, P1, 5);
  multiply(P1, P2, P1); // 10
  squareTimes(P2, P1, 10);
  multiply(P2, P2, P1); // 20
  squareTimes(out, P2, 20);
  multiply(P2, out, P2); // 40
  squareTimes(P2, P2, 10);
  multiply(P1, P2, P1); // 50
  squareTimes(P2, P1, 50);
  multiply(P2, P2, P1); // 100
  squareTimes(out, P2, 100);
  multiply(P2, out, P2); // 200
  squareTimes(P2, P2, 50);
  multiply(P2, P2, P1); // 250
  squareTimes(P2, P2, 2);
  multiply(out, P2, a);
}
