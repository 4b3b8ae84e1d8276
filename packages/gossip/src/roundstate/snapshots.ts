import type { RoundState } from "../types.ts";

interface Snapshot {
  readonly at: number;
  readonly state: RoundState;
}

/** Snapshots kept: at 20 per second they reach back 400 ms, several times the settle time. */
const KEPT = 8;

/** Our own round state at recent times: what we held then, gossip has had time to bring to a peer. */
export class Snapshots {
  #kept: Snapshot[] = [];

  take(state: RoundState, at: number): void {
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
