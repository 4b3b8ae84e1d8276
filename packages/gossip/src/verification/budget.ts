/** Share of its time that the main thread may verify by itself, and ms that it may do so at once. */
const SHARE = 0.2;
const BURST_MS = 2;

/**
 * What took so many times as long as usual was held up: others had the core. A thread that paid for that would send the
 * next votes, for milliseconds, through threads that need the same cores.
 */
const HELD_UP = 4;
/** Signatures over which the usual time of one follows a change, and its first value, ms. */
const REMEMBERED = 16;
const FIRST_EACH_MS = 0.1;

/**
 * How much is verified on the main thread. Below the budget the answer comes at once, which is what a vote wants; above it
 * the event loop would be late for everything else, and what waits makes larger batches, which cost less. Counted in time,
 * not in signatures: on a machine whose cores are busy with other things each of them takes longer.
 */
export class InlineBudget {
  readonly #now: () => number;
  #leftMs = BURST_MS;
  #eachMs = FIRST_EACH_MS;
  #at: number;

  /** `now`: monotonic ms. */
  constructor(now: () => number) {
    this.#now = now;
    this.#at = now();
  }

  isLeft(): boolean {
    const now = this.#now();
    this.#leftMs = Math.min(BURST_MS, this.#leftMs + (now - this.#at) * SHARE);
    this.#at = now;
    return this.#leftMs > 0;
  }

  /** Does work that counts: of so many signatures. */
  spend<T>(count: number, work: () => T): T {
    const began = this.#now();
    try {
      return work();
    } finally {
      const costMs = Math.min(this.#now() - began, HELD_UP * this.#eachMs * count);
      this.#eachMs += (costMs / Math.max(1, count) - this.#eachMs) / REMEMBERED;
      this.#leftMs = Math.max(-BURST_MS, this.#leftMs - costMs);
    }
  }
}
