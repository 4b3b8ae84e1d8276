/** A set that forgets its oldest members beyond `limit`. */
export class BoundedSet {
  readonly #members = new Set<string>();
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
    if (this.#members.size > this.#limit) {
      for (const oldest of this.#members) {
        this.#members.delete(oldest);
        break;
      }
    }
    return true;
  }

  clear(): void {
    this.#members.clear();
  }
}
