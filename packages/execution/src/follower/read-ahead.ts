import type { DecidedBlocks } from "../types.ts";
import { type DecidedPayload, decidedPayload } from "./locate.ts";

/**
 * Decided payloads one after the other, the next read and decoded while the EL executes the one before: a replay waits for
 * the EL alone. Holds one block at most, and none at the store's tip.
 */
export class ReadAhead {
  readonly #store: DecidedBlocks;
  #next: { readonly height: number; readonly payload: Promise<DecidedPayload | null> } | null = null;

  constructor(store: DecidedBlocks) {
    this.#store = store;
  }

  /** The decided payload of `height`; `null`: the store does not have it. Rejects as the store does. */
  take(height: number): Promise<DecidedPayload | null> {
    const payload = this.#next?.height === height ? this.#next.payload : decidedPayload(this.#store, height);
    this.#next = height < this.#store.height ? this.#read(height + 1) : null;
    return payload;
  }

  #read(height: number): { readonly height: number; readonly payload: Promise<DecidedPayload | null> } {
    const payload = decidedPayload(this.#store, height);
    // Whoever takes it gets the failure; one that nobody takes is read again when it is needed.
    payload.catch(() => undefined);
    return { height, payload };
  }
}
