/** P5: from a proposal's own time to its commit on all nodes, less what the Geths took for the calls on that way. */
import { quantile } from "../support/measure.ts";
import type { Commit, Testnet } from "./ours.ts";

/** Heights of the latency, and those before it that do not count. */
const HEIGHTS = 30;
const WARM_HEIGHTS = 16;

/** p50 over heights of the commit on the last node, less getPayload and newPayload, which all clients work on at once. */
export async function latency(
  { ready, commits, until }: Testnet,
  limitMs: number,
): Promise<Readonly<Record<string, number>>> {
  const everywhere = (height: number): boolean =>
    commits.filter((commit) => commit.height === height).length >= ready.nodes.length;
  await until(() => everywhere(WARM_HEIGHTS), limitMs, "the first heights");
  const before = await Promise.all(ready.nodes.map(({ metrics }) => engineCalls(metrics)));
  await until(() => everywhere(WARM_HEIGHTS + HEIGHTS), limitMs, "the heights of the latency");
  const after = await Promise.all(ready.nodes.map(({ metrics }) => engineCalls(metrics)));
  const meanMs = (method: RegExp): number => {
    const sums = { seconds: 0, count: 0 };
    after.forEach((calls, node) => {
      for (const [name, { seconds, count }] of calls) {
        if (!method.test(name)) continue;
        const earlier = before[node]?.get(name);
        sums.seconds += seconds - (earlier?.seconds ?? 0);
        sums.count += count - (earlier?.count ?? 0);
      }
    });
    return (sums.seconds * 1000) / sums.count;
  };
  const engine = meanMs(/getPayload/) + meanMs(/newPayload/);
  const byHeight = Map.groupBy(
    commits.filter(({ height }) => height > WARM_HEIGHTS && height <= WARM_HEIGHTS + HEIGHTS),
    ({ height }) => height,
  );
  const all = [...byHeight.values()].map((list: readonly Commit[]) => Math.max(...list.map(({ ms }) => ms)));
  const p50 = quantile(all, 0.5);
  return { latency: p50 - engine, commit_p50: p50, commit_p95: quantile(all, 0.95), engine };
}

/** Seconds and calls by method, of calls that ended well. */
async function engineCalls(url: string): Promise<ReadonlyMap<string, { seconds: number; count: number }>> {
  const text = await (await fetch(url.endsWith("/metrics") ? url : `${url}/metrics`)).text();
  const calls = new Map<string, { seconds: number; count: number }>();
  for (const line of text.split("\n")) {
    const found = /^quorate_el_call_seconds_(sum|count)\{(.*)\} (\S+)$/.exec(line);
    const method = /method="([^"]+)"/.exec(found?.[2] ?? "")?.[1];
    if (found === null || method === undefined || !/status="ok"/.test(found[2] ?? "")) continue;
    const entry = calls.get(method) ?? { seconds: 0, count: 0 };
    entry[found[1] === "sum" ? "seconds" : "count"] = Number(found[3]);
    calls.set(method, entry);
  }
  return calls;
}
