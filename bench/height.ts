/**
 * ms and CPU ms per height: validator processes without EL, empty blocks, block_interval 0, durable WAL, sign state and
 * store. `npm run bench:height -- [--validators 4] [--heights 2000] [--warmup 500] [--windows 5]`.
 * Prints the median over windows; the machine is shared, so quote medians and ratios of one run only.
 */
import { type ChildProcess, fork } from "node:child_process";
import { makeNetwork } from "../packages/node/test/support/homes.ts";
import type { Sample } from "./support/host.ts";
import { optionsOf } from "./support/options.ts";
import { NODE_FLAGS, NODE_VARIABLES } from "./vs-cometbft/quorate.ts";

const values = optionsOf("bench:height", {
  validators: { type: "string", default: "4" },
  heights: { type: "string", default: "2000" },
  warmup: { type: "string", default: "500" },
  windows: { type: "string", default: "5" },
  timeout: { type: "string", default: "300" },
  profile: { type: "string" },
  json: { type: "boolean", default: false },
});
const validators = Number(values.validators);
const windows = Number(values.windows);
const every = Math.max(1, Math.floor(Number(values.heights) / windows));
const warmup = Math.ceil(Number(values.warmup) / every) * every;

const network = await makeNetwork(validators, 0);
const children: ChildProcess[] = [];
const samples = network.configs.map((): Sample[] => []);
const done = Promise.withResolvers<void>();
const deadline = setTimeout(() => done.resolve(), Number(values.timeout) * 1000);

network.configs.forEach(({ voteTrace: _untraced, ...config }, index) => {
  const profile =
    index === 0 && values.profile !== undefined ? ["--cpu-prof", `--cpu-prof-dir=${values.profile}`] : [];
  const child = fork(new URL("./support/host.ts", import.meta.url), [JSON.stringify(config), String(every)], {
    execArgv: [...process.execArgv, ...NODE_FLAGS, ...profile],
    env: { ...NODE_VARIABLES, ...process.env },
  });
  child.on("message", (sample: Sample) => {
    samples[index]?.push(sample);
    if (samples.every((list) => (list.at(-1)?.height ?? 0) >= warmup + every * windows)) done.resolve();
  });
  children.push(child);
});

await done.promise;
clearTimeout(deadline);
await Promise.all(
  children.map((child) => {
    const exited = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    return exited;
  }),
);
await network.free();

const at = (list: readonly Sample[], height: number): Sample | undefined =>
  list.find((s) => s.height === height);
const median = (list: readonly number[]): number =>
  [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)] ?? Number.NaN;
const perWindow = Array.from({ length: windows }, (_, i) => {
  const from = warmup + every * i;
  const pairs = samples.flatMap((list) => {
    const [a, b] = [at(list, from), at(list, from + every)];
    return a === undefined || b === undefined ? [] : [{ a, b }];
  });
  const wall = median(pairs.map(({ a, b }) => (b.atMs - a.atMs) / every));
  const cpu = pairs.reduce((sum, { a, b }) => sum + (b.cpuMs - a.cpuMs) / every, 0);
  return { wall, cpu };
}).filter(({ wall }) => Number.isFinite(wall));
const rss = median(samples.map((list) => list.at(-1)?.rssMb ?? Number.NaN));
const result = {
  validators,
  heights: warmup + every * perWindow.length,
  ms_per_height: round(median(perWindow.map(({ wall }) => wall))),
  ms_per_height_windows: perWindow.map(({ wall }) => round(wall)),
  cpu_ms_per_height_all: round(median(perWindow.map(({ cpu }) => cpu))),
  rss_mb_per_node: round(rss),
};
function round(value: number): number {
  return Math.round(value * 100) / 100;
}
console.log(
  values.json
    ? JSON.stringify(result)
    : Object.entries(result)
        .map(([key, value]) => `${key.padEnd(24)} ${Array.isArray(value) ? value.join(" ") : value}`)
        .join("\n"),
);
if (perWindow.length < windows) process.exitCode = 10;
