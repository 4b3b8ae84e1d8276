/** What a node's heap holds once garbage is collected: resident memory shows V8's mood and the index's files beside it. */
import { setTimeout as delay } from "node:timers/promises";
import type { NodeNow } from "../test/support/live.ts";

/** A collection, and a scrape after it. */
const COLLECT_MS = 1_000;

export interface Told {
  /** JavaScript's objects and what they hold outside the heap, MiB. */
  readonly heapMib: number;
  /** Timers and handles that its event loop knows of. */
  readonly timers: number;
}

/** What prom-client's default metrics tell of a node's heap, and of what its event loop waits for. */
export async function toldBy(metrics: string): Promise<Told> {
  const text = await (await fetch(`${metrics}/metrics`)).text();
  const sum = (pattern: RegExp): number => {
    const counts = [...text.matchAll(pattern)];
    if (counts.length === 0) throw new Error(`${metrics} tells nothing like ${pattern.source}`);
    return counts.reduce((total, [, count]) => total + Number(count), 0);
  };
  return {
    heapMib: sum(/^nodejs_(?:heap_size_used|external_memory)_bytes(?:\{[^}]*\})? (\S+)$/gm) / 2 ** 20,
    timers: sum(/^nodejs_active_(?:resources|handles)\{[^}]*\} (\d+)$/gm),
  };
}

/** Makes the nodes collect all garbage, see testnet/faults/preload.ts. */
export function collect(nodes: readonly Pick<NodeNow, "pid">[]): void {
  for (const { pid } of nodes) process.kill(pid, "SIGUSR2");
}

/** MiB that each node's heap holds on purpose, by name. */
export async function heldMib(nodes: readonly NodeNow[]): Promise<ReadonlyMap<string, number>> {
  collect(nodes);
  await delay(COLLECT_MS);
  const held = nodes.map(async ({ name, metrics }) => [name, (await toldBy(metrics)).heapMib] as const);
  return new Map(await Promise.all(held));
}
