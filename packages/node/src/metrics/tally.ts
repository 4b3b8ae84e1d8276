import type { Counter } from "prom-client";

/**
 * Counts for a counter with labels that many events per height raise. prom-client sorts and hashes the labels of each
 * call, which costs as much as decoding a vote; so the sums are kept here and handed over before a scrape.
 */
export class Tally<Name extends string> {
  private readonly counter: Counter<Name>;
  private readonly sums = new Map<string, { readonly labels: Readonly<Record<Name, string>>; sum: number }>();

  /** The values of the labels come from fixed lists: nothing here is forgotten. */
  constructor(counter: Counter<Name>) {
    this.counter = counter;
  }

  /** `key` stands for the labels, one to one; `labels` is asked once per key. */
  add(key: string, amount: number, labels: () => Readonly<Record<Name, string>>): void {
    const entry = this.sums.get(key);
    if (entry === undefined) this.sums.set(key, { labels: labels(), sum: amount });
    else entry.sum += amount;
  }

  /** Hands the sums over and begins anew. */
  show(): void {
    for (const entry of this.sums.values()) {
      if (entry.sum > 0) this.counter.inc(entry.labels, entry.sum);
      entry.sum = 0;
    }
  }
}
