import type { Height } from "@quorate/chain";
import { LIMITS } from "../limits.ts";

interface Held {
  readonly height: Height;
  readonly peer: string;
  readonly bytes: number;
  readonly offer: () => void;
}

/**
 * Messages of the next height, verified or not, that wait until this node gets there: bounded in number, per peer and
 * in bytes, so that one peer cannot crowd out the others.
 */
export class HeldMessages {
  #items: Held[] = [];
  readonly #perPeer = new Map<string, number>();
  #bytes = 0;

  get length(): number {
    return this.#items.length;
  }

  /** Whether one more message of this peer would be held. */
  hasRoom(peer: string, bytes: number): boolean {
    if (this.#items.length >= LIMITS.heldItems || this.#of(peer) >= LIMITS.heldPerPeer) return false;
    return this.#bytes + bytes <= LIMITS.heldBytes;
  }

  /** False when there is no room for it. */
  hold(height: Height, peer: string, bytes: number, offer: () => void): boolean {
    if (!this.hasRoom(peer, bytes)) return false;
    this.#items.push({ height, peer, bytes, offer });
    this.#perPeer.set(peer, this.#of(peer) + 1);
    this.#bytes += bytes;
    return true;
  }

  #of(peer: string): number {
    return this.#perPeer.get(peer) ?? 0;
  }

  /** Takes out what has become current, in order of arrival; what is older is dropped. */
  take(height: Height): (() => void)[] {
    const due = this.#items.filter((item) => item.height === height);
    this.#items = this.#items.filter((item) => item.height > height);
    this.#perPeer.clear();
    this.#bytes = 0;
    for (const item of this.#items) {
      this.#perPeer.set(item.peer, (this.#perPeer.get(item.peer) ?? 0) + 1);
      this.#bytes += item.bytes;
    }
    return due.map((item) => item.offer);
  }
}
