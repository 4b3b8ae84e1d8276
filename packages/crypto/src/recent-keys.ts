/** The newest `capacity` keys, such as digests by `sha256Key`: a bounded memory of what has been seen. */
export class RecentKeys {
  readonly #capacity: number;
  readonly #keys = new Set<string>();
  /**
   * In order of arrival, once full in a ring. The set has them in order too, but finds its first member only behind all
   * the places of those deleted: in a full one of thousands that costs more than everything else done for a key.
   */
  #order: string[] = [];
  #oldest = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  has(key: string): boolean {
    return this.#keys.has(key);
  }

  /** False when the key is known. */
  add(key: string): boolean {
    if (this.#keys.has(key)) return false;
    this.#keys.add(key);
    if (this.#order.length < this.#capacity) {
      this.#order.push(key);
      return true;
    }
    this.#keys.delete(this.#order[this.#oldest]!);
    this.#order[this.#oldest] = key;
    this.#oldest = (this.#oldest + 1) % this.#capacity;
    return true;
  }

  clear(): void {
    this.#keys.clear();
    this.#order = [];
    this.#oldest = 0;
  }
}
