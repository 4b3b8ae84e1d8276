/** What the commits of all nodes say together: agreement, intervals, latencies, progress. Pure bookkeeping. */
import type { NodeCommit } from "./child.ts";

/** Heights whose ids are kept for comparison; a node further behind is compared by its peers' app hashes anyway. */
const MAX_HEIGHTS = 20_000;
const MAX_SAMPLES = 20_000;

export interface Divergence {
  readonly height: number;
  readonly first: {
    readonly node: string;
    readonly blockId: string;
    readonly appHash: string;
    readonly elHash: string | null;
  };
  readonly second: Divergence["first"];
}

export interface Percentiles {
  readonly p50: number;
  readonly p95: number;
}

/** Nearest-rank percentiles of the samples; zeros without samples. */
export function percentiles(samples: readonly number[]): Percentiles {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
  return { p50: Math.round(at(0.5)), p95: Math.round(at(0.95)) };
}

export class ChainWatch {
  readonly #seen = new Map<number, Divergence["first"]>();
  readonly #heights = new Map<string, number>();
  readonly #latencies: number[] = [];
  readonly #intervals: number[] = [];
  #highest: { readonly height: number; readonly atMs: number } | null = null;
  #divergence: Divergence | null = null;

  get divergence(): Divergence | null {
    return this.#divergence;
  }

  /** Highest height that any node committed; 0 = none. */
  get height(): number {
    return this.#highest?.height ?? 0;
  }

  heightOf(node: string): number {
    return this.#heights.get(node) ?? 0;
  }

  get latencies(): Percentiles {
    return percentiles(this.#latencies);
  }

  get intervals(): Percentiles {
    return percentiles(this.#intervals);
  }

  /** A node that starts at a height has committed it before. */
  startsAt(node: string, height: number): void {
    this.#heights.set(node, height);
  }

  /**
   * Takes a commit seen at `nowMs` (monotonic). `live` = the node takes part in consensus: only then its latency means
   * anything. Returns whether it is the first one of its height.
   */
  commit(node: string, commit: NodeCommit, live: boolean, nowMs: number): boolean {
    const { height, blockId, appHash, elHash } = commit;
    this.#heights.set(node, height);
    const mine = { node, blockId, appHash, elHash };
    const other = this.#seen.get(height);
    if (other === undefined) {
      this.#seen.set(height, mine);
      this.#seen.delete(height - MAX_HEIGHTS);
    } else if (other.blockId !== blockId || other.appHash !== appHash || other.elHash !== elHash) {
      this.#divergence ??= { height, first: other, second: mine };
    }
    if (live) push(this.#latencies, commit.ms);
    const highest = this.#highest;
    if (highest !== null && height <= highest.height) return false;
    if (live && highest !== null && height === highest.height + 1)
      push(this.#intervals, nowMs - highest.atMs);
    this.#highest = { height, atMs: nowMs };
    return true;
  }
}

function push(samples: number[], value: number): void {
  if (samples.length >= MAX_SAMPLES) samples.shift();
  samples.push(value);
}
