import { allocate } from "@quorate/crypto";
import { GossipError } from "../errors.ts";
import { Gather } from "./gather.ts";

/** Bytes before a frame's content: its u32 length. */
export const FRAME_HEADER_BYTES = 4;

/** u32 length ‖ content, in one array so that one write carries it. */
export function frame(...chunks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  let length = 0;
  for (const chunk of chunks) length += chunk.length;
  const bytes = allocate(FRAME_HEADER_BYTES + length);
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(0, length);
  let at = FRAME_HEADER_BYTES;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

/**
 * Cuts a byte stream into frames. A length above the bound throws before anything is allocated; memory held is at most
 * twice what has arrived of one frame, and the work is linear in it, however the stream is cut.
 */
export class FrameDecoder {
  readonly #limit: number;
  readonly #headerBytes: 2 | 4;
  readonly #shared: number;
  #memory: Uint8Array | null = null;
  #header: Gather;
  #content: Gather | null = null;

  /**
   * `headerBytes`: of the length before a frame, big-endian. `shared`: frames of at least so many bytes that come in
   * pieces are put together in the same `limit` bytes each time, for a receiver that is done with them when it returns.
   */
  constructor(
    limit: number,
    headerBytes: 2 | 4 = FRAME_HEADER_BYTES,
    shared: number = Number.POSITIVE_INFINITY,
  ) {
    this.#limit = limit;
    this.#headerBytes = headerBytes;
    this.#shared = shared;
    this.#header = new Gather(headerBytes);
  }

  /** True while a frame has begun and not ended. */
  get partial(): boolean {
    return this.#content !== null || this.#header.length > 0;
  }

  /** Bytes held of the unfinished frame. */
  get buffered(): number {
    return this.#content?.length ?? this.#header.length;
  }

  /**
   * Takes the next bytes and hands every frame that they complete to `emit`, `most` at most; answers how many bytes it
   * took.
   * @throws GossipError `OVERSIZED` when a frame announces more than the bound.
   */
  push(
    chunk: Uint8Array,
    emit: (content: Uint8Array) => void,
    most: number = Number.POSITIVE_INFINITY,
  ): number {
    let at = 0;
    for (let frames = 0; at < chunk.length && frames < most; frames++) {
      if (this.#content === null) {
        at += this.#header.add(chunk, at);
        if (!this.#header.done) return at;
        const length = this.#announced();
        this.#content = new Gather(length, length < this.#shared ? undefined : this.#sharedMemory());
        this.#header = new Gather(this.#headerBytes);
      }
      at += this.#content.add(chunk, at);
      if (!this.#content.done) return at;
      const { bytes } = this.#content;
      this.#content = null;
      emit(bytes);
    }
    return at;
  }

  #sharedMemory(): Uint8Array {
    this.#memory ??= new Uint8Array(this.#limit);
    return this.#memory;
  }

  #announced(): number {
    const { bytes } = this.#header;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const length = this.#headerBytes === 2 ? view.getUint16(0) : view.getUint32(0);
    if (length > this.#limit) {
      throw new GossipError("OVERSIZED", "a peer announced a frame above the bound; it is dropped", {
        length,
        limit: this.#limit,
      });
    }
    return length;
  }
}
