/** When commits came, and which nodes died without being told to. */
import type { LiveNetwork } from "../test/support/live.ts";

export interface Death {
  readonly name: string;
  readonly exit: number;
}

/** SIGKILL as an exit code: what a torment does. */
const KILLED = 137;
/** What a node ends with that was asked to. */
const STOPPED = 0;

export class Pace {
  /** Monotonic ms at which each new height was first seen. */
  readonly #times: number[];
  readonly deaths: Death[] = [];
  #height: number;

  constructor(live: LiveNetwork) {
    this.#times = [performance.now()];
    this.#height = live.height;
    live.network.listener = (event) => {
      if (event.event === "commit" && event.height > this.#height) {
        this.#height = event.height;
        this.#times.push(performance.now());
      }
      if (event.event === "node" && event.state === "dead") {
        const exit = event.exit ?? STOPPED;
        if (exit !== KILLED && exit !== STOPPED) this.deaths.push({ name: event.name, exit });
      }
    };
  }

  /** Longest time without a new height between then and now, ms. */
  longestGapSince(fromMs: number): number {
    let longest = 0;
    let last = fromMs;
    for (const at of this.#times) {
      if (at < fromMs) continue;
      longest = Math.max(longest, at - last);
      last = at;
    }
    return Math.max(longest, performance.now() - last);
  }

  /** ms between the heights of that time. */
  intervalsBetween(fromMs: number, toMs: number): number[] {
    const times = this.#times.filter((at) => at >= fromMs && at <= toMs);
    return times.slice(1).map((at, index) => at - times[index]!);
  }

  /** ms per height between then and now; NaN without a height. */
  intervalSince(fromMs: number): number {
    const times = this.#times.filter((at) => at >= fromMs);
    const [first, last] = [times[0], times.at(-1)];
    return first === undefined || last === undefined ? Number.NaN : (last - first) / (times.length - 1);
  }
}
