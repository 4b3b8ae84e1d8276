import { LIMITS } from "../limits.ts";
import type { Offence } from "../types.ts";
import { DISCONNECT_POINTS, HALF_LIFE_MS, OFFENCES } from "./table.ts";

interface Entry {
  points: number;
  at: number;
  bannedUntil: number;
}

/** Points of misbehaviour per peer id. They outlive connections, decay, and are bounded in number. */
export class Scorer {
  readonly #now: () => number;
  readonly #entries = new Map<string, Entry>();

  constructor(now: () => number) {
    this.#now = now;
  }

  #points(entry: Entry): number {
    return entry.points * 0.5 ** (Math.max(0, this.#now() - entry.at) / HALF_LIFE_MS);
  }

  /** Adds an offence; `disconnect` when the peer has now earned a ban, which starts here. */
  report(peer: string, offence: Offence): "keep" | "disconnect" {
    const { points } = OFFENCES[offence];
    if (points === 0) return "keep";
    const now = this.#now();
    const entry = this.#entries.get(peer) ?? { points: 0, at: now, bannedUntil: 0 };
    entry.points = this.#points(entry) + points;
    entry.at = now;
    this.#entries.delete(peer);
    this.#entries.set(peer, entry);
    if (this.#entries.size > LIMITS.scoredPeers) this.#evict(peer);
    if (entry.points < DISCONNECT_POINTS) return "keep";
    entry.bannedUntil = now + LIMITS.banMs;
    entry.points = DISCONNECT_POINTS / 2;
    return "disconnect";
  }

  /** Refused at the door until its ban is over. */
  banned(peer: string): boolean {
    const entry = this.#entries.get(peer);
    return entry !== undefined && entry.bannedUntil > this.#now();
  }

  /** 0 for a clean peer, negative otherwise: what gossipsub adds to its own score. */
  score(peer: string): number {
    const entry = this.#entries.get(peer);
    return entry === undefined ? 0 : -this.#points(entry);
  }

  /** The oldest report goes first; a running ban outlives a mere score, but not the one being written down. */
  #evict(reported: string): void {
    const now = this.#now();
    for (const [peer, entry] of this.#entries) {
      if (peer !== reported && entry.bannedUntil <= now) {
        this.#entries.delete(peer);
        return;
      }
    }
    const oldest = this.#entries.keys().next();
    if (!oldest.done) this.#entries.delete(oldest.value);
  }
}
