/** A set that forgets its oldest members beyond `limit`. */
export class BoundedSet {
  readonly #members = new Set<string>();
  /** In order of arrival, once full in a ring: the set finds its first member only behind the places of all deleted ones. */
  #order: string[] = [];
  #oldest = 0;
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  has(key: string): boolean {
    return this.#members.has(key);
  }

  /** False when it was there already. */
  add(key: string): boolean {
    if (this.#members.has(key)) return false;
    this.#members.add(key);
    if (this.#order.length < this.#limit) {
      this.#order.push(key);
      return true;
    }
    this.#members.delete(this.#order[this.#oldest]!);
    this.#order[this.#oldest] = key;
    this.#oldest = (this.#oldest + 1) % this.#limit;
    return true;
  }

  clear(): void {
    this.#members.clear();
    this.#order = [];
    this.#oldest = 0;
  }
}
