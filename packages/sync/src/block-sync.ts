import { blockIdEquals, type ChainState, type Height } from "@quorate/chain";
import { toHexUpper } from "@quorate/crypto";
import { Credits } from "./credit.ts";
import { ForkFound, SyncError } from "./errors.ts";
import { DEFAULT_LIMITS, type SyncClock, type SyncLimits, type SyncOptions, systemClock } from "./options.ts";
import {
  asked,
  covers,
  distrusted,
  emptyRanges,
  ended,
  type Fetched,
  run as fetchedRun,
  gapFor,
  headRange,
  headSpan,
  movedTo,
  type Range,
  type Ranges,
  type Span,
  took,
  waitingOf,
} from "./ranges.ts";
import type { BlockSync, SyncModules } from "./types.ts";
import { type Fault, type VerifiedRun, verifyRun } from "./verify.ts";

type Peer = ReturnType<SyncModules["peers"]>[number];
type Response = Awaited<ReturnType<SyncModules["request"]>>;

/** The run after the one that is being applied, verified meanwhile. */
interface Ahead {
  /** The chain as it will be when the run before is applied. */
  readonly on: ChainState;
  readonly items: readonly Fetched[];
  readonly result: Promise<VerifiedRun>;
}

/** How a request ended. */
type Outcome =
  | { readonly kind: "response"; readonly response: Response }
  | { readonly kind: "timeout" }
  | { readonly kind: "failed"; readonly reason: string };

/**
 * Block sync over any number of peers, of whom one honest is enough. What peers send is stored only after its commit was
 * verified in full; what they claim counts only while they deliver.
 */
export function createBlockSync(options: SyncOptions, modules: SyncModules): BlockSync {
  return new Syncer(options, modules);
}

class Syncer implements BlockSync {
  readonly #modules: SyncModules;
  readonly #clock: SyncClock;
  readonly #limits: SyncLimits;
  readonly #credits: Credits;
  #ranges: Ranges = emptyRanges(0);
  #lastId = 0;
  #wake: (() => void) | null = null;
  #news = false;
  #running: Promise<Height> | null = null;
  #ahead: Ahead | null = null;

  constructor(options: SyncOptions, modules: SyncModules) {
    this.#modules = modules;
    this.#clock = options.clock ?? systemClock;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#credits = new Credits(this.#limits);
  }

  get target(): Height {
    return Math.max(0, ...this.#believed().map((peer) => peer.height));
  }

  /**
   * One run at a time: a second call joins the first.
   * @throws SyncError DIVERGED or FORK, and whatever `apply` throws.
   */
  run(signal: AbortSignal): Promise<Height> {
    this.#running ??= this.#run(signal).finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  async #run(outer: AbortSignal): Promise<Height> {
    const stop = new AbortController();
    const signal = AbortSignal.any([outer, stop.signal]);
    const onAbort = (): void => this.#notify();
    outer.addEventListener("abort", onAbort, { once: true });
    const from = this.#modules.state().lastHeight;
    this.#ranges = emptyRanges(from + 1);
    this.#ahead = null;
    let said = false;
    try {
      while (!signal.aborted) {
        this.#ranges = movedTo(this.#ranges, this.#modules.state().lastHeight + 1);
        const useful = this.#useful();
        const items = this.#nextRun(this.#ranges);
        if (useful.length === 0 && items.length === 0) break;
        if (!said) this.#modules.log.info("block sync starts", { height: from, target: this.target });
        said = true;
        this.#dispatch(useful, signal);
        if (items.length > 0) await this.#advance(items, signal);
        else await this.#wait();
      }
    } finally {
      stop.abort();
      outer.removeEventListener("abort", onAbort);
    }
    const height = this.#modules.state().lastHeight;
    if (said) this.#modules.log.info("block sync ends", { from, height });
    return height;
  }

  #believed(): readonly Peer[] {
    const now = this.#clock.monotonicMs();
    return this.#modules.peers().filter((peer) => this.#credits.believed(peer.id, now));
  }

  /** Believed peers that claim to have the next height. */
  #useful(): readonly Peer[] {
    const { next } = this.#ranges;
    return this.#believed().filter((peer) => peer.height >= next && peer.earliestHeight <= next);
  }

  /** Gives each idle peer the lowest gap it can fill; idle peers left over help where everything waits. */
  #dispatch(useful: readonly Peer[], signal: AbortSignal): void {
    const now = this.#clock.monotonicMs();
    const busy = new Set(this.#ranges.inFlight.map((range) => range.peerId));
    const idle = useful.filter((peer) => !busy.has(peer.id) && this.#credits.ready(peer.id, now));
    for (const peer of idle) {
      if (this.#ranges.inFlight.length >= this.#limits.requests) break;
      const gap = gapFor(this.#ranges, peer, this.#limits);
      const span = gap !== null && this.#mayFill(peer.id, gap) ? gap : this.#hedge(peer, now);
      if (span !== null) this.#ask(peer.id, span, signal);
    }
  }

  /** What everything waits for, anybody; what lies ahead, whoever has not sent much already that nobody could verify yet. */
  #mayFill(peerId: string, span: Span): boolean {
    return span.from === this.#ranges.next || waitingOf(this.#ranges, peerId) < this.#limits.waitingAnswers;
  }

  #hedge(peer: Peer, now: number): Span | null {
    const head = headRange(this.#ranges);
    const late = head !== null && now - head.askedAt >= this.#limits.hedgeMs;
    // Not those that a peer stalls on since before the tip went past them.
    const asking = this.#ranges.inFlight.filter((range) => covers(range, this.#ranges.next)).length;
    return late && asking < 2 ? headSpan(this.#ranges, peer) : null;
  }

  #ask(peerId: string, span: Span, signal: AbortSignal): void {
    const range: Range = { id: ++this.#lastId, peerId, ...span, askedAt: this.#clock.monotonicMs() };
    this.#ranges = asked(this.#ranges, range);
    this.#request(range, signal).then(
      (outcome) => {
        if (!signal.aborted) {
          this.#settle(range, outcome);
          // Not only when the group being stored is: the peer would stand idle meanwhile.
          this.#dispatch(this.#useful(), signal);
        }
        this.#notify();
      },
      (error: unknown) => {
        this.#ranges = ended(this.#ranges, range);
        this.#modules.log.warn("block sync: a response could not be taken", {
          peer: peerId,
          reason: textOf(error),
        });
        this.#notify();
      },
    );
  }

  async #request(range: Range, signal: AbortSignal): Promise<Outcome> {
    const late = new AbortController();
    const timeout = Promise.withResolvers<Outcome>();
    const cancel = this.#clock.timer(this.#limits.requestTimeoutMs, () =>
      timeout.resolve({ kind: "timeout" }),
    );
    const onAbort = (): void => timeout.resolve({ kind: "failed", reason: "aborted" });
    signal.addEventListener("abort", onAbort, { once: true });
    const both = AbortSignal.any([signal, late.signal]);
    const response = this.#modules.request(range.peerId, range.from, range.count, both).then(
      (blocks): Outcome => ({ kind: "response", response: blocks }),
      (error: unknown): Outcome => ({ kind: "failed", reason: textOf(error) }),
    );
    try {
      return await Promise.race([response, timeout.promise]);
    } finally {
      cancel();
      late.abort();
      signal.removeEventListener("abort", onAbort);
    }
  }

  #settle(range: Range, outcome: Outcome): void {
    const { peerId } = range;
    const now = this.#clock.monotonicMs();
    this.#ranges = ended(this.#ranges, range);
    if (this.#credits.banned(peerId)) return;
    if (outcome.kind === "timeout") {
      this.#credits.strike(peerId, now);
      this.#modules.report(peerId, "timeout");
      return;
    }
    if (outcome.kind === "failed") {
      this.#credits.strike(peerId, now);
      return;
    }
    const items = itemsOf(range, outcome.response, this.#modules.state().params.maxBlockBytes);
    if (items === null) {
      this.#credits.strike(peerId, now);
      this.#modules.report(peerId, "malformed");
      return;
    }
    // A peer may serve less than it was asked for, but not nothing of what it claims to have.
    if (items.length === 0) this.#credits.strike(peerId, now);
    this.#ranges = took(this.#ranges, items, this.#limits);
  }

  async #advance(items: readonly Fetched[], signal: AbortSignal): Promise<void> {
    const modules = this.#modules;
    const { good, fault, state } = await this.#verified(items);
    if (signal.aborted) return;
    const [first] = good;
    if (first !== undefined) {
      // The node may have decided heights by itself meanwhile.
      if (modules.state().lastHeight !== first.height - 1) return;
      const applied = modules.apply(good);
      if (fault === null) this.#verifyAhead(state, good);
      await applied;
      const { lastHeight } = modules.state();
      for (const { height, bytes, peerId } of good) {
        if (height > lastHeight) return;
        modules.metrics?.synced(height, bytes.length);
        this.#credits.delivered(peerId);
      }
    }
    if (fault !== null) this.#blame(fault);
  }

  #nextRun(ranges: Ranges): readonly Fetched[] {
    return fetchedRun(ranges, this.#limits.verifyHeights, this.#limits.verifyBytes);
  }

  /** The threads verify the next run while this one is being applied. */
  #verifyAhead(on: ChainState, below: VerifiedRun["good"]): void {
    if (this.#ahead !== null) return;
    const items = this.#nextRun(movedTo(this.#ranges, on.lastHeight + 1));
    if (items.length === 0) return;
    const result = verifyRun(on, items, this.#limits.verifySignatures, this.#modules, below);
    // Whoever takes the result has its failure; nobody may.
    result.catch(() => undefined);
    this.#ahead = { on, items, result };
  }

  /** What was verified ahead, when the chain has come to where that began; everything follows from the block id. */
  #verified(items: readonly Fetched[]): Promise<VerifiedRun> {
    const ahead = this.#ahead;
    this.#ahead = null;
    const state = this.#modules.state();
    const came =
      ahead !== null &&
      ahead.on.lastHeight === state.lastHeight &&
      blockIdEquals(ahead.on.lastBlockId, state.lastBlockId) &&
      ahead.items.every((item, index) => item === items[index]);
    return came ? ahead.result : verifyRun(state, items, this.#limits.verifySignatures, this.#modules);
  }

  #blame(fault: Fault): void {
    if (fault.kind === "diverged") {
      if (fault.other !== null) throw new ForkFound(fault.other);
      throw new SyncError(
        "DIVERGED",
        `+2/3 signed block ${fault.height} ${toHexUpper(fault.blockId.hash)}, which this node's rules refuse ` +
          `(${fault.reason}): stop, compare version, genesis and upgrades with the other nodes`,
        { height: fault.height, blockHash: toHexUpper(fault.blockId.hash), reason: fault.reason },
      );
    }
    const { peerId, offence, height, reason } = fault;
    this.#credits.ban(peerId);
    this.#ranges = distrusted(this.#ranges, peerId);
    this.#modules.log.warn("block sync: a peer served a block that does not hold", {
      peer: peerId,
      height,
      offence,
      reason,
    });
    this.#modules.report(peerId, offence);
  }

  #notify(): void {
    this.#news = true;
    this.#wake?.();
  }

  /** Until a request ends, or it is time to look at the peers again. */
  #wait(): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        cancel();
        this.#wake = null;
        this.#news = false;
        resolve();
      };
      const cancel = this.#clock.timer(this.#limits.pollMs, done);
      this.#wake = done;
      if (this.#news) done();
    });
  }
}

/** The response as items, or `null` when it is not what was asked for. */
function itemsOf(range: Range, response: Response, maxBlockBytes: number): readonly Fetched[] | null {
  const fits = response.every(
    (item, index) => item.height === range.from + index && item.block.length <= maxBlockBytes,
  );
  if (!fits || response.length > range.count) return null;
  const { peerId, id: request } = range;
  return response.map(({ height, block, commit }) => ({ height, block, commit, peerId, request }));
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
