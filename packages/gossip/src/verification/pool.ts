import { Worker } from "node:worker_threads";
import { nativeBackend, type SignatureCheck, type Verifier, type VerifierBackend } from "@quorate/crypto";
import { createWasmBackend } from "@quorate/crypto/wasm";
import { GossipError, reasonOf } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { TokenBucket } from "../scoring/token-bucket.ts";
import { Accepted } from "./accepted.ts";
import { AuditedBackend, type Disagreement } from "./audit.ts";
import { InlineBudget } from "./budget.ts";
import { packChecks } from "./packing.ts";
import { PriorityQueue } from "./queue.ts";
import type { Answer, Request } from "./worker.ts";

export interface VerifierOptions {
  /** Threads; 0 = everything on the calling thread. They start with the first group of checks. */
  readonly workers: number;
  /** While no thread has loaded its code yet, so many checks in all are done in line. Default 512. */
  readonly coldInline?: number;
  /** Below this many checks a round trip costs more than it saves. Default 8. */
  readonly inlineBelow?: number;
  /** Checks waiting and in flight. Default {@link LIMITS.verifierQueue}. */
  readonly queueLimit?: number;
  /** For single signatures on this thread. Default: that for groups, which needs two thirds of the time of OpenSSL. */
  readonly backend?: VerifierBackend;
  /** For groups on this thread. Default: true batches, audited. */
  readonly batches?: VerifierBackend;
  readonly metrics?: VerifierMetrics;
  /** Makes a thread of this entry; for hosts that watch or limit their threads. Default: a worker thread of Node. */
  readonly spawn?: (entry: URL) => Worker;
  /**
   * The batch backend gave a wrong verdict: it is out of use, and what it accepted of late is verified again. Called once,
   * before any verdict of the oracle.
   */
  readonly onQuarantine?: (found: Disagreement) => void;
  /** A signature that the batch backend had accepted does not hold: whatever counted it is wrong. */
  readonly onFalseAcceptance?: (check: SignatureCheck) => void;
  /** Monotonic ms. Default performance.now. */
  readonly now?: () => number;
}

/** Where the pool reports. */
export interface VerifierMetrics {
  /** `seconds`: from the request to its verdicts; `null` for those of one turn, which cost less than their timing. */
  verified(path: "inline" | "pool", count: number, seconds: number | null): void;
  /** Checks waiting and in flight. */
  queue(length: number, limit: number): void;
  /** The batch backend and its oracle differed on a signature. */
  disagreement(): void;
}

/** Checks that a thread gets at once: about 2 ms, so that a more urgent job waits no longer. */
const LOAD = 64;
/** Half a second of waiting for the first blocks of a node that starts, against 20 ms of its main thread. */
const DEFAULT_COLD_INLINE = 512;
/** Splitting a group further than this costs more in round trips than two threads gain. */
const SMALLEST_CHUNK = 16;
/** One signature alone has an equation of its own; two together cost a third less already. */
const SMALLEST_BATCH = 2;
/** A machine that cannot keep threads alive is served in line. */
const MAX_RESTARTS = 8;

/** Accepted on this thread and not packed yet, to be asked again should the backend be wrong. */
const UNPACKED = 32;

/**
 * Parts of the cold checks, at once and per second, for which no thread starts: a small set's node makes some 40 a second
 * in all, and on a busy machine some of them are above the budget. A thread is 11 MB, for some 5 ms a second.
 */
const STRAY_SHARE = 1 / 4;
const STRAY_SHARE_PER_SECOND = 1 / 8;

/** New objects of a thread, MB: a chunk's fit many times, and V8 would let 48 MB gather in each. */
const YOUNG_MB = 4;

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
  /** What it works on, as one batch; empty = idle. */
  chunks: readonly Chunk[];
}

/**
 * Pool of verification threads behind crypto's {@link Verifier}: few checks in line, groups in chunks over all threads,
 * urgent ones first, a bounded queue, and cancellation that frees the queue at once. Small groups that wait for a thread go
 * together, so batches grow with the load.
 */
export function createVerifier(options: VerifierOptions): Verifier {
  return new VerifierPool(options);
}

class VerifierPool implements Verifier {
  readonly #options: VerifierOptions;
  readonly #inlineBelow: number;
  readonly #limit: number;
  readonly #backend: VerifierBackend | null;
  readonly #metrics: VerifierMetrics | null;
  readonly #budget: InlineBudget;
  readonly #queue = new PriorityQueue<Chunk>();
  readonly #threads = new Set<Thread>();
  readonly #strays: TokenBucket;
  readonly #now: () => number;
  readonly #accepted = new Accepted(LIMITS.verifierAcceptedBytes);
  #acceptedHere: SignatureCheck[] = [];
  #batches: VerifierBackend | null;
  #coldInline: number;
  #held = 0;
  #restarts = 0;
  #quarantined = false;
  #closed = false;

  constructor(options: VerifierOptions) {
    this.#options = options;
    this.#inlineBelow = options.inlineBelow ?? 8;
    this.#coldInline = options.coldInline ?? DEFAULT_COLD_INLINE;
    this.#limit = options.queueLimit ?? LIMITS.verifierQueue;
    this.#backend = options.backend ?? null;
    this.#batches = options.batches ?? null;
    this.#metrics = options.metrics ?? null;
    this.#now = options.now ?? (() => performance.now());
    this.#budget = new InlineBudget(this.#now);
    this.#strays = new TokenBucket(
      this.#coldInline * STRAY_SHARE,
      this.#coldInline * STRAY_SHARE_PER_SECOND,
      this.#now(),
    );
  }

  verifyNow(check: SignatureCheck): boolean {
    this.#metrics?.verified("inline", 1, null);
    return this.#budget.spend(1, () => this.#single(check));
  }

  verifyTogether(checks: readonly SignatureCheck[]): readonly boolean[] {
    this.#metrics?.verified("inline", checks.length, null);
    return this.#budget.spend(checks.length, () => this.#inline(checks));
  }

  suitsNow(count: number): boolean {
    if (count >= this.#inlineBelow) return false;
    return this.#threadLimit() === 0 || this.#budget.isLeft();
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
    const startedAt = performance.now();
    const verified = (path: "inline" | "pool"): void =>
      this.#metrics?.verified(path, checks.length, (performance.now() - startedAt) / 1000);
    if (this.#threadLimit() === 0 || this.suitsNow(checks.length) || this.#isCold(checks.length)) {
      const verdicts = this.#budget.spend(checks.length, () => this.#inline(checks));
      verified("inline");
      return verdicts;
    }
    if (!this.canAccept(checks.length)) {
      throw new GossipError("QUEUE_FULL", "the verification queue is full; ask again later", {
        held: this.#held,
        limit: this.#limit,
      });
    }
    const { job, promise } = this.#enqueue(checks, options.priority ?? 0);
    const onAbort = (): void => this.#fail(job, signal?.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
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
      for (const chunk of thread.chunks) this.#settle(chunk, error);
      thread.chunks = [];
    }
    await Promise.all(threads.map((thread) => thread.worker.terminate()));
  }

  #threadLimit(): number {
    return this.#restarts > MAX_RESTARTS ? 0 : this.#options.workers;
  }

  #single(check: SignatureCheck): boolean {
    if (this.#backend !== null) return this.#backend.verify(check);
    this.#batches ??= this.#auditedBatches();
    const verdict = this.#batches.verify(check);
    if (verdict) this.#keepHere(check);
    return verdict;
  }

  #inline(checks: readonly SignatureCheck[]): boolean[] {
    if (checks.length < SMALLEST_BATCH) return checks.map((check) => this.#single(check));
    this.#batches ??= this.#auditedBatches();
    const verdicts = this.#batches.verifyBatch(checks);
    for (const [i, check] of checks.entries()) if (verdicts[i] === true) this.#keepHere(check);
    return verdicts;
  }

  /** Verdicts after a quarantine are the oracle's: nobody asks for them again. */
  #keepHere(check: SignatureCheck): void {
    if (this.#quarantined) return;
    this.#acceptedHere.push(check);
    if (this.#acceptedHere.length >= UNPACKED) this.#packAccepted();
  }

  #packAccepted(): void {
    const checks = this.#acceptedHere;
    this.#acceptedHere = [];
    this.#accepted.add(packChecks(checks), new Uint8Array(checks.length).fill(1));
  }

  #auditedBatches(): VerifierBackend {
    const backend = new AuditedBackend(createWasmBackend(), {
      onDisagreement: (found) => this.#disagreed([found]),
    });
    if (this.#quarantined) backend.quarantine();
    return backend;
  }

  /** Whether this group is better done here than by threads that do not answer yet; they start with it. */
  #isCold(count: number): boolean {
    if (count > this.#coldInline) return false;
    for (const { ready } of this.#threads) if (ready) return false;
    if (this.#threads.size === 0) {
      if (this.#strays.take(count, this.#now())) return true;
      this.#idleThread();
    }
    this.#coldInline -= count;
    return true;
  }

  #enqueue(
    checks: readonly SignatureCheck[],
    priority: number,
  ): { readonly job: Job; readonly promise: Promise<boolean[]> } {
    const { promise, resolve, reject } = Promise.withResolvers<boolean[]>();
    const job: Job = { verdicts: new Array(checks.length), open: 0, settled: false, resolve, reject };
    const size = Math.min(LOAD, Math.max(SMALLEST_CHUNK, Math.ceil(checks.length / this.#threadLimit())));
    for (let offset = 0; offset < checks.length; offset += size) {
      const part = checks.slice(offset, offset + size);
      job.open++;
      this.#held += part.length;
      this.#queue.push({ job, priority, offset, checks: part, attempts: 0 });
    }
    this.#tellQueue();
    this.#dispatch();
    return { job, promise };
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
      thread.chunks = this.#nextLoad();
      const checks = packChecks(thread.chunks.flatMap((chunk) => chunk.checks));
      thread.worker.ref();
      const request: Request = { checks };
      thread.worker.postMessage(request, [checks]);
    }
  }

  /** The most urgent chunk, and those behind it as far as they fit beside it. */
  #nextLoad(): Chunk[] {
    const chunks = [this.#queue.shift()!];
    let count = chunks[0]!.checks.length;
    for (let next = this.#queue.peek(); next !== undefined; next = this.#queue.peek()) {
      count += next.checks.length;
      if (count > LOAD) break;
      chunks.push(this.#queue.shift()!);
    }
    return chunks;
  }

  #idleThread(): Thread | null {
    for (const thread of this.#threads) if (thread.chunks.length === 0) return thread;
    if (this.#threads.size >= this.#threadLimit()) return null;
    const spawn =
      this.#options.spawn ??
      ((entry) =>
        new Worker(entry, {
          name: "quorate-verification",
          resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
        }));
    // The extension of this file is that of its neighbour: sources in development, lib when built.
    const worker = spawn(new URL(`./worker${import.meta.url.slice(-3)}`, import.meta.url));
    const thread: Thread = { worker, ready: false, chunks: [] };
    worker.on("message", (answer: Answer | null) => {
      thread.ready = true;
      if (answer !== null) this.#answer(thread, answer);
    });
    worker.on("error", (error) => this.#lost(thread, error));
    worker.on("exit", (code) => this.#lost(thread, new Error(`exit code ${code}`)));
    worker.unref();
    if (this.#quarantined) tellQuarantine(worker);
    this.#threads.add(thread);
    return thread;
  }

  #answer(thread: Thread, { verdicts, checks, batched, disagreements }: Answer): void {
    const { chunks } = thread;
    thread.chunks = [];
    thread.worker.unref();
    // Before the verdicts: who hears of a quarantine hears of it first.
    this.#disagreed(disagreements);
    let at = 0;
    for (const chunk of chunks) {
      const from = at;
      at += chunk.checks.length;
      this.#complete(chunk, (i) => verdicts[from + i] === 1);
    }
    if (batched && chunks.length > 0) this.#keep(checks, verdicts);
    this.#dispatch();
  }

  #keep(checks: ArrayBuffer, verdicts: Uint8Array): void {
    this.#accepted.add(checks, verdicts);
    // Another thread's batch, of before the quarantine.
    if (this.#quarantined) this.#askAgain();
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

  /** Puts the batch backend out of use everywhere, once, and has what it accepted verified again. */
  #disagreed(found: readonly Disagreement[]): void {
    for (let i = 0; i < found.length; i++) this.#metrics?.disagreement();
    if (found.length === 0 || this.#quarantined) return;
    this.#quarantined = true;
    if (this.#batches instanceof AuditedBackend) this.#batches.quarantine();
    for (const { worker } of this.#threads) tellQuarantine(worker);
    this.#options.onQuarantine?.(found[0]!);
    this.#askAgain();
  }

  /** Verifies by the oracle what was accepted before; the latest, which counts now, first. */
  #askAgain(): void {
    this.#packAccepted();
    for (const checks of this.#accepted.take()) {
      if (this.#threadLimit() === 0) {
        this.#tellFalse(checks, nativeBackend.verifyBatch(checks));
        continue;
      }
      this.#enqueue(checks, PRIORITY_AGAIN).promise.then(
        (verdicts) => this.#tellFalse(checks, verdicts),
        // Closed, or a thread died twice: in the first case nobody counts any more, in the second this thread does it.
        () => {
          if (!this.#closed) this.#tellFalse(checks, nativeBackend.verifyBatch(checks));
        },
      );
    }
  }

  #tellFalse(checks: readonly SignatureCheck[], verdicts: readonly boolean[]): void {
    for (const [i, check] of checks.entries()) if (!verdicts[i]) this.#options.onFalseAcceptance?.(check);
  }

  /** A thread died: its chunks are tried once more, then given up with the reason. */
  #lost(thread: Thread, error: Error): void {
    if (!this.#threads.delete(thread)) return;
    this.#restarts++;
    const { chunks } = thread;
    thread.chunks = [];
    for (const chunk of chunks) {
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
      const verdicts = this.#inline(chunk.checks);
      this.#complete(chunk, (i) => verdicts[i] === true);
    }
  }
}

/** Before anything else: a signature that was counted may be bad. */
const PRIORITY_AGAIN = 100;

function tellQuarantine(worker: Worker): void {
  const request: Request = { quarantine: true };
  worker.postMessage(request);
}
