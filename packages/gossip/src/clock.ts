/** Time port: nothing in the gossip layer reads a clock or sets a timer elsewhere. */
export interface GossipClock {
  /** Wall clock, ms: when a proposal arrived, when a peer connected. Everything else goes by the monotonic one. */
  wallMs(): number;
  /** ms since an arbitrary point: a wall clock that is set back must not silence this node. */
  monotonicMs(): number;
  /** Calls back once after `ms`; with 0 at the end of this turn of the event loop. The returned function cancels. */
  timer(ms: number, callback: () => void): () => void;
}

export interface Deadline {
  readonly signal: AbortSignal;
  /** To be called when it no longer matters. */
  clear(): void;
}

/** A signal that aborts after `ms`. */
export function deadline(clock: GossipClock, ms: number): Deadline {
  const controller = new AbortController();
  const clear = clock.timer(ms, () => controller.abort(new Error(`not within ${ms} ms`)));
  return { signal: controller.signal, clear };
}
