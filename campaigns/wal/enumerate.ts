/**
 * Every single flipped bit and every length to which a file can be cut, each read by the log's own scan and judged by a
 * rule that knows nothing of the scan: where the records lie, and which of them a signature depended on.
 */
import { HEADER_BYTES } from "../../packages/wal/src/format.ts";
import { type ScanResult, scanLog } from "../../packages/wal/src/scan.ts";
import { segmentFiles } from "../../packages/wal/src/wal.ts";
import type { Place, WalSpecimen } from "./specimen.ts";

export type Case =
  | { readonly kind: "flip"; readonly file: string; readonly bit: number }
  | { readonly kind: "cut"; readonly file: string; readonly length: number };

/** How a log looks: what a start makes of it. */
export type Class = "clean" | "torn" | "damaged";

export interface CaseOutcome {
  readonly given: Case;
  readonly class: Class;
  /** Last record that is kept; 0 = none. */
  readonly kept: bigint;
  /** What is wrong with the outcome, if anything. */
  readonly fault: string | null;
}

export function nameOfCase(given: Case): string {
  return given.kind === "flip" ? `bit ${given.bit} of ${given.file}` : `${given.file} cut to ${given.length}`;
}

/** Every case, flips first. `files` without records are spare: cutting or flipping them is part of it too. */
export function* everyCase(specimen: WalSpecimen): Generator<Case> {
  for (const file of specimen.files) {
    const bits = specimen.disk.bytes(file).length * 8;
    for (let bit = 0; bit < bits; bit++) yield { kind: "flip", file, bit };
  }
  for (const file of specimen.files) {
    const { length } = specimen.disk.bytes(file);
    for (let to = 0; to < length; to++) yield { kind: "cut", file, length: to };
  }
}

/** Reads damaged copies without copying: one case at a time is applied to the bytes and taken back. */
export class DamagedLog {
  private readonly specimen: WalSpecimen;
  private readonly contents: ReadonlyMap<string, Uint8Array>;
  private readonly segments: ReturnType<typeof segmentFiles>;
  private readonly newest: Place;
  private readonly placesOf: ReadonlyMap<string, readonly Place[]>;

  constructor(specimen: WalSpecimen) {
    this.specimen = specimen;
    const names = specimen.disk.names().filter((name) => name.endsWith(".wal"));
    this.contents = new Map(names.map((name) => [name, specimen.disk.bytes(name).slice()]));
    const [first] = names;
    if (first === undefined) throw new Error("the specimen has no log");
    const dir = first.slice(0, first.lastIndexOf("/"));
    this.segments = segmentFiles(
      dir,
      names.map((name) => name.slice(dir.length + 1)),
    );
    this.newest = specimen.places.at(-1) as Place;
    this.placesOf = Map.groupBy(specimen.places, ({ file }) => file);
  }

  async judge(given: Case): Promise<CaseOutcome> {
    let scan: ScanResult;
    try {
      scan = await this.scan(given);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return { given, class: "damaged", kept: 0n, fault: `the scan threw: ${reason}` };
    }
    const { verdict } = scan;
    const kept = verdict.kind === "damaged" ? 0n : (scan.last?.sequence ?? 0n);
    return { given, class: verdict.kind, kept, fault: this.faultOf(given, scan) };
  }

  /** The bytes of every file in this case, to restart a node on them. */
  bytesOf(given: Case): ReadonlyMap<string, Uint8Array> {
    const copy = new Map([...this.contents].map(([name, bytes]) => [name, bytes.slice()]));
    const bytes = copy.get(given.file) as Uint8Array;
    if (given.kind === "flip") flip(bytes, given.bit);
    else copy.set(given.file, bytes.slice(0, given.length));
    return copy;
  }

  private async scan(given: Case): Promise<ScanResult> {
    const { dependency } = this.specimen;
    const bytes = this.contents.get(given.file) as Uint8Array;
    if (given.kind === "cut") {
      const short = bytes.subarray(0, given.length);
      return scanLog(this.segments, (file) => this.read(file, given.file, short), dependency);
    }
    flip(bytes, given.bit);
    try {
      return await scanLog(this.segments, (file) => this.read(file, given.file, bytes), dependency);
    } finally {
      flip(bytes, given.bit);
    }
  }

  private read(file: string, changed: string, bytes: Uint8Array): Promise<Uint8Array> {
    return Promise.resolve(file === changed ? bytes : (this.contents.get(file) as Uint8Array));
  }

  private faultOf(given: Case, scan: ScanResult): string | null {
    const expected = this.expected(given);
    const { kind } = scan.verdict;
    if (!expected.classes.includes(kind)) return `${kind}, where ${expected.classes.join(" or ")} is due`;
    if (kind === "damaged") return null;
    const last = scan.last?.sequence ?? 0n;
    if (last !== expected.kept) return `kept up to record ${last}, where ${expected.kept} is due`;
    if (last < this.specimen.dependency.sequence)
      return "a record that a signature depends on is gone unnoticed";
    // What is kept must be the bytes that were written: the case may have touched nothing of it.
    const segment = scan.segments.find(({ file }) => file === given.file);
    const touched = given.kind === "flip" ? given.bit >> 3 : given.length;
    if (segment !== undefined && touched < segment.end) return "a changed byte lies within what was kept";
    return null;
  }

  /**
   * What is due by D §5.6. A record is needed when a signature depends on it or a whole one follows it: without it
   * the log is damaged. The newest record of all, if nothing depends on it, is a torn tail. Bytes behind the last record
   * of a file are dead space: of the newest file they are cut away, of the others they mean nothing.
   */
  private expected(given: Case): { readonly classes: readonly Class[]; readonly kept: bigint } {
    const { files } = this.specimen;
    const here = this.placesOf.get(given.file) ?? [];
    const last = here.at(-1) as Place;
    const newestFile = given.file === files.at(-1);
    const whole = { classes: ["clean"] as const, kept: this.newest.sequence };
    if (given.kind === "flip") {
      const byte = given.bit >> 3;
      if (byte >= last.to) return newestFile ? { ...whole, classes: ["torn"] } : whole;
      const hit = here.find(({ from, to }) => from <= byte && byte < to);
      return hit === undefined ? { classes: ["damaged"], kept: 0n } : this.without(hit, ["torn"]);
    }
    if (given.length >= last.to) return whole;
    if (!newestFile || given.length < HEADER_BYTES) return { classes: ["damaged"], kept: 0n };
    const lost = here.find(({ to }) => to > given.length) as Place;
    // Cut exactly between two records the rest is whole.
    return this.tail(lost, given.length === lost.from ? ["clean"] : ["torn", "clean"]);
  }

  /** A flip: records behind the one hit are whole. */
  private without(
    hit: Place,
    classes: readonly Class[],
  ): { readonly classes: readonly Class[]; readonly kept: bigint } {
    return hit === this.newest ? this.tail(hit, classes) : { classes: ["damaged"], kept: 0n };
  }

  /** `lost` and everything behind it is gone. */
  private tail(
    lost: Place,
    classes: readonly Class[],
  ): { readonly classes: readonly Class[]; readonly kept: bigint } {
    const kept = lost.sequence - 1n;
    return kept < this.specimen.dependency.sequence ? { classes: ["damaged"], kept: 0n } : { classes, kept };
  }
}

function flip(bytes: Uint8Array, bit: number): void {
  const at = bit >> 3;
  bytes[at] = (bytes[at] as number) ^ (1 << (bit & 7));
}
