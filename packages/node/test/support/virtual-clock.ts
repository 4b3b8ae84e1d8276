import type { Clock } from "../../src/clock.ts";

interface Entry {
  readonly at: number;
  readonly order: number;
  readonly callback: () => void;
}

/** Time stands still until {@link advance}. Wall and monotonic time run together. */
export class VirtualClock implements Clock {
  private now = 0;
  private order = 0;
  private entries: Entry[] = [];
  private readonly epochMs: number;

  constructor(epochMs: number) {
    this.epochMs = epochMs;
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

  /** Timers that wait. */
  get pending(): number {
    return this.entries.length;
  }

  /** Fires what is due within the next `ms`, in order of time, then of request. */
  advance(ms: number): void {
    const until = this.now + ms;
    for (let next = this.due(until); next !== undefined; next = this.due(until)) {
      this.entries = this.entries.filter((each) => each !== next);
      this.now = next.at;
      next.callback();
    }
    this.now = until;
  }

  private due(until: number): Entry | undefined {
    return this.entries
      .filter(({ at }) => at <= until)
      .sort((a, b) => a.at - b.at || a.order - b.order)
      .at(0);
  }
}
