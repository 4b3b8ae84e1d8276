/**
 * ZIP-215 verification of Ed25519 signatures in batches (https://zips.z.cash/zip-0215).
 *
 * Signature (R, S) of M under A holds iff A and R decode, S < L and [8](S·B - k·A - R) = 0 with k = SHA-512(R ‖ A ‖ M). A
 * batch is checked by one equation,
 *
 *   [8]( Σ z·R + Σ (z·k)·A - (Σ z·S)·B ) = 0,
 *
 * with a random 128-bit z for each signature. Valid signatures satisfy it whatever z. If one is not valid, its term is not
 * zero in the prime-order group that [8] leaves, and for all other z given there is one z modulo L, hence at most one of
 * 2^128, that satisfies it. Scalars are reduced modulo L, which changes a term by multiples of L·A: nothing that [8] leaves.
 * A batch of one takes z = 1: exactly the signature's own equation.
 *
 * The sum is computed with joint doublings (Straus) over signed digits of 128-bit scalars; a scalar modulo L is split into
 * a lower part, times A, and an upper part, times 2^128 A, both with tables that are kept for each key. Nothing here is
 * secret: time and memory depend on the values.
 *
 * The host writes inputs by the addresses exported here, in this order: key, item, prepare, coefficients, holds.
 */
import {
  BASE_TABLES, BASE_TABLE_BYTES, BASE_WIDTH, COEFFICIENTS, DIGESTS, DIGITS, DIGITS_END, END, HASHED, KEYS, KEY_OF, KEY_SUMS,
  KEY_TABLES, KEY_TABLE_BYTES, KEY_USED, KEY_WIDTH, MAX_ITEMS, MAX_KEYS, MAX_MESSAGE, PLACES, QUAD, R_TABLES,
  R_TABLE_BYTES, R_WIDTH, SIGNATURES, SUM, WELL_FORMED,
} from "./layout";
import {
  BASE, addPoint, decodePoints, double, initialisePoints, isSmallOrder, oddMultiples, setIdentity, subtractPoint,
} from "./point";
import { addProduct, clearSum, isBelowOrder, negate, reduce } from "./scalar";
import { sha512 } from "./sha512";

export {
  ARGUMENTS, COEFFICIENTS, DIGESTS, KEYS, KEY_OF, MAX_ITEMS, MAX_KEYS, MAX_MESSAGE, MESSAGE, SIGNATURES, WELL_FORMED,
} from "./layout";
// The arithmetic, for tests on the module itself.
export { add, canonical, carry, multiply, square, subtract } from "./field";
export { addPoint, decodePoints, double, isSmallOrder, oddMultiples, subtractPoint, toCached } from "./point";
export { addProduct, isBelowOrder, negate, reduce } from "./scalar";

const DECODED: usize = memory.data(640, 16);
const ENCODED: usize = memory.data(128, 16);
const BASE_SUM: usize = memory.data(96, 16);
const SCALAR: usize = memory.data(32, 16);
const RESULT: usize = memory.data(160, 16);

/** To be called once, first: constants and the tables of the base point. */
export function initialise(): void {
  // The compiler puts its data at --memoryBase; the layout must end below.
  if (DECODED < END) unreachable();
  initialisePoints();
  tables(BASE_TABLES, BASE_TABLE_BYTES, BASE_WIDTH, BASE);
}

/** Tables of p and of 2^128 p. Leaves 2^128 p in `p`. */
function tables(at: usize, bytes: usize, width: usize, p: usize): void {
  const count = 1 << (<i32>width - 2);
  oddMultiples(at, p, count);
  for (let i = 0; i < 128; i++) double(p, p);
  oddMultiples(at + bytes, p, count);
}

/** Makes the tables of the key whose 32 bytes stand at number `key` of KEYS; false if they are no point. */
export function setKey(key: i32): bool {
  if (<u32>key >= <u32>MAX_KEYS) unreachable();
  // Three neutral encodings (y = 1) keep it company: points are decoded by four.
  memory.fill(ENCODED, 0, 128);
  memory.copy(ENCODED, KEYS + (<usize>key << 5), 32);
  store<u8>(ENCODED, 1, 32);
  store<u8>(ENCODED, 1, 64);
  store<u8>(ENCODED, 1, 96);
  if ((decodePoints(DECODED, ENCODED, 32) & 1) == 0) return false;
  tables(keyTable(key), KEY_TABLE_BYTES, KEY_WIDTH, DECODED);
  return true;
}

@inline
function keyTable(key: i32): usize {
  return KEY_TABLES + <usize>key * 2 * KEY_TABLE_BYTES;
}

/** Digest of item `item`, whose signature and key number are set and whose message of `length` bytes stands at MESSAGE. */
export function digest(item: i32, length: i32): void {
  if (<u32>item >= <u32>MAX_ITEMS || <u32>length > <u32>MAX_MESSAGE) unreachable();
  memory.copy(HASHED, SIGNATURES + (<usize>item << 6), 32);
  memory.copy(HASHED + 32, KEYS + (<usize>load<u32>(KEY_OF + (<usize>item << 2)) << 5), 32);
  sha512(DIGESTS + (<usize>item << 6), 64 + length);
}

/** Decodes R and checks S of the first `count` items: sets WELL_FORMED, makes the tables of R. */
export function prepare(count: i32): void {
  if (<u32>count > <u32>MAX_ITEMS) unreachable();
  for (let i = 0; i < count; i += 4) {
    // The last four may reach beyond `count` into what older batches left: decoded, but never used.
    const points = decodePoints(DECODED, SIGNATURES + (<usize>i << 6), 64);
    for (let j = 0; j < 4 && i + j < count; j++) {
      const item = i + j;
      const signature = SIGNATURES + (<usize>item << 6);
      const wellFormed = ((points >> j) & 1) != 0 && isBelowOrder(signature + 32);
      store<u8>(WELL_FORMED + item, wellFormed ? 1 : 0);
      if (wellFormed) oddMultiples(R_TABLES + <usize>item * R_TABLE_BYTES, DECODED + <usize>j * QUAD, 1 << (<i32>R_WIDTH - 2));
    }
  }
}

/** Where the next digit is put. */
let freeDigit: usize = DIGITS;

/**
 * Puts the signed digits of a 128-bit scalar at their places: odd, below 2^(width-1) in absolute value, at least `width`
 * apart (width-w non-adjacent form), so at most 128 / width + 1 of them, the last one at place 128 at most.
 */
function scatter(table: usize, low: u64, high: u64, width: usize): void {
  const mask: u64 = (<u64>1 << width) - 1;
  let place: usize = 0;
  while ((low | high) != 0) {
    if (low == 0) {
      low = high;
      high = 0;
      place += 64;
    }
    const zeros = <usize>ctz<u64>(low);
    if (zeros != 0) {
      low = (low >> zeros) | (high << (64 - zeros));
      high >>= zeros;
      place += zeros;
    }
    const digit = low & mask;
    low = (low >> width) | (high << (64 - width));
    high >>= width;
    let entry = digit;
    let sign: usize = 0;
    if (digit > mask >> 1) {
      // digit - 2^width instead, and one more above: it fits, since `width` bits have just been dropped.
      entry = mask + 1 - digit;
      sign = 1;
      low += 1;
      if (low == 0) high += 1;
    }
    if (freeDigit >= DIGITS_END) unreachable();
    const head = PLACES + (place << 2);
    store<u32>(freeDigit, <u32>(table + <usize>(entry >> 1) * QUAD + sign));
    store<u32>(freeDigit, load<u32>(head), 4);
    store<u32>(head, <u32>freeDigit);
    freeDigit += 8;
    place += width;
  }
}

/** Adds a scalar modulo L of 8 limbs at SCALAR, times the point with these two tables. */
function scatterSplit(table: usize, bytes: usize, width: usize): void {
  scatter(table, load<u64>(SCALAR), load<u64>(SCALAR, 8), width);
  scatter(table + bytes, load<u64>(SCALAR, 16), load<u64>(SCALAR, 24), width);
}

/**
 * Whether the batch equation holds for the well-formed ones among the items `from` up to `to`, with their COEFFICIENTS.
 * True also when there are none.
 */
export function holds(from: i32, to: i32): bool {
  if (from < 0 || from > to || to > <i32>MAX_ITEMS) unreachable();
  memory.fill(PLACES, 0, 129 * 4);
  freeDigit = DIGITS;
  clearSum(BASE_SUM);
  for (let item = from; item < to; item++) {
    if (load<u8>(WELL_FORMED + item) == 0) continue;
    const key = load<u32>(KEY_OF + (<usize>item << 2));
    const used = KEY_USED + (<usize>key << 2);
    const sum = KEY_SUMS + <usize>key * SUM;
    if (load<u32>(used) == 0) clearSum(sum);
    store<u32>(used, load<u32>(used) + 1);
    const z = COEFFICIENTS + (<usize>item << 4);
    addProduct(sum, z, DIGESTS + (<usize>item << 6), 16);
    addProduct(BASE_SUM, z, SIGNATURES + (<usize>item << 6) + 32, 8);
    scatter(R_TABLES + <usize>item * R_TABLE_BYTES, load<u64>(z), load<u64>(z, 8), R_WIDTH);
  }
  for (let item = from; item < to; item++) {
    if (load<u8>(WELL_FORMED + item) == 0) continue;
    const key = load<u32>(KEY_OF + (<usize>item << 2));
    const used = KEY_USED + (<usize>key << 2);
    if (load<u32>(used) == 0) continue;
    store<u32>(used, 0);
    reduce(SCALAR, KEY_SUMS + <usize>key * SUM);
    scatterSplit(keyTable(<i32>key), KEY_TABLE_BYTES, KEY_WIDTH);
  }
  reduce(SCALAR, BASE_SUM);
  negate(SCALAR);
  scatterSplit(BASE_TABLES, BASE_TABLE_BYTES, BASE_WIDTH);
  evaluate();
  return isSmallOrder(RESULT);
}

/** RESULT = the sum of all digits at their places. */
function evaluate(): void {
  setIdentity(RESULT);
  let begun = false;
  for (let place: i32 = 128; place >= 0; place--) {
    if (begun) double(RESULT, RESULT);
    for (let at = <usize>load<u32>(PLACES + (<usize>place << 2)); at != 0; at = load<u32>(at, 4)) {
      begun = true;
      const entry = <usize>load<u32>(at);
      if (entry & 1) subtractPoint(RESULT, RESULT, entry - 1);
      else addPoint(RESULT, RESULT, entry);
    }
  }
}
