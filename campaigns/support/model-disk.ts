/**
 * The disk of one node in memory, behind the ports of log, sign state, bodies and index. Each operation is taken in the
 * steps that the real one takes (a file is created by a name, its content, a sync of it, a sync of its directory), and
 * every step can be waited for, watched and made to fail.
 */
import type { SlotDisk } from "@quorate/privval";
import { type BodyDisk, type Index, type IndexOperation, type IndexRange, StoreError } from "@quorate/store";
import type { WalDisk } from "@quorate/wal";
import { type DiskStep, directoryOf, resized, type StoredContent, written } from "./disk-image.ts";

export interface DiskHooks {
  /** Waited for before each step. */
  readonly pace?: (step: DiskStep) => Promise<void>;
  /** The error that this step fails with instead of taking effect, if any. */
  readonly fault?: (step: DiskStep) => Error | null;
  /** A step has taken effect in the running system. */
  readonly onStep?: (step: DiskStep) => void;
}

const INDEX = "index";

export function errno(code: string): Error {
  return Object.assign(new Error(`${code}: injected`), { code });
}

export class ModelDisk implements WalDisk, SlotDisk {
  hooks: DiskHooks = {};
  private readonly contents = new Map<number, Uint8Array>();
  private readonly names = new Map<string, number>();
  private readonly values = new Map<string, Uint8Array>();
  /** Write, sync, resize, rename and remove of log and sign state, and the bodies' writes: one thread does them in order. */
  private thread: Promise<void> = Promise.resolve();
  private threadFailure: Error | null = null;
  private created = 0;

  constructor(content?: StoredContent, hooks: DiskHooks = {}) {
    let inode = -1;
    for (const [name, bytes] of content?.files ?? []) {
      this.names.set(name, inode);
      this.contents.set(inode--, bytes.slice());
    }
    for (const [key, value] of content?.index ?? []) this.values.set(key, value);
    this.hooks = hooks;
  }

  /** What the running system sees: what a crash of the process alone leaves. */
  content(): StoredContent {
    const files = new Map<string, Uint8Array>();
    for (const [name, inode] of this.names) files.set(name, this.bytesOf(inode).slice());
    return { files, index: new Map(this.values) };
  }

  async list(dir: string): Promise<string[]> {
    return [...this.names.keys()]
      .filter((name) => directoryOf(name) === dir)
      .map((name) => name.slice(dir.length + 1))
      .sort();
  }

  async read(file: string): Promise<Uint8Array> {
    return this.bytesOf(this.inode(file)).slice();
  }

  async create(file: string, size: number): Promise<void> {
    const inode = await this.link(file);
    if (size > 0) await this.take({ kind: "write", inode, file, offset: 0, bytes: new Uint8Array(size) });
    await this.take({ kind: "sync", inode, file });
    await this.take({ kind: "syncdir", file: directoryOf(file) });
  }

  write(file: string, offset: number, bytes: Uint8Array): Promise<void> {
    const copy = bytes.slice();
    return this.guarded(() =>
      this.take({ kind: "write", inode: this.inode(file), file, offset, bytes: copy }),
    );
  }

  fdatasync(file: string): Promise<void> {
    return this.guarded(() => this.take({ kind: "sync", inode: this.inode(file), file }));
  }

  truncate(file: string, size: number): Promise<void> {
    return this.guarded(() => this.take({ kind: "resize", inode: this.inode(file), file, size }));
  }

  rename(from: string, to: string): Promise<void> {
    return this.inTurn(async () => {
      await this.take({ kind: "rename", file: from, to });
      await this.take({ kind: "syncdir", file: directoryOf(to) });
    });
  }

  remove(file: string): Promise<void> {
    return this.inTurn(() => this.unlink(file));
  }

  async close(): Promise<void> {}

  /** The block store's files; writes and syncs go through the thread, as in a node. */
  get bodies(): BodyDisk {
    return {
      list: (dir) => this.list(dir),
      size: async (file) => this.bytesOf(this.inode(file)).length,
      read: async (file, offset, length) => this.bytesOf(this.inode(file)).slice(offset, offset + length),
      write: (file, offset, bytes) => this.write(file, offset, bytes),
      fdatasync: (file) => this.fdatasync(file),
      create: async (file) => {
        await this.link(file);
        await this.take({ kind: "syncdir", file: directoryOf(file) });
      },
      extend: async (file, size) => {
        const inode = this.inode(file);
        const { length } = this.bytesOf(inode);
        if (size > length) {
          const zeros = new Uint8Array(size - length);
          await this.take({ kind: "write", inode, file, offset: length, bytes: zeros });
        }
        await this.take({ kind: "sync", inode, file });
      },
      remove: (file) => this.unlink(file),
      close: () => Promise.resolve(),
    };
  }

  get index(): Index {
    let tail: Promise<void> = Promise.resolve();
    return {
      get: async (key) => this.values.get(hex(key))?.slice() ?? null,
      entries: async (range) => this.entriesOf(range),
      write: (operations, { sync }) => {
        const turn = tail.then(async () => {
          try {
            await this.take({ kind: "index", file: INDEX, operations });
            if (sync) await this.take({ kind: "indexsync", file: INDEX });
          } catch (error) {
            const full = error instanceof Error && "code" in error && error.code === "ENOSPC";
            throw new StoreError(full ? "STORE_FULL" : "STORE_IO", "the index was not written", {}, error);
          }
        });
        tail = turn.catch(() => undefined);
        return turn;
      },
      close: () => Promise.resolve(),
    };
  }

  private entriesOf({ gte, lt, reverse, limit }: IndexRange): [Uint8Array, Uint8Array][] {
    const [from, to] = [hex(gte), hex(lt)];
    const keys = [...this.values.keys()].filter((key) => key >= from && key < to).sort();
    if (reverse === true) keys.reverse();
    return keys.slice(0, limit).map((key) => {
      return [new Uint8Array(Buffer.from(key, "hex")), (this.values.get(key) as Uint8Array).slice()];
    });
  }

  private async link(file: string): Promise<number> {
    const inode = ++this.created;
    await this.take({ kind: "link", inode, file });
    return inode;
  }

  private async unlink(file: string): Promise<void> {
    this.inode(file);
    await this.take({ kind: "unlink", file });
    await this.take({ kind: "syncdir", file: directoryOf(file) });
  }

  private async take(step: DiskStep): Promise<void> {
    await this.hooks.pace?.(step);
    const failure = this.hooks.fault?.(step) ?? null;
    if (failure !== null) throw failure;
    this.see(step);
    this.hooks.onStep?.(step);
  }

  private see(step: DiskStep): void {
    switch (step.kind) {
      case "write":
        this.contents.set(step.inode, written(this.bytesOf(step.inode), step.offset, step.bytes));
        break;
      case "resize":
        this.contents.set(step.inode, resized(this.bytesOf(step.inode), step.size));
        break;
      case "link":
        this.names.set(step.file, step.inode);
        this.contents.set(step.inode, new Uint8Array());
        break;
      case "unlink":
        this.names.delete(step.file);
        break;
      case "rename":
        this.names.set(step.to, this.inode(step.file));
        this.names.delete(step.file);
        break;
      case "index":
        for (const operation of step.operations) this.setValue(operation);
        break;
      case "sync":
      case "syncdir":
      case "indexsync":
        break;
    }
  }

  private setValue(operation: IndexOperation): void {
    if (operation.type === "put") this.values.set(hex(operation.key), operation.value.slice());
    else this.values.delete(hex(operation.key));
  }

  private bytesOf(inode: number): Uint8Array {
    return this.contents.get(inode) ?? new Uint8Array();
  }

  private inode(file: string): number {
    const found = this.names.get(file);
    if (found === undefined) throw errno("ENOENT");
    return found;
  }

  private inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.thread.then(work);
    this.thread = turn.catch(() => undefined);
    return turn;
  }

  /** As the real thread: after the first failed write or sync every later one fails. */
  private guarded(work: () => Promise<void>): Promise<void> {
    return this.inTurn(async () => {
      if (this.threadFailure !== null) throw this.threadFailure;
      try {
        await work();
      } catch (error) {
        this.threadFailure ??= error as Error;
        throw error;
      }
    });
  }
}

const hex = (key: Uint8Array): string => Buffer.from(key).toString("hex");
