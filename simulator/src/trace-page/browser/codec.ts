/**
 * A trace as bytes and back, column by column: one column per field of each kind of event, numbers as variable-length
 * integers, each against its predecessor where neighbours are alike, texts as indices into one list. Deflate then finds
 * what repeats. Times are kept to the microsecond. Runs in Node (encode) and in the page (decode).
 */
import type { TraceBody, TraceEvent, TraceHeader } from "../../trace.ts";

type Kind = TraceBody["kind"];
/** How a field is written: as it is; as the difference to the last one; index of a text; list of numbers; ms as µs. */
type FieldType = "uint" | "delta" | "text" | "maybe-text" | "list" | "time";
type Field = readonly [name: string, type: FieldType];

const NODE: Field = ["node", "uint"];
const ROUND: readonly Field[] = [
  ["height", "delta"],
  ["round", "uint"],
];
const LIFE: readonly Field[] = [NODE, ["detail", "text"]];

/** The order of this table is the format: an event's kind is written as its row. */
const SCHEMA: readonly (readonly [kind: Kind, fields: readonly Field[]])[] = [
  [
    "send",
    [
      ["id", "delta"],
      ["from", "uint"],
      ["to", "uint"],
      ["what", "text"],
      ["channel", "text"],
      ["bytes", "uint"],
    ],
  ],
  ["deliver", [["id", "delta"]]],
  [
    "drop",
    [
      ["id", "delta"],
      ["why", "text"],
    ],
  ],
  ["step", [NODE, ...ROUND, ["step", "text"]]],
  ["lock", [NODE, ...ROUND, ["block", "maybe-text"]]],
  ["sign", [NODE, ["what", "text"]]],
  ["commit", [NODE, ...ROUND, ["block", "text"]]],
  ["crash", LIFE],
  ["restart", LIFE],
  ["pause", LIFE],
  ["resume", LIFE],
  [
    "fault",
    [
      ["text", "text"],
      ["nodes", "list"],
      ["until", "time"],
    ],
  ],
  [
    "violation",
    [
      ["law", "text"],
      ["text", "text"],
      ["nodes", "list"],
    ],
  ],
];
const ROW_OF: ReadonlyMap<string, number> = new Map(SCHEMA.map(([kind], row) => [kind, row]));

/** Bytes that are no trace of this format. */
export class TraceFormatError extends Error {
  override readonly name = "TraceFormatError";
  readonly code = "TRACE_FORMAT";
}

class Column {
  private bytes = new Uint8Array(64);
  private length = 0;
  private last = 0;

  /** 0 .. 2^53 - 1, seven bits a byte, low bits first. */
  uint(value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new TraceFormatError(`a trace holds whole numbers from 0 to 2^53 - 1, not ${value}`);
    }
    if (this.length + 8 > this.bytes.length) {
      const grown = new Uint8Array(this.bytes.length * 2);
      grown.set(this.bytes);
      this.bytes = grown;
    }
    let rest = value;
    while (rest > 127) {
      this.bytes[this.length++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    this.bytes[this.length++] = rest;
  }

  /** The difference to the value written before, sign in the lowest bit. */
  delta(value: number): void {
    const difference = value - this.last;
    this.last = value;
    this.uint(difference < 0 ? -2 * difference - 1 : 2 * difference);
  }

  done(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }
}

class ColumnReader {
  private at = 0;
  private last = 0;
  private readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  uint(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.bytes[this.at++];
      if (byte === undefined) throw new TraceFormatError("the trace of this page ends inside a column");
      value += (byte & 127) * scale;
      if (byte < 128) return value;
      scale *= 128;
    }
  }

  delta(): number {
    const coded = this.uint();
    this.last += coded % 2 === 1 ? -(coded + 1) / 2 : coded / 2;
    return this.last;
  }
}

const toMicros = (ms: number): number => Math.round(ms * 1000);

/** @throws TraceFormatError for a number that is not a whole one from 0 to 2^53 - 1 where the format needs that */
export function encodeTrace(header: TraceHeader, events: readonly TraceEvent[]): Uint8Array<ArrayBuffer> {
  const texts = new Map<string, number>();
  const textIndex = (text: string): number => {
    const known = texts.get(text);
    if (known !== undefined) return known;
    texts.set(text, texts.size);
    return texts.size - 1;
  };
  const kinds = new Column();
  const times = new Column();
  const columns = SCHEMA.map(([, fields]) => fields.map(() => new Column()));
  for (const event of events) {
    const row = ROW_OF.get(event.kind);
    if (row === undefined) throw new TraceFormatError(`a trace knows no event "${event.kind}"`);
    kinds.uint(row);
    times.delta(toMicros(event.t));
    const values: Readonly<Record<string, unknown>> = { ...event };
    SCHEMA[row]![1].forEach(([name, type], index) => {
      writeField(columns[row]![index]!, type, values[name], textIndex);
    });
  }
  const all = [kinds, times, ...columns.flat()].map((column) => column.done());
  const head = new TextEncoder().encode(
    JSON.stringify({
      header,
      texts: [...texts.keys()],
      count: events.length,
      columns: all.map((c) => c.length),
    }),
  );
  const bytes = new Uint8Array(4 + head.length + all.reduce((sum, column) => sum + column.length, 0));
  new DataView(bytes.buffer).setUint32(0, head.length);
  bytes.set(head, 4);
  let at = 4 + head.length;
  for (const column of all) {
    bytes.set(column, at);
    at += column.length;
  }
  return bytes;
}

function writeField(column: Column, type: FieldType, value: unknown, textIndex: (t: string) => number): void {
  if (type === "text" && typeof value === "string") column.uint(textIndex(value));
  else if (type === "maybe-text" && value === null) column.uint(0);
  else if (type === "maybe-text" && typeof value === "string") column.uint(textIndex(value) + 1);
  else if (type === "list" && Array.isArray(value)) {
    column.uint(value.length);
    for (const item of value) column.uint(Number(item));
  } else if (typeof value !== "number") throw new TraceFormatError(`a ${type} of a trace cannot be ${value}`);
  else if (type === "delta") column.delta(value);
  else if (type === "time") column.delta(toMicros(value));
  else column.uint(value);
}

/** @throws TraceFormatError for bytes that {@link encodeTrace} did not make */
export function decodeTrace(bytes: Uint8Array): { header: TraceHeader; events: TraceEvent[] } {
  const headLength = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
  const head: { header: TraceHeader; texts: string[]; count: number; columns: number[] } = JSON.parse(
    new TextDecoder().decode(bytes.subarray(4, 4 + headLength)),
  );
  let at = 4 + headLength;
  const readers = head.columns.map((length) => {
    const reader = new ColumnReader(bytes.subarray(at, at + length));
    at += length;
    return reader;
  });
  const next = (): ColumnReader => readers.shift() ?? new ColumnReader(new Uint8Array(0));
  const kinds = next();
  const times = next();
  const columns = SCHEMA.map(([, fields]) => fields.map(() => next()));
  const events: TraceEvent[] = [];
  for (let i = 0; i < head.count; i++) {
    const row = kinds.uint();
    const shape = SCHEMA[row];
    if (shape === undefined)
      throw new TraceFormatError(`the trace of this page holds an unknown event ${row}`);
    const event: Record<string, unknown> = { t: times.delta() / 1000, kind: shape[0] };
    shape[1].forEach(([name, type], index) => {
      event[name] = readField(columns[row]![index]!, type, head.texts);
    });
    events.push(event as unknown as TraceEvent);
  }
  return { header: head.header, events };
}

function readField(column: ColumnReader, type: FieldType, texts: readonly string[]): unknown {
  switch (type) {
    case "uint":
      return column.uint();
    case "delta":
      return column.delta();
    case "time":
      return column.delta() / 1000;
    case "text":
      return texts[column.uint()] ?? "";
    case "maybe-text": {
      const index = column.uint();
      return index === 0 ? null : (texts[index - 1] ?? "");
    }
    case "list":
      return Array.from({ length: column.uint() }, () => column.uint());
  }
}
