import type { Clock } from "../../packages/node/src/clock.ts";

interface Entry {
  readonly at: number;
  readonly order: number;
  readonly callback: () => void;
}

/** Time that goes from one timer to the next. Wall and monotonic time run together. */
export class EventClock implements Clock {
  private readonly epochMs: number;
  private now: number;
  private order = 0;
  private entries: Entry[] = [];

  constructor(epochMs: number, now = 0) {
    this.epochMs = epochMs;
    this.now = now;
  }

  wallMs(): number {
    return this.epochMs + this.now;
  }

  monotonicMs(): number {
    return this.now;
  }

  timer(ms: number, callback: () => void): () => void {
    const entry = { at: this.now + Math.max(0, ms), order: this.order++, callback };
    this.entries.push(entry);
    return () => {
      this.entries = this.entries.filter((each) => each !== entry);
    };
  }

  /** Goes to the next timer and fires it; false when there is none up to `until`. */
  fireNext(until: number): boolean {
    let next: Entry | undefined;
    for (const entry of this.entries) {
      if (next === undefined || entry.at < next.at || (entry.at === next.at && entry.order < next.order))
        next = entry;
    }
    if (next === undefined || next.at > until) return false;
    this.entries = this.entries.filter((each) => each !== next);
    this.now = next.at;
    next.callback();
    return true;
  }
}
