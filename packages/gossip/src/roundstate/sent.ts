import { LIMITS } from "../limits.ts";
import type { RoundState } from "../types.ts";
import { regressed, type SentMemory } from "./plan.ts";

/** Remembers what one peer was sent, for as long as it stays in one height and round. */
export class SentItems implements SentMemory {
  readonly #items = new Map<string, number>();

  at(key: string): number | undefined {
    return this.#items.get(key);
  }

  record(key: string, now: number): void {
    if (this.#items.size >= LIMITS.voteSlots) this.#items.clear();
    this.#items.set(key, now);
  }

  /** A new state of the peer: another height or round, or anything forgotten, makes all items due again. */
  observe(before: RoundState | null, after: RoundState): void {
    if (before === null || before.height !== after.height || before.round !== after.round)
      this.#items.clear();
    else if (regressed(before, after)) this.#items.clear();
  }

  clear(): void {
    this.#items.clear();
  }
}
