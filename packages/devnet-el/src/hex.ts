import { RPC, RpcError } from "./errors.ts";

/** A 0x-prefixed hexadecimal string. */
export type Hex = `0x${string}`;

export const ZERO_HASH: Hex = `0x${"00".repeat(32)}`;
export const ZERO_ADDRESS: Hex = `0x${"00".repeat(20)}`;

/** Minimal hexadecimal of a non-negative integer (the QUANTITY of the JSON-RPC specification). */
export function quantity(value: bigint | number): Hex {
  return `0x${value.toString(16)}`;
}

/** Hexadecimal of bytes (the DATA of the JSON-RPC specification). */
export function toHex(bytes: Uint8Array): Hex {
  return `0x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex")}`;
}

/** Bytes of an even-length 0x string known to be valid; use `dataParam` for input from outside. */
export function fromHex(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex.slice(2), "hex"));
}

/** `value` as `length` big-endian bytes. */
export function padded(value: bigint, length: number): Uint8Array {
  return fromHex(`0x${value.toString(16).padStart(length * 2, "0")}`);
}

/** Big-endian unsigned integer; no bytes are zero. */
export function toBigInt(bytes: Uint8Array): bigint {
  return bytes.length === 0 ? 0n : BigInt(toHex(bytes));
}

function invalid(name: string, expected: string): never {
  throw new RpcError(RPC.INVALID_PARAMS, `invalid ${name}: expected ${expected}`);
}

/** Bytes of a 0x string from outside, optionally of an exact or greatest length. Throws -32602. */
export function dataParam(
  value: unknown,
  name: string,
  limits: { length?: number; max?: number } = {},
): Uint8Array {
  if (typeof value !== "string" || !/^0x([0-9a-fA-F]{2})*$/.test(value)) {
    invalid(name, "0x-prefixed hex of even length");
  }
  const length = (value.length - 2) / 2;
  if (limits.length !== undefined && length !== limits.length) invalid(name, `${limits.length} bytes`);
  if (limits.max !== undefined && length > limits.max) invalid(name, `at most ${limits.max} bytes`);
  return fromHex(value);
}

/** A non-negative integer below 2^`bits`, given as a 0x string. Leading zeros are accepted. Throws -32602. */
export function quantityParam(value: unknown, name: string, bits = 256): bigint {
  if (typeof value !== "string" || !/^0x[0-9a-fA-F]+$/.test(value) || value.length > 130) {
    invalid(name, "a 0x-prefixed quantity");
  }
  const parsed = BigInt(value);
  if (parsed >= 1n << BigInt(bits)) invalid(name, `a quantity below 2^${bits}`);
  return parsed;
}

/** A 20-byte address in lower case. Throws -32602. */
export function addressParam(value: unknown, name: string): Hex {
  return toHex(dataParam(value, name, { length: 20 }));
}

/** A 32-byte hash in lower case. Throws -32602. */
export function hashParam(value: unknown, name: string): Hex {
  return toHex(dataParam(value, name, { length: 32 }));
}

/** A storage slot given as DATA of up to 32 bytes or as a QUANTITY (clients send both). Throws -32602. */
export function slotParam(value: unknown, name: string): Uint8Array {
  if (typeof value !== "string" || !/^0x[0-9a-fA-F]{1,64}$/.test(value))
    invalid(name, "up to 32 bytes of hex");
  return fromHex(`0x${value.slice(2).padStart(64, "0")}`);
}

/** A JSON object. Throws -32602. */
export function objectParam(value: unknown, name: string): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) invalid(name, "an object");
  return value as Readonly<Record<string, unknown>>;
}

/** A JSON array of at most `max` entries. Throws -32602. */
export function arrayParam(value: unknown, name: string, max: number): readonly unknown[] {
  if (!Array.isArray(value)) invalid(name, "an array");
  if (value.length > max) invalid(name, `at most ${max} entries`);
  return value;
}
