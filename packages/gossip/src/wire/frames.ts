import { GossipError } from "../errors.ts";

/** Bytes before a frame's content: its u32 length. */
export const FRAME_HEADER_BYTES = 4;

/** u32 length ‖ content, in one array so that one write carries it. */
export function frame(...chunks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  let length = 0;
  for (const chunk of chunks) length += chunk.length;
  const bytes = new Uint8Array(FRAME_HEADER_BYTES + length);
  new DataView(bytes.buffer).setUint32(0, length);
  let at = FRAME_HEADER_BYTES;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

/**
 * Cuts a byte stream into frames. A length above the bound throws before anything is allocated; memory held is what
 * has arrived of one frame.
 */
export class FrameDecoder {
  readonly #limit: number;
  #chunks: Uint8Array[] = [];
  #buffered = 0;
  #expected = -1;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** True while a frame has begun and not ended. */
  get partial(): boolean {
    return this.#buffered > 0 || this.#expected >= 0;
  }

  /** Bytes held of the unfinished frame. */
  get buffered(): number {
    return this.#buffered;
  }

  /**
   * Takes the next bytes and hands every frame that they complete to `emit`.
   * @throws GossipError `OVERSIZED` when a frame announces more than the bound.
   */
  push(chunk: Uint8Array, emit: (content: Uint8Array) => void): void {
    if (chunk.length === 0) return;
    this.#chunks.push(chunk);
    this.#buffered += chunk.length;
    for (;;) {
      if (this.#expected < 0) {
        if (this.#buffered < FRAME_HEADER_BYTES) return;
        const header = this.#consume(FRAME_HEADER_BYTES);
        const length = new DataView(header.buffer, header.byteOffset, FRAME_HEADER_BYTES).getUint32(0);
        if (length > this.#limit) {
          throw new GossipError("OVERSIZED", "a peer announced a frame above the bound; it is dropped", {
            length,
            limit: this.#limit,
          });
        }
        this.#expected = length;
      }
      if (this.#buffered < this.#expected) return;
      const content = this.#consume(this.#expected);
      this.#expected = -1;
      emit(content);
    }
  }

  #consume(count: number): Uint8Array {
    const first = this.#chunks[0];
    this.#buffered -= count;
    if (first === undefined || count === 0) return new Uint8Array(0);
    if (first.length === count) {
      this.#chunks.shift();
      return first;
    }
    if (first.length > count) {
      this.#chunks[0] = first.subarray(count);
      return first.subarray(0, count);
    }
    const joined = new Uint8Array(count);
    let at = 0;
    let used = 0;
    for (const chunk of this.#chunks) {
      const take = Math.min(chunk.length, count - at);
      joined.set(take === chunk.length ? chunk : chunk.subarray(0, take), at);
      at += take;
      if (take < chunk.length) {
        this.#chunks[used] = chunk.subarray(take);
        break;
      }
      used++;
      if (at === count) break;
    }
    this.#chunks.splice(0, used);
    return joined;
  }
}
