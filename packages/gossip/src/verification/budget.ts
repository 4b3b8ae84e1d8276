/** Share of its time that the main thread may verify by itself, and ms that it may do so at once. */
const SHARE = 0.2;
const BURST_MS = 2;

/**
 * How much is verified on the main thread. Below the budget the answer comes at once, which is what a vote wants; above it
 * the event loop would be late for everything else, and what waits makes larger batches, which cost less. Counted in time,
 * not in signatures: on a machine whose cores are busy with other things each of them takes longer.
 */
export class InlineBudget {
  readonly #now: () => number;
  #leftMs = BURST_MS;
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

  /** Does work that counts. */
  spend<T>(work: () => T): T {
    const began = this.#now();
    try {
      return work();
    } finally {
      // Not below one burst: a thread that was held up for long by others does not pay for it.
      this.#leftMs = Math.max(-BURST_MS, this.#leftMs - (this.#now() - began));
    }
  }
}
