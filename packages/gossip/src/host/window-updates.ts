/** Header of a yamux frame, bytes: version 1, type 1, flags 2, stream id 4, length 4, big-endian (yamux spec). */
export const HEADER = 12;
const TYPE_DATA = 0;
const TYPE_WINDOW_UPDATE = 1;
/** FIN and RST: the stream sends nothing more. */
const ENDS = 0x0c;
const NO_FRAMES: readonly Uint8Array[] = [];

/**
 * Holds the window updates of a yamux connection back until those of a stream have grown to `threshold` bytes, and then
 * sends their sum. The sender's window starts at 256 KiB and is never short of more than the threshold once its bytes
 * have been read, so it cannot run dry; updates that carry a flag open a stream and pass at once.
 */
export class WindowUpdates {
  readonly #threshold: number;
  readonly #streams: number;
  readonly #held = new Map<number, number>();

  /** `threshold`: bytes, well below the first window of 262,144. `streams`: how many may have one held back. */
  constructor(threshold: number, streams: number) {
    this.#threshold = threshold;
    this.#streams = streams;
  }

  /** Streams with an update held back. */
  get held(): number {
    return this.#held.size;
  }

  /** What of `frame` (one whole outgoing frame) is to be sent now. */
  pass(frame: Uint8Array): readonly Uint8Array[] {
    if (frame.length < HEADER) return [frame];
    const type = frame[1];
    if (type !== TYPE_DATA && type !== TYPE_WINDOW_UPDATE) return [frame];
    const flags = ((frame[2] ?? 0) << 8) | (frame[3] ?? 0);
    const view = new DataView(frame.buffer, frame.byteOffset, HEADER);
    const stream = view.getUint32(4);
    if ((flags & ENDS) !== 0) this.#held.delete(stream);
    if (type === TYPE_DATA || flags !== 0) return [frame];
    const sum = (this.#held.get(stream) ?? 0) + view.getUint32(8);
    this.#held.delete(stream);
    if (sum >= this.#threshold) return [updateOf(stream, sum)];
    this.#held.set(stream, sum);
    return this.#held.size > this.#streams ? this.#releaseOldest() : NO_FRAMES;
  }

  /** Most likely of a stream that the other side reset, which ends it without a word from here. */
  #releaseOldest(): readonly Uint8Array[] {
    for (const [stream, sum] of this.#held) {
      this.#held.delete(stream);
      return [updateOf(stream, sum)];
    }
    return NO_FRAMES;
  }
}

function updateOf(stream: number, bytes: number): Uint8Array {
  const frame = new Uint8Array(HEADER);
  frame[1] = TYPE_WINDOW_UPDATE;
  const view = new DataView(frame.buffer);
  view.setUint32(4, stream);
  view.setUint32(8, bytes);
  return frame;
}
