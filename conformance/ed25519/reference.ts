import { createPublicKey, verify } from "node:crypto";
import { type Ed25519Check, zip215 } from "./zip215.ts";

const SPKI = Buffer.from("302a300506032b6570032100", "hex");

/** OpenSSL's verdict: the equation without the cofactor on canonical encodings. */
export function openssl(check: Ed25519Check): boolean {
  if (check.publicKey.length !== 32 || check.signature.length !== 64) return false;
  const key = createPublicKey({ key: Buffer.concat([SPKI, check.publicKey]), format: "der", type: "spki" });
  return verify(null, check.message, key, check.signature);
}

/** ZIP-215's verdict: what OpenSSL accepts stands, the rest is computed by the formulas. */
export const reference = (check: Ed25519Check): boolean => openssl(check) || zip215(check);
