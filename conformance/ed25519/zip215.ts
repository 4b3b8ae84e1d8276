/**
 * Ed25519 from RFC 8032's formulas alone, in bigints, for judging: ZIP-215's verdict, and the two verdicts that strict
 * implementations give. Slow and independent of every verifier of the product.
 */
import { createHash } from "node:crypto";

const P = 2n ** 255n - 19n;
const L = 2n ** 252n + 27742317777372353535851937790883648493n;

export interface Ed25519Check {
  readonly publicKey: Uint8Array;
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
}

const mod = (value: bigint): bigint => {
  const rest = value % P;
  return rest < 0n ? rest + P : rest;
};

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  let square = mod(base);
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = mod(result * square);
    square = mod(square * square);
  }
  return result;
}

const D = mod(-121665n * power(121666n, P - 2n));
const SQRT_MINUS_ONE = power(2n, (P - 1n) / 4n);

/** Extended homogeneous coordinates: x = X/Z, y = Y/Z, xy = T/Z. */
interface Point {
  readonly X: bigint;
  readonly Y: bigint;
  readonly Z: bigint;
  readonly T: bigint;
}

const IDENTITY: Point = { X: 0n, Y: 1n, Z: 1n, T: 0n };

/** RFC 8032 section 5.1.4: complete, so it also doubles. */
export function add(a: Point, b: Point): Point {
  const A = mod((a.Y - a.X) * (b.Y - b.X));
  const B = mod((a.Y + a.X) * (b.Y + b.X));
  const C = mod(2n * D * a.T * b.T);
  const E = B - A;
  const F = 2n * a.Z * b.Z - C;
  const G = 2n * a.Z * b.Z + C;
  const H = B + A;
  return { X: mod(E * F), Y: mod(G * H), Z: mod(F * G), T: mod(E * H) };
}

export function multiply(scalar: bigint, point: Point): Point {
  let result = IDENTITY;
  let double = point;
  for (let rest = scalar; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = add(result, double);
    double = add(double, double);
  }
  return result;
}

const negate = (point: Point): Point => ({ X: mod(-point.X), Y: point.Y, Z: point.Z, T: mod(-point.T) });
const isIdentity = (point: Point): boolean => mod(point.X) === 0n && mod(point.Y - point.Z) === 0n;

export function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString("hex") || "0"}`);
}

export function toLittleEndian(value: bigint): Uint8Array {
  return new Uint8Array(Buffer.from(value.toString(16).padStart(64, "0"), "hex").reverse());
}

/** RFC 8032 section 5.1.3; `strict` also refuses y >= p and a sign bit on x = 0. */
export function decodePoint(bytes: Uint8Array, strict: boolean): Point | null {
  const encoded = littleEndian(bytes);
  const sign = encoded >> 255n;
  const y = encoded & (2n ** 255n - 1n);
  if (strict && y >= P) return null;
  const y2 = mod(y * y);
  const u = mod(y2 - 1n);
  const v = mod(D * y2 + 1n);
  const v3 = mod(v * v * v);
  let x = mod(u * v3 * power(mod(u * v3 * v3 * v), (P - 5n) / 8n));
  if (mod(v * x * x) !== u) {
    if (mod(v * x * x) !== mod(-u)) return null;
    x = mod(x * SQRT_MINUS_ONE);
  }
  if (x === 0n && sign === 1n && strict) return null;
  if ((x & 1n) !== sign) x = mod(-x);
  return { X: x, Y: mod(y), Z: 1n, T: mod(x * y) };
}

export function encodePoint(point: Point): Uint8Array {
  const inverse = power(point.Z, P - 2n);
  const x = mod(point.X * inverse);
  const y = mod(point.Y * inverse);
  return toLittleEndian(y | ((x & 1n) << 255n));
}

const BASE_Y = mod(4n * power(5n, P - 2n));
export const BASE: Point = decodePoint(toLittleEndian(BASE_Y), true)!;

function equation(check: Ed25519Check, strict: boolean, cofactor: bigint): boolean {
  const { publicKey, message, signature } = check;
  if (publicKey.length !== 32 || signature.length !== 64) return false;
  const S = littleEndian(signature.subarray(32));
  if (S >= L) return false;
  const A = decodePoint(publicKey, strict);
  const R = decodePoint(signature.subarray(0, 32), strict);
  if (A === null || R === null) return false;
  const hash = createHash("sha512")
    .update(signature.subarray(0, 32))
    .update(publicKey)
    .update(message)
    .digest();
  const k = littleEndian(hash) % L;
  // S B - R - k A
  const difference = add(multiply(S, BASE), negate(add(R, multiply(k, A))));
  return isIdentity(multiply(cofactor, difference));
}

/** ZIP-215: any encoding of A and R, S < L, the equation times the cofactor. */
export const zip215 = (check: Ed25519Check): boolean => equation(check, false, 8n);

/** RFC 8032 with canonical encodings: with and without the cofactor, both of which the RFC allows. */
export function strictVerdicts(check: Ed25519Check): {
  readonly cofactored: boolean;
  readonly cofactorless: boolean;
} {
  return { cofactored: equation(check, true, 8n), cofactorless: equation(check, true, 1n) };
}
