/** How far a peer is believed. */
interface Credit {
  /** Failures since its last good block. */
  readonly strikes: number;
  /** Monotonic ms before which nothing is asked of it. */
  readonly notBefore: number;
  /** Served what its claim or its commit did not hold: never asked again. */
  readonly banned: boolean;
}

export interface CreditLimits {
  readonly strikes: number;
  readonly strikePauseMs: number;
  readonly forgiveMs: number;
  readonly peersKept: number;
}

const FRESH: Credit = { strikes: 0, notBefore: 0, banned: false };

/**
 * The record of each peer. A claim to be ahead costs nothing, so it counts only while the peer delivers: after
 * `strikes` failures without a good block in between it is not believed for `forgiveMs`.
 */
export class Credits {
  readonly #credits = new Map<string, Credit>();
  readonly #limits: CreditLimits;

  constructor(limits: CreditLimits) {
    this.#limits = limits;
  }

  banned(peerId: string): boolean {
    return this.#of(peerId).banned;
  }

  /** Whether its claim to be ahead counts. */
  believed(peerId: string, now: number): boolean {
    const credit = this.#of(peerId);
    return !credit.banned && (credit.strikes < this.#limits.strikes || now >= credit.notBefore);
  }

  /** Whether it may be asked now. */
  ready(peerId: string, now: number): boolean {
    return !this.#of(peerId).banned && now >= this.#of(peerId).notBefore;
  }

  strike(peerId: string, now: number): void {
    const strikes = this.#of(peerId).strikes + 1;
    const out = strikes >= this.#limits.strikes;
    const pauseMs = out ? this.#limits.forgiveMs : this.#limits.strikePauseMs * 2 ** (strikes - 1);
    this.#set(peerId, { ...this.#of(peerId), strikes, notBefore: now + pauseMs });
  }

  ban(peerId: string): void {
    this.#set(peerId, { ...this.#of(peerId), banned: true });
  }

  delivered(peerId: string): void {
    if (!this.#of(peerId).banned) this.#credits.delete(peerId);
  }

  #of(peerId: string): Credit {
    return this.#credits.get(peerId) ?? FRESH;
  }

  #set(peerId: string, credit: Credit): void {
    this.#credits.delete(peerId);
    this.#credits.set(peerId, credit);
    const [oldest] = this.#credits.keys();
    if (this.#credits.size > this.#limits.peersKept && oldest !== undefined) this.#credits.delete(oldest);
  }
}
