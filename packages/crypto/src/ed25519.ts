import { concatBytes } from "./bytes.ts";
import { CryptoError } from "./errors.ts";
import { keygen, getPublicKey as nobleGetPublicKey, sign as nobleSign, Point } from "./noble.ts";
import { nodeCrypto, plainBytes } from "./platform.ts";
import { sha256 } from "./sha256.ts";

/** PKCS #8 header of an Ed25519 seed (RFC 8410 section 7). */
const PKCS8_PREFIX = Uint8Array.of(48, 46, 2, 1, 0, 48, 5, 6, 3, 43, 101, 112, 4, 34, 4, 32);

/** Length of the header before the 32 bytes of a public key in SPKI (RFC 8410 section 4). */
const SPKI_PREFIX_LENGTH = 12;

function checkSeed(seed: Uint8Array): void {
  if (seed.length !== 32) {
    throw new CryptoError("KEY", `an Ed25519 seed has 32 bytes, this one ${seed.length}`, {
      length: seed.length,
    });
  }
}

/** A private key that is imported once: signing costs about 25 µs instead of 100. */
export interface Ed25519Signer {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** 64-byte deterministic signature (RFC 8032). */
  sign(message: Uint8Array): Uint8Array;
}

/**
 * A signer for a 32-byte seed.
 * @throws CryptoError `KEY` when the seed has another length.
 */
export function ed25519Signer(seed: Uint8Array): Ed25519Signer {
  checkSeed(seed);
  const publicKey = ed25519PublicKey(seed);
  if (nodeCrypto === undefined) {
    const copy = Uint8Array.from(seed);
    return { publicKey, sign: (message) => nobleSign(message, copy) };
  }
  const { sign } = nodeCrypto;
  const key = privateKeyObject(nodeCrypto, seed);
  return { publicKey, sign: (message) => plainBytes(sign(null, message, key)) };
}

function privateKeyObject(
  crypto: typeof import("node:crypto"),
  seed: Uint8Array,
): import("node:crypto").KeyObject {
  const der = concatBytes(PKCS8_PREFIX, seed);
  return crypto.createPrivateKey({
    key: Buffer.from(der.buffer, der.byteOffset, der.length),
    format: "der",
    type: "pkcs8",
  });
}

/**
 * Ed25519 signature (RFC 8032, deterministic) of a message under a 32-byte seed.
 * @throws CryptoError `KEY` when the seed has another length.
 */
export function ed25519Sign(seed: Uint8Array, message: Uint8Array): Uint8Array {
  checkSeed(seed);
  if (nodeCrypto === undefined) return nobleSign(message, seed);
  return plainBytes(nodeCrypto.sign(null, message, privateKeyObject(nodeCrypto, seed)));
}

/**
 * The public key of a 32-byte seed. By OpenSSL where it is there: noble's first multiplication costs 100 ms of tables.
 * @throws CryptoError `KEY` when the seed has another length.
 */
export function ed25519PublicKey(seed: Uint8Array): Uint8Array {
  checkSeed(seed);
  if (nodeCrypto === undefined) return nobleGetPublicKey(seed);
  const der = nodeCrypto
    .createPublicKey(privateKeyObject(nodeCrypto, seed))
    .export({ format: "der", type: "spki" });
  return Uint8Array.from(der.subarray(SPKI_PREFIX_LENGTH));
}

/** A fresh key from the platform's random source. */
export function ed25519Keygen(): { seed: Uint8Array; publicKey: Uint8Array } {
  const { secretKey, publicKey } = keygen();
  return { seed: secretKey, publicKey };
}

/**
 * Whether 32 bytes are the canonical encoding of a curve point outside the eight small-order points. Required of every
 * validator key: under such keys nobody can show a signature that holds for any message (ZIP-215 accepts those).
 */
export function isCanonicalNonSmallOrderKey(publicKey: Uint8Array): boolean {
  if (publicKey.length !== 32) return false;
  try {
    return !Point.fromBytes(publicKey, false).isSmallOrder();
  } catch {
    // fromBytes has no other way to say that the bytes are no point.
    return false;
  }
}

/** A validator's address: the first 20 bytes of SHA-256(public key). */
export function addressOf(publicKey: Uint8Array): Uint8Array {
  return sha256(publicKey).slice(0, 20);
}
