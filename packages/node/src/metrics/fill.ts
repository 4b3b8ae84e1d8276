import type { Gauge } from "prom-client";

/**
 * Fill of bounded queues. A queue that is emptied within milliseconds looks empty whenever it is asked, so what is
 * shown is the highest fill since the last scrape.
 */
export class QueueFill {
  private readonly gauge: Gauge<"queue">;
  private readonly highest = new Map<string, number>();

  constructor(gauge: Gauge<"queue">) {
    this.gauge = gauge;
  }

  /** `queue` names one of a fixed list; `length` of `limit` are in use now. */
  note(queue: string, length: number, limit: number): void {
    const fill = length / limit;
    if (fill > (this.highest.get(queue) ?? -1)) this.highest.set(queue, fill);
  }

  /** Shows the highest fills and begins anew. */
  show(): void {
    for (const [queue, fill] of this.highest) {
      this.gauge.set({ queue }, fill);
      this.highest.set(queue, 0);
    }
  }
}
