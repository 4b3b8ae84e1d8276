/** Checks that the main thread may do by itself at once, and for each ms that passes: a fifth of a core. */
const BURST = 32;
const PER_MS = 3;

/**
 * How much is verified on the main thread. Below the budget the answer comes at once, which is what a vote wants; above it
 * the event loop would be late for everything else, and what waits makes larger batches, which cost less.
 */
export class InlineBudget {
  readonly #now: () => number;
  #left = BURST;
  #at: number;

  /** `now`: monotonic ms. */
  constructor(now: () => number) {
    this.#now = now;
    this.#at = now();
  }

  has(count: number): boolean {
    const now = this.#now();
    this.#left = Math.min(BURST, this.#left + (now - this.#at) * PER_MS);
    this.#at = now;
    return this.#left >= count;
  }

  spend(count: number): void {
    this.#left = Math.max(0, this.#left - count);
  }
}
