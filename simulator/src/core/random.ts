/**
 * One seed, many independent streams: every purpose draws from a stream of its own, named by a label, so that one more
 * draw here changes nothing there (shrinking takes one fault away and leaves the others as they were).
 */

/** FNV-1a over UTF-16 code units, spread over four words. */
function words(text: string): [number, number, number, number] {
  let a = 0x811c9dc5;
  let b = 0x1b873593;
  let c = 0xcc9e2d51;
  let d = 0x85ebca6b;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    a = Math.imul(a ^ code, 0x01000193);
    b = Math.imul(b ^ code, 0x5bd1e995) ^ (a >>> 13);
    c = Math.imul(c ^ code, 0x2545f491) ^ (b >>> 15);
    d = Math.imul(d ^ code, 0x9e3779b1) ^ (c >>> 11);
  }
  return [a >>> 0, b >>> 0, c >>> 0, d >>> 0];
}

export class Random {
  readonly #label: string;
  #a: number;
  #b: number;
  #c: number;
  #counter: number;

  /** `label` names seed and purpose. */
  constructor(label: string) {
    this.#label = label;
    [this.#a, this.#b, this.#c, this.#counter] = words(label);
    for (let i = 0; i < 12; i++) this.next();
  }

  /** A stream for another purpose; does not touch this one. */
  split(purpose: string): Random {
    return new Random(`${this.#label}/${purpose}`);
  }

  /** sfc32: 0 .. 2^32 - 1. */
  next(): number {
    const result = (this.#a + this.#b + this.#counter++) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + result) | 0;
    return result >>> 0;
  }

  /** 0 <= x < 1. */
  unit(): number {
    return this.next() / 0x1_0000_0000;
  }

  /** 0 <= x < bound. */
  below(bound: number): number {
    return Math.floor(this.unit() * bound);
  }

  /** low <= x <= high, whole. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  /** low <= x < high. */
  real(low: number, high: number): number {
    return low + this.unit() * (high - low);
  }

  chance(probability: number): boolean {
    return this.unit() < probability;
  }

  /** Exponential with this mean. */
  exponential(mean: number): number {
    return -mean * Math.log(1 - this.unit());
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new Error("nothing to pick from");
    return item;
  }

  /** `count` of the items, in random order. */
  sample<T>(items: readonly T[], count: number): T[] {
    const rest = [...items];
    const taken: T[] = [];
    while (taken.length < count && rest.length > 0) taken.push(...rest.splice(this.below(rest.length), 1));
    return taken;
  }
}
