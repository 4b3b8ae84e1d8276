import { toHex } from "@quorate/crypto";

/** Thrown inside the decoders of this folder and turned into a `malformed` answer at their border. */
export class ShapeError extends Error {
  override readonly name = "ShapeError";
}

/** QUANTITY of execution-apis: minimal hex. */
export function quantity(value: bigint | number): string {
  return `0x${value.toString(16)}`;
}

/** DATA of execution-apis: even-length hex. */
export function data(bytes: Uint8Array): string {
  return `0x${toHex(bytes)}`;
}

/** DATA of `length` bytes, or of any length up to `max`. */
export function readData(
  value: unknown,
  field: string,
  length: number | { readonly max: number },
): Uint8Array {
  if (typeof value !== "string" || !/^0x(?:[0-9a-fA-F]{2})*$/.test(value))
    throw new ShapeError(`${field}: no hex`);
  const size = value.length / 2 - 1;
  if (typeof length === "number" ? size !== length : size > length.max) {
    throw new ShapeError(`${field}: ${size} bytes`);
  }
  return new Uint8Array(Buffer.from(value.slice(2), "hex"));
}

/** QUANTITY below 2^256. */
export function readQuantity(value: unknown, field: string): bigint {
  if (typeof value !== "string" || !/^0x[0-9a-fA-F]{1,64}$/.test(value))
    throw new ShapeError(`${field}: no quantity`);
  return BigInt(value);
}

/** QUANTITY below 2^64. */
export function readU64(value: unknown, field: string): bigint {
  const wide = readQuantity(value, field);
  if (wide >= 1n << 64n) throw new ShapeError(`${field}: too large`);
  return wide;
}

/** QUANTITY that fits a number exactly. */
export function readNumber(value: unknown, field: string): number {
  const wide = readQuantity(value, field);
  if (wide > BigInt(Number.MAX_SAFE_INTEGER)) throw new ShapeError(`${field}: too large`);
  return Number(wide);
}

export function readArray(value: unknown, field: string, max: number): readonly unknown[] {
  if (!Array.isArray(value) || value.length > max)
    throw new ShapeError(`${field}: no list of at most ${max}`);
  return value;
}

export function readRecord(value: unknown, field: string): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new ShapeError(`${field}: no object`);
  return value as Readonly<Record<string, unknown>>;
}
