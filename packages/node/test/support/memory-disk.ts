import type { SlotDisk } from "@quorate/privval";
import type { WalDisk } from "@quorate/wal";
import { atOnce, type Pace } from "./pace.ts";

interface FileState {
  visible: Uint8Array;
  durable: Uint8Array;
}

/** `slot` for the sign state, `wal` for everything else. */
const kindOf = (file: string): string => (file.endsWith(".bin") ? "slot" : "wal");

/**
 * Disk in memory for the log and the sign state together: operations take effect in the order of the calls, and none
 * does after the first failure. Each sync waits for the pace (`wal.sync`, `slot.sync`) and is noted when it is done.
 */
export class MemoryDisk implements WalDisk, SlotDisk {
  private readonly files = new Map<string, FileState>();
  private readonly pace: Pace;
  private readonly note: (event: string) => void;
  private tail: Promise<void> = Promise.resolve();
  private failure: Error | null = null;

  constructor(pace: Pace = atOnce, note: (event: string) => void = () => undefined) {
    this.pace = pace;
    this.note = note;
  }

  /** The next write or sync fails, and everything after it. */
  break(code = "EIO"): void {
    this.failure = Object.assign(new Error(`${code}: injected`), { code });
  }

  /** What a restart finds: all that was written, or after a power loss all that was synced. */
  copy(what: "written" | "synced" = "written"): MemoryDisk {
    const copy = new MemoryDisk();
    for (const [name, { visible, durable }] of this.files) {
      const bytes = what === "written" ? visible : durable;
      copy.files.set(name, { visible: bytes.slice(), durable: bytes.slice() });
    }
    return copy;
  }

  /** Takes over what another disk holds. */
  load(other: MemoryDisk): void {
    for (const [name, { visible, durable }] of other.files) {
      this.files.set(name, { visible: visible.slice(), durable: durable.slice() });
    }
  }

  put(file: string, bytes: Uint8Array): void {
    this.files.set(file, { visible: bytes.slice(), durable: bytes.slice() });
  }

  names(): string[] {
    return [...this.files.keys()].sort();
  }

  /** The bytes of a file, to damage them. */
  bytes(file: string): Uint8Array {
    return this.file(file).visible;
  }

  async list(dir: string): Promise<string[]> {
    return this.names().flatMap((name) => (name.startsWith(`${dir}/`) ? [name.slice(dir.length + 1)] : []));
  }

  async read(file: string): Promise<Uint8Array> {
    return this.file(file).visible.slice();
  }

  write(file: string, offset: number, bytes: Uint8Array): Promise<void> {
    return this.inOrder(async () => {
      const state = this.file(file);
      const grown = new Uint8Array(Math.max(state.visible.length, offset + bytes.length));
      grown.set(state.visible);
      grown.set(bytes, offset);
      state.visible = grown;
    });
  }

  fdatasync(file: string): Promise<void> {
    return this.inOrder(async () => {
      const operation = `${kindOf(file)}.sync`;
      await this.pace(operation);
      if (this.failure !== null) throw this.failure;
      const state = this.file(file);
      state.durable = state.visible.slice();
      this.note(operation);
    });
  }

  create(file: string, size: number): Promise<void> {
    this.files.set(file, { visible: new Uint8Array(size), durable: new Uint8Array(size) });
    return Promise.resolve();
  }

  truncate(file: string, size: number): Promise<void> {
    return this.inOrder(async () => {
      const state = this.file(file);
      state.visible = state.visible.slice(0, size);
    });
  }

  rename(from: string, to: string): Promise<void> {
    return this.inOrder(async () => {
      this.files.set(to, this.file(from));
      this.files.delete(from);
    });
  }

  remove(file: string): Promise<void> {
    return this.inOrder(async () => {
      this.files.delete(file);
    });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  private file(name: string): FileState {
    const found = this.files.get(name);
    if (found === undefined) throw Object.assign(new Error(`ENOENT: ${name}`), { code: "ENOENT" });
    return found;
  }

  private inOrder(work: () => Promise<void>): Promise<void> {
    const turn = this.tail.then(() => {
      if (this.failure !== null) throw this.failure;
      return work();
    });
    this.tail = turn.catch((error: Error) => {
      this.failure ??= error;
    });
    return turn;
  }
}
