/**
 * One queue of events in virtual time. Between two events everything that promises have queued runs to its end: each
 * event is an immediate of its own, and Node empties the microtask queue between immediates. Nothing else of the event
 * loop is used, so a run depends on its seed alone.
 */

/** Who an event belongs to: a machine that is busy or stopped takes its events later, a dead one never. */
export interface Owner {
  /** Virtual ms; events due earlier wait until then. */
  readonly busyUntilMs: number;
  readonly dead: boolean;
}

interface Event {
  at: number;
  readonly order: number;
  readonly owner: Owner | null;
  callback: (() => void) | null;
}

/** Events handed to one turn of Node's event loop. */
const TURN = 256;

export class Scheduler {
  /** Binary heap by (at, order). */
  readonly #heap: Event[] = [];
  #now = 0;
  #order = 0;
  #executed = 0;

  /** Virtual ms since the start. */
  get now(): number {
    return this.#now;
  }

  /** Events carried out so far. */
  get executed(): number {
    return this.#executed;
  }

  /** Calls back after `ms`; the returned function cancels. Equal times go in the order of the calls. */
  after(ms: number, callback: () => void, owner: Owner | null = null): () => void {
    const event: Event = { at: this.#now + Math.max(0, ms), order: this.#order++, owner, callback };
    this.#push(event);
    return () => {
      event.callback = null;
    };
  }

  /**
   * Carries out events until `done` answers true (asked before each), nothing is left, or `untilMs` is reached.
   * Rejects when a callback throws: nothing that runs here may.
   */
  run(untilMs: number, done: () => boolean): Promise<"done" | "idle" | "time"> {
    return new Promise((resolve, reject) => {
      let ended = false;
      const turn = (): void => {
        if (ended) return;
        try {
          const how = this.#turn(untilMs, done);
          if (how === "more") return;
          ended = true;
          resolve(how);
        } catch (error) {
          ended = true;
          reject(error);
        }
      };
      const batch = (): void => {
        if (ended) return;
        for (let i = 0; i < TURN; i++) setImmediate(turn);
        setImmediate(batch);
      };
      batch();
    });
  }

  #turn(untilMs: number, done: () => boolean): "more" | "done" | "idle" | "time" {
    if (done()) return "done";
    const event = this.#next();
    if (event === null) return "idle";
    if (event.at > untilMs) {
      this.#push(event);
      this.#now = untilMs;
      return "time";
    }
    this.#now = event.at;
    this.#executed++;
    event.callback?.();
    return "more";
  }

  /** The next event whose owner can take it; those of busy owners go back to when they can. */
  #next(): Event | null {
    for (let event = this.#pop(); event !== null; event = this.#pop()) {
      if (event.callback === null || event.owner?.dead === true) continue;
      const { owner } = event;
      if (owner === null || owner.busyUntilMs <= event.at) return event;
      event.at = owner.busyUntilMs;
      this.#push(event);
    }
    return null;
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent] as Event;
      if (before(above, event)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): Event | null {
    const heap = this.#heap;
    const [first] = heap;
    const last = heap.pop();
    if (first === undefined || last === undefined) return null;
    if (heap.length > 0) this.#sink(last);
    return first;
  }

  #sink(event: Event): void {
    const heap = this.#heap;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      const right = heap[child + 1];
      if (right !== undefined && before(right, heap[child] as Event)) child++;
      if (before(event, heap[child] as Event)) break;
      heap[at] = heap[child] as Event;
      at = child;
    }
    heap[at] = event;
  }
}

function before(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
