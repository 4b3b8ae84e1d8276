/** P6: transfers per second, each client fed its own ones, which neither side spreads. */
import { type GethsOptions, startGeths } from "./geths.ts";
import type { Testnet } from "./ours.ts";
import { drive, type Slot } from "./stub.ts";
import { feed } from "./transfers.ts";

/** Pending transfers per client: more than a block holds. */
const LEVEL = 3_000;

/** From the block before the first that holds a good part of the transfers to the one with which 95 % are decided. */
function rate(slots: readonly Slot[], total: number): Readonly<Record<string, number>> {
  const first = slots.findIndex(({ txs }) => txs >= 200);
  const from = slots[Math.max(0, first - 1)];
  let all = 0;
  let counted = 0;
  for (const [index, slot] of slots.entries()) {
    all += slot.txs;
    if (index < first || first < 0) continue;
    counted += slot.txs;
    if (all < total * 0.95) continue;
    const seconds = (slot.atMs - (from?.atMs ?? Number.NaN)) / 1000;
    return { txs_per_s: counted / seconds, seconds, txs: counted };
  }
  throw new Error(`only ${all} of ${total} transfers were decided, or never 200 in a block`);
}

export async function throughput(
  { ready, commits, until }: Testnet,
  transfers: readonly (readonly string[])[],
  limitMs: number,
): Promise<Readonly<Record<string, number>>> {
  const total = transfers.flat().length;
  const [first] = ready.nodes;
  const start = commits.length;
  const slots = (): readonly Slot[] => commits.slice(start).filter(({ node }) => node === first?.name);
  const enough = (): boolean => slots().reduce((sum, { txs }) => sum + txs, 0) >= total;
  const stopped = new AbortController();
  const urls = ready.nodes.map(({ eth_rpc: url }) => url);
  const feeding = feed(urls, transfers, LEVEL, stopped.signal);
  feeding.catch(() => undefined);
  try {
    await until(enough, limitMs, `${total} transfers decided`);
  } finally {
    stopped.abort();
  }
  await feeding;
  return rate(slots(), total);
}

export async function throughputOfStub(
  options: GethsOptions,
  transfers: readonly (readonly string[])[],
  intervalMs: number,
  limitMs: number,
): Promise<Readonly<Record<string, number>>> {
  const geths = await startGeths(options);
  const stopped = new AbortController();
  try {
    const total = transfers.flat().length;
    const urls = geths.endpoints.map(({ eth }) => eth);
    const feeding = feed(urls, transfers, LEVEL, stopped.signal);
    feeding.catch(() => undefined);
    const slots: Slot[] = [];
    const end = performance.now() + limitMs;
    let sum = 0;
    await drive(geths.endpoints, intervalMs, (slot) => {
      slots.push(slot);
      sum += slot.txs;
      return sum < total && performance.now() < end;
    });
    stopped.abort();
    await feeding;
    return rate(slots, total);
  } finally {
    stopped.abort();
    await geths.stop();
  }
}
