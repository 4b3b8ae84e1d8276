/** Readers and writers of the chain's own big-endian formats (docs/protocol.md). */
import { allocate, trimmed, utf8Decode, utf8Encode } from "@quorate/crypto";
import { ChainError } from "./errors.ts";

const INITIAL_SIZE = 256;

/** A plain Uint8Array over the same memory: subclasses such as Buffer give `slice` another meaning. */
export function plainView(bytes: Uint8Array): Uint8Array {
  return Object.getPrototypeOf(bytes) === Uint8Array.prototype
    ? bytes
    : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}

function viewOf({ buffer, byteOffset, length }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, length);
}

/** Appends fixed-width big-endian values. Values out of range throw ChainError `ENCODE`: nothing is ever cut. */
export class ByteWriter {
  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView;
  #length = 0;

  constructor(sizeHint: number = INITIAL_SIZE) {
    this.#bytes = allocate(Math.max(1, sizeHint));
    this.#view = viewOf(this.#bytes);
  }

  #reserve(count: number): number {
    const at = this.#length;
    const end = at + count;
    if (end > this.#bytes.length) {
      const grown = allocate(Math.max(end, 2 * this.#bytes.length));
      grown.set(this.#bytes.subarray(0, at));
      this.#bytes = grown;
      this.#view = viewOf(grown);
    }
    this.#length = end;
    return at;
  }

  #uint(value: number, max: number): number {
    if (!Number.isInteger(value) || value < 0 || value > max) {
      throw new ChainError("ENCODE", `${value} is no integer of 0 to ${max}`, { value, max });
    }
    return value;
  }

  u8(value: number): this {
    this.#uint(value, 0xff);
    const at = this.#reserve(1);
    this.#view.setUint8(at, value);
    return this;
  }

  u16(value: number): this {
    this.#uint(value, 0xffff);
    const at = this.#reserve(2);
    this.#view.setUint16(at, value);
    return this;
  }

  u32(value: number): this {
    this.#uint(value, 0xffff_ffff);
    const at = this.#reserve(4);
    this.#view.setUint32(at, value);
    return this;
  }

  u64(value: number | bigint): this {
    if (typeof value === "number") {
      this.#uint(value, Number.MAX_SAFE_INTEGER);
      const at = this.#reserve(8);
      this.#view.setUint32(at, Math.floor(value / 0x1_0000_0000));
      this.#view.setUint32(at + 4, value >>> 0);
      return this;
    }
    if (BigInt.asUintN(64, value) !== value) {
      throw new ChainError("ENCODE", `${value} does not fit 64 unsigned bits`, { value });
    }
    const at = this.#reserve(8);
    this.#view.setBigUint64(at, value);
    return this;
  }

  /** Two's complement. */
  i64(value: bigint): this {
    if (BigInt.asIntN(64, value) !== value) {
      throw new ChainError("ENCODE", `${value} does not fit 64 signed bits`, { value });
    }
    const at = this.#reserve(8);
    this.#view.setBigInt64(at, value);
    return this;
  }

  /** The bytes as they are, without a length. */
  bytes(value: Uint8Array): this {
    const at = this.#reserve(value.length);
    this.#bytes.set(value, at);
    return this;
  }

  /** u16 length ‖ UTF-8. */
  str(value: string): this {
    const bytes = utf8Encode(value);
    return this.u16(bytes.length).bytes(bytes);
  }

  /** u32 length ‖ bytes. */
  bytes32(value: Uint8Array): this {
    return this.u32(value.length).bytes(value);
  }

  /** Everything written; the writer must not be used after it. */
  finish(): Uint8Array {
    return trimmed(this.#bytes, this.#length);
  }
}

/**
 * Reads what {@link ByteWriter} writes. Reading past the end, values out of range and leftovers throw ChainError
 * `DECODE`; what it answers never aliases its input.
 */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = plainView(bytes);
    this.#view = viewOf(bytes);
  }

  /** Bytes not read yet. */
  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  #take(count: number): number {
    const at = this.#at;
    if (count > this.#bytes.length - at) {
      throw new ChainError(
        "DECODE",
        `bytes end at ${this.#bytes.length}, ${count} more are needed at ${at}`,
        {
          at,
          needed: count,
          length: this.#bytes.length,
        },
      );
    }
    this.#at = at + count;
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

  u64(): bigint {
    return this.#view.getBigUint64(this.#take(8));
  }

  /** u64 of at most 2^53-1, as a number. */
  safeU64(): number {
    const at = this.#at;
    const value = this.u64();
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw new ChainError("DECODE", `${value} at ${at} is above 2^53-1`, { at, value });
    }
    return Number(value);
  }

  i64(): bigint {
    return this.#view.getBigInt64(this.#take(8));
  }

  /** Exactly `count` bytes, copied. */
  bytes(count: number): Uint8Array {
    const at = this.#take(count);
    return this.#bytes.slice(at, at + count);
  }

  /** u16 length ‖ UTF-8. */
  str(): string {
    const at = this.#at;
    const bytes = this.bytes(this.u16());
    try {
      return utf8Decode(bytes);
    } catch (cause) {
      throw new ChainError("DECODE", `string at ${at} is not UTF-8`, { at, cause });
    }
  }

  /** u32 length ‖ bytes, at most `max` of them. */
  bytes32(max: number): Uint8Array {
    const at = this.#at;
    const length = this.u32();
    if (length > max) {
      throw new ChainError("DECODE", `${length} bytes at ${at}, at most ${max} are allowed`, {
        at,
        length,
        max,
      });
    }
    return this.bytes(length);
  }

  /** Refuses leftovers. */
  end(): void {
    if (this.remaining > 0) {
      throw new ChainError("DECODE", `${this.remaining} bytes too many after ${this.#at}`, {
        at: this.#at,
        remaining: this.remaining,
      });
    }
  }
}
