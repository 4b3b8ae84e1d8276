import { concatBytes } from "./bytes.ts";
import { verify as nobleVerify } from "./noble.ts";
import { nodeCrypto } from "./platform.ts";
import type { SignatureCheck, VerifierBackend } from "./types.ts";

type KeyObject = import("node:crypto").KeyObject;
type NodeCrypto = typeof import("node:crypto");

/** SubjectPublicKeyInfo header of an Ed25519 key (RFC 8410 section 4). */
const SPKI_PREFIX = Uint8Array.of(48, 42, 48, 5, 6, 3, 43, 101, 112, 3, 33, 0);

/** Keys kept imported by the native backend: several sets of the largest size. */
const KEY_CACHE_SIZE = 4096;

function wellFormed(check: SignatureCheck): boolean {
  return check.publicKey.length === 32 && check.signature.length === 64;
}

function verifyZip215(check: SignatureCheck): boolean {
  return nobleVerify(check.signature, check.message, check.publicKey, { zip215: true });
}

function backendOf(
  name: VerifierBackend["name"],
  verify: (check: SignatureCheck) => boolean,
): VerifierBackend {
  return { name, verify, verifyBatch: (checks) => checks.map(verify) };
}

/** noble's ZIP-215 verification, pure JavaScript, about 1 ms a signature: the oracle, and the browser's backend. */
export const nobleBackend: VerifierBackend = backendOf(
  "noble",
  (check) => wellFormed(check) && verifyZip215(check),
);

/** Least recently used key objects by the key's bytes; importing costs as much as a third of a verification. */
function keyCache(crypto: NodeCrypto, capacity: number): (publicKey: Uint8Array) => KeyObject {
  const cache = new Map<string, KeyObject>();
  return (publicKey) => {
    const id = Buffer.from(publicKey.buffer, publicKey.byteOffset, 32).toString("latin1");
    const known = cache.get(id);
    if (known !== undefined) {
      cache.delete(id);
      cache.set(id, known);
      return known;
    }
    const der = concatBytes(SPKI_PREFIX, publicKey);
    const key = crypto.createPublicKey({
      key: Buffer.from(der.buffer, der.byteOffset, der.length),
      format: "der",
      type: "spki",
    });
    if (cache.size >= capacity) cache.delete(cache.keys().next().value!);
    cache.set(id, key);
    return key;
  };
}

/**
 * Whether OpenSSL accepts, which proves a signature: it demands the equation without the cofactor on canonical encodings,
 * and that implies ZIP-215's. Its refusal proves nothing. Without Node it never accepts.
 */
export function createProof(
  options: { readonly cachedKeys?: number } = {},
): (check: SignatureCheck) => boolean {
  if (nodeCrypto === undefined) return () => false;
  const { verify } = nodeCrypto;
  const keyObject = keyCache(nodeCrypto, Math.max(1, options.cachedKeys ?? KEY_CACHE_SIZE));
  return (check) =>
    wellFormed(check) && verify(null, check.message, keyObject(check.publicKey), check.signature);
}

/**
 * A backend on the platform's OpenSSL with exactly ZIP-215's verdict: its accept is proof, what it rejects noble decides,
 * at about twelve times the cost: count rejections against the peer that sent them. Without Node it is noble.
 */
export function createNativeBackend(options: { readonly cachedKeys?: number } = {}): VerifierBackend {
  const proves = createProof(options);
  return backendOf("native", (check) => wellFormed(check) && (proves(check) || verifyZip215(check)));
}

/** The native backend of this process; its only state is a bounded cache of imported keys. */
export const nativeBackend: VerifierBackend = createNativeBackend();
