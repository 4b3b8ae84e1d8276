/** P5: from a proposal's own time to its commit on all nodes, less what the Geths took for the calls on that way. */
import { quantile } from "../support/measure.ts";
import { type Scrape, type Scrapes, scrape, stagesBetween } from "../support/scrape.ts";
import type { Commit, Testnet } from "./ours.ts";

/** Heights of the latency, and those before it that do not count: what a young process compiles is no latency. */
const HEIGHTS = 50;
const WARM_HEIGHTS = 150;

/** p50 over heights of the commit on the last node, less getPayload and newPayload, which all clients work on at once. */
export async function latency(
  { ready, commits, until }: Testnet,
  limitMs: number,
): Promise<Readonly<Record<string, number>>> {
  const everywhere = (height: number): boolean =>
    commits.filter((commit) => commit.height === height).length >= ready.nodes.length;
  await until(() => everywhere(WARM_HEIGHTS), limitMs, "the first heights");
  const read = (): Promise<Scrapes> => Promise.all(ready.nodes.map(({ metrics }) => scrape(metrics)));
  const before = await read();
  await until(() => everywhere(WARM_HEIGHTS + HEIGHTS), limitMs, "the heights of the latency");
  const after = await read();
  const meanMs = (method: RegExp): number => {
    const grown = (what: "sum" | "count"): number =>
      after.reduce(
        (sum, node, index) => sum + calls(node, method, what) - calls(before[index], method, what),
        0,
      );
    return (grown("sum") * 1000) / grown("count");
  };
  const engine = meanMs(/getPayload/) + meanMs(/newPayload/);
  const byHeight = Map.groupBy(
    commits.filter(({ height }) => height > WARM_HEIGHTS && height <= WARM_HEIGHTS + HEIGHTS),
    ({ height }) => height,
  );
  const all = [...byHeight.values()].map((list: readonly Commit[]) => Math.max(...list.map(({ ms }) => ms)));
  const p50 = quantile(all, 0.5);
  const { steps, parts } = stagesBetween(before, after, HEIGHTS);
  return {
    ...{ latency: p50 - engine, commit_p50: p50, commit_p95: quantile(all, 0.95), engine },
    ...{ get_payload: meanMs(/getPayload/), new_payload: meanMs(/newPayload/) },
    forkchoice_updated: meanMs(/forkchoiceUpdated/),
    ...Object.fromEntries([...steps, ...parts].map(({ name, ms }) => [name, ms])),
  };
}

/** Of calls that ended well: their seconds, or how many they were. */
function calls(scraped: Scrape | undefined, method: RegExp, what: "sum" | "count"): number {
  let all = 0;
  for (const [name, value] of scraped ?? []) {
    if (
      name.startsWith(`quorate_el_call_seconds_${what}{`) &&
      method.test(name) &&
      name.includes('status="ok"')
    )
      all += value;
  }
  return all;
}
