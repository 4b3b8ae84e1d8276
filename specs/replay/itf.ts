/** Reads the Informal Trace Format (Apalache ADR 015): JSON in which integers, sets, maps and tuples are marked. */

export type ItfValue =
  | number
  | string
  | boolean
  | readonly ItfValue[]
  | ItfMap
  | { readonly [field: string]: ItfValue };

/** A map as its entries; sets and tuples become arrays. */
export class ItfMap {
  readonly entries: readonly (readonly [ItfValue, ItfValue])[];

  constructor(entries: readonly (readonly [ItfValue, ItfValue])[]) {
    this.entries = entries;
  }
}

/** The states of a trace, in order, without their `#meta`. Throws `TypeError` on anything that is no ITF. */
export function readItf(text: string): readonly Readonly<Record<string, ItfValue>>[] {
  const document: unknown = JSON.parse(text);
  if (!isRecord(document) || !Array.isArray(document["states"])) throw new TypeError("not an ITF trace");
  return document["states"].map((state: unknown) => {
    if (!isRecord(state)) throw new TypeError("a state of the trace is not an object");
    return fieldsOf(state);
  });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function fieldsOf(record: Record<string, unknown>): Record<string, ItfValue> {
  const fields: Record<string, ItfValue> = {};
  for (const [name, value] of Object.entries(record)) if (name !== "#meta") fields[name] = decode(value);
  return fields;
}

function decode(value: unknown): ItfValue {
  if (typeof value === "string" || typeof value === "boolean" || typeof value === "number") return value;
  if (Array.isArray(value)) return value.map(decode);
  if (!isRecord(value)) throw new TypeError("null in an ITF trace");
  const integer = value["#bigint"];
  if (typeof integer === "string") return Number(integer);
  const list = value["#set"] ?? value["#tup"];
  if (Array.isArray(list)) return list.map(decode);
  const map = value["#map"];
  if (Array.isArray(map)) {
    return new ItfMap(
      map.map((entry: unknown) => {
        if (!Array.isArray(entry) || entry.length !== 2) throw new TypeError("a map entry is not a pair");
        return [decode(entry[0]), decode(entry[1])] as const;
      }),
    );
  }
  return fieldsOf(value);
}
