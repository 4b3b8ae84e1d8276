import type { PrivVal } from "@quorate/privval";
import type { Wal, WalPosition } from "@quorate/wal";

/** Heights kept in the log: the one being decided needs one; the others serve `wal inspect` and a store that lost its tip. */
const KEPT_HEIGHTS = 128;

/** Lets old segments of the WAL go, so that it does not grow with the chain. */
export class LogKeeper {
  private readonly wal: Pick<Wal, "prune">;
  private readonly privval: Pick<PrivVal, "state"> | null;
  private readonly ends: WalPosition[] = [];
  private pruning: Promise<unknown> = Promise.resolve();

  constructor(wal: Pick<Wal, "prune">, privval: Pick<PrivVal, "state"> | null) {
    this.wal = wal;
    this.privval = privval;
  }

  /** A height's EndHeight record lies here. Resolves when what went with it is gone; rejects when the disk refuses. */
  async ended(end: WalPosition): Promise<void> {
    this.ends.push(end);
    if (this.ends.length <= KEPT_HEIGHTS) return;
    const oldest = this.ends.shift();
    if (oldest === undefined) return;
    const dependency = this.privval?.state.dependency ?? { sequence: 0n, crc: 0 };
    const turn = this.pruning.then(() => this.wal.prune(oldest.sequence, dependency));
    // Below, the caller gets this failure and stops the node; who waits in `pruning` only waits for the end.
    this.pruning = turn.catch(() => undefined);
    await turn;
  }

  /** Resolves when nothing is being removed any more. */
  async settled(): Promise<void> {
    await this.pruning;
  }
}
