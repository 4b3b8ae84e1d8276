/** What a node's own metrics say of the heights between two looks at them. */
import { median } from "./measure.ts";
import type { Stages } from "./stages.ts";

/** Steps in their order, as the core enters them; a step ends where the next begins. */
const STEPS = [
  "NewHeight",
  "NewRound",
  "Propose",
  "Prevote",
  "PrevoteWait",
  "Precommit",
  "PrecommitWait",
  "Commit",
];

/** What runs inside the steps, some of it beside other work: sums of all observations, name by what it is. */
const PARTS: readonly (readonly [metric: string, what: string])[] = [
  ["quorate_wal_sync_seconds", "a signature's wait for the log"],
  ["quorate_sign_seconds", "log, sign state and signature"],
  ["quorate_store_body_sync_seconds", "a body on its way to disk"],
  ["quorate_store_commit_seconds", "the index's synced batch"],
  ["quorate_block_apply_seconds", "check, store and apply the decided block"],
  ["quorate_core_step_seconds", "the consensus core"],
];

export type Scrape = ReadonlyMap<string, number>;

/** Of all nodes, at one moment. */
export type Scrapes = readonly Scrape[];

/** Steps and parts of a height in the mean of so many heights, median of the nodes. */
export function stagesBetween(from: Scrapes, to: Scrapes, heights: number): Pick<Stages, "steps" | "parts"> {
  const grown = (name: string): number =>
    median(to.map((after, node) => ((after.get(name) ?? 0) - (from[node]?.get(name) ?? 0)) / heights));
  return {
    steps: STEPS.map((step) => ({
      name: step,
      ms: grown(`cometbft_consensus_step_duration_seconds_sum{step="${step}"}`) * 1000,
    })).filter(({ ms }) => ms > 0),
    parts: PARTS.map(([metric, what]) => ({
      name: what,
      times: grown(`${metric}_count`),
      ms: grown(`${metric}_sum`) * 1000,
    })),
  };
}

/** Sample lines by name and labels; labels that are the same on all of a node's series are left out. `url`: of the server. */
export async function scrape(url: string): Promise<Scrape> {
  const text = await (await fetch(url.endsWith("/metrics") ? url : `${url}/metrics`)).text();
  const series = new Map<string, number>();
  for (const line of text.split("\n")) {
    if (line === "" || line.startsWith("#")) continue;
    const space = line.lastIndexOf(" ");
    const key = line
      .slice(0, space)
      .replace(/chain_id="[^"]*",?/, "")
      .replace(/,?\}$/, "}")
      .replace("{}", "");
    series.set(key, Number(line.slice(space + 1)));
  }
  return series;
}
