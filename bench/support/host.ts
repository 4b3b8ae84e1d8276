/** One node in a process of its own, for benchmarks: config as JSON in argv, a line of figures every N heights. */
import { enableCompileCache } from "node:module";
import type { NodeConfig } from "@quorate/node";

// As the command does: a start from sources compiles them, and holds the compiler in memory, only the first time.
enableCompileCache();
const { createLogger, createNode, setUpOwnProcess } = await import("@quorate/node");
setUpOwnProcess();

const [configText, everyText] = process.argv.slice(2);
const config = JSON.parse(configText ?? "null") as NodeConfig;
const every = Number(everyText ?? 100);
const log = createLogger({
  level: "warn",
  format: "human",
  write: (line) => process.stderr.write(`${config.moniker} ${line}\n`),
  now: Date.now,
});

/** What the parent measures with; `atMs` is the wall clock, equal for all processes of one machine. */
export interface Sample {
  readonly height: number;
  readonly atMs: number;
  readonly cpuMs: number;
  readonly rssMb: number;
  readonly round: number;
}

const node = await createNode(config, {
  log,
  onCommit: ({ height, round }) => {
    if (height % every !== 0) return;
    const { user, system } = process.cpuUsage();
    const sample: Sample = {
      height,
      atMs: performance.timeOrigin + performance.now(),
      cpuMs: (user + system) / 1000,
      rssMb: process.memoryUsage.rss() / 2 ** 20,
      round,
    };
    process.send?.(sample);
  },
});
const stop = (): void => {
  node.stop().then(
    ({ code }) => process.exit(code),
    () => process.exit(1),
  );
};
process.once("SIGTERM", stop);
process.once("disconnect", stop);
