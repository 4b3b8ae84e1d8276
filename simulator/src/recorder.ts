/** Writes down what happened; its hash is the run's identity. Off, it costs nothing. */
import { createHash, type Hash } from "node:crypto";
import type { TraceBody, TraceEvent } from "./trace.ts";

export class Recorder {
  readonly events: TraceEvent[] = [];
  readonly #now: () => number;
  readonly #keep: boolean;
  readonly #hash: Hash | null;

  /** `keep`: events are held for a page; `hashed`: the run is identified by a hash over all of them. */
  constructor(now: () => number, options: { readonly keep: boolean; readonly hashed: boolean }) {
    this.#now = now;
    this.#keep = options.keep;
    this.#hash = options.hashed ? createHash("sha256") : null;
  }

  get on(): boolean {
    return this.#keep || this.#hash !== null;
  }

  add(body: TraceBody): void {
    if (!this.on) return;
    // A microsecond is finer than anything that is decided by time; more digits only make files long.
    const event: TraceEvent = { t: Math.round(this.#now() * 1000) / 1000, ...body };
    if (this.#keep) this.events.push(event);
    this.#hash?.update(`${JSON.stringify(event)}\n`);
  }

  /** SHA-256 over the events as JSON lines, hex; empty when it was not asked for. */
  hash(): string {
    return this.#hash?.copy().digest("hex") ?? "";
  }
}
