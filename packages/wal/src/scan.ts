import {
  decodeSegmentHeader,
  follows,
  HEADER_BYTES,
  RECORD_HEADER_BYTES,
  readRecord,
  type StoredRecord,
} from "./format.ts";
import type { WalPosition } from "./types.ts";

/** Unit that a disk writes whole or not at all. */
const SECTOR_BYTES = 512;
const ZEROS = new Uint8Array(SECTOR_BYTES);

export interface SegmentFile {
  readonly file: string;
  readonly index: number;
}

export interface SegmentInfo extends SegmentFile {
  readonly coreVersion: number;
  /** Position of the record before the segment's first. */
  readonly before: WalPosition;
  /** Position of its last record, `before` when it has none. */
  readonly last: WalPosition;
  /** Offset behind its last record. */
  readonly end: number;
  /** Length of the file. */
  readonly size: number;
}

/** A file created ahead. */
export interface SpareFile extends SegmentFile {
  readonly size: number;
  /** Whether it is all zeros, so that it can be used as it is. */
  readonly blank: boolean;
}

export type ScanVerdict =
  | { readonly kind: "clean" }
  | { readonly kind: "torn"; readonly file: string; readonly offset: number; readonly bytesDropped: number }
  | { readonly kind: "damaged"; readonly file: string; readonly offset: number; readonly reason: string };

export interface ScanResult {
  readonly verdict: ScanVerdict;
  /** Segments begun, in order; of a damaged log those up to the damage. */
  readonly segments: readonly SegmentInfo[];
  /** Files created ahead, without a record yet. */
  readonly spares: readonly SpareFile[];
  /** Position of the last good record; `null` when there is no segment. */
  readonly last: WalPosition | null;
  readonly lastOfType: ReadonlyMap<number, WalPosition>;
  /** The last write of the log: of all before it is known that it was synced. `null` when there is no record. */
  readonly tail: LogTail | null;
}

export interface LogTail {
  readonly file: string;
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** Records of one segment that continue the chain, and where they end. */
export function* chainedRecords(bytes: Uint8Array, before: WalPosition): Generator<StoredRecord> {
  let previous = before;
  let offset = HEADER_BYTES;
  for (;;) {
    const record = readRecord(bytes, offset);
    if (record === null || !follows(record, previous)) return;
    yield record;
    previous = record;
    offset = record.end;
  }
}

/** Offset behind the last byte that is not zero, at least `from`. */
function contentEnd(bytes: Uint8Array, from: number): number {
  let end = bytes.length;
  // Whole pages first: most of a segment is usually its preallocated rest.
  while (end - from >= ZEROS.length && Buffer.compare(bytes.subarray(end - ZEROS.length, end), ZEROS) === 0) {
    end -= ZEROS.length;
  }
  while (end > from && bytes[end - 1] === 0) end--;
  return end;
}

function isZero(bytes: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (bytes[i] !== 0) return false;
  return true;
}

/** Whole records at or behind `offset` that belong to this log after `last`, found byte by byte. */
function* recordsBehind(bytes: Uint8Array, offset: number, last: bigint): Generator<StoredRecord> {
  const end = contentEnd(bytes, offset);
  // More records than fit between here and there cannot lie in between, nor can their sequences.
  const furthest = last + 1n + BigInt(Math.ceil((end - offset) / RECORD_HEADER_BYTES));
  for (let at = offset; at + RECORD_HEADER_BYTES <= bytes.length && at < end; ) {
    const plausible = bytes[at] === 0 && bytes[at + 6] === 0 && (bytes[at + 5] ?? 0) <= 1;
    const record = plausible ? readRecord(bytes, at) : null;
    if (record !== null && record.sequence > last && record.sequence <= furthest) {
      yield record;
      at = record.end;
    } else at++;
  }
}

/**
 * Whether a sector that [from, to) touches never reached the disk: nothing but the zeros it was preallocated with, to
 * its end. The record at `to` may begin in it, with those of its header's bytes that are zero anyway; of the sector in
 * which `from` lies, less than a header may be left. The few bytes of such a rest can be zeros that were written, but
 * a power loss must not pass for damage, and what a signature depended on is guarded by the sign state's position.
 */
function hasUnwrittenSector(bytes: Uint8Array, from: number, to: number): boolean {
  for (let sector = from - (from % SECTOR_BYTES); sector < to; sector += SECTOR_BYTES) {
    const end = Math.min(sector + SECTOR_BYTES, bytes.length);
    if (isZero(bytes, Math.max(sector, from), end)) return true;
  }
  return false;
}

/**
 * Judges what lies at `offset`, where the chain ends. Torn = the rest of the write that a crash cut off, of which
 * nothing was ever acknowledged. A whole record behind a bad one proves that the bad one was once whole, with one
 * exception: within one write sectors reach the disk in any order, so a bad record with a sector of zeros, followed
 * only by records of the same write, is torn as well.
 */
function judgeEnd(bytes: Uint8Array, file: string, offset: number, last: bigint): ScanVerdict {
  const end = contentEnd(bytes, offset);
  if (end === offset) return { kind: "clean" };
  let first: StoredRecord | null = null;
  for (const record of recordsBehind(bytes, offset, last)) {
    first ??= record;
    if (record.groupStart && record.offset > offset) {
      return {
        kind: "damaged",
        file,
        offset,
        reason: `record ${last + 1n} is unreadable, but record ${record.sequence}, written after it was synced, is whole`,
      };
    }
  }
  if (first !== null && !hasUnwrittenSector(bytes, offset, first.offset)) {
    return {
      kind: "damaged",
      file,
      offset,
      reason: `record ${last + 1n} is unreadable, but record ${first.sequence} behind it is whole`,
    };
  }
  return { kind: "torn", file, offset, bytesDropped: end - offset };
}

/**
 * Walks the segments in order and says where the log ends and how. `dependency` is a position that was acknowledged
 * as synced: a log that does not reach it, or reaches it with another CRC, is damaged and not torn.
 */
export async function scanLog(
  files: readonly SegmentFile[],
  read: (file: string) => Promise<Uint8Array>,
  dependency: WalPosition = { sequence: 0n, crc: 0 },
): Promise<ScanResult> {
  const segments: SegmentInfo[] = [];
  let spares: SpareFile[] = [];
  const lastOfType = new Map<number, WalPosition>();
  let last: WalPosition | null = null;
  let end: ScanVerdict = { kind: "clean" };
  let dependencySeen: number | undefined;
  let tail: LogTail | null = null;
  const result = (verdict: ScanVerdict): ScanResult => ({
    verdict,
    segments,
    spares,
    last,
    lastOfType,
    tail,
  });
  const note = (position: WalPosition): void => {
    if (position.sequence === dependency.sequence) dependencySeen = position.crc;
  };

  for (const entry of files) {
    const bytes = await read(entry.file);
    const header = decodeSegmentHeader(bytes);
    const file = entry.file;
    if (header === null) {
      const verdict = judgeEnd(bytes, file, 0, last?.sequence ?? 0n);
      if (verdict.kind === "damaged") {
        return result({ ...verdict, reason: "the header of the segment is unreadable, its records are not" });
      }
      if (verdict.kind === "torn" && end.kind === "clean") end = verdict;
      spares.push({ ...entry, size: bytes.length, blank: verdict.kind === "clean" });
      continue;
    }
    if (spares.length > 0) {
      const hole = spares[0] as SegmentFile;
      return result({
        kind: "damaged",
        file: hole.file,
        offset: 0,
        reason: "a segment in the middle is empty",
      });
    }
    spares = [];
    const before: WalPosition = { sequence: header.firstSequence - 1n, crc: header.previousCrc };
    if (last !== null && (before.sequence !== last.sequence || before.crc !== last.crc)) {
      const reason = `segment begins at record ${header.firstSequence}, the log before it ends at ${last.sequence}`;
      return result(
        end.kind === "torn"
          ? {
              kind: "damaged",
              file: end.file,
              offset: end.offset,
              reason: `${reason}: the records between are gone`,
            }
          : { kind: "damaged", file, offset: 0, reason },
      );
    }
    // Junk behind the last record of a segment that its successor continues without a gap is dead space.
    end = { kind: "clean" };
    if (last === null) note(before);
    last = before;
    let offset = HEADER_BYTES;
    let group = 0;
    for (const record of chainedRecords(bytes, before)) {
      if (record.groupStart && record.offset > HEADER_BYTES) group = record.offset;
      last = { sequence: record.sequence, crc: record.crc };
      lastOfType.set(record.type, last);
      note(last);
      offset = record.end;
    }
    tail = { file, offset: group, bytes: bytes.slice(group, offset) };
    segments.push({
      ...entry,
      coreVersion: header.coreVersion,
      before,
      last,
      end: offset,
      size: bytes.length,
    });
    const verdict = judgeEnd(bytes, file, offset, last.sequence);
    if (verdict.kind === "damaged") return result(verdict);
    end = verdict;
  }
  return result(withDependency(end, dependency, dependencySeen, segments, last));
}

function withDependency(
  end: ScanVerdict,
  dependency: WalPosition,
  seenCrc: number | undefined,
  segments: readonly SegmentInfo[],
  last: WalPosition | null,
): ScanVerdict {
  if (dependency.sequence === 0n || seenCrc === dependency.crc) return end;
  const tail = segments.at(-1);
  const at = {
    kind: "damaged" as const,
    file: tail?.file ?? (end.kind === "torn" ? end.file : ""),
    offset: tail?.end ?? 0,
  };
  const needed = `the sign state depends on record ${dependency.sequence}`;
  if (last === null) return { ...at, reason: `${needed}, but there is no log` };
  if (seenCrc !== undefined) return { ...at, reason: `${needed}, which has another checksum in this log` };
  if (last.sequence < dependency.sequence) {
    return { ...at, reason: `${needed}, but the log ends at record ${last.sequence}` };
  }
  return {
    ...at,
    reason: `${needed}, but the log begins at record ${(segments[0]?.before.sequence ?? 0n) + 1n}`,
  };
}
