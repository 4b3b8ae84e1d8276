/**
 * The few rules of protobuf that the chain's messages need, in their one canonical form: fields in ascending order,
 * each once, zero values left out, minimal varints. The reader mirrors the writer call by call, so whatever it accepts
 * encodes to the same bytes again.
 */
import { allocate, trimmed, utf8Decode, utf8Encode } from "@quorate/crypto";
import { plainView } from "../bytes.ts";
import { ChainError } from "../errors.ts";

const VARINT = 0;
const FIXED64 = 1;
const LENGTH_DELIMITED = 2;

/** Appends canonical protobuf. Field numbers are 1 .. 15: one tag byte. */
export class ProtoWriter {
  #bytes: Uint8Array<ArrayBuffer>;
  #length = 0;

  constructor(sizeHint: number = 256) {
    this.#bytes = allocate(Math.max(16, sizeHint));
  }

  #reserve(count: number): number {
    const at = this.#length;
    const end = at + count;
    if (end > this.#bytes.length) {
      const grown = allocate(Math.max(end, 2 * this.#bytes.length));
      grown.set(this.#bytes.subarray(0, at));
      this.#bytes = grown;
    }
    this.#length = end;
    return at;
  }

  #byte(value: number): void {
    const at = this.#reserve(1);
    this.#bytes[at] = value;
  }

  #varint(value: number): void {
    let rest = value;
    while (rest >= 0x8000_0000) {
      this.#byte((rest % 128) | 128);
      rest = Math.floor(rest / 128);
    }
    while (rest >= 128) {
      this.#byte((rest & 127) | 128);
      rest >>>= 7;
    }
    this.#byte(rest);
  }

  #varint64(value: bigint): void {
    let rest = BigInt.asUintN(64, value);
    while (rest >= 128n) {
      this.#byte(Number(rest & 127n) | 128);
      rest >>= 7n;
    }
    this.#byte(Number(rest));
  }

  /** int32, int64, uint32 or enum that a number holds; negative ones take ten bytes. */
  int(field: number, value: number): this {
    if (value === 0) return this;
    if (!Number.isSafeInteger(value)) {
      throw new ChainError("ENCODE", `${value} is no safe integer`, { field, value });
    }
    this.#byte((field << 3) | VARINT);
    if (value > 0) this.#varint(value);
    else this.#varint64(BigInt(value));
    return this;
  }

  /** int64 or uint64. */
  int64(field: number, value: bigint): this {
    if (value === 0n) return this;
    if (value < -(2n ** 63n) || value >= 2n ** 64n) {
      throw new ChainError("ENCODE", `${value} does not fit 64 bits`, { field, value });
    }
    this.#byte((field << 3) | VARINT);
    if (value > 0n && value <= 0xffff_ffffn) this.#varint(Number(value));
    else this.#varint64(value);
    return this;
  }

  /** sfixed64 of a safe integer >= 0. */
  fixed64(field: number, value: number): this {
    if (value === 0) return this;
    if (!Number.isSafeInteger(value)) {
      throw new ChainError("ENCODE", `${value} is no safe integer`, { field, value });
    }
    this.#byte((field << 3) | FIXED64);
    const at = this.#reserve(8);
    let low = value >>> 0;
    let high = Math.floor(value / 0x1_0000_0000) >>> 0;
    for (let i = 0; i < 4; i++) {
      this.#bytes[at + i] = low & 255;
      this.#bytes[at + 4 + i] = high & 255;
      low >>>= 8;
      high >>>= 8;
    }
    return this;
  }

  /** A singular bytes field: left out when empty. */
  bytes(field: number, value: Uint8Array): this {
    return value.length === 0 ? this : this.element(field, value);
  }

  /** One entry of a repeated bytes field: written also when empty. */
  element(field: number, value: Uint8Array): this {
    this.#byte((field << 3) | LENGTH_DELIMITED);
    this.#varint(value.length);
    const at = this.#reserve(value.length);
    this.#bytes.set(value, at);
    return this;
  }

  string(field: number, value: string): this {
    if (value.length === 0) return this;
    if (value.length < 128 && this.#ascii(field, value)) return this;
    return this.element(field, utf8Encode(value));
  }

  #ascii(field: number, value: string): boolean {
    const before = this.#length;
    const at = this.#reserve(2 + value.length);
    this.#bytes[at] = (field << 3) | LENGTH_DELIMITED;
    this.#bytes[at + 1] = value.length;
    for (let i = 0; i < value.length; i++) {
      const code = value.charCodeAt(i);
      if (code > 127) {
        this.#length = before;
        return false;
      }
      this.#bytes[at + 2 + i] = code;
    }
    return true;
  }

  /** Starts an embedded message; give the mark to {@link close}. Written also when it stays empty. */
  open(field: number): number {
    this.#byte((field << 3) | LENGTH_DELIMITED);
    return this.openLength();
  }

  /** Starts a length-prefixed run without a tag. */
  openLength(): number {
    this.#byte(0);
    return this.#length;
  }

  /** Ends the message or run that {@link open} started and writes its length before it. */
  close(mark: number): this {
    const length = this.#length - mark;
    let extra = 0;
    for (let rest = length; rest >= 128; rest = Math.floor(rest / 128)) extra++;
    if (extra > 0) {
      this.#reserve(extra);
      this.#bytes.copyWithin(mark + extra, mark, mark + length);
    }
    this.#length = mark - 1;
    this.#varint(length);
    this.#length = mark + extra + length;
    return this;
  }

  /** Everything written; the writer must not be used after it. */
  finish(): Uint8Array {
    return trimmed(this.#bytes, this.#length);
  }
}

/**
 * Reads exactly what {@link ProtoWriter} writes. Fields must be asked for in ascending order and {@link end} at the
 * end; an unknown, repeated or misplaced field, a zero that is written out, a padded varint or a length past the end
 * throws ChainError `DECODE`. What it answers never aliases its input, unless it is asked to.
 */
export class ProtoReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  readonly #what: string;
  #at: number;

  constructor(what: string, bytes: Uint8Array, from: number = 0, to: number = bytes.length) {
    this.#what = what;
    this.#bytes = plainView(bytes);
    this.#at = from;
    this.#end = to;
  }

  /** The error for a fault at the present place. */
  fault(why: string): ChainError {
    return new ChainError("DECODE", `${this.#what}: ${why} at byte ${this.#at}`, {
      message: this.#what,
      at: this.#at,
    });
  }

  #is(field: number, wire: number): boolean {
    if (this.#at >= this.#end) return false;
    const tag = this.#bytes[this.#at]!;
    if (tag >> 3 !== field) return false;
    if (tag !== ((field << 3) | wire))
      throw this.fault(`field ${field} has wire type ${tag & 7}, not ${wire}`);
    this.#at++;
    return true;
  }

  #varint64(): bigint {
    let low = 0;
    let high = 0n;
    for (let i = 0; i < 10; i++) {
      if (this.#at >= this.#end) throw this.fault("varint is cut off");
      const byte = this.#bytes[this.#at++]!;
      if (i < 4) low += (byte & 127) * 2 ** (7 * i);
      else high |= BigInt(byte & 127) << BigInt(7 * i);
      if (byte < 128) {
        if (byte === 0 && i > 0) throw this.fault("varint is padded");
        if (i === 9 && byte > 1) throw this.fault("varint is above 64 bits");
        return high | BigInt(low);
      }
    }
    throw this.fault("varint is longer than ten bytes");
  }

  /** Unsigned varint up to `max` (a safe integer). */
  #varint(max: number): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 8; i++) {
      if (this.#at >= this.#end) throw this.fault("varint is cut off");
      const byte = this.#bytes[this.#at++]!;
      value += (byte & 127) * scale;
      scale *= 128;
      if (byte < 128) {
        if (byte === 0 && i > 0) throw this.fault("varint is padded");
        if (value > max) throw this.fault(`number is above ${max}`);
        return value;
      }
    }
    throw this.fault(`number is above ${max} or padded`);
  }

  /** A number of 0 .. `max` (at most 2^53-1); 0 when left out. */
  uint(field: number, max: number): number {
    if (!this.#is(field, VARINT)) return 0;
    const value = this.#varint(max);
    if (value === 0) throw this.fault(`zero is written out in field ${field}`);
    return value;
  }

  /** int64; 0 when left out. */
  int64(field: number): bigint {
    return BigInt.asIntN(64, this.uint64(field));
  }

  /** uint64; 0 when left out. */
  uint64(field: number): bigint {
    if (!this.#is(field, VARINT)) return 0n;
    const value = this.#varint64();
    if (value === 0n) throw this.fault(`zero is written out in field ${field}`);
    return value;
  }

  /** sfixed64 of 0 .. 2^53-1; 0 when left out. */
  fixed64(field: number): number {
    if (!this.#is(field, FIXED64)) return 0;
    if (this.#end - this.#at < 8) throw this.fault("fixed64 is cut off");
    let value = 0;
    for (let i = 7; i >= 0; i--) value = value * 256 + this.#bytes[this.#at + i]!;
    this.#at += 8;
    if (value === 0) throw this.fault(`zero is written out in field ${field}`);
    if (value > Number.MAX_SAFE_INTEGER) throw this.fault("number is above 2^53-1");
    return value;
  }

  #span(): number {
    const length = this.#varint(Number.MAX_SAFE_INTEGER);
    if (length > this.#end - this.#at) throw this.fault(`length ${length} runs past the end`);
    const from = this.#at;
    this.#at += length;
    return from;
  }

  /** A singular bytes field; empty when left out. */
  bytes(field: number): Uint8Array {
    const value = this.element(field);
    if (value === null) return new Uint8Array(0);
    if (value.length === 0) throw this.fault(`empty bytes are written out in field ${field}`);
    return value;
  }

  /** The next entry of a repeated bytes field, or null when there is none. */
  element(field: number): Uint8Array | null {
    if (!this.#is(field, LENGTH_DELIMITED)) return null;
    const from = this.#span();
    return this.#bytes.slice(from, this.#at);
  }

  /**
   * All entries of a repeated bytes field, at most `max`. They share one private copy of the message: thousands of
   * small arrays of their own cost ten times as much. With `shared` they are views of the input itself.
   */
  elements(field: number, max: number, shared: boolean = false): Uint8Array[] {
    const from = shared ? 0 : this.#at;
    const memory = shared ? this.#bytes : this.#bytes.slice(from, this.#end);
    const entries: Uint8Array[] = [];
    while (this.#is(field, LENGTH_DELIMITED)) {
      if (entries.length === max) throw this.fault(`more than ${max} entries in field ${field}`);
      const start = this.#span();
      entries.push(memory.subarray(start - from, this.#at - from));
    }
    return entries;
  }

  string(field: number): string {
    const bytes = this.bytes(field);
    let ascii = bytes.length < 128;
    for (let i = 0; ascii && i < bytes.length; i++) ascii = bytes[i]! < 128;
    if (ascii) return String.fromCharCode(...bytes);
    try {
      return utf8Decode(bytes);
    } catch {
      throw this.fault(`field ${field} is not UTF-8`);
    }
  }

  /** The embedded message of a field, or null when it is left out. */
  optional(field: number, what: string): ProtoReader | null {
    if (!this.#is(field, LENGTH_DELIMITED)) return null;
    const from = this.#span();
    return new ProtoReader(what, this.#bytes, from, this.#at);
  }

  /** The embedded message of a field that is always written. */
  message(field: number, what: string): ProtoReader {
    const message = this.optional(field, what);
    if (message === null) throw this.fault(`field ${field} (${what}) is missing`);
    return message;
  }

  /** Whether exactly these bytes are left to read; then they count as read. */
  skips(bytes: Uint8Array): boolean {
    const from = this.#at;
    if (this.#end - from !== bytes.length) return false;
    for (let i = 0; i < bytes.length; i++) if (this.#bytes[from + i] !== bytes[i]) return false;
    this.#at = this.#end;
    return true;
  }

  /** Refuses leftovers. */
  end(): void {
    if (this.#at < this.#end) throw this.fault("unknown, repeated or misplaced field");
  }
}
