/**
 * A file system in memory that keeps apart what was written and what would survive a power loss: file contents sector
 * by sector, directory entries name by name. System calls take effect at once; how long they take is the caller's.
 */
import { dirname } from "node:path/posix";
import type { FileCalls } from "@quorate/wal";
import type { Random } from "../core/random.ts";

/** What a disk writes whole or not at all. */
export const SECTOR_BYTES = 512;

/** What becomes of writes that no sync covered. */
export type Survival = "none" | "all" | "some";

interface Write {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** Content with zeros behind what was ever written, so that preallocated files cost nothing. */
class Content {
  size = 0;
  #bytes = new Uint8Array(0);
  #used = 0;

  write(offset: number, bytes: Uint8Array): void {
    const end = offset + bytes.length;
    if (end > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(end, this.#bytes.length * 2, 4096));
      grown.set(this.#bytes.subarray(0, this.#used));
      this.#bytes = grown;
    }
    this.#bytes.set(bytes, offset);
    this.#used = Math.max(this.#used, end);
    this.size = Math.max(this.size, end);
  }

  truncate(size: number): void {
    if (size < this.#used) {
      this.#bytes.fill(0, size, this.#used);
      this.#used = size;
    }
    this.size = size;
  }

  read(offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(Math.max(0, Math.min(length, this.size - offset)));
    const held = Math.min(this.#used, offset + bytes.length);
    if (held > offset) bytes.set(this.#bytes.subarray(offset, held));
    return bytes;
  }

  copy(): Content {
    const copy = new Content();
    if (this.#used > 0) copy.write(0, this.#bytes.subarray(0, this.#used));
    copy.size = this.size;
    return copy;
  }

  /** Bytes that are not known to be zero. */
  get used(): number {
    return this.#used;
  }

  flip(bit: number): void {
    const at = bit >> 3;
    this.#bytes[at] = (this.#bytes[at] ?? 0) ^ (1 << (bit & 7));
  }
}

class Inode {
  current = new Content();
  durable = new Content();
  unsynced: Write[] = [];

  sync(): void {
    for (const { offset, bytes } of this.unsynced) this.durable.write(offset, bytes);
    this.unsynced = [];
    this.durable.truncate(this.current.size);
  }
}

export interface DiskFault {
  readonly code: "EIO" | "ENOSPC";
}

/** An error as node:fs throws it. */
export function errnoError(code: string, call: string, path: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: ${call} '${path}'`), { code });
}

/** Told of what took effect. */
export interface FileWatch {
  wrote(path: string, offset: number, bytes: Uint8Array): void;
  synced(path: string): void;
}

export class FileSystem implements FileCalls {
  /** As programs see it. */
  #entries = new Map<string, Inode>();
  /** As the disk has it. */
  #durable = new Map<string, Inode>();
  readonly #open = new Map<number, { readonly path: string; readonly inode: Inode | null }>();
  #lastFd = 2;
  watch: FileWatch = { wrote: () => undefined, synced: () => undefined };
  /** Asked before every write and sync; an answer makes it fail. */
  fault: (call: "write" | "sync", path: string) => DiskFault | null = () => null;

  openSync(path: string, flags: "r" | "r+" | "w"): number {
    const fd = ++this.#lastFd;
    if (flags === "r" && !this.#entries.has(path)) {
      this.#open.set(fd, { path, inode: null });
      return fd;
    }
    let inode = this.#entries.get(path);
    if (inode === undefined) {
      if (flags !== "w") throw errnoError("ENOENT", "open", path);
      this.#check("write", path);
      inode = new Inode();
      this.#entries.set(path, inode);
    } else if (flags === "w") inode.current.truncate(0);
    this.#open.set(fd, { path, inode });
    return fd;
  }

  closeSync(fd: number): void {
    this.#open.delete(fd);
  }

  writeSync(fd: number, bytes: Uint8Array, from: number, length: number, position: number): number {
    const { path, inode } = this.#file(fd);
    this.#check("write", path);
    const copy = bytes.slice(from, from + length);
    inode.current.write(position, copy);
    inode.unsynced.push({ offset: position, bytes: copy });
    this.watch.wrote(path, position, copy);
    return length;
  }

  fdatasyncSync(fd: number): void {
    const { path, inode } = this.#file(fd);
    this.#checkSync(path, inode);
    inode.sync();
    this.watch.synced(path);
  }

  /** Of a file its content; of a directory its entries. */
  fsyncSync(fd: number): void {
    const handle = this.#open.get(fd);
    if (handle === undefined) throw errnoError("EBADF", "fsync", String(fd));
    if (handle.inode !== null) {
      this.fdatasyncSync(fd);
      return;
    }
    this.#check("sync", handle.path);
    for (const path of new Set([...this.#entries.keys(), ...this.#durable.keys()])) {
      if (dirname(path) === handle.path) this.#settle(path);
    }
  }

  ftruncateSync(fd: number, size: number): void {
    const { path, inode } = this.#file(fd);
    this.#check("write", path);
    inode.current.truncate(size);
  }

  renameSync(from: string, to: string): void {
    const inode = this.#entries.get(from);
    if (inode === undefined) throw errnoError("ENOENT", "rename", from);
    this.#check("write", from);
    this.#entries.delete(from);
    this.#entries.set(to, inode);
  }

  unlinkSync(path: string): void {
    if (!this.#entries.has(path)) throw errnoError("ENOENT", "unlink", path);
    this.#check("write", path);
    this.#entries.delete(path);
  }

  list(dir: string): string[] {
    const prefix = `${dir}/`;
    return [...this.#entries.keys()]
      .filter((path) => path.startsWith(prefix) && !path.slice(prefix.length).includes("/"))
      .map((path) => path.slice(prefix.length))
      .sort();
  }

  size(path: string): number {
    return this.#inode(path).current.size;
  }

  read(path: string, offset: number, length: number): Uint8Array {
    return this.#inode(path).current.read(offset, length);
  }

  exists(path: string): boolean {
    return this.#entries.has(path);
  }

  /** What a power loss now would leave of a file at least; `null`: nothing. */
  durable(path: string): Uint8Array | null {
    const inode = this.#durable.get(path);
    return inode === undefined ? null : inode.durable.read(0, inode.durable.size);
  }

  /** The machine lost its power: of what was not synced remains what `survival` says. */
  crash(survival: Survival, random: Random): void {
    this.#open.clear();
    const keeps = (): boolean => survival === "all" || (survival === "some" && random.chance(0.5));
    const names = new Set([...this.#entries.keys(), ...this.#durable.keys()]);
    for (const path of [...names].sort()) if (keeps()) this.#settle(path);
    for (const [, inode] of this.#durable) {
      for (const write of inode.unsynced) tear(inode.durable, write, keeps);
      if (keeps()) inode.durable.truncate(Math.max(inode.durable.size, inode.current.size));
      inode.unsynced = [];
      inode.current = inode.durable.copy();
    }
    this.#entries = new Map(this.#durable);
  }

  /** The process ended, the machine did not: what was written is there. */
  processEnded(): void {
    this.#open.clear();
  }

  /** Flips one bit of what was written of a file; false when there is nothing in it. */
  rot(path: string, random: Random): boolean {
    const inode = this.#entries.get(path);
    if (inode === undefined || inode.current.used === 0) return false;
    inode.current.flip(random.below(inode.current.used * 8));
    inode.durable = inode.current.copy();
    return true;
  }

  remove(path: string): void {
    this.#entries.delete(path);
    this.#durable.delete(path);
  }

  #settle(path: string): void {
    const inode = this.#entries.get(path);
    if (inode === undefined) this.#durable.delete(path);
    else this.#durable.set(path, inode);
  }

  #file(fd: number): { readonly path: string; readonly inode: Inode } {
    const handle = this.#open.get(fd);
    if (handle === undefined || handle.inode === null) throw errnoError("EBADF", "write", String(fd));
    return { path: handle.path, inode: handle.inode };
  }

  #inode(path: string): Inode {
    const inode = this.#entries.get(path);
    if (inode === undefined) throw errnoError("ENOENT", "open", path);
    return inode;
  }

  #check(call: "write" | "sync", path: string): void {
    const fault = this.fault(call, path);
    if (fault !== null) throw errnoError(fault.code, call, path);
  }

  /** A failed sync leaves the pages clean and unwritten: the next one succeeds and brings nothing. */
  #checkSync(path: string, inode: Inode): void {
    const fault = this.fault("sync", path);
    if (fault === null) return;
    inode.unsynced = [];
    throw errnoError(fault.code, "fsync", path);
  }
}

/** A write arrives sector by sector, some of them or all. */
function tear(content: Content, { offset, bytes }: Write, keeps: () => boolean): void {
  for (let at = 0; at < bytes.length; ) {
    const end = Math.min(bytes.length, at + SECTOR_BYTES - ((offset + at) % SECTOR_BYTES));
    if (keeps()) content.write(offset + at, bytes.subarray(at, end));
    at = end;
  }
}
