/** The disk of one machine: outlives its processes. Ports of a process work on it, each call taking its time. */
import { dirname } from "node:path/posix";
import type { BodyDisk } from "@quorate/store";
import { type DiskOp, DiskOps, type WalDisk } from "@quorate/wal";
import type { Machine } from "../core/machine.ts";
import type { Random } from "../core/random.ts";
import { errnoError, FileSystem } from "./file-system.ts";
import { KeyValueFiles } from "./key-values.ts";

/** Mean duration of calls, ms. */
export interface DiskSpeed {
  readonly writeMs: number;
  readonly syncMs: number;
}

export class Disk {
  readonly files: FileSystem = new FileSystem();
  readonly keyValues: KeyValueFiles = new KeyValueFiles();
  readonly #random: Random;
  readonly #speed: DiskSpeed;
  /** Every call takes so many times longer (slow disk). */
  slowness = 1;

  constructor(speed: DiskSpeed, random: Random) {
    this.#speed = speed;
    this.#random = random;
  }

  writeMs(): number {
    return this.#random.exponential(this.#speed.writeMs) * this.slowness;
  }

  syncMs(): number {
    return this.#random.exponential(this.#speed.syncMs) * this.slowness;
  }
}

/** How the judge of a run hears of writes before and syncs after they happen; a crash may strike there. */
export type DiskWatch = (call: DiskCall, file: string) => void;

/** Calls of the writer thread; the creation of a file; the sync of the directory that holds a new or removed name. */
export type DiskCall = DiskOp["op"] | "create" | "dirent";

/**
 * The writer thread of a process: the operations of the product's own DiskOps, one after the other, on this disk.
 * `watch` is asked before each one takes effect.
 */
export function writerThread(disk: Disk, machine: Machine, watch: DiskWatch): WalDisk {
  const ops = new DiskOps(disk.files);
  let tail: Promise<void> = Promise.resolve();
  const post = (op: DiskOp): Promise<void> => {
    const turn = tail.then(async () => {
      await machine.sleep(op.op === "fdatasync" ? disk.syncMs() : disk.writeMs());
      watch(op.op, op.op === "rename" ? op.to : op.file);
      if (!machine.dead) ops.run(op);
    });
    tail = turn.catch(() => undefined);
    return machine.dead ? new Promise(() => undefined) : turn;
  };
  return {
    list: (dir) => machine.later(disk.writeMs(), () => disk.files.list(dir)),
    read: (file) => machine.later(disk.writeMs(), () => disk.files.read(file, 0, disk.files.size(file))),
    async create(file, size) {
      await machine.sleep(disk.syncMs());
      watch("create", file);
      if (!machine.dead) createFile(disk.files, file, size, () => alive(machine, watch, file));
    },
    write: (file, offset, bytes) => post({ op: "write", file, offset, bytes: bytes.slice() }),
    fdatasync: (file) => post({ op: "fdatasync", file }),
    truncate: (file, size) => post({ op: "truncate", file, size }),
    rename: (from, to) => post({ op: "rename", from, to }),
    remove: (file) => post({ op: "remove", file }),
    async close() {
      await tail;
      ops.close();
    },
  };
}

/** Whether the process still lives at the sync of a directory: a crash may strike there. */
function alive(machine: Machine, watch: DiskWatch, file: string): boolean {
  watch("dirent", file);
  return !machine.dead;
}

/**
 * Zeros, synced together with the directory entry, as the product's disks create files. `goesOn` is asked when the file
 * is there and synced, and its name is not.
 */
export function createFile(
  files: FileSystem,
  file: string,
  size: number,
  goesOn: () => boolean = () => true,
): void {
  const fd = files.openSync(file, "w");
  files.ftruncateSync(fd, size);
  files.fsyncSync(fd);
  files.closeSync(fd);
  if (goesOn()) syncDirectory(files, dirname(file));
}

function syncDirectory(files: FileSystem, dir: string): void {
  const fd = files.openSync(dir, "r");
  files.fsyncSync(fd);
  files.closeSync(fd);
}

/** Where the store keeps its bodies; writes and syncs go through the writer thread, as in a node. */
export function bodyFiles(disk: Disk, machine: Machine, writer: WalDisk, watch: DiskWatch): BodyDisk {
  const { files } = disk;
  const soon = <T>(work: () => T): Promise<T> => machine.later(disk.writeMs(), work);
  return {
    list: (dir) => soon(() => files.list(dir)),
    size: (file) => soon(() => files.size(file)),
    read: (file, offset, length) => soon(() => files.read(file, offset, length)),
    write: (file, offset, bytes) => writer.write(file, offset, bytes),
    fdatasync: (file) => writer.fdatasync(file),
    create: (file) =>
      soon(() => {
        watch("create", file);
        if (!machine.dead) createFile(files, file, 0, () => alive(machine, watch, file));
      }),
    extend: (file, size) =>
      soon(() => {
        if (machine.dead) return;
        const fd = files.openSync(file, "r+");
        if (files.size(file) < size) files.ftruncateSync(fd, size);
        files.fsyncSync(fd);
        files.closeSync(fd);
      }),
    remove: (file) =>
      soon(() => {
        watch("remove", file);
        if (machine.dead) return;
        files.unlinkSync(file);
        if (alive(machine, watch, file)) syncDirectory(files, dirname(file));
      }),
    close: () => Promise.resolve(),
  };
}

export { errnoError };
