import { CryptoError } from "./errors.ts";
import { allocate } from "./platform.ts";

/** Character codes of the hex digits. */
const DIGITS: readonly number[] = Array.from("0123456789abcdef", (digit) => digit.charCodeAt(0));
/** Bytes turned into text at once: far below what a call may take as arguments. */
const HEX_CHUNK = 4096;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Same length and content. Not constant-time: for public values only. */
export function bytesEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Bytewise order, a prefix before what it begins: negative, 0 or positive. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const difference = a[i]! - b[i]!;
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** Lower-case hex, two digits per byte, no prefix. */
export function toHex(bytes: Uint8Array): string {
  // Not digit by digit: a text put together from pieces keeps them all, eight times its size, as long as it is a key.
  let text = "";
  for (let at = 0; at < bytes.length; at += HEX_CHUNK) {
    const count = Math.min(HEX_CHUNK, bytes.length - at);
    const codes = new Array<number>(2 * count);
    for (let i = 0; i < count; i++) {
      const byte = bytes[at + i]!;
      codes[2 * i] = DIGITS[byte >> 4]!;
      codes[2 * i + 1] = DIGITS[byte & 15]!;
    }
    text += String.fromCharCode(...codes);
  }
  return text;
}

/** Upper-case hex, as CometBFT's JSON shows hashes and addresses. */
export function toHexUpper(bytes: Uint8Array): string {
  return toHex(bytes).toUpperCase();
}

function hexDigit(code: number): number {
  if (code >= 48 && code <= 57) return code - 48;
  const letter = code | 32;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
}

/**
 * Bytes of a hex string in either case, with or without `0x`.
 * @throws CryptoError `HEX` on an odd number of digits or any other character.
 */
export function fromHex(text: string): Uint8Array {
  const start = text.startsWith("0x") ? 2 : 0;
  const digits = text.length - start;
  if (digits % 2 !== 0) {
    throw new CryptoError("HEX", `hex string has an odd number of digits (${digits})`, { digits });
  }
  const bytes = new Uint8Array(digits / 2);
  for (let i = 0; i < bytes.length; i++) {
    const at = start + 2 * i;
    const high = hexDigit(text.charCodeAt(at));
    const low = hexDigit(text.charCodeAt(at + 1));
    if (high < 0 || low < 0) {
      throw new CryptoError("HEX", `hex string has a character that is no digit at or after ${at}`, { at });
    }
    bytes[i] = (high << 4) | low;
  }
  return bytes;
}

/** All chunks in order in one new array. */
export function concatBytes(...chunks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  let length = 0;
  for (const chunk of chunks) length += chunk.length;
  const joined = allocate(length);
  let at = 0;
  for (const chunk of chunks) {
    joined.set(chunk, at);
    at += chunk.length;
  }
  return joined;
}

/**
 * UTF-8 bytes of a string.
 * @throws CryptoError `UTF8` when the string has a lone surrogate: it has no UTF-8 form.
 */
export function utf8Encode(text: string): Uint8Array {
  if (!text.isWellFormed()) throw new CryptoError("UTF8", "string has a lone surrogate and no UTF-8 form");
  return encoder.encode(text);
}

/**
 * The string of UTF-8 bytes; a byte order mark is kept, so that encoding gives the same bytes again.
 * @throws CryptoError `UTF8` when the bytes are not UTF-8.
 */
export function utf8Decode(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw new CryptoError("UTF8", "bytes are not valid UTF-8", { length: bytes.length, cause });
  }
}
