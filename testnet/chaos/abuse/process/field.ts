/** What all attacks share: the order, time, pace, and the count of what was really done. */
import { setTimeout as delay } from "node:timers/promises";
import { Stranger, type StrangerOptions } from "../../../../packages/gossip/test/stranger.ts";
import type { Deeds, Order } from "../order.ts";

/** ms between the end of a host and the next one that takes its place under a new name. */
const RETURN_MS = 250;
/** A flood in one go lasts no longer than this, so that the ends of connections are seen when they come. */
const SLICE_MS = 10;

/** Thrown out or not, a host counts once. */
export interface Assailant {
  readonly stranger: Stranger;
  /** From now on it deserves to be thrown out. */
  offend(): void;
  over(): boolean;
}

export class Field {
  readonly order: Order;
  readonly #sent = new Map<string, number>();
  readonly #told = new Map<string, number>();
  readonly #thrownOutMs: number[] = [];
  #open = 0;
  #refused = 0;
  #whyRefused: string | null = null;
  #untilMs: number | null = null;
  #stopped = false;

  constructor(order: Order) {
    this.order = order;
  }

  /** The time of the attack begins with what reaches the network first. */
  begin(): void {
    this.#untilMs ??= performance.now() + this.order.seconds * 1000;
  }

  get over(): boolean {
    return this.#stopped || (this.#untilMs !== null && performance.now() >= this.#untilMs);
  }

  /** Whoever ordered the attack has seen enough. */
  stop(): void {
    this.#stopped = true;
  }

  sent(what: string, count = 1): void {
    this.#sent.set(what, (this.#sent.get(what) ?? 0) + count);
  }

  /** The highest of a number. */
  tell(what: string, value: number): void {
    this.#told.set(what, Math.max(value, this.#told.get(what) ?? 0));
  }

  thrownOut(afterMs: number): void {
    this.#thrownOutMs.push(Math.round(afterMs));
  }

  stayed(count = 1): void {
    this.#open += count;
  }

  refused(error: unknown): void {
    this.#refused++;
    this.#whyRefused = error instanceof Error ? error.message : String(error);
  }

  get deeds(): Deeds {
    return {
      sent: Object.fromEntries(this.#sent),
      thrownOutMs: this.#thrownOutMs,
      open: this.#open,
      refused: this.#refused,
      whyRefused: this.#whyRefused,
      told: Object.fromEntries(this.#told),
    };
  }

  target(index: number): string {
    const { targets } = this.order;
    const target = targets[index % targets.length];
    if (target === undefined) throw new Error("an attack without a target");
    return target;
  }

  /** So many hosts at a time, each until its connection ends; then another one comes in its place. */
  async siege(
    hosts: number,
    options: (index: number) => StrangerOptions,
    assault: (assailant: Assailant, index: number) => Promise<void>,
  ): Promise<void> {
    await Promise.all(
      Array.from({ length: hosts }, async (_, index) => {
        for (let life = 0; !this.over; life++) {
          await this.#assail(index + life * hosts, options(index), (one) => assault(one, index));
          if (!this.over) await delay(RETURN_MS);
        }
      }),
    );
  }

  async #assail(
    index: number,
    options: StrangerOptions,
    assault: (assailant: Assailant) => Promise<void>,
  ): Promise<void> {
    let stranger: Stranger;
    try {
      stranger = await Stranger.connect(this.target(index), options);
    } catch (error) {
      this.refused(error);
      return;
    }
    this.begin();
    this.sent("hosts");
    let offendedMs: number | null = null;
    let closedMs: number | null = null;
    const closed = stranger.closed.then(() => {
      closedMs = performance.now();
    });
    try {
      try {
        await assault({
          stranger,
          // Whoever had to wait until the attack was over does nothing any more.
          offend: () => {
            if (!this.over) offendedMs ??= performance.now();
          },
          over: () => !stranger.isOpen || (this.over && this.#leftMs(offendedMs) <= 0),
        });
      } catch (error) {
        // Thrown out in the middle of it.
        if (stranger.isOpen) this.refused(error);
      }
      // Whoever has done its worst stays and looks what becomes of it.
      while (!this.over && stranger.isOpen) await Promise.race([closed, delay(100)]);
      const leftMs = this.#leftMs(offendedMs);
      if (stranger.isOpen && leftMs > 0) await Promise.race([closed, delay(leftMs)]);
      if (stranger.isOpen && (offendedMs !== null || this.order.thrownOutMs === null)) this.stayed();
      else if (offendedMs !== null) this.thrownOut((closedMs ?? performance.now()) - offendedMs);
    } finally {
      await stranger.stop();
    }
  }

  /** At the end of the attack some have only just begun: each goes on for the time within which any is thrown out. */
  #leftMs(offendedMs: number | null): number {
    return offendedMs === null ? 0 : offendedMs + (this.order.thrownOutMs ?? 0) - performance.now();
  }

  /** Does `one` so often a second, as far as the machine and the other side let it, until the host's time is over. */
  async flood(assailant: Assailant, perSecond: number, one: () => Promise<number>): Promise<void> {
    const from = performance.now();
    let done = 0;
    while (!assailant.over()) {
      const slice = performance.now() + SLICE_MS;
      const due = ((performance.now() - from) / 1000) * perSecond;
      while (done < due && performance.now() < slice && !assailant.over()) {
        const did = await one();
        if (did === 0) return;
        done += did;
      }
      // What the machine did not let it do is not made good later.
      if (done < due) done = due;
      await delay(SLICE_MS / 2);
    }
  }
}
