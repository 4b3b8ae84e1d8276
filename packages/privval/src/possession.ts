import { type Possession, possessionBytes } from "@quorate/chain";
import { ed25519Sign } from "@quorate/crypto";
import { readKeyFile } from "./key-file.ts";

/**
 * The key of a file and its proof of possession for one chain and one owner: what a registry contract wants. It signs
 * nothing that the protocol could take for a vote, so the sign state is not asked.
 * @throws PrivvalError `KEY_MISSING`, `KEY_MODE`, `KEY_INVALID`.
 */
export async function provePossession(
  keyFile: string,
  bound: Omit<Possession, "pubKey">,
): Promise<{ readonly publicKey: Uint8Array; readonly proof: Uint8Array }> {
  const { seed, publicKey } = await readKeyFile(keyFile);
  return { publicKey, proof: ed25519Sign(seed, possessionBytes({ ...bound, pubKey: publicKey })) };
}
