import { fdatasync, writeSync } from "node:fs";
import { type FileHandle, mkdir, open, readdir, stat, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { codeOf } from "./errors.ts";

/** Files that the body log reads and writes: a port, so that a test can lose and tear them. */
export interface BodyDisk {
  /** Names in the directory, none when it does not exist. */
  list(dir: string): Promise<string[]>;
  size(file: string): Promise<number>;
  /** Bytes from `offset`, fewer than `length` only at the end of the file. */
  read(file: string, offset: number, length: number): Promise<Uint8Array>;
  /** Takes effect in the order of the calls, as does {@link fdatasync}. The bytes are the disk's: their array may be empty from now on. */
  write(file: string, offset: number, bytes: Uint8Array): Promise<void>;
  fdatasync(file: string): Promise<void>;
  /** An empty file, durable together with its directory entry. */
  create(file: string): Promise<void>;
  /** Appends zeros up to `size` and syncs them. */
  extend(file: string, size: number): Promise<void>;
  remove(file: string): Promise<void>;
  close(): Promise<void>;
}

/** Another way to write and sync, such as the writer thread of the log. */
export interface BodyWriter {
  write(file: string, offset: number, bytes: Uint8Array): Promise<void>;
  /** The same for bytes that it may keep. */
  give?(file: string, offset: number, bytes: Uint8Array): Promise<void>;
  fdatasync(file: string): Promise<void>;
}

/** Up to this size a write into the page cache is quicker than handing it to the thread pool. */
const SYNC_WRITE_BYTES = 64 * 1024;
/** Segments kept open; older ones are opened when a peer asks for their blocks. */
const MAX_OPEN = 8;
const ZEROS = new Uint8Array(256 * 1024);

async function syncDirectory(dir: string): Promise<void> {
  const handle = await open(dir, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** The file system; reads, zero-filling and (without `writer`) syncs run on the thread pool. */
export function fsBodyDisk(writer?: BodyWriter): BodyDisk {
  const handles = new Map<string, Promise<FileHandle>>();

  const release = async (file: string): Promise<void> => {
    const handle = handles.get(file);
    handles.delete(file);
    if (handle !== undefined) await (await handle).close();
  };

  const handleOf = async (file: string): Promise<FileHandle> => {
    const known = handles.get(file);
    if (known !== undefined) return known;
    const opening = open(file, "r+");
    handles.set(file, opening);
    try {
      const handle = await opening;
      const [oldest] = handles.keys();
      if (handles.size > MAX_OPEN && oldest !== undefined && oldest !== file) await release(oldest);
      return handle;
    } catch (error) {
      handles.delete(file);
      throw error;
    }
  };

  const writeAll = async (handle: FileHandle, offset: number, bytes: Uint8Array): Promise<void> => {
    for (let at = 0; at < bytes.length; ) {
      const rest = bytes.length - at;
      if (rest <= SYNC_WRITE_BYTES) at += writeSync(handle.fd, bytes, at, rest, offset + at);
      else at += (await handle.write(bytes, at, rest, offset + at)).bytesWritten;
    }
  };

  return {
    async list(dir) {
      try {
        return await readdir(dir);
      } catch (error) {
        if (codeOf(error) === "ENOENT") return [];
        throw error;
      }
    },
    size: async (file) => (await stat(file)).size,
    async read(file, offset, length) {
      const handle = await handleOf(file);
      const bytes = new Uint8Array(length);
      let at = 0;
      while (at < length) {
        const { bytesRead } = await handle.read(bytes, at, length - at, offset + at);
        if (bytesRead === 0) break;
        at += bytesRead;
      }
      return at === length ? bytes : bytes.subarray(0, at);
    },
    async write(file, offset, bytes) {
      if (writer === undefined) return writeAll(await handleOf(file), offset, bytes);
      return writer.give === undefined ? writer.write(file, offset, bytes) : writer.give(file, offset, bytes);
    },
    async fdatasync(file) {
      if (writer !== undefined) return writer.fdatasync(file);
      const { fd } = await handleOf(file);
      return new Promise((resolve, reject) => {
        fdatasync(fd, (error) => (error === null ? resolve() : reject(error)));
      });
    },
    async create(file) {
      await mkdir(dirname(file), { recursive: true });
      await (await open(file, "w", 0o600)).close();
      await syncDirectory(dirname(file));
    },
    async extend(file, size) {
      const handle = await handleOf(file);
      const { size: from } = await handle.stat();
      for (let at = from; at < size; ) {
        at += (await handle.write(ZEROS, 0, Math.min(ZEROS.length, size - at), at)).bytesWritten;
      }
      // Not fdatasync: the new length is what must last.
      await handle.sync();
    },
    async remove(file) {
      await release(file);
      await unlink(file);
      await syncDirectory(dirname(file));
    },
    async close() {
      for (const file of [...handles.keys()]) await release(file);
    },
  };
}
