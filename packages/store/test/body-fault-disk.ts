import type { BodyDisk } from "../src/index.ts";

const SECTOR = 512;

interface FileState {
  visible: Uint8Array;
  durable: Uint8Array;
}

/** Bodies in memory: can lose what was not synced and fail any write or sync. */
export class BodyFaultDisk implements BodyDisk {
  readonly files = new Map<string, FileState>();
  operations = 0;
  failAt: { readonly operation: number; readonly code: string } | null = null;
  /** The next extension fails with it. */
  failExtend: string | null = null;

  afterPowerLoss(keep: () => boolean): BodyFaultDisk {
    const copy = new BodyFaultDisk();
    for (const [name, { visible, durable }] of this.files) {
      const bytes = new Uint8Array(visible.length);
      bytes.set(durable);
      for (let at = 0; at < visible.length; at += SECTOR) {
        if (keep()) bytes.set(visible.subarray(at, at + SECTOR), at);
      }
      copy.files.set(name, { visible: bytes, durable: bytes.slice() });
    }
    return copy;
  }

  async list(dir: string): Promise<string[]> {
    return [...this.files.keys()]
      .filter((name) => name.startsWith(`${dir}/`))
      .map((name) => name.slice(dir.length + 1));
  }

  async size(file: string): Promise<number> {
    return this.#file(file).visible.length;
  }

  async read(file: string, offset: number, length: number): Promise<Uint8Array> {
    return this.#file(file).visible.slice(offset, offset + length);
  }

  async write(file: string, offset: number, bytes: Uint8Array): Promise<void> {
    this.#operate();
    const state = this.#file(file);
    state.visible = grown(state.visible, offset + bytes.length);
    state.visible.set(bytes, offset);
  }

  async fdatasync(file: string): Promise<void> {
    this.#operate();
    const state = this.#file(file);
    state.durable = state.visible.slice();
  }

  async create(file: string): Promise<void> {
    this.files.set(file, { visible: new Uint8Array(), durable: new Uint8Array() });
  }

  async extend(file: string, size: number): Promise<void> {
    if (this.failExtend !== null) throw Object.assign(new Error("injected"), { code: this.failExtend });
    const state = this.#file(file);
    state.visible = grown(state.visible, size);
    state.durable = grown(state.durable, size);
  }

  async remove(file: string): Promise<void> {
    this.files.delete(file);
  }

  async close(): Promise<void> {}

  #operate(): void {
    if (this.failAt?.operation === this.operations++) {
      throw Object.assign(new Error("injected"), { code: this.failAt.code });
    }
  }

  #file(file: string): FileState {
    const state = this.files.get(file);
    if (state === undefined) throw Object.assign(new Error("injected"), { code: "ENOENT" });
    return state;
  }
}

function grown(bytes: Uint8Array, length: number): Uint8Array {
  if (length <= bytes.length) return bytes;
  const larger = new Uint8Array(length);
  larger.set(bytes);
  return larger;
}
