import type { WalDisk } from "../src/index.ts";

interface FileState {
  /** What the process sees. */
  visible: Uint8Array;
  /** What survives a power loss. */
  durable: Uint8Array;
}

const SECTOR = 512;

/** Errno error as the file system gives it. */
export function errno(code: string): Error {
  return Object.assign(new Error(`${code}: injected`), { code });
}

/**
 * A disk in memory that can lose what was not synced, sector by sector, and fail any operation. Like the real ones it
 * never works again after a failed write or sync.
 */
export class FaultDisk implements WalDisk {
  readonly #files = new Map<string, FileState>();
  #failure: Error | null = null;
  /** Writes and syncs so far. */
  operations = 0;
  /** Number of the write or sync that fails, and how. */
  failAt: { readonly operation: number; readonly error: Error } | null = null;
  failCreate: Error | null = null;

  files(): string[] {
    return [...this.#files.keys()].sort();
  }

  /** Content of a file, for reading or damaging it. */
  content(file: string): Uint8Array {
    return this.#file(file).visible;
  }

  put(file: string, bytes: Uint8Array): void {
    this.#files.set(file, { visible: bytes.slice(), durable: bytes.slice() });
  }

  /** A copy with the same content, as after a clean restart. */
  clone(): FaultDisk {
    const copy = new FaultDisk();
    for (const [name, file] of this.#files) copy.put(name, file.visible);
    return copy;
  }

  /** The disk after a power loss: `keep` says for each unsynced sector whether it reached the disk. */
  afterPowerLoss(keep: () => boolean): FaultDisk {
    const copy = new FaultDisk();
    for (const [name, { visible, durable }] of this.#files) {
      const bytes = durable.slice();
      for (let at = 0; at < visible.length; at += SECTOR) {
        const sector = visible.subarray(at, at + SECTOR);
        if (!equal(sector, bytes.subarray(at, at + SECTOR)) && keep()) bytes.set(sector, at);
      }
      copy.put(name, bytes);
    }
    return copy;
  }

  async list(dir: string): Promise<string[]> {
    const prefix = `${dir}/`;
    return this.files()
      .filter((name) => name.startsWith(prefix))
      .map((name) => name.slice(prefix.length));
  }

  async read(file: string): Promise<Uint8Array> {
    return this.#file(file).visible.slice();
  }

  async write(file: string, offset: number, bytes: Uint8Array): Promise<void> {
    this.#operate();
    const state = this.#file(file);
    if (offset + bytes.length > state.visible.length) {
      const grown = new Uint8Array(offset + bytes.length);
      grown.set(state.visible);
      state.visible = grown;
    }
    state.visible.set(bytes, offset);
  }

  async fdatasync(file: string): Promise<void> {
    this.#operate();
    const state = this.#file(file);
    state.durable = state.visible.slice();
  }

  async create(file: string, size: number): Promise<void> {
    if (this.failCreate !== null) throw this.failCreate;
    this.put(file, new Uint8Array(size));
  }

  async truncate(file: string, size: number): Promise<void> {
    this.#operate();
    const state = this.#file(file);
    state.visible = state.visible.slice(0, size);
  }

  async rename(from: string, to: string): Promise<void> {
    this.#files.set(to, this.#file(from));
    this.#files.delete(from);
  }

  async remove(file: string): Promise<void> {
    this.#file(file);
    this.#files.delete(file);
  }

  async close(): Promise<void> {}

  #operate(): void {
    if (this.#failure !== null) throw this.#failure;
    if (this.failAt?.operation === this.operations++) {
      this.#failure = this.failAt.error;
      throw this.#failure;
    }
  }

  #file(file: string): FileState {
    const state = this.#files.get(file);
    if (state === undefined) throw errno("ENOENT");
    return state;
  }
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
