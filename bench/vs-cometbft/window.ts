/** A stretch of time of a running network, measured from outside. */
import { quantile } from "../support/measure.ts";
import { cpuSeconds, machineCpuSeconds } from "../support/processes.ts";
import type { Network } from "./network.ts";
import { heightOf, type Meta, metas, now, pause } from "./rpc.ts";

export interface WindowOptions {
  readonly seconds: number;
  /** Goes on until there are so many heights, or `limitSeconds` are over. */
  readonly leastHeights: number;
  readonly limitSeconds: number;
}

export interface Window {
  readonly heights: number;
  readonly seconds: number;
  readonly msPerHeight: number;
  /** CPU of all nodes together. */
  readonly cpuMsPerHeight: number;
  readonly cpuCores: number;
  /** Cores that neither the nodes nor this process used: above 0.2 the figures are disturbed. */
  readonly otherCores: number;
  readonly blocks: readonly Meta[];
}

/** Intervals are taken from at most so many of the last blocks: reading them takes the node some time. */
const MOST_BLOCKS = 600;

/** @throws Error when there were too few heights, or the first node did not answer. */
export async function measureWindow(network: Network, options: WindowOptions): Promise<Window> {
  const port = network.rpcPort(0);
  const pids = network.pids();
  const own = process.cpuUsage();
  const from = { height: await heightOf(port), at: now(), cpu: cpuSeconds(pids), all: machineCpuSeconds() };
  const read = async () => ({
    height: await heightOf(port),
    at: now(),
    cpu: cpuSeconds(pids),
    all: machineCpuSeconds(),
  });
  await pause(options.seconds * 1000);
  let to = await read();
  while (to.height - from.height < options.leastHeights && to.at - from.at < options.limitSeconds * 1000) {
    await pause(100);
    to = await read();
  }
  const heights = to.height - from.height;
  const seconds = (to.at - from.at) / 1000;
  if (from.height < 0 || heights < options.leastHeights) {
    throw new Error(
      `${Math.max(0, heights)} heights in ${seconds.toFixed(0)} s: too few for a figure (${options.leastHeights})`,
    );
  }
  const { user, system } = process.cpuUsage(own);
  const cpu = to.cpu - from.cpu;
  const first = Math.max(from.height + 1, to.height - MOST_BLOCKS);
  return {
    heights,
    seconds,
    msPerHeight: (to.at - from.at) / heights,
    cpuMsPerHeight: (cpu * 1000) / heights,
    cpuCores: cpu / seconds,
    otherCores: Math.max(0, (to.all - from.all - cpu - (user + system) / 1e6) / seconds),
    blocks: await metas(port, first, to.height),
  };
}

/** Intervals between header times, ms. */
export function intervals(blocks: readonly Meta[]): readonly number[] {
  return blocks.slice(1).map(({ timeMs }, index) => timeMs - (blocks[index]?.timeMs ?? timeMs));
}

export function interval(blocks: readonly Meta[], q: number): number {
  return quantile(intervals(blocks), q);
}
