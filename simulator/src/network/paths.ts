/** The ways between machines: how long, how wide, how lossy, and which of them are cut just now. One direction each. */
import type { Random } from "../core/random.ts";

export interface PathQuality {
  /** One-way delay: at least, and the mean of what comes on top. */
  readonly minMs: number;
  readonly jitterMs: number;
  /** Of messages of topics: lost, delivered twice. */
  readonly loss: number;
  readonly duplication: number;
  /** Messages of topics overtake each other. */
  readonly reorder: boolean;
  readonly bytesPerMs: number;
}

/** What a lost segment of a stream costs: TCP sends it again after so long, doubling. */
const RETRANSMIT_MS = 200;

export class Path {
  readonly quality: PathQuality;
  readonly #random: Random;
  #cuts = 0;
  /** Slow link: everything takes so many times longer. */
  slowness = 1;
  /** Nothing is lost or doubled any more. */
  faithful = false;
  readonly #healed: (() => void)[] = [];

  constructor(quality: PathQuality, random: Random) {
    this.quality = quality;
    this.#random = random;
  }

  /** Mean delay of a small message. */
  get usualMs(): number {
    return (this.quality.minMs + this.quality.jitterMs) * this.slowness;
  }

  get isCut(): boolean {
    return this.#cuts > 0;
  }

  cut(): void {
    this.#cuts++;
  }

  heal(): void {
    this.#cuts--;
    if (this.#cuts > 0) return;
    for (const listener of this.#healed.splice(0)) listener();
  }

  /** Called once, when the path is no longer cut. */
  onHeal(listener: () => void): void {
    this.#healed.push(listener);
  }

  delayMs(bytes: number): number {
    const { minMs, jitterMs, bytesPerMs } = this.quality;
    return (minMs + this.#random.exponential(jitterMs) + bytes / bytesPerMs) * this.slowness;
  }

  /** Of a segment of an ordered stream, sent again until it arrives. */
  streamDelayMs(bytes: number): number {
    let delay = this.delayMs(bytes);
    for (let wait = RETRANSMIT_MS; this.lost() && wait < 10_000; wait *= 2) delay += wait;
    return delay;
  }

  lost(): boolean {
    const { loss } = this.quality;
    return loss > 0 && !this.faithful && this.#random.chance(loss);
  }

  duplicated(): boolean {
    const { duplication } = this.quality;
    return duplication > 0 && !this.faithful && this.#random.chance(duplication);
  }
}
