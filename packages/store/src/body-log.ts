import { join } from "node:path";
import { type BlockId, blockIdKey, MAX_BLOCK_SIZE } from "@quorate/chain";
import type { BodyDisk } from "./body-disk.ts";
import { BODY_HEADER_BYTES, bodyOf, contentEnd, encodeBodyRecord, findBodies } from "./body-format.ts";
import { StoreError, storageError } from "./errors.ts";
import type { BodyRef } from "./types.ts";

export interface BodyLogOptions {
  readonly dir: string;
  /** Bytes after which a new segment starts. */
  readonly segmentBytes: number;
  /** Bytes of zeros kept ready behind the last record, where it is far smaller than these. */
  readonly stepBytes: number;
  /** Told once of a failure that no {@link BodyLog.put} waits for. */
  readonly onFailure?: (error: StoreError) => void;
}

interface Pending {
  readonly blockId: BlockId;
  readonly record: Uint8Array;
  /** Of the record, whose array is the disk's once it is written. */
  readonly length: number;
  readonly resolve: (ref: BodyRef) => void;
  readonly reject: (error: StoreError) => void;
}

/** A body, where it lies and whose it is. */
export interface WantedBody {
  readonly ref: BodyRef;
  readonly blockId: BlockId;
}

/** Bytes of neighbouring bodies that are read at once; one body is read whole. */
const READ_BYTES = 1_048_576;
/** A group of at least this part of a step has no zeros written behind it. */
const LARGE_STEP_PART = 4;
/** Bodies of blocks not decided yet; what lies beyond is found by reading again. */
const MAX_UNDECIDED = 1024;
const NAME = /^(\d{8})\.blk$/;

function segmentFile(dir: string, segment: number): string {
  return join(dir, `${String(segment).padStart(8, "0")}.blk`);
}

/** Append-only bodies in numbered segment files. One writer, group commit. */
export class BodyLog {
  readonly #disk: BodyDisk;
  readonly #options: BodyLogOptions;
  /** Bodies put since the last decided block, by block id key; the epoch says when. */
  readonly #undecided = new Map<string, { readonly ref: BodyRef; readonly epoch: number }>();
  readonly #segments: number[];
  #epoch: number;
  #end: number;
  #allocated: number;
  #pending: Pending[] = [];
  #running: Promise<void> | null = null;
  #extending: Promise<void> | null = null;
  #failure: StoreError | null = null;

  private constructor(
    disk: BodyDisk,
    options: BodyLogOptions,
    opened: { readonly segments: number[]; readonly end: number; readonly allocated: number },
    epoch: number,
  ) {
    this.#disk = disk;
    this.#options = options;
    this.#segments = opened.segments;
    this.#end = opened.end;
    this.#allocated = opened.allocated;
    this.#epoch = epoch;
  }

  /** Opens the log and finds the bodies put after `tip`, the body of the last decided block. */
  static async open(
    disk: BodyDisk,
    options: BodyLogOptions,
    tip: BodyRef | null,
    epoch: number,
  ): Promise<BodyLog> {
    const { dir } = options;
    try {
      const segments = (await disk.list(dir))
        .flatMap((name) => NAME.exec(name)?.[1] ?? [])
        .map(Number)
        .sort((a, b) => a - b);
      if (segments.length === 0) {
        await disk.create(segmentFile(dir, 1));
        segments.push(1);
      }
      const last = segments.at(-1) as number;
      const log = new BodyLog(disk, options, { segments, end: 0, allocated: 0 }, epoch);
      for (const segment of segments) {
        if (segment !== last && segment < (tip?.segment ?? 0)) continue;
        const file = segmentFile(dir, segment);
        // From the start of the tip's segment: a body of the next height may have been put before the tip's.
        const bytes = await readWhole(disk, file);
        let end = 0;
        let undecided: number | null = null;
        for (const found of findBodies(bytes, 0)) {
          const { blockId, offset, length } = found;
          log.#remember(blockId, { segment, offset, length });
          end = offset + BODY_HEADER_BYTES + length;
          if (tip === null || segment > tip.segment || offset > tip.offset) undecided ??= offset;
        }
        // After a failed sync they may lie in the page cache alone, clean and never to be written; a precommit rests on
        // them.
        if (undecided !== null) {
          const found = bytes.slice(undecided, end);
          await Promise.all([disk.write(file, undecided, found), disk.fdatasync(file)]);
        }
        // Behind the last record and whatever a crash left there; a body may itself end in zeros.
        log.#end = contentEnd(bytes, end);
        log.#allocated = bytes.length;
      }
      return log;
    } catch (error) {
      throw storageError("open", dir, error);
    }
  }

  /** Numbers of the segment files there are, ascending. */
  get segments(): readonly number[] {
    return this.#segments;
  }

  /** Where a body put since the last decided block lies. */
  undecided(blockId: BlockId): BodyRef | null {
    return this.#undecided.get(blockIdKey(blockId))?.ref ?? null;
  }

  /** Appends a body; resolves when it is synced. The same body again answers where it lies. */
  put(blockId: BlockId, bytes: Uint8Array): Promise<BodyRef> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    const known = this.undecided(blockId);
    if (known !== null) return Promise.resolve(known);
    if (bytes.length > MAX_BLOCK_SIZE) {
      const facts = { length: bytes.length };
      return Promise.reject(
        new StoreError("STORE_ORDER", `a block of ${bytes.length} bytes exceeds ${MAX_BLOCK_SIZE}`, facts),
      );
    }
    const record = encodeBodyRecord(blockId, bytes);
    return new Promise((resolve, reject) => {
      this.#pending.push({ blockId, record, length: record.length, resolve, reject });
      this.#running ??= this.#run();
    });
  }

  /**
   * @throws StoreError `STORE_CORRUPT` when the body is not there whole; `null` is never given for a body once put.
   */
  async read(ref: BodyRef, blockId: BlockId): Promise<Uint8Array> {
    const [body] = await this.readAll([{ ref, blockId }]);
    return body as Uint8Array;
  }

  /**
   * Bodies in the order asked for; those that lie one behind the other are read at once.
   * @throws StoreError `STORE_CORRUPT` when one is not there whole.
   */
  async readAll(wanted: readonly WantedBody[]): Promise<readonly Uint8Array[]> {
    const bodies: Uint8Array[] = [];
    while (bodies.length < wanted.length) {
      const run = adjacent(wanted.slice(bodies.length));
      const [first] = run;
      if (first === undefined) break;
      const length = run.reduce((sum, { ref }) => sum + BODY_HEADER_BYTES + ref.length, 0);
      const bytes = await this.#readPiece(first, length);
      let at = 0;
      for (const each of run) {
        const end = at + BODY_HEADER_BYTES + each.ref.length;
        const body = bodyOf(bytes.subarray(at, end), each.blockId);
        if (body === null) throw this.#damaged(each);
        bodies.push(body);
        at = end;
      }
    }
    return bodies;
  }

  async #readPiece({ ref, blockId }: WantedBody, length: number): Promise<Uint8Array> {
    const file = segmentFile(this.#options.dir, ref.segment);
    try {
      return await this.#disk.read(file, ref.offset, length);
    } catch (error) {
      throw new StoreError(
        "STORE_CORRUPT",
        `the body of block ${blockIdKey(blockId).slice(0, 16)}… cannot be read from ${file}: restore the file, or run ` +
          "`validator reset` and let the node sync again",
        { file, offset: ref.offset },
        error,
      );
    }
  }

  #damaged({ ref, blockId }: WantedBody): StoreError {
    const file = segmentFile(this.#options.dir, ref.segment);
    return new StoreError(
      "STORE_CORRUPT",
      `the body of block ${blockIdKey(blockId).slice(0, 16)}… in ${file} is damaged: check the disk, then run ` +
        "`validator reset` and let the node sync again",
      { file, offset: ref.offset, length: ref.length },
    );
  }

  /** Every whole body there is, in the order they were put. */
  async *all(): AsyncGenerator<{
    readonly ref: BodyRef;
    readonly blockId: BlockId;
    readonly bytes: Uint8Array;
  }> {
    for (const segment of [...this.#segments]) {
      const file = segmentFile(this.#options.dir, segment);
      const content = await readWhole(this.#disk, file);
      for (const { blockId, offset, length } of findBodies(content, 0)) {
        const start = offset + BODY_HEADER_BYTES;
        yield { ref: { segment, offset, length }, blockId, bytes: content.subarray(start, start + length) };
      }
    }
  }

  /** A height was decided: bodies put before the height below it are no longer found by their id. */
  advance(epoch: number): void {
    this.#epoch = epoch;
    for (const [key, entry] of this.#undecided) if (entry.epoch < epoch - 1) this.#undecided.delete(key);
  }

  /** Deletes segments with a number below `segment`, never the last. Oldest first. */
  async removeBefore(segment: number): Promise<number> {
    let removed = 0;
    for (;;) {
      const [oldest, next] = this.#segments;
      if (oldest === undefined || next === undefined || oldest >= segment) return removed;
      const file = segmentFile(this.#options.dir, oldest);
      try {
        await this.#disk.remove(file);
      } catch (error) {
        throw storageError("remove", file, error);
      }
      this.#segments.shift();
      removed++;
    }
  }

  async close(): Promise<void> {
    if (this.#running !== null) await this.#running;
    if (this.#extending !== null) await this.#extending;
    await this.#disk.close();
  }

  #remember(blockId: BlockId, ref: BodyRef): void {
    const [oldest] = this.#undecided.keys();
    if (this.#undecided.size >= MAX_UNDECIDED && oldest !== undefined) this.#undecided.delete(oldest);
    this.#undecided.set(blockIdKey(blockId), { ref, epoch: this.#epoch });
  }

  /** Writes what is pending, group after group: all that comes in during one sync goes with the next. */
  async #run(): Promise<void> {
    await Promise.resolve();
    while (this.#pending.length > 0) {
      const group = this.#takeGroup();
      try {
        await this.#writeGroup(group);
      } catch (error) {
        this.#fail(storageError("write", this.#options.dir, error), group);
      }
    }
    this.#running = null;
  }

  /** As many as fit into the rest of the segment, at least one. */
  #takeGroup(): Pending[] {
    let end = this.#end;
    const { segmentBytes } = this.#options;
    const count = this.#pending.findIndex((pending, i) => {
      end += pending.length;
      return i > 0 && end > segmentBytes;
    });
    return this.#pending.splice(0, count === -1 ? this.#pending.length : count);
  }

  async #writeGroup(group: readonly Pending[]): Promise<void> {
    const length = group.reduce((sum, each) => sum + each.length, 0);
    if (this.#end > 0 && this.#end + length > this.#options.segmentBytes) await this.#nextSegment();
    const segment = this.#segments.at(-1) as number;
    const file = segmentFile(this.#options.dir, segment);
    const start = this.#end;
    // The zeros under way lie behind what is allocated: only a record that reaches there must wait for them.
    if (this.#extending !== null && start + length > this.#allocated) await this.#extending;
    const [only] = group;
    const bytes = group.length === 1 && only !== undefined ? only.record : joined(group, length);
    // Taken before the write: after a failure nothing may be written over what perhaps arrived.
    this.#end = start + length;
    await Promise.all([this.#disk.write(file, start, bytes), this.#disk.fdatasync(file)]);
    let offset = start;
    for (const { blockId, length: recordBytes, resolve } of group) {
      const ref = { segment, offset, length: recordBytes - BODY_HEADER_BYTES };
      offset += recordBytes;
      this.#remember(blockId, ref);
      resolve(ref);
    }
    this.#allocated = Math.max(this.#allocated, this.#end);
    // The next of this size would soon be through them, and its sync takes long with or without.
    if (length < this.#options.stepBytes / LARGE_STEP_PART) this.#allocateAhead(file);
  }

  async #nextSegment(): Promise<void> {
    if (this.#extending !== null) await this.#extending;
    const next = (this.#segments.at(-1) as number) + 1;
    await this.#disk.create(segmentFile(this.#options.dir, next));
    this.#segments.push(next);
    this.#end = 0;
    this.#allocated = 0;
  }

  /** Zeros behind the end make the next sync cheaper: it then changes no file length. */
  #allocateAhead(file: string): void {
    const { stepBytes, segmentBytes } = this.#options;
    if (this.#extending !== null || this.#allocated - this.#end >= stepBytes / 2) return;
    const size = Math.min(segmentBytes, this.#end + stepBytes);
    if (size <= this.#allocated) return;
    this.#extending = this.#disk
      .extend(file, size)
      .then(() => {
        this.#allocated = size;
      })
      .catch((error: unknown) => {
        if (this.#failure !== null) return;
        const failure = storageError("extend", file, error);
        this.#fail(failure, []);
        // Every later body is refused: a node must not find that out only when it has the next one.
        this.#options.onFailure?.(failure);
      })
      .finally(() => {
        this.#extending = null;
      });
  }

  #fail(error: StoreError, group: readonly Pending[]): void {
    this.#failure ??= error;
    for (const { reject } of [...group, ...this.#pending.splice(0)]) reject(this.#failure);
  }
}

/** The first of them and those that lie right behind it, within {@link READ_BYTES}. */
function adjacent(wanted: readonly WantedBody[]): readonly WantedBody[] {
  const [first] = wanted;
  if (first === undefined) return [];
  let end = first.ref.offset;
  const other = wanted.findIndex(({ ref }, index) => {
    const { segment, offset, length } = ref;
    if (segment !== first.ref.segment || offset !== end) return true;
    end += BODY_HEADER_BYTES + length;
    return index > 0 && end - first.ref.offset > READ_BYTES;
  });
  return other < 0 ? wanted : wanted.slice(0, other);
}

async function readWhole(disk: BodyDisk, file: string): Promise<Uint8Array> {
  try {
    return await disk.read(file, 0, await disk.size(file));
  } catch (error) {
    throw storageError("read", file, error);
  }
}

function joined(group: readonly Pending[], length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const { record } of group) {
    bytes.set(record, at);
    at += record.length;
  }
  return bytes;
}
