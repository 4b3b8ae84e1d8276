/** One repetition of each figure on one side. Every wait is bounded; a figure that cannot be taken throws, saying why. */
import type { Metrics } from "../support/comparison.ts";
import { median } from "../support/measure.ts";
import { rssMb } from "../support/processes.ts";
import type { FigureId } from "./figures.ts";
import { startLoad } from "./load.ts";
import type { Network, NetworkOptions, Side } from "./network.ts";
import { addressOf, heightOf, metas, now, pause, reached, roundStateOf } from "./rpc.ts";
import { interval, intervals, measureWindow, type Window, type WindowOptions } from "./window.ts";

export interface Effort {
  readonly full: boolean;
}

const MIB = 1_048_576;
/** Twenty processes on two cores take a while to load their programs. */
const START_MS = 120_000;

/**
 * Heights that a network has behind it before it is measured: a validator runs for months, and what a young process pays
 * once (V8 compiles for half a minute) is not what a height costs. Both sides get the same.
 */
const OLD = { four: 1_000, ten: 300, twenty: 10, blocks: 200 } as const;
const WARM_UP_LIMIT_MS = 120_000;

const SYNC_BLOCKS = 2_000;
const LEAST_SYNC_BLOCKS = 100;
const SYNC_LIMIT_MS = 90_000;
const HEIGHTS_OF_MEMORY = 10_000;
const MEMORY_LIMIT_MS = 420_000;

export const SCENARIOS: Readonly<Record<FigureId, (side: Side, effort: Effort) => Promise<Metrics>>> = {
  P1: (side, { full }) =>
    within(side, { validators: 4 }, async (network) => {
      await reached(network.rpcPort(0), OLD.four, WARM_UP_LIMIT_MS, 250);
      return empty(await measured(network, full ? 60 : 12, 100, 60));
    }),
  "P2-1MB": (side, effort) => blocks(side, effort, MIB, OLD.blocks),
  "P2-4MB": (side, effort) => blocks(side, effort, 4 * MIB, OLD.blocks / 4),
  P11: (side, { full }) =>
    within(side, { validators: 4, blockBytes: MIB }, async (network) => {
      // Pools hold everything: the level counts for all of them together.
      const load = startLoad(network, { txBytes: 200, level: 2_000_000, batch: 50, lanes: 1 });
      await pause(10_000);
      const window = await measured(network, full ? 40 : 12, 5, 40).finally(() => load.stop());
      const txs = window.blocks.reduce((sum, block) => sum + block.txs, 0);
      return {
        decided: (txs / span(window)) * 1000,
        height: window.msPerHeight,
        refused: load.refused,
        otherCores: window.otherCores,
      };
    }),
  P12: (side, { full }) =>
    within(side, { validators: 4, fullNodes: 1 }, (network) => sync(network, full ? 5 : 2)),
  "P8-10": (side, { full }) => many(side, 10, OLD.ten, full),
  "P8-20": (side, { full }) => many(side, 20, OLD.twenty, full),
  "P9-kill": (side) => failover(side, "SIGKILL"),
  "P9-term": (side) => failover(side, "SIGTERM"),
  P10: (side) =>
    within(side, { validators: 4 }, async (network) => {
      await reached(network.rpcPort(0), HEIGHTS_OF_MEMORY, MEMORY_LIMIT_MS, 500);
      return { rss: median(network.pids().map(rssMb)) };
    }),
};

async function within(
  side: Side,
  options: NetworkOptions,
  body: (network: Network) => Promise<Metrics>,
): Promise<Metrics> {
  const network = await side.make(options);
  try {
    await network.start(START_MS);
    return await body(network);
  } finally {
    await network.free();
  }
}

function measured(
  network: Network,
  seconds: number,
  leastHeights: number,
  limitSeconds: number,
): Promise<Window> {
  const options: WindowOptions = { seconds, leastHeights, limitSeconds };
  return measureWindow(network, options);
}

function empty(window: Window): Metrics {
  return {
    height: window.msPerHeight,
    cpu: window.cpuMsPerHeight,
    interval_p95: interval(window.blocks, 0.95),
    heights: window.heights,
    otherCores: window.otherCores,
  };
}

/** Time between the first and the last of the blocks, ms. */
function span({ blocks: list }: Window): number {
  return (list.at(-1)?.timeMs ?? Number.NaN) - (list[0]?.timeMs ?? Number.NaN);
}

function blocks(side: Side, { full }: Effort, blockBytes: number, old: number): Promise<Metrics> {
  const options = { validators: 4, blockBytes, spreadTxs: false };
  return within(side, options, async (network) => {
    const load = startLoad(network, { txBytes: 65_000, level: 2 * blockBytes, batch: 1, lanes: 2 });
    const window = await reached(network.rpcPort(0), old, WARM_UP_LIMIT_MS, 250)
      .then(() => measured(network, full ? 40 : 12, 6, 60))
      .finally(() => load.stop());
    const bytes = window.blocks.slice(1).reduce((sum, block) => sum + block.bytes, 0);
    const megabytes = bytes / 1e6;
    return {
      decided: megabytes / (span(window) / 1000),
      cpu_per_mb: (window.cpuMsPerHeight * (window.blocks.length - 1)) / megabytes,
      height: window.msPerHeight,
      median_block: median(window.blocks.map((block) => block.bytes)),
      refused: load.refused,
      otherCores: window.otherCores,
    };
  });
}

function many(side: Side, validators: number, old: number, full: boolean): Promise<Metrics> {
  return within(side, { validators }, async (network) => {
    await reached(network.rpcPort(0), old, WARM_UP_LIMIT_MS, 250);
    return empty(await measured(network, full ? 60 : 8, 100, 120));
  });
}

/** The chain rests because two of four validators have left; the two others serve. */
async function sync(network: Network, repetitions: number): Promise<Metrics> {
  const fresh = network.validators;
  // A busy machine makes fewer in this time; a rate needs a hundred at least.
  await reached(network.rpcPort(0), SYNC_BLOCKS, SYNC_LIMIT_MS, 100).catch(() => undefined);
  await Promise.all([network.end(2, "SIGTERM"), network.end(3, "SIGTERM")]);
  // The last height of a chain at rest may lack its successor's commit.
  const head = (await heightOf(network.rpcPort(0))) - 1;
  if (head < LEAST_SYNC_BLOCKS) throw new Error(`only ${head} blocks to follow (${LEAST_SYNC_BLOCKS})`);
  const rates: number[] = [];
  const starts: number[] = [];
  for (let repetition = 0; repetition < repetitions; repetition++) {
    if (repetition > 0) await network.wipe(fresh);
    const startedAt = now();
    await network.startNode(fresh);
    const port = network.rpcPort(fresh);
    const firstAt = await reached(port, 1, SYNC_LIMIT_MS, 5);
    const first = await heightOf(port);
    const headAt = await reached(port, head, SYNC_LIMIT_MS, 5);
    rates.push(((head - first) / (headAt - firstAt)) * 1000);
    starts.push(firstAt - startedAt);
    await network.end(fresh, "SIGTERM");
  }
  return { synced: median(rates), first_block_ms: median(starts), blocks: head };
}

/**
 * The longest gap from the height at which the proposer ended to its next turn: a signal can come after its proposal is
 * out, and then the next turn shows what its end costs.
 */
function failover(side: Side, signal: "SIGTERM" | "SIGKILL"): Promise<Metrics> {
  return within(side, { validators: 4 }, async (network) => {
    const port = network.rpcPort(0);
    const victim = network.validators - 1;
    await pause(3_000);
    const address = await addressOf(network.rpcPort(victim));
    let height = 0;
    for (const end = now() + 30_000; height === 0; await pause(1)) {
      const state = await roundStateOf(port);
      if (state.proposer === address && state.round === 0 && state.step <= 3) height = state.height;
      else if (now() > end) throw new Error("the validator was never seen to propose");
    }
    const at = now();
    const ended = network.end(victim, signal);
    await reached(port, height, 30_000, 5);
    const next = now() - at;
    const last = height + network.validators + 2;
    await reached(port, last, 30_000, 5);
    await ended;
    // From the block before: where a header's time is its proposal's own, the gap is in front of the block that was late.
    const blocks = await metas(port, height - 1, last);
    return { longest_gap: Math.max(...intervals(blocks)), next_commit: next };
  });
}
