import { type MessagePort, receiveMessageOnPort } from "node:worker_threads";
import type { DiskOp } from "./disk-ops.ts";

/*
 * Operations on their way to the writer thread, in memory that both threads share: a message of a port costs each side
 * several times what the operation itself does. One sender, one receiver. What is too large for the ring goes through
 * the port beside it, and the ring says where it belongs.
 *
 *   entry   u32 bytes of the entry, a multiple of 8 (0 = the next entry is at the start of the ring) ‖ u8 kind
 *           ‖ u8 last of its batch? ‖ u16 0 ‖ u32 bytes of the name ‖ u32 bytes of the data ‖ f64 offset or size
 *           ‖ name ‖ data ‖ zeros up to a multiple of 8
 */

/** What the two threads count, modulo 2^32, in `control`. */
const POSTED = 0;
const DONE = 1;
const FAILED = 2;
const CONTROL_BYTES = 12;

const RING_BYTES = 256 * 1024;
/** Data from this size on goes through the port, where its owner allows it without a copy. */
export const LARGE_BYTES: number = 16 * 1024;
const HEAD_BYTES = 24;

const KINDS = ["write", "fdatasync", "truncate", "rename", "remove"] as const;
/** A write whose data comes through the port. */
const LARGE_WRITE: number = KINDS.length;
const NO_DATA = new Uint8Array(0);

/** The part that both threads hold; `port` is the receiver's end. */
export interface OpRingShare {
  readonly control: SharedArrayBuffer;
  readonly ring: SharedArrayBuffer;
}

/** The port, as far as the ring needs it. */
export interface LargeDataPort {
  postMessage(value: Uint8Array, transferred: readonly ArrayBuffer[]): void;
}

/** Why an operation failed; `sequence` counts operations, modulo 2^32. */
export interface OpFailure {
  readonly sequence: number;
  readonly code: string | undefined;
  readonly message: string;
}

/** The end that asks. */
export class OpSender {
  readonly share: OpRingShare = {
    control: new SharedArrayBuffer(CONTROL_BYTES),
    ring: new SharedArrayBuffer(RING_BYTES),
  };
  readonly #control = new Int32Array(this.share.control);
  readonly #bytes: Buffer = Buffer.from(this.share.ring);
  readonly #view = new DataView(this.share.ring);
  readonly #port: LargeDataPort;
  /** Where the next entry goes. */
  #at = 0;
  #used = 0;
  /** Room that each operation takes that is not known to be done, oldest first. */
  readonly #rooms: number[] = [];
  #put = 0;
  #taken = 0;
  #newest = -1;

  constructor(port: LargeDataPort) {
    this.#port = port;
  }

  /** Appends an operation, its bytes copied; false when there is no room until earlier ones are done. */
  put(op: DiskOp): boolean {
    const name = Buffer.from("file" in op ? op.file : op.from);
    const bytes = dataOf(op);
    const large = op.op === "write" && bytes.length >= LARGE_BYTES;
    const inRing = large ? 0 : bytes.length;
    const size = (HEAD_BYTES + name.length + inRing + 7) & ~7;
    const rest = RING_BYTES - this.#at;
    const skipped = size > rest ? rest : 0;
    if (this.#used + skipped + size > RING_BYTES) return false;
    const view = this.#view;
    if (skipped > 0) {
      view.setUint32(this.#at, 0);
      this.#at = 0;
    }
    const at = this.#at;
    view.setUint32(at, size);
    view.setUint8(at + 4, large ? LARGE_WRITE : KINDS.indexOf(op.op));
    view.setUint8(at + 5, 0);
    view.setUint32(at + 8, name.length);
    view.setUint32(at + 12, inRing);
    view.setFloat64(at + 16, op.op === "write" ? op.offset : op.op === "truncate" ? op.size : 0);
    this.#bytes.set(name, at + HEAD_BYTES);
    if (large) this.#send(op.given === undefined ? new Uint8Array(bytes) : bytes);
    else this.#bytes.set(bytes, at + HEAD_BYTES + name.length);
    this.#newest = at;
    this.#at = (at + size) % RING_BYTES;
    this.#used += skipped + size;
    this.#rooms.push(skipped + size);
    this.#put = (this.#put + 1) | 0;
    return true;
  }

  #send(bytes: Uint8Array): void {
    this.#port.postMessage(bytes, [bytes.buffer as ArrayBuffer]);
  }

  /** Hands over what was put since, as one batch: it is answered together. */
  post(): void {
    if (this.#newest < 0) return;
    this.#view.setUint8(this.#newest + 5, 1);
    this.#newest = -1;
    Atomics.store(this.#control, POSTED, this.#put);
    Atomics.notify(this.#control, POSTED);
  }

  /** Calls back, never within this call, when operations have been done that {@link take} has not told yet. */
  whenDone(callback: () => void): void {
    const wait = Atomics.waitAsync(this.#control, DONE, this.#taken);
    if (wait.async) void wait.value.then(callback);
    else queueMicrotask(callback);
  }

  /** How many operations have been done since the last call. */
  take(): number {
    const done = Atomics.load(this.#control, DONE);
    const count = (done - this.#taken) | 0;
    this.#taken = done;
    for (const room of this.#rooms.splice(0, count)) this.#used -= room;
    return count;
  }

  /** Operations that have failed so far, modulo 2^32. */
  get failed(): number {
    return Atomics.load(this.#control, FAILED);
  }

  /** Ends a wait of {@link whenDone} that nothing will end. */
  wake(): void {
    Atomics.notify(this.#control, DONE);
  }
}

function dataOf(op: DiskOp): Uint8Array {
  if (op.op === "write") return op.bytes;
  return op.op === "rename" ? Buffer.from(op.to) : NO_DATA;
}

/**
 * The other end: runs the operations for ever, one after the other, and sleeps in between. `run` answers `null` or why it
 * failed; the failure goes through the port before the operation counts as done.
 */
export function serveOps(
  share: OpRingShare,
  port: MessagePort,
  run: (op: DiskOp) => Omit<OpFailure, "sequence"> | null,
): never {
  const control = new Int32Array(share.control);
  const bytes = Buffer.from(share.ring);
  const view = new DataView(share.ring);
  let at = 0;
  let done = 0;
  for (;;) {
    const posted = Atomics.load(control, POSTED);
    if (posted === done) {
      Atomics.wait(control, POSTED, posted);
      continue;
    }
    while (done !== posted) {
      if (view.getUint32(at) === 0) at = 0;
      const size = view.getUint32(at);
      const last = view.getUint8(at + 5) === 1;
      const op = opAt(bytes, view, at, port);
      const failure = run(op);
      // At once: megabytes of bodies that wait for a collection of garbage would bring it about again and again.
      if (op.op === "write") op.given?.transfer(0);
      at = (at + size) % RING_BYTES;
      done = (done + 1) | 0;
      if (failure !== null) {
        port.postMessage({ sequence: done, ...failure } satisfies OpFailure);
        Atomics.add(control, FAILED, 1);
      }
      if (!last) continue;
      Atomics.store(control, DONE, done);
      Atomics.notify(control, DONE);
    }
  }
}

function opAt(bytes: Buffer, view: DataView, at: number, port: MessagePort): DiskOp {
  const kind = view.getUint8(at + 4);
  const nameEnd = at + HEAD_BYTES + view.getUint32(at + 8);
  const dataEnd = nameEnd + view.getUint32(at + 12);
  const number = view.getFloat64(at + 16);
  const file = bytes.toString("utf8", at + HEAD_BYTES, nameEnd);
  if (kind === LARGE_WRITE) {
    const { message } = receiveMessageOnPort(port) as { readonly message: Uint8Array<ArrayBuffer> };
    return { op: "write", file, offset: number, bytes: message, given: message.buffer };
  }
  const op = KINDS[kind] as (typeof KINDS)[number];
  switch (op) {
    case "write":
      // No Buffer, whose slice would not be a copy for whoever has to keep the bytes.
      return { op, file, offset: number, bytes: new Uint8Array(bytes.buffer, nameEnd, dataEnd - nameEnd) };
    case "truncate":
      return { op, file, size: number };
    case "rename":
      return { op, from: file, to: bytes.toString("utf8", nameEnd, dataEnd) };
    case "fdatasync":
    case "remove":
      return { op, file };
  }
}
