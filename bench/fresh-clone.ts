/**
 * From nothing to height 10: clones this repository's HEAD into an empty folder, with an empty npm cache, and runs
 * `npm run testnet`. `npm run bench:fresh-clone -- [--heights 10]`. Seconds, split into clone, install, start, heights.
 */
import { execFileSync, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { optionsOf } from "./support/options.ts";

const values = optionsOf("bench:fresh-clone", {
  heights: { type: "string", default: "10" },
  "base-port": { type: "string", default: "27900" },
});
const root = join(import.meta.dirname, "..");
const dir = await mkdtemp(join(tmpdir(), "quorate-fresh-"));
const clone = join(dir, "clone");
const began = performance.now();
execFileSync("git", ["clone", "--quiet", root, clone], { stdio: "inherit" });
const cloned = performance.now();
const child = spawn(
  "npm",
  ["run", "-s", "testnet", "--", "--json", "--heights", values.heights, "--base-port", values["base-port"]],
  {
    cwd: clone,
    env: { ...process.env, npm_config_cache: join(dir, "npm-cache") },
    stdio: ["ignore", "pipe", "pipe"],
  },
);
let installed = cloned;
let ready = Number.NaN;
let first = Number.NaN;
createInterface({ input: child.stderr }).on("line", (line) => {
  process.stderr.write(`${line}\n`);
  if (line.startsWith("set-up: installed")) installed = performance.now();
});
createInterface({ input: child.stdout }).on("line", (line) => {
  const { event } = JSON.parse(line) as { readonly event: string };
  if (event === "ready") ready = performance.now();
  if (event === "commit" && Number.isNaN(first)) first = performance.now();
});
const code = await new Promise<number | null>((resolve) => child.once("exit", resolve));
const ended = performance.now();
const seconds = (from: number, to: number): string => ((to - from) / 1000).toFixed(1);
console.log(`clone    ${seconds(began, cloned)} s`);
console.log(`install  ${seconds(cloned, installed)} s`);
console.log(`start    ${seconds(installed, ready)} s   (to every node ready)`);
console.log(
  `heights  ${seconds(ready, ended)} s   (to height ${values.heights} on every node, and the clean end)`,
);
console.log(`in all   ${seconds(began, ended)} s`);
await rm(dir, { recursive: true, force: true });
process.exitCode = code ?? 1;
