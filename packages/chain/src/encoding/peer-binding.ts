/** What ties a validator to the peer that it speaks through: a statement of its consensus key (docs/protocol.md §7). */
import { ByteWriter } from "../bytes.ts";
import { ascii } from "../genesis/ascii.ts";

const DOMAIN = ascii("QUORATE-PEER-1");

/** "QUORATE-PEER-1" ‖ str peer id: what the consensus key signs. It names no chain, and nothing of a chain begins so. */
export function peerBindingBytes(peerId: string): Uint8Array {
  return new ByteWriter().bytes(DOMAIN).str(peerId).finish();
}
