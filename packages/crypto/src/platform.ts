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
  const digest = crypto.hash(algorithm, data, "binary");
  const bytes = new Uint8Array(digest.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = digest.charCodeAt(i);
  return bytes;
}
