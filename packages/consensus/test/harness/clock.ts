/** Virtual time: events in order of time, then of scheduling. */
export class VirtualClock {
  /** Ms since the test epoch. */
  now = 0;
  private sequence = 0;
  private events: { readonly at: number; readonly order: number; readonly run: () => void }[] = [];

  after(ms: number, run: () => void): void {
    const event = { at: this.now + Math.max(0, ms), order: this.sequence++, run };
    // Binary heap, smallest (at, order) first.
    const heap = this.events;
    heap.push(event);
    let at = heap.length - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(heap[at]!, heap[parent]!)) break;
      [heap[at], heap[parent]] = [heap[parent]!, heap[at]!];
      at = parent;
    }
  }

  /** Runs the next event; false when none is left or the next lies beyond `until`. */
  step(until: number): boolean {
    const heap = this.events;
    const first = heap[0];
    if (!first || first.at > until) return false;
    const last = heap.pop()!;
    if (heap.length > 0) {
      heap[0] = last;
      sink(heap);
    }
    this.now = first.at;
    first.run();
    return true;
  }
}

interface Event {
  readonly at: number;
  readonly order: number;
}

function before(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

function sink<T extends Event>(heap: T[]): void {
  let at = 0;
  for (;;) {
    const left = 2 * at + 1;
    const right = left + 1;
    let least = at;
    if (left < heap.length && before(heap[left]!, heap[least]!)) least = left;
    if (right < heap.length && before(heap[right]!, heap[least]!)) least = right;
    if (least === at) return;
    [heap[at], heap[least]] = [heap[least]!, heap[at]!];
    at = least;
  }
}
