import assert from "node:assert/strict";
import { applyBlock, type ChainState, type Height, type PastHeight } from "@quorate/chain";
import { nativeBackend } from "@quorate/crypto";
import { createBlockSync } from "../../src/block-sync.ts";
import type { SyncClock, SyncLimits } from "../../src/options.ts";
import type { BlockSync, SyncModules } from "../../src/types.ts";
import type { Served, TestChain } from "./chain.ts";

/** Virtual time: moves only when {@link drive} finds nothing else to do. */
export class VirtualClock implements SyncClock {
  now = 0;
  #timers: { readonly at: number; readonly callback: () => void }[] = [];

  monotonicMs(): number {
    return this.now;
  }

  timer(ms: number, callback: () => void): () => void {
    const timer = { at: this.now + ms, callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Jumps to the next timer; false when there is none. */
  jump(): boolean {
    const next = this.#timers.reduce<{ at: number; callback: () => void } | null>(
      (first, timer) => (first === null || timer.at < first.at ? timer : first),
      null,
    );
    if (next === null) return false;
    this.#timers = this.#timers.filter((timer) => timer !== next);
    this.now = Math.max(this.now, next.at);
    next.callback();
    return true;
  }
}

type Serve = (from: Height, count: number, signal: AbortSignal) => Promise<readonly Served[]>;

export interface TestPeer {
  readonly id: string;
  height: Height;
  earliestHeight: Height;
  serve: Serve;
  /** Ranges it was asked for. */
  readonly asked: { readonly from: Height; readonly count: number }[];
}

export function peer(id: string, height: Height, serve: Serve, earliestHeight: Height = 1): TestPeer {
  return { id, height, earliestHeight, serve, asked: [] };
}

export function honest(id: string, chain: TestChain, latencyMs = 0, clock?: VirtualClock): TestPeer {
  return peer(id, chain.blocks.length, (from, count) => {
    const blocks = chain.blocks.slice(from - 1, from - 1 + count);
    if (clock === undefined || latencyMs === 0) return Promise.resolve(blocks);
    return new Promise((resolve) => clock.timer(latencyMs, () => resolve(blocks)));
  });
}

export const never: Serve = () => new Promise(() => undefined);

/** Virtual ms that a run may take: more than all time-outs together. */
const RUN_MS = 3_600_000;

/** How often a run may look at its state: a loop that waits for nothing is cut off. */
const LOOKS = 2_000;

/** A node that syncs from `peers`, in virtual time. */
export class TestNode {
  readonly clock: VirtualClock;
  readonly sync: BlockSync;
  readonly reports: { readonly peer: string; readonly offence: string }[] = [];
  readonly applied: Height[] = [];
  readonly past = new Map<Height, PastHeight>();
  readonly batches: number[] = [];
  /** Heights of each group that was stored. */
  readonly groups: number[] = [];
  readonly warnings: string[] = [];
  state: ChainState;
  peers: TestPeer[];
  #looks = 0;
  /** Runs while signatures are verified. */
  onVerify: () => void = () => undefined;
  /** Runs before each height of a group. */
  onApply: (height: Height) => void = () => undefined;

  constructor(genesis: ChainState, peers: TestPeer[], clock: VirtualClock, limits: Partial<SyncLimits> = {}) {
    this.state = genesis;
    this.peers = peers;
    this.clock = clock;
    this.sync = createBlockSync({ clock, limits }, this.#modules());
  }

  /** Runs to the end, moving time whenever everything waits. */
  async drive(signal: AbortSignal = new AbortController().signal): Promise<Height> {
    let done = false;
    this.#looks = 0;
    const endMs = this.clock.now + RUN_MS;
    const run = this.sync.run(signal).finally(() => {
      done = true;
    });
    run.catch(() => undefined);
    while (!done) {
      for (let turn = 0; turn < 8 && !done; turn++) await new Promise((resolve) => setImmediate(resolve));
      if (!done) this.clock.jump();
      assert.ok(this.clock.now < endMs, "the run comes to no end");
    }
    return run;
  }

  #modules(): SyncModules {
    return {
      peers: () => this.peers,
      request: (id, from, count, signal) => {
        const found = this.peers.find((candidate) => candidate.id === id);
        if (found === undefined) return Promise.reject(new Error("gone"));
        found.asked.push({ from, count });
        return found.serve(from, count, signal);
      },
      verifySignatures: async (checks) => {
        this.batches.push(checks.length);
        this.onVerify();
        return nativeBackend.verifyBatch(checks);
      },
      state: () => {
        if (++this.#looks > LOOKS) throw new Error("the run goes round without end");
        return this.state;
      },
      past: async (height) => this.past.get(height) ?? null,
      apply: async (run) => {
        this.groups.push(run.length);
        assert.equal(run[0]?.block.header.height, this.state.lastHeight + 1, "a group begins at the tip");
        // The disk.
        await new Promise((resolve) => setImmediate(resolve));
        for (const { block, blockId, state } of run) {
          const { height, time } = block.header;
          this.onApply(height);
          await Promise.resolve();
          if (this.state.lastHeight !== height - 1) return;
          this.past.set(height, { height, time, validators: this.state.validators });
          assert.deepEqual(state, applyBlock(this.state, block, blockId));
          this.state = state;
          this.applied.push(height);
        }
      },
      report: (id, offence) => this.reports.push({ peer: id, offence }),
      log: { info: () => undefined, warn: (message) => this.warnings.push(message) },
      metrics: null,
    };
  }
}
