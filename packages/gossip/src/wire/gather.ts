const EMPTY = new Uint8Array(0);
const SMALLEST = 256;

/**
 * Puts a run of bytes of known length together from chunks of any size. Every byte is copied a bounded number of times
 * and at most twice of what has come is held, however small the chunks are: a sender pays for its own bytes only.
 */
export class Gather {
  readonly #expected: number;
  #bytes: Uint8Array = EMPTY;
  #length = 0;

  /** `memory`: where to put it together when it comes in more than one chunk, at least `expected` bytes. */
  constructor(expected: number, memory: Uint8Array = EMPTY) {
    this.#expected = expected;
    this.#bytes = memory;
  }

  /** Bytes held. */
  get length(): number {
    return this.#length;
  }

  get done(): boolean {
    return this.#length === this.#expected;
  }

  /** The run, once it is done; a view of the chunk when it came in one. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Takes what is still missing from `chunk` at `at`; answers how many bytes it took. */
  add(chunk: Uint8Array, at: number): number {
    const count = Math.min(chunk.length - at, this.#expected - this.#length);
    if (this.#length === 0 && count === this.#expected) {
      this.#bytes = chunk.subarray(at, at + count);
      this.#length = count;
      return count;
    }
    const needed = this.#length + count;
    if (needed > this.#bytes.length) {
      const larger = new Uint8Array(
        Math.min(this.#expected, Math.max(needed, 2 * this.#bytes.length, SMALLEST)),
      );
      larger.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = larger;
    }
    this.#bytes.set(chunk.subarray(at, at + count), this.#length);
    this.#length = needed;
    return count;
  }
}
