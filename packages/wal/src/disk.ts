import { mkdir, open, readdir, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from "node:worker_threads";
import { type DiskOp, DiskOps } from "./disk-ops.ts";
import { errnoOf } from "./errors.ts";
import { LARGE_BYTES, type OpFailure, OpSender } from "./op-ring.ts";
import type { WalDisk } from "./types.ts";
import type { WriterData } from "./writer-thread.ts";

/** Operations waiting for the thread at most; far more than log and sign state can have in flight. */
const MAX_QUEUED = 4096;
/** New objects of the thread, MB. It makes few, and V8 would let 48 MB of them gather in a process of 150. */
const YOUNG_MB = 2;
const ZEROS = new Uint8Array(1024 * 1024);

async function list(dir: string): Promise<string[]> {
  try {
    return await readdir(dir);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw error;
  }
}

async function read(file: string): Promise<Uint8Array> {
  const bytes = await readFile(file);
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** Preallocation may take long, so it stays off the thread that acknowledges records. */
async function create(file: string, size: number): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const handle = await open(file, "w", 0o600);
  try {
    for (let at = 0; at < size; ) {
      at += (await handle.write(ZEROS, 0, Math.min(ZEROS.length, size - at), at)).bytesWritten;
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
  const dir = await open(dirname(file), "r");
  try {
    await dir.sync();
  } finally {
    await dir.close();
  }
}

/**
 * Disk whose writes and syncs are synchronous calls on the calling thread: least latency, but a slow sync holds up
 * everything else. For tools, tests and as the fallback where no worker can be started.
 */
export function inlineDisk(): WalDisk {
  const ops = new DiskOps();
  const run = (op: DiskOp): Promise<void> => {
    try {
      ops.run(op);
      return Promise.resolve();
    } catch (error) {
      return Promise.reject(error);
    }
  };
  return {
    list,
    read,
    create,
    write: (file, offset, bytes) => run({ op: "write", file, offset, bytes }),
    fdatasync: (file) => run({ op: "fdatasync", file }),
    truncate: (file, size) => run({ op: "truncate", file, size }),
    rename: (from, to) => run({ op: "rename", from, to }),
    remove: (file) => run({ op: "remove", file }),
    close: () => {
      ops.close();
      return Promise.resolve();
    },
  };
}

interface Waiting {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Disk with a writer thread of its own, for the log and the sign state together. Writes and syncs run there in the
 * order of the calls, those of one tick as one batch; a failed one makes all later ones fail. The thread keeps the
 * process alive only while an operation is under way.
 */
export class DiskThread implements WalDisk {
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #ring: OpSender;
  /** Those for which the ring has no room yet. */
  #overflow: DiskOp[] = [];
  #flushing = false;
  readonly #waiting: Waiting[] = [];
  #watching = false;
  /** Operations answered, as the ring counts them. */
  #answered = 0;
  /** Failures received, and those of them whose operation is not answered yet: its batch may still be under way. */
  #failed = 0;
  readonly #failures = new Map<number, OpFailure>();
  #dead: Error | null = null;

  constructor() {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.#ring = new OpSender(port1);
    const data: WriterData = { share: this.#ring.share, port: port2 };
    // The same extension as this module: .ts from the sources, .js from the published build.
    this.#worker = new Worker(new URL(`./writer-thread${import.meta.url.slice(-3)}`, import.meta.url), {
      name: "quorate-writer",
      workerData: data,
      transferList: [port2],
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
    });
    this.#worker.on("error", (error) => this.#die(error instanceof Error ? error : new Error(String(error))));
    this.#worker.on("exit", () => this.#die(new Error("the writer thread has ended")));
    this.#worker.unref();
  }

  list(dir: string): Promise<string[]> {
    return list(dir);
  }

  read(file: string): Promise<Uint8Array> {
    return read(file);
  }

  create(file: string, size: number): Promise<void> {
    return create(file, size);
  }

  write(file: string, offset: number, bytes: Uint8Array): Promise<void> {
    return this.#post({ op: "write", file, offset, bytes });
  }

  give(file: string, offset: number, bytes: Uint8Array): Promise<void> {
    const { buffer } = bytes;
    const whole = bytes.byteLength === buffer.byteLength && buffer instanceof ArrayBuffer;
    if (!whole || bytes.byteLength < LARGE_BYTES) return this.write(file, offset, bytes);
    return this.#post({ op: "write", file, offset, bytes, given: buffer });
  }

  fdatasync(file: string): Promise<void> {
    return this.#post({ op: "fdatasync", file });
  }

  truncate(file: string, size: number): Promise<void> {
    return this.#post({ op: "truncate", file, size });
  }

  rename(from: string, to: string): Promise<void> {
    return this.#post({ op: "rename", from, to });
  }

  remove(file: string): Promise<void> {
    return this.#post({ op: "remove", file });
  }

  async close(): Promise<void> {
    this.#dead ??= new Error("the writer thread is closed");
    this.#ring.post();
    await this.#worker.terminate();
    this.#port.close();
  }

  #post(op: DiskOp): Promise<void> {
    if (this.#dead !== null) return Promise.reject(this.#dead);
    if (this.#waiting.length >= MAX_QUEUED) {
      return Promise.reject(new Error(`more than ${MAX_QUEUED} operations wait for the writer thread`));
    }
    if (this.#waiting.length === 0) this.#worker.ref();
    this.#put(op);
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  #put(op: DiskOp): void {
    if (this.#overflow.length > 0 || !this.#ring.put(op)) {
      // The caller may use its bytes again, unless it gave them away.
      const kept = op.op === "write" && op.given === undefined;
      this.#overflow.push(kept ? { ...op, bytes: new Uint8Array(op.bytes) } : op);
    }
    if (this.#flushing) return;
    this.#flushing = true;
    // After all promises that resolve now: the log, the slot that depends on it and a body go in one batch.
    process.nextTick(() => this.#flush());
  }

  #flush(): void {
    this.#flushing = false;
    if (this.#dead !== null) return;
    this.#ring.post();
    this.#watch();
  }

  #watch(): void {
    if (this.#watching) return;
    this.#watching = true;
    this.#ring.whenDone(() => {
      this.#watching = false;
      this.#settle();
      if (this.#waiting.length > 0 && this.#dead === null) this.#watch();
    });
  }

  #settle(): void {
    const count = this.#ring.take();
    this.#receiveFailures();
    for (const { resolve, reject } of this.#waiting.splice(0, count)) {
      this.#answered = (this.#answered + 1) | 0;
      const failure = this.#failures.get(this.#answered);
      if (failure === undefined) resolve();
      else {
        this.#failures.delete(this.#answered);
        reject(Object.assign(new Error(failure.message), { code: failure.code }));
      }
    }
    const left = this.#overflow;
    this.#overflow = [];
    for (const op of left) this.#put(op);
    if (this.#waiting.length === 0) this.#worker.unref();
  }

  #receiveFailures(): void {
    for (const { failed } = this.#ring; this.#failed !== failed; this.#failed = (this.#failed + 1) | 0) {
      const { message } = receiveMessageOnPort(this.#port) as { readonly message: OpFailure };
      this.#failures.set(message.sequence, message);
    }
  }

  #die(error: Error): void {
    this.#dead ??= error;
    this.#ring.wake();
    for (const waiting of this.#waiting.splice(0)) waiting.reject(this.#dead);
  }
}

/** A {@link DiskThread}: give the same one to the log and to the sign state. */
export function threadDisk(): DiskThread {
  return new DiskThread();
}
