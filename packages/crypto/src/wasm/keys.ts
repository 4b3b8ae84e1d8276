/** Least recently used numbers for keys, `capacity` of them, so that tables made for a key are found again. */
export class KeyNumbers {
  readonly #numbers = new Map<string, number>();
  readonly #capacity: number;
  /** Makes the tables of a key in place of whatever had its number; false when the key is no point. */
  readonly #make: (number: number, publicKey: Uint8Array) => boolean;

  constructor(capacity: number, make: (number: number, publicKey: Uint8Array) => boolean) {
    this.#capacity = capacity;
    this.#make = make;
  }

  /**
   * Number of a key of 32 bytes, or null when it is no point. The numbers of the last `capacity` distinct keys asked for
   * stay what they are.
   */
  of(publicKey: Uint8Array): number | null {
    const id = Buffer.from(publicKey.buffer, publicKey.byteOffset, 32).toString("latin1");
    const known = this.#numbers.get(id);
    if (known !== undefined) {
      this.#numbers.delete(id);
      this.#numbers.set(id, known);
      return known;
    }
    const number = this.#free();
    if (!this.#make(number, publicKey)) {
      this.#spare = number;
      return null;
    }
    this.#numbers.set(id, number);
    return number;
  }

  /** A number taken from a key that made way for one that is no point. */
  #spare: number | null = null;

  #free(): number {
    const spare = this.#spare;
    this.#spare = null;
    if (spare !== null) return spare;
    if (this.#numbers.size < this.#capacity) return this.#numbers.size;
    const [oldest, number] = this.#numbers.entries().next().value!;
    this.#numbers.delete(oldest);
    return number;
  }
}
