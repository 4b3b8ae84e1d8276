import { ExecutionError } from "../errors.ts";

/** Callers that wait for a height to be executed. */
export class HeightWaiters {
  readonly #waiting = new Set<{ readonly height: number; resolve(): void; reject(error: Error): void }>();

  /** @throws ExecutionError ABORTED when the signal aborts, CLOSED when the client is closed. */
  wait(height: number, signal: AbortSignal): Promise<void> {
    const aborted = (): ExecutionError =>
      new ExecutionError("ABORTED", `gave up waiting for execution of height ${height}`, { height });
    if (signal.aborted) return Promise.reject(aborted());
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#waiting.delete(waiter);
        signal.removeEventListener("abort", onAbort);
      };
      const onAbort = (): void => waiter.reject(aborted());
      const waiter = {
        height,
        resolve: (): void => {
          leave();
          resolve();
        },
        reject: (error: Error): void => {
          leave();
          reject(error);
        },
      };
      this.#waiting.add(waiter);
      signal.addEventListener("abort", onAbort, { once: true });
    });
  }

  reached(height: number): void {
    for (const waiter of [...this.#waiting]) if (waiter.height <= height) waiter.resolve();
  }

  close(): void {
    const error = new ExecutionError("CLOSED", "the execution client's adapter was closed");
    for (const waiter of [...this.#waiting]) waiter.reject(error);
  }
}
