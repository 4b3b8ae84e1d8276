/** Standard base64 with padding, as Go writes byte strings in JSON. For browsers and Node alike. */

import { nodeFromBase64, nodeToBase64, utf8Decode } from "@quorate/crypto";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const PADDING = 0x3d;
const CODES: Uint8Array = Uint8Array.from(ALPHABET, (character) => character.charCodeAt(0));
/** By character code; what is no digit has a bit that no digit has. */
const NO_DIGIT = 0x80;
const VALUES: Uint8Array = new Uint8Array(128).fill(NO_DIGIT);
for (const [value, code] of CODES.entries()) VALUES[code] = value;

/** Characters, and bytes, from which on Node's own is worth the call. */
const LONG = 400;

export function toBase64(bytes: Uint8Array): string {
  const native = bytes.length < LONG ? null : nodeToBase64(bytes);
  if (native !== null) return native;
  const text = new Uint8Array(Math.ceil(bytes.length / 3) * 4);
  let at = 0;
  for (let i = 0; i < bytes.length; i += 3) {
    const group = ((bytes[i] ?? 0) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    text[at++] = CODES[group >>> 18] ?? 0;
    text[at++] = CODES[(group >>> 12) & 63] ?? 0;
    text[at++] = CODES[(group >>> 6) & 63] ?? 0;
    text[at++] = CODES[group & 63] ?? 0;
  }
  const absent = (3 - (bytes.length % 3)) % 3;
  text.fill(PADDING, text.length - absent);
  return utf8Decode(text);
}

/** The bytes of canonical, padded base64, or null for anything else. */
export function fromBase64(text: string): Uint8Array | null {
  if (text.length % 4 !== 0) return null;
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  const bytes = new Uint8Array((text.length / 4) * 3 - padding);
  const native = text.length < LONG ? null : nodeFromBase64(text, bytes);
  if (native !== null) return native ? bytes : null;
  const digits = text.length - padding;
  const value = (i: number): number => (i < digits ? (VALUES[text.charCodeAt(i)] ?? NO_DIGIT) : 0);
  const whole = digits - (digits % 4);
  let position = 0;
  for (let i = 0; i < whole; i += 4) {
    const a = VALUES[text.charCodeAt(i)] ?? NO_DIGIT;
    const b = VALUES[text.charCodeAt(i + 1)] ?? NO_DIGIT;
    const c = VALUES[text.charCodeAt(i + 2)] ?? NO_DIGIT;
    const d = VALUES[text.charCodeAt(i + 3)] ?? NO_DIGIT;
    if (((a | b | c | d) & NO_DIGIT) !== 0) return null;
    const group = (a << 18) | (b << 12) | (c << 6) | d;
    bytes[position++] = group >>> 16;
    bytes[position++] = (group >>> 8) & 0xff;
    bytes[position++] = group & 0xff;
  }
  if (padding > 0) {
    const [a, b, c] = [value(whole), value(whole + 1), value(whole + 2)];
    if (((a | b | c) & NO_DIGIT) !== 0) return null;
    const group = (a << 18) | (b << 12) | (c << 6);
    // The bits that padding leaves over have one canonical value.
    if ((group & ((1 << (8 * padding)) - 1)) !== 0) return null;
    bytes[position++] = group >>> 16;
    if (padding === 1) bytes[position++] = (group >>> 8) & 0xff;
  }
  return bytes;
}
