import { LIMITS } from "../limits.ts";
import { TokenBucket } from "../scoring/token-bucket.ts";

const HEADER_BYTES = 12;
const DATA = 0;
const WINDOW = 1;
const SYN = 1;

/**
 * Follows the yamux frames that come and counts those that carry nothing: pings, which are answered, window updates,
 * empty data, and streams that begin, of which the muxer refuses what is too many, one answer each. A window that grows
 * beyond any memory is none. Of data it looks at the length: yamux gathers a frame, of up to 4 GiB, before it asks whether
 * the window holds it. It holds one header at most.
 */
export class MuxerBudget {
  readonly #now: () => number;
  readonly #frames: TokenBucket;
  readonly #streams: TokenBucket;
  readonly #header: Uint8Array = new Uint8Array(HEADER_BYTES);
  #held = 0;
  /** Bytes of data to come before the next header. */
  #data = 0;

  /** `now`: monotonic, ms. */
  constructor(now: () => number) {
    const from = now();
    this.#now = now;
    this.#frames = new TokenBucket(LIMITS.muxerFrameBurst, LIMITS.muxerFramesPerSecond, from);
    this.#streams = new TokenBucket(LIMITS.newStreamBurst, LIMITS.newStreamsPerSecond, from);
  }

  /** False when a peer sent more than it may. */
  covers(chunk: Uint8Array): boolean {
    let frames = 0;
    let streams = 0;
    let sound = true;
    for (let at = 0; at < chunk.length; ) {
      if (this.#data > 0) {
        const passed = Math.min(this.#data, chunk.length - at);
        this.#data -= passed;
        at += passed;
        continue;
      }
      this.#header[this.#held++] = chunk[at++]!;
      if (this.#held < HEADER_BYTES) continue;
      this.#held = 0;
      const view = new DataView(this.#header.buffer);
      const isData = this.#header[1] === DATA;
      const length = view.getUint32(8);
      if (isData && length > LIMITS.streamWindow) sound = false;
      if (isData) this.#data = length;
      else if (this.#header[1] === WINDOW && length > LIMITS.windowUpdateMost) sound = false;
      if (!isData || length === 0) frames++;
      if ((view.getUint16(2) & SYN) !== 0 && view.getUint32(4) !== 0) streams++;
    }
    const now = this.#now();
    return sound && this.#frames.take(frames, now) && this.#streams.take(streams, now);
  }
}
