import { allocate } from "@quorate/crypto";
import { malformed } from "../errors.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The same bytes without Node's Buffer around them, whose `slice` does not copy and which equals no Uint8Array. */
export function plain(bytes: Uint8Array): Uint8Array {
  return bytes.constructor === Uint8Array
    ? bytes
    : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Appends big-endian fields to one growing buffer. */
export class WireWriter {
  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView<ArrayBuffer>;
  #length = 0;

  constructor(capacity = 256) {
    this.#bytes = allocate(capacity);
    this.#view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset);
  }

  #grow(count: number): number {
    const at = this.#length;
    const needed = at + count;
    if (needed > this.#bytes.length) {
      const larger = allocate(Math.max(needed, this.#bytes.length * 2));
      larger.set(this.#bytes);
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer, larger.byteOffset);
    }
    this.#length = needed;
    return at;
  }

  u8(value: number): this {
    const at = this.#grow(1);
    this.#bytes[at] = value;
    return this;
  }

  u16(value: number): this {
    const at = this.#grow(2);
    this.#view.setUint16(at, value);
    return this;
  }

  u32(value: number): this {
    const at = this.#grow(4);
    this.#view.setUint32(at, value);
    return this;
  }

  /** A safe integer, 0 .. 2^53-1, in eight bytes. */
  u64(value: number): this {
    const at = this.#grow(8);
    this.#view.setUint32(at, Math.floor(value / 2 ** 32));
    this.#view.setUint32(at + 4, value % 2 ** 32);
    return this;
  }

  raw(bytes: Uint8Array): this {
    const at = this.#grow(bytes.length);
    this.#bytes.set(bytes, at);
    return this;
  }

  /** u32 length ‖ bytes. */
  bytes(bytes: Uint8Array): this {
    return this.u32(bytes.length).raw(bytes);
  }

  /** u16 length ‖ UTF-8. */
  str(text: string): this {
    const bytes = encoder.encode(text);
    return this.u16(bytes.length).raw(bytes);
  }

  /** A view of what was written; the writer must not be used after it. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }
}

/**
 * Reads what {@link WireWriter} wrote. Total: every fault throws GossipError `MALFORMED`, nothing is allocated before
 * its length was checked against the bytes that are there.
 */
export class WireReader {
  readonly #what: string;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array, what: string) {
    this.#what = what;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  fail(reason: string): never {
    throw malformed(this.#what, { reason, offset: this.#at, length: this.#bytes.length });
  }

  #take(count: number): number {
    if (count > this.remaining) this.fail("ends early");
    const at = this.#at;
    this.#at += count;
    return at;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2));
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4));
  }

  u64(): number {
    const at = this.#take(8);
    const value = this.#view.getUint32(at) * 2 ** 32 + this.#view.getUint32(at + 4);
    if (!Number.isSafeInteger(value)) this.fail("integer above 2^53-1");
    return value;
  }

  bool(): boolean {
    const value = this.u8();
    if (value > 1) this.fail("flag is neither 0 nor 1");
    return value === 1;
  }

  /** A view, not a copy. */
  raw(count: number): Uint8Array {
    const at = this.#take(count);
    return this.#bytes.subarray(at, at + count);
  }

  bytes(limit: number): Uint8Array {
    const length = this.u32();
    if (length > limit) this.fail("field longer than its bound");
    return this.raw(length);
  }

  str(limit: number): string {
    const length = this.u16();
    if (length > limit) this.fail("text longer than its bound");
    const bytes = this.raw(length);
    try {
      return decoder.decode(bytes);
    } catch {
      return this.fail("text is not UTF-8");
    }
  }

  end(): void {
    if (this.remaining > 0) this.fail("trailing bytes");
  }
}
