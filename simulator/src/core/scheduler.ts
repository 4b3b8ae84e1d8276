/**
 * One queue of events in virtual time. Between two events everything that promises have queued runs to its end: each
 * event is an immediate of its own, and Node empties the microtask queue between immediates. Nothing else of the event
 * loop is used, so a run depends on its seed alone.
 */
import { Heap } from "./heap.ts";

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
  /** `null`: cancelled. */
  callback: (() => void) | null;
}

/** A busy owner is asked again, on behalf of all its events that are due. */
interface Question {
  readonly at: number;
  readonly order: number;
  readonly asked: Owner;
}

const byTime = (a: Event | Question, b: Event | Question): boolean =>
  a.at < b.at || (a.at === b.at && a.order < b.order);
const byOrder = (a: Event, b: Event): boolean => a.order < b.order;

/** Events handed to one turn of Node's event loop. */
const TURN = 256;

export class Scheduler {
  readonly #queue = new Heap<Event | Question>(byTime);
  /**
   * What is due and waits for its owner, in the order of the calls. The queue holds one question for all of it: were each
   * put back into the queue whenever its turn comes too early, a backlog would cost its square.
   */
  readonly #waiting = new Map<Owner, Heap<Event>>();
  #now = 0;
  #order = 0;
  #executed = 0;
  #moves = 0;

  /** Virtual ms since the start. */
  get now(): number {
    return this.#now;
  }

  /** Events carried out so far. */
  get executed(): number {
    return this.#executed;
  }

  /** Events and questions taken from the queue so far. */
  get moves(): number {
    return this.#moves;
  }

  /** Calls back after `ms`; the returned function cancels. Equal times go in the order of the calls. */
  after(ms: number, callback: () => void, owner: Owner | null = null): () => void {
    const event: Event = { at: this.#now + Math.max(0, ms), order: this.#order++, owner, callback };
    this.#queue.push(event);
    return () => {
      event.callback = null;
    };
  }

  /** The owner is free earlier than it said: what waits for it is due. */
  freed(owner: Owner): void {
    const next = this.#waiting.get(owner)?.first;
    if (next !== undefined) this.#queue.push({ at: this.#now, order: next.order, asked: owner });
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
      this.#queue.push(event);
      this.#now = untilMs;
      return "time";
    }
    this.#now = event.at;
    this.#executed++;
    event.callback?.();
    return "more";
  }

  /** The next event whose owner can take it. */
  #next(): Event | null {
    for (let next = this.#queue.pop(); next !== undefined; next = this.#queue.pop()) {
      this.#moves++;
      const event = "asked" in next ? this.#answer(next) : next;
      if (event === null || event.callback === null) continue;
      const { owner } = event;
      if (owner === null) return event;
      if (owner.dead) this.#waiting.delete(owner);
      else if (owner.busyUntilMs <= event.at) return event;
      else this.#wait(owner, event);
    }
    return null;
  }

  #wait(owner: Owner, event: Event): void {
    const waiting = this.#waiting.get(owner);
    if (waiting !== undefined) {
      waiting.push(event);
      return;
    }
    const first = new Heap<Event>(byOrder);
    first.push(event);
    this.#waiting.set(owner, first);
    this.#queue.push({ at: owner.busyUntilMs, order: event.order, asked: owner });
  }

  /** The first that waits, when its owner can take it; the owner is asked again for the others. */
  #answer({ at, asked }: Question): Event | null {
    const waiting = this.#waiting.get(asked);
    let event: Event | null = null;
    if (asked.busyUntilMs <= at) {
      event = waiting?.pop() ?? null;
      if (event !== null) event.at = at;
    }
    const next = waiting?.first;
    if (next === undefined) this.#waiting.delete(asked);
    else this.#queue.push({ at: Math.max(at, asked.busyUntilMs), order: next.order, asked });
    return event;
  }
}
