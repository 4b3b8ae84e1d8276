/**
 * Every figure of docs/performance.md, one command after the other: `npm run bench:all -- [--full]`. A missed goal does not
 * keep the rest from being measured. Exit 1 when any command ended with another code than 0, naming it.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { optionsOf } from "./support/options.ts";

const values = optionsOf("bench:all", { full: { type: "boolean", default: false } });
const commands: readonly (readonly [file: string, ...args: string[]])[] = [
  ["stages.ts"],
  ["verify.ts"],
  ["vs-cometbft/main.ts", ...(values.full ? ["--full"] : [])],
  ["geth/main.ts"],
];
const failed: string[] = [];
for (const [file, ...args] of commands) {
  process.stderr.write(`\n${file} ${args.join(" ")}\n`);
  const { status } = spawnSync(
    process.execPath,
    [...process.execArgv, join(import.meta.dirname, file), ...args],
    { stdio: "inherit" },
  );
  if (status !== 0) failed.push(file);
}
if (failed.length > 0) {
  process.stderr.write(`\na goal was missed or a figure could not be taken in: ${failed.join(", ")}\n`);
  process.exitCode = 1;
}
