/** How fast a network and its nodes must be themselves again. */
import { eventually } from "../test/support.ts";
import type { Report } from "./campaign.ts";
import type { ChaosNetwork } from "./network.ts";
import type { Pace } from "./pace.ts";

/** ms; what reference networks of this kind are held to. */
export const BOUNDS = {
  /** A node that was tormented: back at the tip and ready. */
  recover: 20_000,
  /** A chain that had no quorum: its next height. */
  resume: 10_000,
  /** A chain that has a quorum: between two heights. */
  gap: 10_000,
  /** A node that was killed: at the tip, 99 times of 100. */
  tip: 10_000,
} as const;

export interface Torment {
  readonly nodes: readonly string[];
  /** Monotonic ms of its beginning. */
  readonly fromMs: number;
  /** Whether the chain had no quorum meanwhile. */
  readonly stopped: boolean;
}

/** After the end of a torment: the chain goes on, its nodes come back and sign. */
export async function recovery(
  net: ChaosNetwork,
  pace: Pace,
  report: Report,
  { nodes, fromMs, stopped }: Torment,
): Promise<void> {
  const { live } = net;
  const healed = performance.now();
  const height = live.height;
  await eventually("a new height", () => live.height > height);
  if (stopped) report.took("resume", performance.now() - healed, BOUNDS.resume);
  else report.took("gap", pace.longestGapSince(fromMs), BOUNDS.gap);
  await Promise.all(
    nodes.map(async (name) => {
      await atTip(net, name);
      report.took("recover", performance.now() - healed, BOUNDS.recover);
    }),
  );
  await Promise.all(nodes.map((name) => live.signs(name)));
}

/** Until a node is ready and at most one height behind. */
export async function atTip({ live }: ChaosNetwork, name: string): Promise<void> {
  await eventually(`${name} at the tip and ready`, async () => {
    if (live.network.heightOf(name) < live.height - 1) return false;
    return (await live.ready(name)).ready;
  });
}
