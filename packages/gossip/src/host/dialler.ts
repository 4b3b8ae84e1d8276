import type { GossipClock } from "../clock.ts";
import { LIMITS } from "../limits.ts";

export interface DialTarget {
  /** Peer id. */
  readonly peer: string;
  /** Multiaddr with `/p2p/`, or `null` when addresses were learned. */
  readonly address: string | null;
}

export interface DiallerModules {
  /** Resolves when libp2p has a connection, which is not yet an accepted one. */
  readonly dial: (target: DialTarget, signal: AbortSignal) => Promise<void>;
  readonly connected: (peer: string) => boolean;
  readonly clock: GossipClock;
  /** 0 .. 1, spreads retries. */
  readonly random: () => number;
  readonly failed: (target: DialTarget, attempt: number, reason: unknown) => void;
}

interface Entry {
  readonly target: DialTarget;
  attempt: number;
  cancel: (() => void) | null;
  dialling: AbortController | null;
  dialledAt: number;
}

/** Wait before the `attempt`-th retry (1, 2, …): 250 ms doubling to 5 s, up to a quarter of it taken off by chance. */
export function redialDelayMs(attempt: number, random: number): number {
  const full = Math.min(LIMITS.redialMaxMs, LIMITS.redialMinMs * 2 ** Math.min(16, attempt - 1));
  return Math.round(full * (1 - random / 4));
}

/**
 * Keeps links to configured peers for ever. A dial that resolved proves nothing (the other side may refuse after it);
 * the backoff starts again only when {@link accepted} says that the peer talked to us.
 */
export class PersistentDialler {
  readonly #modules: DiallerModules;
  readonly #entries = new Map<string, Entry>();
  #stopped = false;

  constructor(modules: DiallerModules) {
    this.#modules = modules;
  }

  /** Adds a target and dials it at once; a known peer keeps its configured address. */
  add(target: DialTarget): void {
    if (this.#stopped || this.#entries.has(target.peer)) return;
    const entry: Entry = { target, attempt: 0, cancel: null, dialling: null, dialledAt: 0 };
    this.#entries.set(target.peer, entry);
    this.#schedule(entry, 0);
  }

  /** It is not dialled any more; a connection that is there stays. */
  remove(peer: string): void {
    const entry = this.#entries.get(peer);
    entry?.cancel?.();
    this.#entries.delete(peer);
  }

  has(peer: string): boolean {
    return this.#entries.has(peer);
  }

  /** A dial to the peer began within the last `ms`: an older one may be to an address that never answers. */
  dialling(peer: string, ms: number): boolean {
    const entry = this.#entries.get(peer);
    return (
      entry !== undefined &&
      entry.dialling !== null &&
      this.#modules.clock.monotonicMs() - entry.dialledAt <= ms
    );
  }

  /** The peer's status was accepted. */
  accepted(peer: string): void {
    const entry = this.#entries.get(peer);
    if (entry !== undefined) entry.attempt = 0;
  }

  /** The connection to the peer is gone. */
  lost(peer: string): void {
    const entry = this.#entries.get(peer);
    if (entry !== undefined) this.#retry(entry);
  }

  stop(): void {
    this.#stopped = true;
    for (const entry of this.#entries.values()) {
      entry.cancel?.();
      entry.dialling?.abort();
    }
    this.#entries.clear();
  }

  #retry(entry: Entry): void {
    if (this.#isOver(entry) || entry.cancel !== null || entry.dialling !== null) return;
    entry.attempt++;
    this.#schedule(entry, redialDelayMs(entry.attempt, this.#modules.random()));
  }

  #schedule(entry: Entry, delayMs: number): void {
    entry.cancel = this.#modules.clock.timer(delayMs, () => {
      entry.cancel = null;
      this.#dial(entry).catch((error: unknown) => {
        this.#modules.failed(entry.target, entry.attempt, error);
      });
    });
  }

  async #dial(entry: Entry): Promise<void> {
    if (this.#isOver(entry) || this.#modules.connected(entry.target.peer)) return;
    const controller = new AbortController();
    entry.dialling = controller;
    entry.dialledAt = this.#modules.clock.monotonicMs();
    const cancelDeadline = this.#modules.clock.timer(LIMITS.dialTimeoutMs, () =>
      controller.abort(new Error("dial timed out")),
    );
    try {
      await this.#modules.dial(entry.target, controller.signal);
    } catch (error) {
      if (!this.#stopped) this.#modules.failed(entry.target, entry.attempt, error);
    } finally {
      cancelDeadline();
      entry.dialling = null;
    }
    if (!this.#modules.connected(entry.target.peer)) this.#retry(entry);
  }

  #isOver(entry: Entry): boolean {
    return this.#stopped || this.#entries.get(entry.target.peer) !== entry;
  }
}
