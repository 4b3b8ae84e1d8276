import type { Timeout } from "@quorate/consensus";
import type { Clock } from "../clock.ts";

/** The core's timers, one per (kind, height, round); a new schedule replaces the old one. */
export class Timers {
  private readonly clock: Clock;
  private readonly fire: (timeout: Timeout) => void;
  private readonly running = new Map<string, { readonly timeout: Timeout; readonly cancel: () => void }>();

  constructor(clock: Clock, fire: (timeout: Timeout) => void) {
    this.clock = clock;
    this.fire = fire;
  }

  schedule(timeout: Timeout, ms: number): void {
    this.cancel(timeout);
    const key = keyOf(timeout);
    const cancel = this.clock.timer(ms, () => {
      this.running.delete(key);
      this.fire(timeout);
    });
    this.running.set(key, { timeout, cancel });
  }

  cancel(timeout: Timeout): void {
    const key = keyOf(timeout);
    this.running.get(key)?.cancel();
    this.running.delete(key);
  }

  /** Fires a running timer now (empty-block policy wakes a waiting height); false when it does not run. */
  fireNow(timeout: Timeout): boolean {
    const key = keyOf(timeout);
    const entry = this.running.get(key);
    if (entry === undefined) return false;
    entry.cancel();
    this.running.delete(key);
    this.fire(timeout);
    return true;
  }

  /** Drops every timer below this height (or all, without one). */
  clear(belowHeight: number = Number.POSITIVE_INFINITY): void {
    for (const [key, entry] of this.running) {
      if (entry.timeout.height >= belowHeight) continue;
      entry.cancel();
      this.running.delete(key);
    }
  }
}

const keyOf = (timeout: Timeout): string => `${timeout.kind}/${timeout.height}/${timeout.round}`;
