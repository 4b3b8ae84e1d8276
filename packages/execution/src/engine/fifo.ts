import { orGivenUp } from "../aborts.ts";
import { LIMITS } from "../limits.ts";
import { type Answer, failed } from "./failure.ts";

/**
 * One task at a time, in order: newPayload and forkchoiceUpdated must reach the EL as they were sent. A caller may stop
 * waiting; a call that runs is left to end, because the EL goes on executing it under its own lock anyhow.
 */
export class Fifo {
  #tail: Promise<unknown> = Promise.resolve();
  #length = 0;
  readonly #queued: (length: number) => void;

  /** `queued` is told how many tasks wait or run, at each new one. */
  constructor(queued: (length: number) => void = () => undefined) {
    this.#queued = queued;
  }

  async run<T>(task: () => Promise<Answer<T>>, signal: AbortSignal | null): Promise<Answer<T>> {
    if (signal?.aborted === true) return failed({ kind: "aborted" });
    if (this.#length >= LIMITS.engineQueue) return failed({ kind: "busy" });
    this.#queued(++this.#length);
    const turn = this.#tail.then(async (): Promise<Answer<T>> => {
      try {
        return signal?.aborted === true ? failed({ kind: "aborted" }) : await task();
      } finally {
        this.#length--;
      }
    });
    // The caller has the failure; who is next only waits for the end.
    this.#tail = turn.catch(() => undefined);
    if (signal === null) return turn;
    return (await orGivenUp(turn, signal)) ?? failed({ kind: "aborted" });
  }
}
