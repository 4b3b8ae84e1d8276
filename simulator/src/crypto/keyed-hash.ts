/**
 * Signatures that cost a hash: nobody in a simulation forges what he has no key of, unless a fault says so, and then by
 * changing bytes. Public keys are real Ed25519 ones, as genesis checks them.
 */
import { hash } from "node:crypto";
import {
  addressOf,
  bytesEqual,
  ed25519PublicKey,
  ed25519Signer,
  nativeBackend,
  type SignatureCheck,
} from "@quorate/crypto";
import type { SigningKey } from "@quorate/privval";

export interface CryptoScheme {
  key(seed: Uint8Array): SigningKey;
  verify(check: SignatureCheck): boolean;
}

/** Domain of the hashes: such a signature is never taken for anything else. */
const DOMAIN = Buffer.from("quorate/simulator/signature\0");

function keyedHash(publicKey: Uint8Array, message: Uint8Array): Uint8Array {
  const input = Buffer.concat([DOMAIN, publicKey, message]);
  const digest = hash("sha512", input, "buffer");
  return new Uint8Array(digest);
}

export const keyedHashes: CryptoScheme = {
  key(seed) {
    const publicKey = ed25519PublicKey(seed);
    return {
      address: addressOf(publicKey),
      signer: { publicKey, sign: (message) => keyedHash(publicKey, message) },
    };
  },
  verify: ({ publicKey, message, signature }) => bytesEqual(keyedHash(publicKey, message), signature),
};

export const realEd25519: CryptoScheme = {
  key(seed) {
    const signer = ed25519Signer(seed);
    return { address: addressOf(signer.publicKey), signer };
  },
  verify: (check) => nativeBackend.verify(check),
};
