import { type Command, JSON_FLAG } from "../command.ts";
import { ExitCode } from "../errors.ts";

const TYPE_NAMES: Readonly<Record<number, string>> = { 1: "input", 2: "snapshot", 3: "end_height" };

export const walInspect: Command = {
  words: ["wal", "inspect"],
  summary: "Judge the write-ahead log and list its records, changing nothing",
  arguments: [],
  flags: [
    { name: "last", kind: "integer", value: "N", help: "show the last N records (default 20)" },
    { ...JSON_FLAG, help: "NDJSON: one record per line, last the verdict" },
  ],
  details: `Works beside a running node. Exit 0 when the log is whole or its tail is merely torn (what a crash leaves), 10
when it is damaged: the node then sets it aside at its start and takes the lock from the sign state.

  validator wal inspect --last 5`,
  async run({ args, io, home }) {
    const { homePaths } = await import("@quorate/node/home");
    const { inspectWal } = await import("@quorate/wal");
    const { decodeInput } = await import("@quorate/consensus");
    const json = args.boolean("json");
    const inspection = await inspectWal(homePaths(home).wal);
    const last = args.integer("last") ?? 20;
    const shown: object[] = [];
    let total = 0;
    for await (const { sequence, type, payload, file, offset } of inspection.records()) {
      total++;
      const record = {
        sequence: String(sequence),
        type: TYPE_NAMES[type] ?? `type ${type}`,
        bytes: payload.length,
        file,
        offset,
        what: describe(type, payload, decodeInput),
      };
      shown.push(record);
      if (shown.length > last) shown.shift();
    }
    const verdict = {
      verdict: inspection.verdict.kind,
      records: total,
      segments: inspection.segments.length,
      last_sequence: inspection.last === null ? null : String(inspection.last.sequence),
      ...("reason" in inspection.verdict ? { reason: inspection.verdict.reason } : {}),
    };
    for (const record of shown) {
      io.out(json ? `${JSON.stringify(record)}\n` : `${Object.values(record).join("  ")}\n`);
    }
    io.out(
      json
        ? `${JSON.stringify(verdict)}\n`
        : `${verdict.verdict}: ${total} records in ${verdict.segments} segments\n`,
    );
    return inspection.verdict.kind === "damaged" ? ExitCode.unmet : ExitCode.ok;
  },
};

/** Kind of input or the height, for people; a record that this version cannot read says so. */
function describe(
  type: number,
  payload: Uint8Array,
  decodeInput: (bytes: Uint8Array) => { readonly kind: string },
): string {
  try {
    if (type === 1) return decodeInput(payload).kind;
    if (type === 3) return `height ${new DataView(payload.buffer, payload.byteOffset, 8).getBigUint64(0)}`;
    return "";
  } catch {
    return "not readable by this version";
  }
}
