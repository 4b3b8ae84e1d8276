/** RPCs of gossipsub as bytes, well-formed or not: protobuf by hand, so that no library forbids what it says. */

export function varint(value: bigint | number): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt(value);
  for (; rest >= 128n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}

/** A field with a length, of these contents. */
export function field(number: number, ...contents: readonly Uint8Array[]): Uint8Array {
  const length = contents.reduce((sum, { length }) => sum + length, 0);
  return Buffer.concat([varint(number * 8 + 2), varint(length), ...contents]);
}

export function counter(number: number, value: bigint | number): Uint8Array {
  return Buffer.concat([varint(number * 8), varint(value)]);
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

export const subscription = (topic: string, on: boolean): Uint8Array =>
  field(1, counter(1, on ? 1 : 0), field(2, text(topic)));

export const publication = (topic: string, data: Uint8Array): Uint8Array =>
  field(2, field(2, data), field(4, text(topic)));

export const ihave = (topic: string, ids: readonly Uint8Array[]): Uint8Array =>
  field(1, field(1, text(topic)), ...ids.map((id) => field(2, id)));

export const iwant = (ids: readonly Uint8Array[]): Uint8Array => field(2, ...ids.map((id) => field(1, id)));

export const graft = (topic: string): Uint8Array => field(3, field(1, text(topic)));

export const prune = (topic: string, backoffSeconds: bigint): Uint8Array =>
  field(4, field(1, text(topic)), counter(3, backoffSeconds));

export const control = (...parts: readonly Uint8Array[]): Uint8Array => field(3, ...parts);

/** An RPC with its length in front. */
export function rpc(...parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, { length }) => sum + length, 0);
  return Buffer.concat([varint(length), ...parts]);
}

/** Reads the messages of the RPCs that an honest node writes. */
export class RpcReader {
  readonly #message: (topic: string, data: Uint8Array) => void;
  #held: Uint8Array = new Uint8Array();

  constructor(message: (topic: string, data: Uint8Array) => void) {
    this.#message = message;
  }

  push(bytes: Uint8Array): void {
    this.#held = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]);
    for (;;) {
      const length = readVarint(this.#held, 0);
      if (length === null || this.#held.length < length.next + length.value) return;
      const end = length.next + length.value;
      for (const [number, content] of fields(this.#held.subarray(length.next, end)))
        if (number === 2) this.#publication(content);
      this.#held = this.#held.subarray(end);
    }
  }

  #publication(content: Uint8Array): void {
    let topic = "";
    let data: Uint8Array | null = null;
    for (const [number, value] of fields(content)) {
      if (number === 2) data = value;
      if (number === 4) topic = new TextDecoder().decode(value);
    }
    if (data !== null) this.#message(topic, data);
  }
}

function readVarint(bytes: Uint8Array, at: number): { readonly value: number; readonly next: number } | null {
  let value = 0;
  for (let index = 0; index < 8; index++) {
    const byte = bytes[at + index];
    if (byte === undefined) return null;
    value += (byte & 127) * 2 ** (7 * index);
    if (byte < 128) return { value, next: at + index + 1 };
  }
  return null;
}

/** Fields with a length; numbers are passed over. */
function* fields(bytes: Uint8Array): Generator<readonly [number: number, content: Uint8Array]> {
  for (let at = 0; at < bytes.length; ) {
    const tag = readVarint(bytes, at);
    if (tag === null) return;
    const value = readVarint(bytes, tag.next);
    if (value === null) return;
    if ((tag.value & 7) === 0) at = value.next;
    else if ((tag.value & 7) === 2) {
      at = value.next + value.value;
      yield [tag.value >> 3, bytes.subarray(value.next, at)];
    } else return;
  }
}
