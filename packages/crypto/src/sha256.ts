import { sha256 as nobleHash } from "@noble/hashes/sha2.js";
import { concatBytes } from "./bytes.ts";
import { nodeCrypto, plainBytes } from "./platform.ts";

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
  let total = 0;
  for (const chunk of chunks) total += chunk.length;
  if (chunks.length === 1 || total <= ONE_SHOT_BYTES) {
    return plainBytes(
      nodeCrypto.hash("sha256", chunks.length === 1 ? chunks[0]! : concatBytes(...chunks), "buffer"),
    );
  }
  const hash = nodeCrypto.createHash("sha256");
  for (const chunk of chunks) hash.update(chunk);
  return plainBytes(hash.digest());
}
