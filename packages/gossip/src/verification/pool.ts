import { Worker } from "node:worker_threads";
import { nativeBackend, type SignatureCheck, type Verifier, type VerifierBackend } from "@quorate/crypto";
import { GossipError, reasonOf } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { packChecks } from "./packing.ts";
import { PriorityQueue } from "./queue.ts";

export interface VerifierOptions {
  /** Threads; 0 = everything on the calling thread. They start with the first group of checks. */
  readonly workers: number;
  /** While no thread has loaded its code yet, so many checks in all are done in line. Default 512. */
  readonly coldInline?: number;
  /** Below this many checks a round trip costs more than it saves. Default 8. */
  readonly inlineBelow?: number;
  /** Checks waiting and in flight. Default {@link LIMITS.verifierQueue}. */
  readonly queueLimit?: number;
  /** For `verifyNow` and small groups. Default native. */
  readonly backend?: VerifierBackend;
  readonly metrics?: VerifierMetrics;
  /** Makes a thread of this entry; for hosts that watch or limit their threads. Default: a worker thread of Node. */
  readonly spawn?: (entry: URL) => Worker;
}

/** Where the pool reports. */
export interface VerifierMetrics {
  /** `seconds`: from the request to its verdicts; `null` for a single signature, which costs less than its timing. */
  verified(path: "inline" | "pool", count: number, seconds: number | null): void;
  /** Checks waiting and in flight. */
  queue(length: number, limit: number): void;
}

/** Checks of one chunk: the pool's unit of work, about 4 ms, so that a more urgent job waits no longer. */
const CHUNK = 64;
/** Half a second of waiting for the first blocks of a node that starts, against 50 ms of its main thread. */
const DEFAULT_COLD_INLINE = 512;
/** Splitting a group further than this costs more in round trips than two threads gain. */
const SMALLEST_CHUNK = 16;
/** A machine that cannot keep threads alive is served in line. */
const MAX_RESTARTS = 8;

interface Job {
  readonly verdicts: boolean[];
  open: number;
  settled: boolean;
  readonly resolve: (verdicts: boolean[]) => void;
  readonly reject: (error: unknown) => void;
}

interface Chunk {
  readonly job: Job;
  readonly priority: number;
  readonly offset: number;
  readonly checks: readonly SignatureCheck[];
  attempts: number;
}

interface Thread {
  readonly worker: Worker;
  /** It said that it has loaded its code. */
  ready: boolean;
  chunk: Chunk | null;
}

/**
 * Pool of verification threads behind crypto's {@link Verifier}: few checks in line, groups in chunks over all
 * threads, urgent ones first, a bounded queue, and cancellation that frees the queue at once.
 */
export function createVerifier(options: VerifierOptions): Verifier {
  return new VerifierPool(options);
}

class VerifierPool implements Verifier {
  readonly #size: number;
  readonly #inlineBelow: number;
  readonly #limit: number;
  #coldInline: number;
  readonly #backend: VerifierBackend;
  readonly #metrics: VerifierMetrics | null;
  readonly #spawn: (entry: URL) => Worker;
  readonly #queue = new PriorityQueue<Chunk>();
  readonly #threads = new Set<Thread>();
  #held = 0;
  #restarts = 0;
  #nextId = 0;
  #closed = false;

  constructor(options: VerifierOptions) {
    this.#size = options.workers;
    this.#inlineBelow = options.inlineBelow ?? 8;
    this.#coldInline = options.coldInline ?? DEFAULT_COLD_INLINE;
    this.#limit = options.queueLimit ?? LIMITS.verifierQueue;
    this.#backend = options.backend ?? nativeBackend;
    this.#metrics = options.metrics ?? null;
    this.#spawn = options.spawn ?? ((entry) => new Worker(entry, { name: "quorate-verification" }));
  }

  verifyNow(check: SignatureCheck): boolean {
    this.#metrics?.verified("inline", 1, null);
    return this.#backend.verify(check);
  }

  canAccept(count: number): boolean {
    return !this.#closed && this.#held + count <= this.#limit;
  }

  async verify(
    checks: readonly SignatureCheck[],
    options: { readonly priority?: number; readonly signal?: AbortSignal } = {},
  ): Promise<boolean[]> {
    const { signal } = options;
    signal?.throwIfAborted();
    if (this.#closed) throw new GossipError("CLOSED", "the verifier is closed; the node is stopping");
    const threads = this.#restarts > MAX_RESTARTS ? 0 : this.#size;
    const startedAt = performance.now();
    const verified = (path: "inline" | "pool"): void =>
      this.#metrics?.verified(path, checks.length, (performance.now() - startedAt) / 1000);
    if (checks.length < this.#inlineBelow || threads === 0 || this.#isCold(checks.length)) {
      const verdicts = this.#backend.verifyBatch(checks);
      verified("inline");
      return verdicts;
    }
    if (!this.canAccept(checks.length)) {
      throw new GossipError("QUEUE_FULL", "the verification queue is full; ask again later", {
        held: this.#held,
        limit: this.#limit,
      });
    }
    const { promise, resolve, reject } = Promise.withResolvers<boolean[]>();
    const job: Job = { verdicts: new Array(checks.length), open: 0, settled: false, resolve, reject };
    const size = Math.min(CHUNK, Math.max(SMALLEST_CHUNK, Math.ceil(checks.length / threads)));
    for (let offset = 0; offset < checks.length; offset += size) {
      const part = checks.slice(offset, offset + size);
      job.open++;
      this.#held += part.length;
      this.#queue.push({ job, priority: options.priority ?? 0, offset, checks: part, attempts: 0 });
    }
    const onAbort = (): void => this.#fail(job, signal?.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
    this.#tellQueue();
    this.#dispatch();
    try {
      const verdicts = await promise;
      verified("pool");
      return verdicts;
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    const error = new GossipError("CLOSED", "the verifier is closed; the node is stopping");
    for (const chunk of this.#queue.remove(() => true)) this.#settle(chunk, error);
    const threads = [...this.#threads];
    this.#threads.clear();
    for (const thread of threads) {
      if (thread.chunk !== null) this.#settle(thread.chunk, error);
      thread.chunk = null;
    }
    await Promise.all(threads.map((thread) => thread.worker.terminate()));
  }

  /** Whether this group is better done here than by threads that do not answer yet; they start with it. */
  #isCold(count: number): boolean {
    if (count > this.#coldInline) return false;
    for (const { ready } of this.#threads) if (ready) return false;
    if (this.#threads.size === 0) this.#idleThread();
    this.#coldInline -= count;
    return true;
  }

  #tellQueue(): void {
    this.#metrics?.queue(this.#held, this.#limit);
  }

  #fail(job: Job, error: unknown): void {
    if (job.settled) return;
    job.settled = true;
    job.reject(error);
    for (const chunk of this.#queue.remove((queued) => queued.job === job)) this.#held -= chunk.checks.length;
    this.#tellQueue();
  }

  /** Ends a chunk that will not be verified. */
  #settle(chunk: Chunk, error: GossipError): void {
    this.#held -= chunk.checks.length;
    this.#tellQueue();
    if (chunk.job.settled) return;
    chunk.job.settled = true;
    chunk.job.reject(error);
  }

  #dispatch(): void {
    while (!this.#closed && this.#queue.length > 0) {
      const thread = this.#idleThread();
      if (thread === null) {
        // No thread will ever come back: what waits is done here.
        if (this.#threads.size === 0) this.#runInline();
        return;
      }
      const chunk = this.#queue.shift()!;
      thread.chunk = chunk;
      const buffer = packChecks(chunk.checks);
      thread.worker.ref();
      thread.worker.postMessage({ id: this.#nextId++, checks: buffer }, [buffer]);
    }
  }

  #idleThread(): Thread | null {
    for (const thread of this.#threads) if (thread.chunk === null) return thread;
    if (this.#threads.size >= this.#size || this.#restarts > MAX_RESTARTS) return null;
    // The extension of this file is that of its neighbour: sources in development, lib when built.
    const worker = this.#spawn(new URL(`./worker${import.meta.url.slice(-3)}`, import.meta.url));
    const thread: Thread = { worker, ready: false, chunk: null };
    worker.on("message", ({ verdicts }: { readonly verdicts?: ArrayBuffer }) => {
      thread.ready = true;
      if (verdicts !== undefined) this.#answer(thread, new Uint8Array(verdicts));
    });
    worker.on("error", (error) => this.#lost(thread, error));
    worker.on("exit", (code) => this.#lost(thread, new Error(`exit code ${code}`)));
    worker.unref();
    this.#threads.add(thread);
    return thread;
  }

  #answer(thread: Thread, verdicts: Uint8Array): void {
    const { chunk } = thread;
    thread.chunk = null;
    thread.worker.unref();
    if (chunk !== null) this.#complete(chunk, (i) => verdicts[i] === 1);
    this.#dispatch();
  }

  #complete(chunk: Chunk, verdict: (i: number) => boolean): void {
    this.#held -= chunk.checks.length;
    this.#tellQueue();
    const { job } = chunk;
    if (job.settled) return;
    for (let i = 0; i < chunk.checks.length; i++) job.verdicts[chunk.offset + i] = verdict(i);
    if (--job.open > 0) return;
    job.settled = true;
    job.resolve(job.verdicts);
  }

  /** A thread died: its chunk is tried once more, then given up with the reason. */
  #lost(thread: Thread, error: Error): void {
    if (!this.#threads.delete(thread)) return;
    this.#restarts++;
    const { chunk } = thread;
    thread.chunk = null;
    if (chunk !== null) {
      if (chunk.attempts++ === 0 && !chunk.job.settled) this.#queue.push(chunk);
      else {
        this.#settle(
          chunk,
          new GossipError("WORKER", "a verification thread died twice on the same group", {
            reason: reasonOf(error),
          }),
        );
      }
    }
    this.#dispatch();
  }

  #runInline(): void {
    for (let chunk = this.#queue.shift(); chunk !== undefined; chunk = this.#queue.shift()) {
      const verdicts = this.#backend.verifyBatch(chunk.checks);
      this.#complete(chunk, (i) => verdicts[i] === true);
    }
  }
}
