/** Proof that who registers a key holds it: a signature that nobody else's registration can use. */
import { isCanonicalNonSmallOrderKey, nativeBackend } from "@quorate/crypto";
import { ByteWriter } from "../bytes.ts";
import { ascii } from "../genesis/ascii.ts";
import type { Hash } from "../types.ts";

const DOMAIN = ascii("QUORATE-POP-1");

/** What a proof of possession is bound to. */
export interface Possession {
  readonly chainId: string;
  /** Block 0 of the execution client. */
  readonly elGenesisHash: Hash;
  /** 32 bytes. */
  readonly pubKey: Uint8Array;
  /** 20 bytes: the address that will own the validator. */
  readonly owner: Uint8Array;
}

/** "QUORATE-POP-1" ‖ str chain_id ‖ EL genesis hash[32] ‖ key[32] ‖ owner[20]. */
export function possessionBytes(possession: Possession): Uint8Array {
  return new ByteWriter()
    .bytes(DOMAIN)
    .str(possession.chainId)
    .bytes(possession.elGenesisHash)
    .bytes(possession.pubKey)
    .bytes(possession.owner)
    .finish();
}

/**
 * Whether `signature` (64 bytes) proves possession. The verdict is ZIP-215's, the same on every machine; a small-order
 * or non-canonical key never proves anything.
 */
export function provesPossession(possession: Possession, signature: Uint8Array): boolean {
  return (
    isCanonicalNonSmallOrderKey(possession.pubKey) &&
    nativeBackend.verify({
      publicKey: possession.pubKey,
      message: possessionBytes(possession),
      signature,
    })
  );
}
