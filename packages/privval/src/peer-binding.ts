import { peerBindingBytes } from "@quorate/chain";
import { ed25519Sign } from "@quorate/crypto";
import { readKeyFile } from "./key-file.ts";

/**
 * The key of a file and its word for the peer id that it speaks through. It signs nothing that the protocol could take
 * for a vote, so the sign state is not asked.
 * @throws PrivvalError `KEY_MISSING`, `KEY_MODE`, `KEY_INVALID`.
 */
export async function bindPeer(
  keyFile: string,
  peerId: string,
): Promise<{ readonly publicKey: Uint8Array; readonly signature: Uint8Array }> {
  const { seed, publicKey } = await readKeyFile(keyFile);
  return { publicKey, signature: ed25519Sign(seed, peerBindingBytes(peerId)) };
}
