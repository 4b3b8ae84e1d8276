/** Whether a chain ever paused: the longest time between two of its blocks, and the heights that took more rounds. */

export interface PaceSummary {
  /** Longest time between the first commits of two consecutive heights, ms, and the later of the two. */
  readonly longestGapMs: number;
  readonly atHeight: number;
  /** Heights looked at. */
  readonly heights: number;
  /** Those not decided in round 0. */
  readonly lateHeights: readonly number[];
  /** The highest round that decided. */
  readonly highestRound: number;
}

export class Pace {
  #last: { readonly height: number; readonly atMs: number } | null = null;
  #longest = { gapMs: 0, height: 0 };
  #heights = 0;
  readonly #late: number[] = [];
  #highestRound = 0;

  /** The first commit of a height, seen at `atMs` (monotonic). */
  committed(height: number, round: number, atMs: number): void {
    const last = this.#last;
    if (last !== null && height <= last.height) return;
    if (last !== null && atMs - last.atMs > this.#longest.gapMs)
      this.#longest = { gapMs: atMs - last.atMs, height };
    this.#last = { height, atMs };
    this.#heights++;
    if (round > 0) this.#late.push(height);
    this.#highestRound = Math.max(this.#highestRound, round);
  }

  summary(): PaceSummary {
    return {
      longestGapMs: Math.round(this.#longest.gapMs),
      atHeight: this.#longest.height,
      heights: this.#heights,
      lateHeights: [...this.#late],
      highestRound: this.#highestRound,
    };
  }
}
