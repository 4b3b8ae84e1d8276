/** A bounded-by-its-owner priority queue: higher priority first, equal priorities in order of arrival. */
export class PriorityQueue<T extends { readonly priority: number }> {
  readonly #items: T[] = [];

  get length(): number {
    return this.#items.length;
  }

  push(item: T): void {
    let low = 0;
    let high = this.#items.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#items[middle]!.priority >= item.priority) low = middle + 1;
      else high = middle;
    }
    this.#items.splice(low, 0, item);
  }

  /** What `shift` would take. */
  peek(): T | undefined {
    return this.#items[0];
  }

  shift(): T | undefined {
    return this.#items.shift();
  }

  /** Takes out everything that `condition` names, in order. */
  remove(condition: (item: T) => boolean): T[] {
    const removed: T[] = [];
    for (let i = this.#items.length - 1; i >= 0; i--) {
      if (condition(this.#items[i]!)) removed.unshift(...this.#items.splice(i, 1));
    }
    return removed;
  }
}
