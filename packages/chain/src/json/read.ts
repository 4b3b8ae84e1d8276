/** Values of CometBFT's JSON, checked; what is none of its kind is refused with ChainError `DECODE`. */
import { fromHex } from "@quorate/crypto";
import { ChainError } from "../errors.ts";
import { MAX_EVIDENCE, MAX_VALIDATORS } from "../limits.ts";
import { parseTime } from "../time.ts";
import type { Time } from "../types.ts";
import { fromBase64 } from "./base64.ts";

const MIN_INT64 = -(2n ** 63n);
const MAX_UINT64 = 2n ** 64n - 1n;

export type Json = Readonly<Record<string, unknown>>;

export function malformed(what: string): ChainError {
  return new ChainError("DECODE", `in JSON: ${what}`, {});
}

export function readObject(value: unknown, what: string): Json {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw malformed(`${what} is no object`);
  return value as Json;
}

export function readList(value: unknown, what: string): readonly unknown[] {
  if (value === null || value === undefined) return [];
  if (!Array.isArray(value) || value.length > Math.max(MAX_VALIDATORS, MAX_EVIDENCE)) {
    throw malformed(`${what} is no list, or too long`);
  }
  return value;
}

/** A 64-bit integer, with or without sign: a decimal string, or a small JSON number; absent means 0, as Go leaves it out. */
export function readInteger(value: unknown, what: string): bigint {
  if (value === undefined || value === null) return 0n;
  const written = (typeof value === "string" && /^-?[0-9]{1,20}$/.test(value)) || Number.isSafeInteger(value);
  if (!written) throw malformed(`${what} is no whole number`);
  const integer = BigInt(value as string | number);
  if (integer < MIN_INT64 || integer > MAX_UINT64) throw malformed(`${what} is out of range`);
  return integer;
}

export function readSmall(value: unknown, what: string): number {
  const number = Number(readInteger(value, what));
  if (!Number.isSafeInteger(number)) throw malformed(`${what} is out of range`);
  return number;
}

export function readHex(value: unknown, what: string): Uint8Array {
  if (value === undefined || value === null) return new Uint8Array(0);
  if (typeof value !== "string" || !/^([0-9a-fA-F]{2}){0,1024}$/.test(value))
    throw malformed(`${what} is no hex`);
  return fromHex(value.toLowerCase());
}

export function readBase64(value: unknown, what: string): Uint8Array {
  if (value === undefined || value === null) return new Uint8Array(0);
  const bytes = typeof value === "string" && value.length <= 8192 ? fromBase64(value) : null;
  if (bytes === null) throw malformed(`${what} is no base64`);
  return bytes;
}

export function readTime(value: unknown, what: string): Time {
  if (typeof value !== "string") throw malformed(`${what} is no time`);
  try {
    return parseTime(value);
  } catch (error) {
    throw error instanceof ChainError ? malformed(`${what} is refused: ${error.message}`) : error;
  }
}

export function readText(value: unknown, what: string): string {
  if (typeof value !== "string") throw malformed(`${what} is no text`);
  return value;
}
