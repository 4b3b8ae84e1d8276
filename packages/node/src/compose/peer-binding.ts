/** The file that ties this home's validator to its peer id. */
import { readFile } from "node:fs/promises";
import { fromBase64, peerBindingBytes } from "@quorate/chain";
import { nativeBackend } from "@quorate/crypto";
import { type LogPort, nodeKeyFromSeed, type PeerBinding, peerIdOf } from "@quorate/gossip";
import { type HomePaths, loadNodeKey } from "../home.ts";

/**
 * `null` without one. One that does not hold for this node's peer id is not told to anybody: peers would take it for
 * misbehaviour. It earns protected links and nothing else, so the node runs without it.
 */
export async function loadPeerBinding(paths: HomePaths, log: LogPort): Promise<PeerBinding | null> {
  let text: string;
  try {
    text = await readFile(paths.peerBinding, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    return null;
  }
  const peerId = peerIdOf(nodeKeyFromSeed(await loadNodeKey(paths.nodeKey)));
  const binding = parsePeerBinding(text);
  if (binding !== null) {
    const { pubKey, signature } = binding;
    const message = peerBindingBytes(peerId);
    if (nativeBackend.verify({ publicKey: pubKey, message, signature })) return binding;
  }
  log.warn("the peer binding of this home does not hold: make it anew with `validator key bind-peer`", {
    file: paths.peerBinding,
    peer: peerId,
  });
  return null;
}

/** `{pub_key, signature}`, base64; `null` for anything else. */
export function parsePeerBinding(text: string): PeerBinding | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null) return null;
  const { pub_key, signature } = value as { pub_key?: unknown; signature?: unknown };
  const bytes = (field: unknown, length: number): Uint8Array | null => {
    const found = typeof field === "string" ? fromBase64(field) : null;
    return found?.length === length ? found : null;
  };
  const [key, signed] = [bytes(pub_key, 32), bytes(signature, 64)];
  return key === null || signed === null ? null : { pubKey: key, signature: signed };
}
