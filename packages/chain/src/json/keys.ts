/** Keys in CometBFT's JSON: an interface type with the key in base64. */
import { fromBase64, toBase64 } from "./base64.ts";

export interface PublicKeyJson {
  readonly type: "tendermint/PubKeyEd25519";
  readonly value: string;
}

export function publicKeyJson(publicKey: Uint8Array): PublicKeyJson {
  return { type: "tendermint/PubKeyEd25519", value: toBase64(publicKey) };
}

/** The 32 bytes of an Ed25519 key in CometBFT's JSON, or null for anything else. */
export function publicKeyFromJson(value: unknown): Uint8Array | null {
  if (typeof value !== "object" || value === null || !("type" in value) || !("value" in value)) return null;
  if (value.type !== "tendermint/PubKeyEd25519" || typeof value.value !== "string") return null;
  const bytes = fromBase64(value.value);
  return bytes?.length === 32 ? bytes : null;
}
