import { LIMITS } from "../limits.ts";

/** When a state that changes is to be told. */
export class Rest {
  #changedAtMs = Number.NEGATIVE_INFINITY;
  /** Since when one change has followed the other. */
  #sinceMs = Number.NEGATIVE_INFINITY;
  /** The latest notice: whoever was told before it is told without waiting for rest. */
  #noticeAtMs = Number.NEGATIVE_INFINITY;

  changed(now: number, notice: boolean): void {
    if (now - this.#changedAtMs >= LIMITS.roundStateRestMs) this.#sinceMs = now;
    this.#changedAtMs = now;
    if (notice) this.#noticeAtMs = now;
  }

  /** For how long nothing has changed, ms. */
  lasts(now: number): number {
    return now - this.#changedAtMs;
  }

  /**
   * For a peer that was told at `pushedAtMs`, -Infinity for never, and may be told every `intervalMs`. `lateMs`: by so much
   * this node is late; a change that came in time may not have been seen yet.
   */
  due(pushedAtMs: number, intervalMs: number, lateMs: number): number {
    const allowed = pushedAtMs + intervalMs;
    if (pushedAtMs <= this.#noticeAtMs) return allowed;
    const rested = this.#changedAtMs + LIMITS.roundStateRestMs + lateMs;
    const longest = Math.max(this.#sinceMs, pushedAtMs) + LIMITS.roundStateIntervalMaxMs + lateMs;
    return Math.max(allowed, Math.min(rested, longest));
  }
}
