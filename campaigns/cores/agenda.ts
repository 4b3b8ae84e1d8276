/** What is to happen at which virtual time, ms: a binary heap, ordered by time and then by order of entry. */
interface Entry {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

export class Agenda {
  now = 0;
  private readonly heap: Entry[] = [];
  private entered = 0;

  after(ms: number, run: () => void): void {
    const { heap } = this;
    let at = heap.length;
    const entry = { at: this.now + ms, order: this.entered++, run };
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent];
      if (!above || before(above, entry)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = entry;
  }

  /** Runs the next entry; false when there is none at or before `until`. */
  step(until: number): boolean {
    const first = this.heap[0];
    if (!first || first.at > until) return false;
    this.takeFirst();
    this.now = first.at;
    first.run();
    return true;
  }

  private takeFirst(): void {
    const { heap } = this;
    const last = heap.pop();
    if (!last || heap.length === 0) return;
    let at = 0;
    for (;;) {
      const left = heap[2 * at + 1];
      const right = heap[2 * at + 2];
      const child = left && right && before(right, left) ? right : left;
      if (!child || before(last, child)) break;
      heap[at] = child;
      at = 2 * at + (child === left ? 1 : 2);
    }
    heap[at] = last;
  }
}

function before(a: Entry, b: Entry): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
