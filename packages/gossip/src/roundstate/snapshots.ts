import type { RoundState } from "../types.ts";

interface Snapshot {
  readonly at: number;
  readonly state: RoundState;
}

/** Snapshots kept, and how far apart they are at least: they reach back longer than any settle time, however fast they come. */
const KEPT = 52;
const APART_MS = 40;

/** Our own round state at recent times: what we held then, gossip has had time to bring to a peer. */
export class Snapshots {
  #kept: Snapshot[] = [];

  take(state: RoundState, at: number): void {
    const before = this.#kept.at(-2);
    // The newest is always kept; one that came right after another takes its place.
    if (before !== undefined && at - before.at < APART_MS) this.#kept.pop();
    this.#kept.push({ at, state });
    if (this.#kept.length > KEPT) this.#kept.shift();
  }

  /** The newest state taken at or before `at`. */
  newest(at: number): RoundState | null {
    return this.#kept.findLast((snapshot) => snapshot.at <= at)?.state ?? null;
  }

  /** Time of the latest one. */
  latestAt(): number | null {
    return this.#kept.at(-1)?.at ?? null;
  }
}
