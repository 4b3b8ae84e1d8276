import { LIMITS } from "../limits.ts";

/**
 * Which peers the network may forget. Peer ids cost nothing: whoever comes each time under a new one would fill the
 * memory of a node that remembers all of them. Protected peers are remembered for ever, of the others the latest.
 */
export class DepartedPeers {
  readonly #protected = new Set<string>();
  /** In the order in which they left. */
  readonly #departed = new Set<string>();

  /** Validators and configured peers, whose number this node chose. */
  protect(peer: string): void {
    this.#protected.add(peer);
    this.#departed.delete(peer);
  }

  unprotect(peer: string): void {
    this.#protected.delete(peer);
  }

  /** The last connection to the peer is gone; answers the peer to forget for it, `null` = none yet. */
  left(peer: string): string | null {
    if (this.#protected.has(peer)) return null;
    this.#departed.delete(peer);
    this.#departed.add(peer);
    if (this.#departed.size <= LIMITS.departedPeers) return null;
    const [oldest = null] = this.#departed;
    if (oldest !== null) this.#departed.delete(oldest);
    return oldest;
  }
}
