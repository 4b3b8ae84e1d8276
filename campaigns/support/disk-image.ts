/**
 * What a disk holds for certain, and what was handed to it since: the steps that an operating system takes, and every
 * state that a loss of power can leave. Stricter than most file systems: a name is durable only by a sync of its
 * directory, data only by a sync of its file, and neither brings the other.
 */
import type { IndexOperation } from "@quorate/store";

/** Unit that a disk writes whole or not at all. */
export const SECTOR_BYTES = 512;

/** One step that takes effect as a whole in the running system; power can go between any two. */
export type DiskStep =
  | {
      readonly kind: "write";
      readonly inode: number;
      readonly file: string;
      readonly offset: number;
      readonly bytes: Uint8Array;
    }
  | { readonly kind: "resize"; readonly inode: number; readonly file: string; readonly size: number }
  | { readonly kind: "sync"; readonly inode: number; readonly file: string }
  | { readonly kind: "link"; readonly inode: number; readonly file: string }
  | { readonly kind: "unlink"; readonly file: string }
  | { readonly kind: "rename"; readonly file: string; readonly to: string }
  | { readonly kind: "syncdir"; readonly file: string }
  /** A write to the index: whole or not at all, and never without those before it. */
  | { readonly kind: "index"; readonly file: string; readonly operations: readonly IndexOperation[] }
  | { readonly kind: "indexsync"; readonly file: string };

export type StepKind = DiskStep["kind"];

/** Content that a start finds. */
export interface StoredContent {
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Keys as hex. */
  readonly index: ReadonlyMap<string, Uint8Array>;
}

/** A state that a loss of power can leave, and which part of the unsynced steps survived in it. */
export interface Outcome {
  readonly name: string;
  readonly content: StoredContent;
}

interface Content {
  readonly inodes: Map<number, Uint8Array>;
  readonly names: Map<string, number>;
  readonly index: Map<string, Uint8Array>;
}

export function directoryOf(file: string): string {
  return file.slice(0, file.lastIndexOf("/"));
}

export function written(before: Uint8Array, offset: number, bytes: Uint8Array): Uint8Array {
  const after = new Uint8Array(Math.max(before.length, offset + bytes.length));
  after.set(before);
  after.set(bytes, offset);
  return after;
}

export function resized(before: Uint8Array, size: number): Uint8Array {
  const after = new Uint8Array(size);
  after.set(before.subarray(0, size));
  return after;
}

function applyTo(content: Content, step: DiskStep): void {
  const { inodes, names, index } = content;
  switch (step.kind) {
    case "write":
      inodes.set(step.inode, written(inodes.get(step.inode) ?? new Uint8Array(), step.offset, step.bytes));
      break;
    case "resize":
      inodes.set(step.inode, resized(inodes.get(step.inode) ?? new Uint8Array(), step.size));
      break;
    case "link":
      names.set(step.file, step.inode);
      break;
    case "unlink":
      names.delete(step.file);
      break;
    case "rename": {
      const inode = names.get(step.file);
      if (inode === undefined) break;
      names.delete(step.file);
      names.set(step.to, inode);
      break;
    }
    case "index":
      for (const operation of step.operations) {
        const key = Buffer.from(operation.key).toString("hex");
        if (operation.type === "put") index.set(key, operation.value.slice());
        else index.delete(key);
      }
      break;
    case "sync":
    case "syncdir":
    case "indexsync":
      break;
  }
}

/** Follows a running disk step by step. */
export class DiskImage {
  private readonly durable: Content = { inodes: new Map(), names: new Map(), index: new Map() };
  private pending: readonly DiskStep[] = [];

  /** `start` is durable; its files have the inodes -1, -2 … in their order, as a disk begun with it gives them. */
  constructor(start?: StoredContent) {
    if (start === undefined) return;
    let inode = -1;
    for (const [name, bytes] of start.files) {
      this.durable.inodes.set(inode, bytes.slice());
      this.durable.names.set(name, inode--);
    }
    for (const [key, value] of start.index) this.durable.index.set(key, value);
  }

  /** Steps whose effect is not certain to survive, oldest first. */
  get unsynced(): readonly DiskStep[] {
    return this.pending;
  }

  apply(step: DiskStep): void {
    const settles = settledBy(step);
    if (settles === null) {
      this.pending = [...this.pending, step];
      return;
    }
    for (const each of this.pending) if (settles(each)) applyTo(this.durable, each);
    this.pending = this.pending.filter((each) => !settles(each));
  }

  /** With these unsynced steps and no others. */
  with(steps: readonly DiskStep[]): StoredContent {
    const content: Content = {
      inodes: new Map(this.durable.inodes),
      names: new Map(this.durable.names),
      index: new Map(this.durable.index),
    };
    for (const step of steps) applyTo(content, step);
    const files = new Map<string, Uint8Array>();
    for (const [name, inode] of content.names) files.set(name, content.inodes.get(inode) ?? new Uint8Array());
    return { files, index: content.index };
  }

  /**
   * Everything lost, every prefix, everything kept; each prefix with its last write cut at every sector, and with only
   * the last sector of that write; and where several files are concerned, each of them alone.
   */
  *outcomes(): Generator<Outcome> {
    const { pending } = this;
    yield { name: "all lost", content: this.with([]) };
    for (const [at, step] of pending.entries()) {
      for (const { name, part } of tornParts(step)) {
        yield { name: `first ${at} kept, then ${name}`, content: this.with([...pending.slice(0, at), part]) };
      }
      const all = at + 1 === pending.length;
      const name = all ? "all kept" : `first ${at + 1} of ${pending.length} kept`;
      yield { name, content: this.with(pending.slice(0, at + 1)) };
    }
    const places = new Set(pending.map(placeOf));
    if (places.size < 2) return;
    for (const place of places) {
      const kept = pending.filter((step) => placeOf(step) === place);
      if (kept.every((step, at) => step === pending[at])) continue;
      yield { name: `only ${place} kept`, content: this.with(kept) };
    }
  }
}

/** Which unsynced steps a step makes durable; `null` when it is not a sync. */
function settledBy(step: DiskStep): ((each: DiskStep) => boolean) | null {
  switch (step.kind) {
    case "sync":
      return (each) => (each.kind === "write" || each.kind === "resize") && each.inode === step.inode;
    case "syncdir":
      return (each) => {
        if (each.kind !== "link" && each.kind !== "unlink" && each.kind !== "rename") return false;
        return directoryOf(each.file) === step.file;
      };
    case "indexsync":
      return (each) => each.kind === "index";
    default:
      return null;
  }
}

/** What can reach the disk independently of the rest. */
function placeOf(step: DiskStep): string {
  switch (step.kind) {
    case "write":
    case "resize":
    case "sync":
      return step.file;
    case "index":
    case "indexsync":
      return "index";
    default:
      return directoryOf(step.file);
  }
}

function* tornParts(step: DiskStep): Generator<{ readonly name: string; readonly part: DiskStep }> {
  if (step.kind !== "write") return;
  const { offset, bytes } = step;
  const first = Math.floor(offset / SECTOR_BYTES) + 1;
  const last = Math.floor((offset + bytes.length - 1) / SECTOR_BYTES);
  for (let sector = first; sector <= last; sector++) {
    const cut = sector * SECTOR_BYTES - offset;
    yield {
      name: `a write cut at sector ${sector - first + 1} of ${last - first + 1}`,
      part: { ...step, bytes: bytes.subarray(0, cut) },
    };
  }
  if (last < first) return;
  const cut = last * SECTOR_BYTES - offset;
  yield {
    name: "only the last sector of a write",
    part: { ...step, offset: offset + cut, bytes: bytes.subarray(cut) },
  };
}
