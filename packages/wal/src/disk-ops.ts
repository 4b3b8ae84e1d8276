import * as nodeFiles from "node:fs";
import { dirname } from "node:path";

/** Files kept open at once; a log writes two (its segment and the sign state). */
const MAX_OPEN = 16;

/** One operation, plain data so that it can cross to the writer thread. */
export type DiskOp =
  | {
      readonly op: "write";
      readonly file: string;
      readonly offset: number;
      readonly bytes: Uint8Array;
      /** Memory of these bytes alone, which is freed once they are written. */
      readonly given?: ArrayBuffer;
    }
  | { readonly op: "fdatasync"; readonly file: string }
  | { readonly op: "truncate"; readonly file: string; readonly size: number }
  | { readonly op: "rename"; readonly from: string; readonly to: string }
  | { readonly op: "remove"; readonly file: string };

/** The system calls that writing needs, as node:fs has them; a simulated file system loses what was not synced. */
export interface FileCalls {
  openSync(path: string, flags: "r" | "r+" | "w", mode?: number): number;
  closeSync(fd: number): void;
  writeSync(fd: number, bytes: Uint8Array, from: number, length: number, position: number): number;
  fdatasyncSync(fd: number): void;
  fsyncSync(fd: number): void;
  ftruncateSync(fd: number, size: number): void;
  renameSync(from: string, to: string): void;
  unlinkSync(path: string): void;
}

/**
 * File operations by synchronous system calls, with the files kept open. After one write or sync has failed every
 * later one fails with the same error: Linux marks the pages of a failed sync clean, so a retry that "succeeds" has
 * written nothing, and an operation queued behind a failed one must not overtake it.
 */
export class DiskOps {
  readonly #files: FileCalls;
  readonly #open = new Map<string, number>();
  #failure: unknown;

  constructor(files: FileCalls = nodeFiles) {
    this.#files = files;
  }

  run(op: DiskOp): void {
    switch (op.op) {
      case "write":
        this.#guarded(() => this.#write(op.file, op.offset, op.bytes));
        break;
      case "fdatasync":
        this.#guarded(() => this.#files.fdatasyncSync(this.#handle(op.file)));
        break;
      case "truncate":
        this.#guarded(() => this.#files.ftruncateSync(this.#handle(op.file), op.size));
        break;
      case "rename":
        this.#release(op.from);
        this.#release(op.to);
        this.#files.renameSync(op.from, op.to);
        this.#syncDirectory(dirname(op.to));
        break;
      case "remove":
        this.#release(op.file);
        this.#files.unlinkSync(op.file);
        this.#syncDirectory(dirname(op.file));
        break;
    }
  }

  close(): void {
    for (const file of [...this.#open.keys()]) this.#release(file);
  }

  #guarded(action: () => void): void {
    if (this.#failure !== undefined) throw this.#failure;
    try {
      action();
    } catch (error) {
      this.#failure = error;
      throw error;
    }
  }

  #write(file: string, offset: number, bytes: Uint8Array): void {
    const fd = this.#handle(file);
    for (let at = 0; at < bytes.length; ) {
      at += this.#files.writeSync(fd, bytes, at, bytes.length - at, offset + at);
    }
  }

  #handle(file: string): number {
    const known = this.#open.get(file);
    if (known !== undefined) return known;
    const oldest = this.#open.keys().next();
    if (this.#open.size >= MAX_OPEN && oldest.done !== true) this.#release(oldest.value);
    const fd = this.#files.openSync(file, "r+");
    this.#open.set(file, fd);
    return fd;
  }

  #release(file: string): void {
    const fd = this.#open.get(file);
    if (fd === undefined) return;
    this.#open.delete(file);
    this.#files.closeSync(fd);
  }

  /** Makes a directory's entries durable. */
  #syncDirectory(dir: string): void {
    const fd = this.#files.openSync(dir, "r");
    try {
      this.#files.fsyncSync(fd);
    } finally {
      this.#files.closeSync(fd);
    }
  }
}
