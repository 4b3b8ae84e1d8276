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
