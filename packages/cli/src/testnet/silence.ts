/** The most that one look counts, ms: looks come four times as often, so what is beyond was no time of this process. */
const MOST_MS = 1_000;

/**
 * For how long a network has shown no new height to somebody who looks at it all the time. Whoever was stopped meanwhile, or
 * had no processor, has seen nothing of the network, and may not say that it stands.
 */
export class Silence {
  #ms = 0;
  #lookedAtMs: number;

  /** `nowMs` here and below is monotonic. */
  constructor(nowMs: number) {
    this.#lookedAtMs = nowMs;
  }

  /** There is a new height. */
  broken(): void {
    this.#ms = 0;
  }

  /** Ms of looking without a new height. */
  look(nowMs: number): number {
    this.#ms += Math.min(nowMs - this.#lookedAtMs, MOST_MS);
    this.#lookedAtMs = nowMs;
    return this.#ms;
  }
}
