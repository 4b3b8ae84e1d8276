/**
 * Where the time of one height goes: `npm run bench:stages -- [--seconds 20] [--no-write]`. Four validators without
 * execution client, empty blocks, from height 1,000 on; what their own metrics add up to over a window. Writes bench/results/stages.json.
 */
import { writeDocument } from "./report/write.ts";
import { optionsOf } from "./support/options.ts";
import { cpuSeconds } from "./support/processes.ts";
import { environment, writeResults } from "./support/results.ts";
import { scrape, stagesBetween } from "./support/scrape.ts";
import type { Stages } from "./support/stages.ts";
import { makeQuorate } from "./vs-cometbft/quorate.ts";
import { heightOf, pause, reached } from "./vs-cometbft/rpc.ts";

const values = optionsOf("bench:stages", {
  seconds: { type: "string", default: "20" },
  "no-write": { type: "boolean", default: false },
});

const network = await makeQuorate({ validators: 4 });
try {
  await network.start(120_000);
  // As for P1: what a young process compiles is not what a height costs.
  await reached(network.rpcPort(0), 1_000, 120_000, 250);
  const indexes = [0, 1, 2, 3];
  const read = async () => ({
    height: await heightOf(network.rpcPort(0)),
    at: performance.now(),
    cpu: cpuSeconds(network.pids()),
    scrapes: await Promise.all(
      indexes.map((index) => scrape(`http://127.0.0.1:${network.metricsPort(index)}`)),
    ),
  });
  const from = await read();
  await pause(Number(values.seconds) * 1000);
  const to = await read();
  const heights = to.height - from.height;
  if (heights < 20) throw new Error(`only ${heights} heights in ${values.seconds} s: too few for a picture`);
  const stages: Stages = {
    on: environment(),
    heights,
    msPerHeight: (to.at - from.at) / heights,
    cpuMsPerHeight: ((to.cpu - from.cpu) * 1000) / heights,
    ...stagesBetween(from.scrapes, to.scrapes, heights),
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
