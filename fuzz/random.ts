/** Random numbers from a seed: every input of the fuzzer has its own, so that one number replays it. */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  /** `seed` 0 .. 2^53-1. */
  constructor(seed: number) {
    // splitmix32 over both halves spreads neighbouring seeds apart.
    let state = (seed ^ Math.imul(Math.floor(seed / 2 ** 32) + 1, 0x9e3779b9)) | 0;
    const next = (): number => {
      state = (state + 0x9e3779b9) | 0;
      let mixed = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
      mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
      return (mixed ^ (mixed >>> 16)) | 0;
    };
    this.#a = next();
    this.#b = next();
    this.#c = next();
    this.#d = next() | 1;
  }

  /** sfc32: 0 .. 2^32-1. */
  u32(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#d) | 0;
    this.#d = (this.#d + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum;
    return sum >>> 0;
  }

  /** 0 .. bound-1; bound at most 2^32. */
  below(bound: number): number {
    return Math.floor((this.u32() / 2 ** 32) * bound);
  }

  /** min .. max, both included. */
  between(min: number, max: number): number {
    return min + this.below(max - min + 1);
  }

  /** True once in `n` times. */
  oneIn(n: number): boolean {
    return this.below(n) === 0;
  }

  pick<T>(list: readonly T[]): T {
    if (list.length === 0) throw new RangeError("nothing to pick from");
    return list[this.below(list.length)] as T;
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i++) bytes[i] = this.u32();
    return bytes;
  }

  u64(): bigint {
    return (BigInt(this.u32()) << 32n) | BigInt(this.u32());
  }

  /** 0 .. 2^53-1. */
  safe(): number {
    return (this.u32() >>> 11) * 2 ** 32 + this.u32();
  }

  /** Small most of the time, sometimes at an edge, sometimes anything. */
  count(max: number): number {
    switch (this.below(8)) {
      case 0:
        return 0;
      case 1:
        return max;
      case 2:
        return this.between(0, max);
      default:
        return this.between(0, Math.min(max, 4));
    }
  }
}
