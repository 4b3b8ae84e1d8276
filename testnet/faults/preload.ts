/**
 * Loaded before a program by `--import`, in each of its threads: its clocks and its disk then are as wrong and as slow as
 * the faults file of the process says. Nothing of the program knows about it. Without a file it does nothing.
 *
 * Wall clock: `Date`, and the `Date` header of HTTP answers. Monotonic clock: `performance.now` and `setTimeout`, under a rate. Disk: every fsync and fdatasync
 * of `node:fs`, and the synced writes of the store's index, which LevelDB makes in native code. Loss of power: writes to the
 * log and the sign state stay in the thread that makes them until it syncs them, so that a kill takes them along.
 */
import fs, { readFileSync, statSync } from "node:fs";
import { mkdtemp, open, rm } from "node:fs/promises";
import { ServerResponse } from "node:http";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { isMainThread } from "node:worker_threads";
import { FAULTS_FILE, faultsFile, type MachineFaults, NO_FAULTS } from "./control.ts";

const READ_EVERY_MS = 50;

/** Files whose unsynced writes a kill may take along: nothing else of a running node reads them. */
const VOLATILE = /\/data\/(wal\/[^/]+|priv_validator_state\.bin)$/;

const isValidator = process.argv.includes("start") && process.argv.includes("--home");

const trueNow = Date.now.bind(Date);
const trueMonotonic = performance.now.bind(performance);

class Machine {
  readonly #file: string;
  #faults: MachineFaults = NO_FAULTS;
  #readAt = Number.NEGATIVE_INFINITY;
  #changed = 0;
  /** Syncs since the faults last changed. */
  #syncs = 0;
  /** Where the rate last changed, so that the monotonic clock never jumps. */
  #since = { true: trueMonotonic(), shown: trueMonotonic() };
  /** ms that the rate has won since the process began. */
  get #won(): number {
    return this.monotonic() - trueMonotonic();
  }

  constructor(file: string) {
    this.#file = file;
  }

  get faults(): MachineFaults {
    const at = trueMonotonic();
    if (at - this.#readAt >= READ_EVERY_MS) {
      this.#readAt = at;
      this.#read();
    }
    return this.#faults;
  }

  monotonic(): number {
    const rate = this.faults.clockRate;
    return this.#since.shown + (trueMonotonic() - this.#since.true) * rate;
  }

  wall(): number {
    return Math.floor(trueNow() + this.faults.clockOffsetMs + this.#won);
  }

  #read(): void {
    const changed = statSync(this.#file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    if (changed === this.#changed) return;
    this.#changed = changed;
    const next: MachineFaults =
      changed === 0 ? NO_FAULTS : { ...NO_FAULTS, ...JSON.parse(readFileSync(this.#file, "utf8")) };
    const at = trueMonotonic();
    this.#since = {
      true: at,
      shown: this.#since.shown + (at - this.#since.true) * this.#faults.clockRate,
    };
    this.#faults = next;
    this.#syncs = 0;
  }

  /** Before each sync. */
  syncBegins(): void {
    const { killAtSync, killAfter } = this.faults;
    if (++this.#syncs === killAtSync && !killAfter) process.kill(process.pid, "SIGKILL");
  }

  /** After each sync. */
  syncEnds(): void {
    const { killAtSync, killAfter } = this.faults;
    if (this.#syncs === killAtSync && killAfter) process.kill(process.pid, "SIGKILL");
  }
}

function breakClocks(machine: Machine): void {
  const { setTimeout: trueTimeout } = globalThis;
  const TrueDate = Date;
  globalThis.Date = new Proxy(TrueDate, {
    construct: (target, args, newTarget) =>
      Reflect.construct(target, args.length === 0 ? [machine.wall()] : args, newTarget),
    apply: () => new TrueDate(machine.wall()).toString(),
    get: (target, key, receiver) =>
      key === "now" ? () => machine.wall() : Reflect.get(target, key, receiver),
  });
  const { writeHead } = ServerResponse.prototype;
  Reflect.set(ServerResponse.prototype, "writeHead", function (this: ServerResponse, ...args: unknown[]) {
    if (!this.hasHeader("date")) this.setHeader("date", new Date().toUTCString());
    return Reflect.apply(writeHead, this, args);
  });
  performance.now = () => machine.monotonic();
  globalThis.setTimeout = new Proxy(trueTimeout, {
    apply(target, self, [callback, ms, ...args]: [() => void, number | undefined, ...unknown[]]) {
      return Reflect.apply(target, self, [callback, (ms ?? 0) / machine.faults.clockRate, ...args]);
    },
  });
}

interface Write {
  readonly bytes: Uint8Array;
  readonly position: number;
}

/** Synchronous writes that have not reached the file yet, by descriptor; those of other files are not held. */
class Unsynced {
  readonly #held = new Map<number, Write[]>();
  readonly #writeSync = fs.writeSync;

  install(machine: Machine): void {
    const { openSync, closeSync, ftruncateSync } = fs;
    Reflect.set(fs, "openSync", (...args: Parameters<typeof fs.openSync>) => {
      const fd = openSync(...args);
      if (typeof args[0] === "string" && VOLATILE.test(args[0])) this.#held.set(fd, []);
      return fd;
    });
    Reflect.set(fs, "writeSync", (...args: [number, Uint8Array, number, number, number]) => {
      const [fd, bytes, from, length, position] = args;
      const held = this.#held.get(fd);
      if (held === undefined) return Reflect.apply(this.#writeSync, fs, args);
      held.push({ bytes: bytes.slice(from, from + length), position });
      if (!machine.faults.losesUnsynced) this.flush(fd);
      return length;
    });
    fs.ftruncateSync = (fd, size) => {
      this.flush(fd);
      ftruncateSync(fd, size);
    };
    fs.closeSync = (fd) => {
      this.flush(fd);
      this.#held.delete(fd);
      closeSync(fd);
    };
  }

  /** What a sync makes durable. */
  flush(fd: number): void {
    for (const { bytes, position } of this.#held.get(fd)?.splice(0) ?? []) {
      for (let at = 0; at < bytes.length; )
        at += this.#writeSync(fd, bytes, at, bytes.length - at, position + at);
    }
  }
}

async function breakDisk(machine: Machine): Promise<void> {
  const unsynced = new Unsynced();
  unsynced.install(machine);
  const nobody = new Int32Array(new SharedArrayBuffer(4));
  const begin = (): void => {
    machine.syncBegins();
    const ms = machine.faults.syncDelayMs;
    if (ms > 0) Atomics.wait(nobody, 0, 0, ms);
  };
  const beginLater = async (): Promise<void> => {
    machine.syncBegins();
    const ms = machine.faults.syncDelayMs;
    if (ms > 0) await new Promise<void>((resolve) => setTimeout(resolve, ms));
  };
  for (const name of ["fsyncSync", "fdatasyncSync"] as const) {
    const original = fs[name];
    fs[name] = (fd) => {
      begin();
      unsynced.flush(fd);
      original(fd);
      machine.syncEnds();
    };
  }
  for (const name of ["fsync", "fdatasync"] as const) {
    const original = fs[name];
    Reflect.set(fs, name, (fd: number, done: fs.NoParamCallback) => {
      void beginLater().then(() =>
        original(fd, (error) => {
          machine.syncEnds();
          done(error);
        }),
      );
    });
  }
  syncBuiltinESMExports();
  // Threads and clients have no handles, and no index of the store.
  if (!isMainThread || !isValidator) return;
  await breakHandles(machine, beginLater);
  const { IndexDb } = await import("../../packages/store/src/index-db.ts");
  const { write } = IndexDb.prototype;
  IndexDb.prototype.write = async function (operations, options) {
    if (options.sync) await beginLater();
    await write.call(this, operations, options);
    if (options.sync) machine.syncEnds();
  };
}

/** `FileHandle` is not exported; every handle has its prototype. */
async function breakHandles(machine: Machine, begin: () => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "quorate-faults-"));
  const handle = await open(join(directory, "any"), "w");
  const prototype: object = Object.getPrototypeOf(handle);
  await handle.close();
  await rm(directory, { recursive: true });
  for (const name of ["sync", "datasync"]) {
    const original: unknown = Reflect.get(prototype, name);
    if (typeof original !== "function") throw new Error(`a FileHandle has no ${name}`);
    Reflect.set(prototype, name, async function (this: unknown) {
      await begin();
      const result: unknown = await Reflect.apply(original, this, []);
      machine.syncEnds();
      return result;
    });
  }
}

/** The file named by the environment, or the one in the home of a `validator start`. */
function ownFile(): string | null {
  const named = process.env[FAULTS_FILE];
  if (named !== undefined) return named;
  const home = process.argv[process.argv.indexOf("--home") + 1];
  if (!isValidator || home === undefined) return null;
  const file = faultsFile(home);
  process.env[FAULTS_FILE] = file;
  return file;
}

/** On SIGUSR2 a validator collects all garbage at once: what its heap holds then, it holds on purpose. */
function collectWhenAsked(): void {
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("gc");
  if (typeof collect !== "function") throw new Error("V8 gives no way to collect garbage");
  process.on("SIGUSR2", () => void collect());
}

const file = ownFile();
if (file !== null) {
  if (isMainThread && isValidator) collectWhenAsked();
  const machine = new Machine(file);
  breakClocks(machine);
  await breakDisk(machine);
}
