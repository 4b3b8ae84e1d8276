/**
 * Where the time of one height goes: `npm run bench:stages -- [--seconds 20] [--no-write]`. Four validators without
 * execution client, empty blocks; what their own metrics add up to over a window. Writes bench/results/stages.json.
 */
import { parseArgs } from "node:util";
import { writeDocument } from "./report/write.ts";
import { median } from "./support/measure.ts";
import { cpuSeconds } from "./support/processes.ts";
import { environment, writeResults } from "./support/results.ts";
import type { Stages } from "./support/stages.ts";
import { makeQuorate } from "./vs-cometbft/quorate.ts";
import { heightOf, pause } from "./vs-cometbft/rpc.ts";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "20" },
    "no-write": { type: "boolean", default: false },
  },
});

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

type Scrape = ReadonlyMap<string, number>;

const network = await makeQuorate({ validators: 4 });
try {
  await network.start(120_000);
  await pause(5_000);
  const indexes = [0, 1, 2, 3];
  const read = async () => ({
    height: await heightOf(network.rpcPort(0)),
    at: performance.now(),
    cpu: cpuSeconds(network.pids()),
    scrapes: await Promise.all(indexes.map((index) => scrape(network.metricsPort(index)))),
  });
  const from = await read();
  await pause(Number(values.seconds) * 1000);
  const to = await read();
  const heights = to.height - from.height;
  if (heights < 20) throw new Error(`only ${heights} heights in ${values.seconds} s: too few for a picture`);
  /** Median over the nodes of what a counter grew by per height. */
  const grown = (name: string): number =>
    median(
      indexes.map(
        (index) => ((to.scrapes[index]?.get(name) ?? 0) - (from.scrapes[index]?.get(name) ?? 0)) / heights,
      ),
    );
  const stages: Stages = {
    on: environment(),
    heights,
    msPerHeight: (to.at - from.at) / heights,
    cpuMsPerHeight: ((to.cpu - from.cpu) * 1000) / heights,
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
  if (!values["no-write"]) {
    await writeResults("stages", stages);
    await writeDocument();
  }
  console.log(
    `${heights} heights, ${stages.msPerHeight.toFixed(2)} ms and ${stages.cpuMsPerHeight.toFixed(2)} CPU ms each`,
  );
  for (const { name, ms } of stages.steps) console.log(`${name.padEnd(44)} ${ms.toFixed(3)} ms`);
  for (const { name, times, ms } of stages.parts) {
    console.log(`  ${name.padEnd(42)} ${ms.toFixed(3)} ms in ${times.toFixed(1)} times`);
  }
} finally {
  await network.free();
}

/** Sample lines by name and labels; labels that are the same on all of a node's series are left out. */
async function scrape(port: number): Promise<Scrape> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
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
