import { sha256 as nobleHash } from "@noble/hashes/sha2.js";
import { concatBytes } from "./bytes.ts";
import { nodeCrypto, nodeHash, plainBytes } from "./platform.ts";

/** Below this total one copy and one call are cheaper than a streaming hash object. */
const ONE_SHOT_BYTES = 8192;

/** SHA-256 of the chunks in order, in pure JavaScript: the fallback of {@link sha256} and its oracle. */
export function sha256Noble(...chunks: readonly Uint8Array[]): Uint8Array {
  if (chunks.length === 1) return nobleHash(chunks[0]!);
  const hash = nobleHash.create();
  for (const chunk of chunks) hash.update(chunk);
  return hash.digest();
}

/** SHA-256 (FIPS 180-4) of the chunks in order; 32 bytes, never aliasing its input. */
export function sha256(...chunks: readonly Uint8Array[]): Uint8Array {
  if (nodeCrypto === undefined) return sha256Noble(...chunks);
  if (chunks.length === 1) return nodeHash(nodeCrypto, "sha256", chunks[0]!);
  let total = 0;
  for (const chunk of chunks) total += chunk.length;
  if (total <= ONE_SHOT_BYTES) return nodeHash(nodeCrypto, "sha256", concatBytes(...chunks));
  const hash = nodeCrypto.createHash("sha256");
  for (const chunk of chunks) hash.update(chunk);
  return plainBytes(hash.digest());
}

/** {@link sha256} as text of one character a byte, for keys of maps: as it crosses over from Node, with no array made of it. */
export function sha256Key(bytes: Uint8Array): string {
  if (nodeCrypto !== undefined) return nodeCrypto.hash("sha256", bytes, "binary");
  return String.fromCharCode(...sha256Noble(bytes));
}
