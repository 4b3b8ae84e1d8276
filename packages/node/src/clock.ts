/** Time port. The simulator supplies a virtual one; nothing in `node` reads a clock elsewhere. */
export interface Clock {
  /** Wall clock, ms since the Unix epoch: proposal time, receive time, time of an own vote. */
  wallMs(): number;
  /** Monotonic, ms since an arbitrary point: timers and durations. */
  monotonicMs(): number;
  /** Calls back once after `ms` (>= 0); the returned function cancels. */
  timer(ms: number, callback: () => void): () => void;
}

export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  timer(ms, callback) {
    if (ms <= 0) {
      const immediate = setImmediate(callback);
      return () => clearImmediate(immediate);
    }
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};

/** Resolves after `ms` or when the signal aborts (true = slept to the end). */
export function sleep(clock: Clock, ms: number, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return Promise.resolve(false);
  return new Promise((resolve) => {
    const abort = (): void => {
      cancel();
      resolve(false);
    };
    const cancel = clock.timer(ms, () => {
      signal.removeEventListener("abort", abort);
      resolve(true);
    });
    signal.addEventListener("abort", abort, { once: true });
  });
}

/** Whether `work` settled within `ms`; a rejection is handed on. Later it goes on unseen. */
export function within(clock: Clock, ms: number, work: Promise<void>): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const cancel = clock.timer(ms, () => resolve(false));
    work.then(
      () => {
        cancel();
        resolve(true);
      },
      (error: unknown) => {
        cancel();
        reject(error);
      },
    );
  });
}
