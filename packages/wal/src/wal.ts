import { join } from "node:path";
import { threadDisk } from "./disk.ts";
import { diskError, WalError } from "./errors.ts";
import {
  encodeRecord,
  encodeSegmentHeader,
  HEADER_BYTES,
  highestIndex,
  MAX_PAYLOAD_BYTES,
  segmentIndex,
  segmentName,
} from "./format.ts";
import { chainedRecords, type ScanResult, type SegmentFile, type SegmentInfo, scanLog } from "./scan.ts";
import type { Wal, WalCondition, WalDisk, WalOptions, WalPosition, WalRecord } from "./types.ts";

/** Small enough to be filled with zeros in passing, large enough for thousands of heights. */
export const DEFAULT_SEGMENT_BYTES: number = 16 * 1024 * 1024;
const MIN_SEGMENT_BYTES = 4096;
/** Unsynced records beyond this are written without waiting for someone to ask. */
const WRITE_AHEAD_BYTES = 1024 * 1024;
/** Unsynced records beyond this mean that the disk has stopped taking them. */
export const MAX_BACKLOG_BYTES: number = 64 * 1024 * 1024;

interface Segment {
  readonly file: string;
  readonly index: number;
  readonly size: number;
  readonly coreVersion: number;
  readonly before: WalPosition;
  last: WalPosition;
  /** Offset at which the next record goes; 0 = the header is not written yet. */
  end: number;
}

interface Pending {
  readonly bytes: Uint8Array;
  readonly position: WalPosition;
}

interface Waiter {
  readonly sequence: bigint;
  readonly resolve: () => void;
  readonly reject: (error: WalError) => void;
}

/** Live segment files of a directory, in order. */
export function segmentFiles(dir: string, names: readonly string[]): SegmentFile[] {
  const files: SegmentFile[] = [];
  for (const name of names) {
    const index = segmentIndex(name);
    if (index !== null) files.push({ file: join(dir, name), index });
  }
  return files.sort((a, b) => a.index - b.index);
}

async function attempt<T>(action: string, file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw diskError(action, file, error);
  }
}

/** Write and sync, queued together: the disk runs them in this order. */
async function writeThrough(disk: WalDisk, file: string, offset: number, bytes: Uint8Array): Promise<void> {
  await attempt("write", file, () => Promise.all([disk.write(file, offset, bytes), disk.fdatasync(file)]));
}

class SegmentedWal implements Wal {
  readonly condition: WalCondition;
  readonly #dir: string;
  readonly #disk: WalDisk;
  readonly #ownsDisk: boolean;
  readonly #segmentBytes: number;
  readonly #coreVersion: number;
  readonly #segments: Segment[];
  readonly #lastOfType: Map<number, WalPosition>;
  #appended: WalPosition;
  #synced: bigint;
  #pending: Pending[] = [];
  #pendingBytes = 0;
  #waiters: Waiter[] = [];
  #running: Promise<void> | null = null;
  #spare: Promise<Segment | null> | null = null;
  #nextIndex: number;
  #failure: WalError | null = null;
  #closed = false;
  readonly #onFailure: (error: WalError) => void;

  constructor(
    opened: OpenedLog,
    options: WalOptions,
    disk: WalDisk,
    ownsDisk: boolean,
    segmentBytes: number,
  ) {
    this.condition = opened.condition;
    this.#dir = options.dir;
    this.#disk = disk;
    this.#ownsDisk = ownsDisk;
    this.#segmentBytes = segmentBytes;
    this.#coreVersion = options.coreVersion;
    this.#segments = opened.segments;
    this.#lastOfType = opened.lastOfType;
    this.#appended = opened.last;
    this.#synced = opened.last.sequence;
    this.#nextIndex = opened.nextIndex;
    this.#onFailure = options.onFailure ?? (() => undefined);
  }

  get position(): WalPosition {
    return this.#appended;
  }

  get direct(): boolean {
    const { end, size } = this.#segments.at(-1) as Segment;
    return this.#running === null && end + this.#pendingBytes <= size;
  }

  get backlogBytes(): number {
    return this.#pendingBytes;
  }

  append(type: number, payload: Uint8Array): WalPosition {
    this.#assertOpen();
    if (!Number.isInteger(type) || type < 0 || type > 255) {
      throw new WalError("WAL_RECORD", `record type ${type} is not within 0 to 255`, { type });
    }
    if (payload.length > MAX_PAYLOAD_BYTES) {
      throw new WalError("WAL_RECORD", `record of ${payload.length} bytes exceeds ${MAX_PAYLOAD_BYTES}`, {
        type,
        length: payload.length,
      });
    }
    if (this.#pendingBytes > MAX_BACKLOG_BYTES) {
      throw this.#fail(
        new WalError(
          "WAL_BACKLOG",
          `${this.#pendingBytes} bytes wait for the disk of ${this.#dir}: it has stopped taking writes`,
          { bytes: this.#pendingBytes },
        ),
      );
    }
    const { bytes, position } = encodeRecord(this.#appended, type, payload, this.#pending.length === 0);
    this.#appended = position;
    this.#lastOfType.set(type, position);
    this.#pending.push({ bytes, position });
    this.#pendingBytes += bytes.length;
    if (this.#pendingBytes > WRITE_AHEAD_BYTES) this.#start();
    return position;
  }

  sync(): Promise<void> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    const { sequence } = this.#appended;
    if (this.#synced >= sequence) return Promise.resolve();
    if (this.#closed && this.#running === null) return Promise.reject(this.#closedError());
    this.#start();
    return new Promise((resolve, reject) => this.#waiters.push({ sequence, resolve, reject }));
  }

  async *replay(fromSequence: bigint): AsyncGenerator<WalRecord & { readonly coreVersion: number }> {
    await this.sync();
    const until = this.#synced;
    for (const segment of [...this.#segments]) {
      if (segment.last.sequence < fromSequence || segment.before.sequence >= until) continue;
      const bytes = await attempt("read", segment.file, () => this.#disk.read(segment.file));
      let reached = segment.before.sequence;
      const { coreVersion } = segment;
      for (const record of chainedRecords(bytes, segment.before)) {
        if (record.sequence > until) return;
        reached = record.sequence;
        if (record.sequence < fromSequence) continue;
        const { sequence, crc, type, payload } = record;
        yield { sequence, crc, type, payload, coreVersion };
      }
      if (reached < segment.last.sequence && reached < until) {
        throw new WalError(
          "WAL_DAMAGED",
          `record ${reached + 1n} in ${segment.file} has changed since it was written: check the disk`,
          { file: segment.file, sequence: reached + 1n },
        );
      }
    }
  }

  lastOfType(type: number): Promise<WalPosition | null> {
    return Promise.resolve(this.#lastOfType.get(type) ?? null);
  }

  async prune(beforeSequence: bigint, dependency: WalPosition): Promise<number> {
    this.#assertOpen();
    const needed = dependency.sequence;
    const limit = needed !== 0n && needed < beforeSequence ? needed : beforeSequence;
    let removed = 0;
    // Oldest first, each removal durable before the next: the log never has a hole.
    for (;;) {
      const [oldest, next] = this.#segments;
      if (oldest === undefined || next === undefined || oldest.last.sequence >= limit) return removed;
      this.#segments.shift();
      await attempt("remove", oldest.file, () => this.#disk.remove(oldest.file));
      removed++;
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    try {
      if (this.#failure === null) await this.#drain();
    } finally {
      await this.#spare;
      if (this.#ownsDisk) await this.#disk.close();
    }
  }

  async #drain(): Promise<void> {
    if (this.#pending.length > 0) this.#start();
    if (this.#running !== null) await this.#running;
    if (this.#failure !== null) throw this.#failure;
  }

  #start(): void {
    this.#running ??= this.#run();
  }

  get #due(): boolean {
    if (this.#pending.length === 0) return false;
    return this.#waiters.length > 0 || this.#pendingBytes > WRITE_AHEAD_BYTES || this.#closed;
  }

  /**
   * Writes what is pending, group after group: all that comes in during one sync goes with the next one that somebody
   * waits for. A sync of its own would only make the next one wait.
   */
  async #run(): Promise<void> {
    // One turn later, so that what is appended in the same turn goes into the same write.
    await Promise.resolve();
    try {
      while (this.#due && this.#failure === null) {
        const group = this.#pending;
        this.#pending = [];
        this.#pendingBytes = 0;
        await this.#writeGroup(group);
        this.#synced = (group.at(-1) as Pending).position.sequence;
        this.#release();
      }
    } catch (error) {
      this.#fail(diskError("write", this.#dir, error));
    } finally {
      this.#running = null;
    }
  }

  async #writeGroup(group: readonly Pending[]): Promise<void> {
    let segment = this.#segments.at(-1) as Segment;
    let parts: Uint8Array[] = [];
    let length = 0;
    const flush = async (): Promise<void> => {
      if (length === 0) return;
      const bytes = joined(parts, length);
      const at = segment.end;
      parts = [];
      length = 0;
      await writeThrough(this.#disk, segment.file, at, bytes);
      segment.end = at + bytes.length;
    };
    for (const { bytes, position } of group) {
      if (segment.end + length + bytes.length > segment.size) {
        // Whole on disk before the next one begins, so that a tear can only be in the last segment.
        await flush();
        const before = segment.last;
        segment = await this.#nextSegment(before, bytes.length);
        this.#segments.push(segment);
        parts.push(segmentHeader(segment));
        length += HEADER_BYTES;
      }
      parts.push(bytes);
      length += bytes.length;
      segment.last = position;
    }
    await flush();
    if (this.#spare === null && segment.end > segment.size / 2) this.#spare = this.#createSpare();
  }

  async #nextSegment(before: WalPosition, recordBytes: number): Promise<Segment> {
    const spare = await this.#spare;
    this.#spare = null;
    const needed = HEADER_BYTES + recordBytes;
    if (spare !== null && spare.size >= needed) return { ...spare, before, last: before };
    // A spare that could not be made, or is too small for this record, is made again under its own name.
    const index = spare?.index ?? this.#nextIndex++;
    return createSegment(
      this.#disk,
      this.#dir,
      index,
      this.#coreVersion,
      Math.max(this.#segmentBytes, needed),
      {
        before,
      },
    );
  }

  /**
   * The next segment, made while there is time. `null` when that failed. For want of space or files the rotation tries
   * again and reports it; any other failure is the disk's, and what it does afterwards proves nothing.
   */
  async #createSpare(): Promise<Segment | null> {
    const index = this.#nextIndex;
    const before = this.#appended;
    try {
      const made = createSegment(this.#disk, this.#dir, index, this.#coreVersion, this.#segmentBytes, {
        before,
      });
      const segment = await made;
      this.#nextIndex = index + 1;
      return segment;
    } catch (error) {
      if (!(error instanceof WalError) || !isShortage(error)) {
        const failure = this.#fail(diskError("create", this.#dir, error));
        this.#onFailure(failure);
      }
      return null;
    }
  }

  #release(): void {
    const synced = this.#synced;
    const ready = this.#waiters.filter((waiter) => waiter.sequence <= synced);
    this.#waiters = this.#waiters.filter((waiter) => waiter.sequence > synced);
    for (const waiter of ready) waiter.resolve();
  }

  #fail(error: WalError): WalError {
    this.#failure ??= error;
    this.#pending = [];
    this.#pendingBytes = 0;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter.reject(this.#failure);
    return this.#failure;
  }

  #assertOpen(): void {
    if (this.#failure !== null) throw this.#failure;
    if (this.#closed) throw this.#closedError();
  }

  #closedError(): WalError {
    return new WalError("WAL_CLOSED", `the log in ${this.#dir} is closed`, { dir: this.#dir });
  }
}

/** Space or open files are short: that passes, and nothing that was acknowledged is in doubt. */
function isShortage(error: WalError): boolean {
  return ["ENOSPC", "EDQUOT", "EMFILE", "ENFILE"].includes(String(error.facts["errno"]));
}

function joined(parts: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function segmentHeader(segment: Segment): Uint8Array {
  return encodeSegmentHeader({
    coreVersion: segment.coreVersion,
    firstSequence: segment.before.sequence + 1n,
    previousCrc: segment.before.crc,
  });
}

/** Preallocates a segment file; nothing is written into it yet. */
async function createSegment(
  disk: WalDisk,
  dir: string,
  index: number,
  coreVersion: number,
  size: number,
  { before }: { readonly before: WalPosition },
): Promise<Segment> {
  const file = join(dir, segmentName(index));
  await attempt("create", file, () => disk.create(file, size));
  return { file, index, size, coreVersion, before, last: before, end: 0 };
}

interface OpenedLog {
  readonly condition: WalCondition;
  readonly segments: Segment[];
  readonly lastOfType: Map<number, WalPosition>;
  readonly last: WalPosition;
  readonly nextIndex: number;
}

/** Name under which a segment of a damaged log is kept. */
function asideName(file: string): string {
  return `${file}.damaged`;
}

/** Newest first: a crash in between leaves a log that is too short, never one with a hole. */
async function setAside(disk: WalDisk, files: readonly SegmentFile[]): Promise<void> {
  for (const { file } of files.toReversed()) {
    await attempt("rename", file, () => disk.rename(file, asideName(file)));
  }
}

function live(info: SegmentInfo): Segment {
  return { ...info };
}

async function recover(options: WalOptions, disk: WalDisk, segmentBytes: number): Promise<OpenedLog> {
  const { dir, coreVersion } = options;
  const dependency = options.dependency ?? { sequence: 0n, crc: 0 };
  const names = await attempt("list", dir, () => disk.list(dir));
  const files = segmentFiles(dir, names);
  const scan = await scanLog(files, (file) => attempt("read", file, () => disk.read(file)), dependency);
  const condition = await repair(scan, files, disk, dir);
  const nextIndex = highestIndex(names) + 1;

  const damaged = condition.kind === "damaged";
  const last = damaged || scan.last === null ? dependency : scan.last;
  const lastOfType = new Map(damaged ? [] : scan.lastOfType);
  const segments = damaged ? [] : scan.segments.map(live);
  const newest = segments.at(-1);
  if (newest !== undefined && newest.coreVersion === coreVersion) {
    if (!damaged) for (const spare of scan.spares) await removeFile(disk, spare.file);
    // After a failed sync it may lie in the page cache alone, clean and never to be written.
    if (scan.tail !== null) await writeThrough(disk, scan.tail.file, scan.tail.offset, scan.tail.bytes);
    return { condition, segments, lastOfType, last, nextIndex };
  }
  // A new log, or one that another version of the core wrote: begin a segment, which names this version.
  const [spare, ...surplus] = damaged ? [] : scan.spares;
  for (const extra of surplus) await removeFile(disk, extra.file);
  const index = spare?.index ?? nextIndex;
  const segment = await createSegment(disk, dir, index, coreVersion, segmentBytes, { before: last });
  await writeThrough(disk, segment.file, 0, segmentHeader(segment));
  segment.end = HEADER_BYTES;
  return {
    condition,
    segments: [...segments, segment],
    lastOfType,
    last,
    nextIndex: Math.max(nextIndex, index + 1),
  };
}

async function removeFile(disk: WalDisk, file: string): Promise<void> {
  await attempt("remove", file, () => disk.remove(file));
}

async function repair(
  scan: ScanResult,
  files: readonly SegmentFile[],
  disk: WalDisk,
  dir: string,
): Promise<WalCondition> {
  const { verdict } = scan;
  if (verdict.kind === "torn") {
    await writeThrough(disk, verdict.file, verdict.offset, new Uint8Array(verdict.bytesDropped));
    return verdict;
  }
  if (verdict.kind === "damaged") {
    await setAside(disk, files);
    const movedTo = files.length === 0 ? "" : asideName(verdict.file);
    return { ...verdict, file: verdict.file === "" ? dir : verdict.file, movedTo };
  }
  return verdict;
}

/**
 * Opens the log in `options.dir`, creating it when there is none. A torn tail is cut; a damaged log is set aside
 * (every segment renamed to `NAME.damaged`) and a new one begun at `dependency.sequence + 1`: `condition` tells.
 *
 * `disk` is shared with the caller when given; otherwise the log starts a writer thread of its own and ends it.
 * @throws WalError `WAL_IO` or `WAL_FULL` when the disk refuses.
 */
export async function openWal(options: WalOptions, disk?: WalDisk): Promise<Wal> {
  const segmentBytes = Math.max(options.segmentBytes ?? DEFAULT_SEGMENT_BYTES, MIN_SEGMENT_BYTES);
  const used = disk ?? threadDisk();
  try {
    const opened = await recover(options, used, segmentBytes);
    return new SegmentedWal(opened, options, used, disk === undefined, segmentBytes);
  } catch (error) {
    if (disk === undefined) await used.close();
    throw error;
  }
}
