/**
 * `node:crypto` where there is a Node, else undefined: asked for at run time so that the package loads in a browser
 * unchanged (noble does the work there).
 */
export const nodeCrypto: typeof import("node:crypto") | undefined =
  typeof process === "object" && typeof process.getBuiltinModule === "function"
    ? process.getBuiltinModule("node:crypto")
    : undefined;

/** A plain view of Node's Buffer: a Uint8Array to every observer, prototype included. */
export function plainBytes(buffer: Uint8Array): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);
}

/**
 * Node's one-shot hash. The digest crosses over as a string, one character a byte: an array buffer made on the other
 * side costs four times the hash of a vote.
 */
export function nodeHash(
  crypto: typeof import("node:crypto"),
  algorithm: "sha256" | "sha512",
  data: Uint8Array,
): Uint8Array<ArrayBuffer> {
  return keyBytes(crypto.hash(algorithm, data, "binary"));
}

/** The bytes of a text of one character a byte. */
export function keyBytes(key: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(key.length);
  putKey(key, bytes, 0);
  return bytes;
}

/** The same into memory that is there, from `at` on. */
export function putKey(key: string, into: Uint8Array, at: number): void {
  for (let i = 0; i < key.length; i++) into[at + i] = key.charCodeAt(i);
}

/** From this size on an array has memory of its own: a slice of the pool would keep much of it alive for little. */
const POOLED_BYTES = 2048;

/**
 * Memory to be written from end to end: what it holds before is arbitrary. Small arrays are cut from Node's pool, since
 * an array buffer of its own (above 64 bytes) costs more than all that is written into it.
 */
export function allocate(size: number): Uint8Array<ArrayBuffer> {
  if (nodeCrypto === undefined || size >= POOLED_BYTES) return new Uint8Array(size);
  const { buffer, byteOffset } = Buffer.allocUnsafe(size);
  return new Uint8Array(buffer, byteOffset, size);
}

/** The first `length` bytes of what {@link allocate} gave, for good: without the rest where that is large, a 16th or more. */
export function trimmed(bytes: Uint8Array<ArrayBuffer>, length: number): Uint8Array<ArrayBuffer> {
  const kept = bytes.length < POOLED_BYTES || bytes.length - length < length >> 4;
  if (!kept) return bytes.slice(0, length);
  return length === bytes.length ? bytes : new Uint8Array(bytes.buffer, bytes.byteOffset, length);
}

/** Standard base64 by Node, ten times as fast as a loop on long texts; `null` where there is no Node. */
export function nodeToBase64(bytes: Uint8Array): string | null {
  if (nodeCrypto === undefined) return null;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64");
}

/** Fills `into` from canonical base64 of exactly so many bytes: whether the text was that; `null` where there is no Node. */
export function nodeFromBase64(text: string, into: Uint8Array): boolean | null {
  if (nodeCrypto === undefined) return null;
  const buffer = Buffer.from(into.buffer, into.byteOffset, into.length);
  // It passes over what is no digit: what encodes to the same text again had none of that.
  return buffer.write(text, "base64") === into.length && buffer.toString("base64") === text;
}
