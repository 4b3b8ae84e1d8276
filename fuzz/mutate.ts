/** Changes to bytes and texts: blind ones, and ones that know protobuf, length prefixes and JSON. */
import type { Random } from "./random.ts";

/** Numbers at which decoders tend to break. */
const EDGES: readonly bigint[] = [
  0n,
  1n,
  2n,
  0x7fn,
  0x80n,
  0xffn,
  0x100n,
  0x7fffn,
  0x8000n,
  0xffffn,
  0x1_0000n,
  0x7fff_ffffn,
  0x8000_0000n,
  0xffff_ffffn,
  0x1_0000_0000n,
  2n ** 53n - 1n,
  2n ** 53n,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 64n - 1n,
];

const edge = (random: Random): bigint => (random.oneIn(4) ? random.u64() : random.pick(EDGES));

function join(chunks: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const chunk of chunks) length += chunk.length;
  const joined = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    joined.set(chunk, at);
    at += chunk.length;
  }
  return joined;
}

/** Longest result of any mutation: what one frame carries. */
const MAX_BYTES = 1 << 20;

type Mutation = (bytes: Uint8Array, random: Random, others: readonly Uint8Array[]) => Uint8Array;

const splice = (bytes: Uint8Array, at: number, remove: number, insert: Uint8Array): Uint8Array =>
  join([bytes.subarray(0, at), insert, bytes.subarray(Math.min(bytes.length, at + remove))]);

const flipBit: Mutation = (bytes, random) => {
  if (bytes.length === 0) return bytes;
  const copy = bytes.slice();
  const at = random.below(copy.length);
  copy[at]! ^= 1 << random.below(8);
  return copy;
};

const setByte: Mutation = (bytes, random) => {
  if (bytes.length === 0) return bytes;
  const copy = bytes.slice();
  copy[random.below(copy.length)] = random.pick([0, 1, 0x7f, 0x80, 0xff, random.below(256)]);
  return copy;
};

/** A whole big- or little-endian number of one of the usual widths. */
const setNumber: Mutation = (bytes, random) => {
  const width = random.pick([1, 2, 4, 8]);
  if (bytes.length < width) return bytes;
  const copy = bytes.slice();
  const at = random.below(copy.length - width + 1);
  let value = BigInt.asUintN(8 * width, edge(random));
  const big = random.oneIn(2);
  for (let i = 0; i < width; i++) {
    copy[at + (big ? width - 1 - i : i)] = Number(value & 0xffn);
    value >>= 8n;
  }
  return copy;
};

/** One more or one less, where a length or a count may stand. */
const nudge: Mutation = (bytes, random) => {
  if (bytes.length === 0) return bytes;
  const copy = bytes.slice();
  copy[random.below(copy.length)]! += random.oneIn(2) ? 1 : 255;
  return copy;
};

const cut: Mutation = (bytes, random) => bytes.slice(0, random.below(bytes.length + 1));
const append: Mutation = (bytes, random) => join([bytes, random.bytes(random.between(1, 16))]);
const insert: Mutation = (bytes, random) =>
  splice(bytes, random.below(bytes.length + 1), 0, random.bytes(random.between(1, 9)));
const remove: Mutation = (bytes, random) =>
  splice(bytes, random.below(bytes.length + 1), random.between(1, 40), new Uint8Array(0));

const repeat: Mutation = (bytes, random) => {
  if (bytes.length === 0) return bytes;
  const from = random.below(bytes.length);
  const piece = bytes.slice(from, from + random.between(1, 120));
  const times = random.oneIn(20) ? random.between(1, 200) : 1;
  return splice(bytes, from, 0, join(new Array<Uint8Array>(times).fill(piece)));
};

const zero: Mutation = (bytes, random) => {
  const copy = bytes.slice();
  const from = random.below(copy.length + 1);
  return copy.fill(0, from, from + random.between(1, 64));
};

const cross: Mutation = (bytes, random, others) => {
  if (others.length === 0) return bytes;
  const other = random.pick(others);
  return join([
    bytes.subarray(0, random.below(bytes.length + 1)),
    other.subarray(random.below(other.length + 1)),
  ]);
};

const BLIND: readonly Mutation[] = [
  flipBit,
  flipBit,
  setByte,
  setNumber,
  setNumber,
  nudge,
  cut,
  append,
  insert,
  remove,
  repeat,
  zero,
  cross,
];

const bounded = (bytes: Uint8Array): Uint8Array =>
  bytes.length > MAX_BYTES ? bytes.slice(0, MAX_BYTES) : bytes;

/** One to four blind changes. */
export function mutateBytes(bytes: Uint8Array, random: Random, others: readonly Uint8Array[]): Uint8Array {
  // A plain copy: of a Buffer, slice() is a view of the same bytes and fill() is stricter.
  let result: Uint8Array = Uint8Array.from(bytes);
  const steps = random.oneIn(3) ? random.between(2, 4) : 1;
  for (let i = 0; i < steps; i++) result = bounded(random.pick(BLIND)(result, random, others));
  return result;
}

interface Field {
  readonly tag: bigint;
  /** Of wire types 0, 1 and 5 the bytes; of 2 the content without its length. */
  readonly content: Uint8Array;
}

function readVarint(bytes: Uint8Array, at: number): { readonly value: bigint; readonly next: number } | null {
  let value = 0n;
  for (let i = 0; i < 10; i++) {
    const byte = bytes[at + i];
    if (byte === undefined) return null;
    value |= BigInt(byte & 127) << BigInt(7 * i);
    if (byte < 128) return { value, next: at + i + 1 };
  }
  return null;
}

function varint(value: bigint, padding = 0): Uint8Array {
  const out: number[] = [];
  let rest = BigInt.asUintN(64, value);
  for (; rest >= 128n; rest >>= 7n) out.push(Number(rest & 127n) | 128);
  out.push(Number(rest));
  for (let i = 0; i < padding; i++) {
    out[out.length - 1]! |= 128;
    out.push(0);
  }
  return Uint8Array.from(out);
}

/** The fields of a protobuf message, or null when the bytes are none. */
function fieldsOf(bytes: Uint8Array): Field[] | null {
  const fields: Field[] = [];
  for (let at = 0; at < bytes.length; ) {
    const tag = readVarint(bytes, at);
    if (tag === null || tag.value < 8n) return null;
    at = tag.next;
    const wire = Number(tag.value & 7n);
    let size: number;
    if (wire === 0) {
      const value = readVarint(bytes, at);
      if (value === null) return null;
      size = value.next - at;
    } else if (wire === 2) {
      const length = readVarint(bytes, at);
      if (length === null || length.value > BigInt(bytes.length)) return null;
      at = length.next;
      size = Number(length.value);
    } else if (wire === 1) size = 8;
    else if (wire === 5) size = 4;
    else return null;
    if (at + size > bytes.length) return null;
    fields.push({ tag: tag.value, content: bytes.subarray(at, at + size) });
    at += size;
  }
  return fields;
}

function writeFields(fields: readonly Field[], random: Random, sloppy: boolean): Uint8Array {
  const pad = (): number => (sloppy && random.oneIn(6) ? 1 : 0);
  return join(
    fields.flatMap(({ tag, content }) =>
      (tag & 7n) === 2n
        ? [varint(tag, pad()), varint(BigInt(content.length), pad()), content]
        : [varint(tag, pad()), content],
    ),
  );
}

/** A change to a protobuf message that keeps all lengths around it right. */
function mutateMessage(bytes: Uint8Array, random: Random, depth: number): Uint8Array {
  const fields = fieldsOf(bytes);
  if (fields === null || fields.length === 0) return mutateBytes(bytes, random, []);
  const at = random.below(fields.length);
  const field = fields[at]!;
  const nested = (field.tag & 7n) === 2n ? fieldsOf(field.content) : null;
  if (nested !== null && nested.length > 0 && depth > 0 && !random.oneIn(3)) {
    const content = mutateMessage(field.content, random, depth - 1);
    return writeFields(fields.with(at, { tag: field.tag, content }), random, false);
  }
  const replaced = (content: Uint8Array): Field[] => fields.with(at, { tag: field.tag, content });
  switch (random.below(11)) {
    case 0:
      return writeFields(fields.toSpliced(at, 1), random, false);
    case 1:
      return writeFields(fields.toSpliced(at, 0, field), random, false);
    case 2: {
      const other = random.below(fields.length);
      return writeFields(fields.with(at, fields[other]!).with(other, field), random, false);
    }
    case 3:
      return writeFields(
        fields.toSpliced(at, 0, { tag: edge(random), content: random.bytes(random.below(9)) }),
        random,
        false,
      );
    case 4:
      return writeFields(
        fields.with(at, { tag: (field.tag & ~7n) | BigInt(random.below(8)), content: field.content }),
        random,
        false,
      );
    case 5:
      return writeFields(fields, random, true);
    case 6:
      return writeFields(
        replaced(random.bytes(random.pick([0, 1, 19, 20, 21, 31, 32, 33, 63, 64, 65]))),
        random,
        false,
      );
    case 7:
      return writeFields(replaced(new Uint8Array(0)), random, false);
    case 8: {
      const times = random.oneIn(10) ? random.between(2, 1200) : random.between(2, 5);
      return writeFields(fields.toSpliced(at, 0, ...new Array<Field>(times).fill(field)), random, false);
    }
    default:
      return writeFields(
        replaced((field.tag & 7n) === 0n ? varint(edge(random)) : mutateBytes(field.content, random, [])),
        random,
        false,
      );
  }
}

/** Protobuf inside protobuf inside protobuf: what a recursive decoder must not follow for ever. */
export function nestedMessage(random: Random): Uint8Array {
  let bytes: Uint8Array = random.bytes(random.below(8));
  const tag = BigInt(random.between(1, 5) * 8 + 2);
  for (let depth = random.between(1, 4000); depth > 0 && bytes.length < 60_000; depth--) {
    bytes = join([varint(tag), varint(BigInt(bytes.length)), bytes]);
  }
  return bytes;
}

export function mutateProto(bytes: Uint8Array, random: Random, others: readonly Uint8Array[]): Uint8Array {
  if (random.oneIn(4)) return mutateBytes(bytes, random, others);
  if (random.oneIn(400)) return nestedMessage(random);
  return bounded(mutateMessage(bytes, random, 4));
}

const TEXTS: readonly string[] = [
  "",
  "0",
  "-1",
  "-0",
  "1e400",
  "NaN",
  "9007199254740991",
  "9007199254740992",
  "9223372036854775807",
  "9223372036854775808",
  "18446744073709551615",
  "0x",
  "0x0",
  "0xzz",
  `0x${"ff".repeat(32)}`,
  `0x${"f".repeat(17)}`,
  `0x1${"0".repeat(16)}`,
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
  "\u0000",
  "\ud800",
  "\ufeff",
  "💥",
  "a".repeat(70_000),
  "../../etc/passwd",
  "1970-01-01T00:00:00Z",
];

function randomJson(random: Random, depth: number): unknown {
  switch (random.below(depth > 0 ? 9 : 6)) {
    case 0:
      return null;
    case 1:
      return random.oneIn(2);
    case 2:
      return random.pick([0, -0, 1, -1, 0.5, 2 ** 31, 2 ** 53, -(2 ** 53), 1e308, random.safe()]);
    case 3:
    case 4:
      return random.pick(TEXTS);
    case 5:
      // What no String() gets through.
      return random.oneIn(2) ? `0x${random.below(2 ** 31).toString(16)}` : { toString: null, valueOf: null };
    case 6:
      return Array.from({ length: random.below(4) }, () => randomJson(random, depth - 1));
    default:
      return randomRecord(random, depth);
  }
}

function randomRecord(random: Random, depth: number): unknown {
  const record: Record<string, unknown> = {};
  for (let i = random.below(4); i > 0; i--) {
    const name = random.pick(TEXTS);
    Object.defineProperty(record, name, {
      value: randomJson(random, depth - 1),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return record;
}

/** One place of a JSON value replaced, removed, doubled or renamed. */
function mutateValue(value: unknown, random: Random, depth: number): unknown {
  if (depth === 0 || typeof value !== "object" || value === null || random.oneIn(6))
    return randomJson(random, 3);
  if (Array.isArray(value)) {
    if (value.length === 0) return [randomJson(random, 2)];
    const at = random.below(value.length);
    switch (random.below(5)) {
      case 0:
        return value.toSpliced(at, 1);
      case 1:
        return value.toSpliced(at, 0, value[at]);
      case 2:
        return value.toSpliced(at, 0, ...new Array<unknown>(random.oneIn(20) ? 2000 : 3).fill(value[at]));
      default:
        return value.with(at, mutateValue(value[at], random, depth - 1));
    }
  }
  const entries = Object.entries(value);
  if (entries.length === 0) return { [random.pick(TEXTS)]: randomJson(random, 2) };
  const at = random.below(entries.length);
  const [name, inner] = entries[at]!;
  switch (random.below(7)) {
    case 0:
      return Object.fromEntries(entries.toSpliced(at, 1));
    case 1:
      return Object.fromEntries(entries.with(at, [random.pick(TEXTS), inner]));
    case 2:
      return Object.fromEntries([...entries, [random.pick(TEXTS), randomJson(random, 2)]]);
    default:
      return Object.fromEntries(entries.with(at, [name, mutateValue(inner, random, depth - 1)]));
  }
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** JSON text: the value changed, or the text itself, or brackets without end. */
export function mutateJson(bytes: Uint8Array, random: Random, others: readonly Uint8Array[]): Uint8Array {
  if (random.oneIn(5)) return mutateText(bytes, random, others);
  if (random.oneIn(400)) return encoder.encode(deep(random));
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(bytes));
  } catch {
    return mutateText(bytes, random, others);
  }
  const steps = random.oneIn(3) ? random.between(2, 3) : 1;
  for (let i = 0; i < steps; i++) value = mutateValue(value, random, 8);
  if (random.oneIn(200)) value = spliceDeep(value, random);
  return encoder.encode(JSON.stringify(value) ?? "null");
}

/** Arrays or objects, one in the other. */
function deep(random: Random): string {
  const depth = random.pick([10, 100, 5000, 20_000]);
  return random.oneIn(2)
    ? `${"[".repeat(depth)}${random.oneIn(2) ? "]".repeat(depth) : ""}`
    : `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`;
}

/** The same as a member of a value that is otherwise well formed; JSON.stringify would not get through more. */
function spliceDeep(value: unknown, random: Random): unknown {
  let inner: unknown = 1;
  for (let i = 0; i < 1500; i++) inner = [inner];
  if (typeof value !== "object" || value === null || Array.isArray(value)) return inner;
  const names = Object.keys(value);
  return names.length === 0 ? inner : { ...value, [random.pick(names)]: inner };
}

const TOKENS: readonly string[] = [
  "{",
  "}",
  "[",
  "]",
  ",",
  ":",
  '"',
  "'",
  "\\",
  "\\u",
  "\\ud800",
  "=",
  "#",
  "\n",
  "\r\n",
  "\u0000",
  " ",
  "\t",
  "null",
  "true",
  "inf",
  "nan",
  '"""',
  "[[",
  "]]",
  ".",
  "-",
  "+",
  "_",
  "%00",
  "%",
  "&",
  "?",
  "/",
];

export function mutateText(bytes: Uint8Array, random: Random, others: readonly Uint8Array[]): Uint8Array {
  switch (random.below(6)) {
    case 0:
      return splice(bytes, random.below(bytes.length + 1), 0, encoder.encode(random.pick(TOKENS)));
    case 1:
      return splice(
        bytes,
        random.below(bytes.length + 1),
        random.below(12),
        encoder.encode(random.pick(TEXTS)),
      );
    case 2: {
      const times = random.pick([2, 50, 5000]);
      return bounded(
        splice(bytes, random.below(bytes.length + 1), 0, encoder.encode(random.pick(TOKENS).repeat(times))),
      );
    }
    case 3: {
      // A line more, or less, or twice.
      const lines = decoder.decode(bytes).split("\n");
      const at = random.below(lines.length);
      const changed = random.oneIn(2) ? lines.toSpliced(at, 1) : lines.toSpliced(at, 0, random.pick(lines));
      return bounded(encoder.encode(changed.join("\n")));
    }
    default:
      return mutateBytes(bytes, random, others);
  }
}
