import type { Clock } from "@quorate/node/composition";
import type { Owner, Scheduler } from "./scheduler.ts";

/** Wall clock at virtual time 0. */
export const EPOCH_MS = 1_767_225_600_000;

/** How the wall clock of a machine differs from true time. */
export interface Skew {
  offsetMs: number;
  /** Of the wall clock alone: 0.05 = 5 % fast. */
  drift: number;
}

/**
 * The processor of one process: work that costs time makes it busy, a pause stops it, its end kills whatever was still
 * to come. Every port of the process works through it, so a dead process does nothing any more.
 */
export class Machine implements Owner {
  dead = false;
  /** Stopped until then, whatever it has to do. */
  pausedUntilMs = 0;
  /** Computed so far, ms: here, and by worker threads beside it. */
  spentMs = 0;
  workersMs = 0;
  #workUntilMs = 0;
  readonly #scheduler: Scheduler;

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  get now(): number {
    return this.#scheduler.now;
  }

  get busyUntilMs(): number {
    return Math.max(this.#workUntilMs, this.pausedUntilMs);
  }

  /** The processor computes for `ms`: everything later waits. */
  charge(ms: number): void {
    this.spentMs += ms;
    this.#workUntilMs = Math.max(this.busyUntilMs, this.now) + ms;
  }

  /** Stopped until then (SIGSTOP): timers fire late and all at once. */
  pauseUntil(ms: number): void {
    this.pausedUntilMs = Math.max(this.pausedUntilMs, ms);
  }

  /** Goes on now (SIGCONT). */
  resume(): void {
    this.pausedUntilMs = this.now;
    this.#scheduler.freed(this);
  }

  after(ms: number, callback: () => void): () => void {
    if (this.dead) return () => undefined;
    return this.#scheduler.after(ms, callback, this);
  }

  /** Resolves after `ms`; never, when the process has ended by then. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.after(ms, resolve);
    });
  }

  /** A value that is there after `ms`. */
  async later<T>(ms: number, value: () => T): Promise<T> {
    await this.sleep(ms);
    return value();
  }
}

export function machineClock(machine: Machine, skew: Skew): Clock {
  return {
    wallMs: () => Math.floor(EPOCH_MS + machine.now * (1 + skew.drift) + skew.offsetMs),
    monotonicMs: () => machine.now,
    timer: (ms, callback) => machine.after(ms, callback),
  };
}
