import type { ExecutionClock } from "./ports.ts";

/** One waiter, woken by an event or by time; an event that comes while nobody waits is kept. */
export class Wake {
  #pending = false;
  #resolve: (() => void) | null = null;
  readonly #clock: ExecutionClock;

  constructor(clock: ExecutionClock) {
    this.#clock = clock;
  }

  notify(): void {
    this.#pending = true;
    this.#resolve?.();
  }

  /** True: an event; false: `ms` passed. */
  wait(ms: number): Promise<boolean> {
    return new Promise((resolve) => {
      const done = (): void => {
        cancel();
        this.#resolve = null;
        const event = this.#pending;
        this.#pending = false;
        resolve(event);
      };
      const cancel = this.#clock.timer(ms, done);
      this.#resolve = done;
      if (this.#pending) done();
    });
  }
}

/** Resolves after `ms` or at abort. */
export function pause(clock: ExecutionClock, ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted || ms <= 0) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      cancel();
      signal.removeEventListener("abort", done);
      resolve();
    };
    const cancel = clock.timer(ms, done);
    signal.addEventListener("abort", done, { once: true });
  });
}
