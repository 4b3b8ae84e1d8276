/** A run over the world, in lines for a person. */
import type { Spread, WanResult } from "./run.ts";

const kb = (bytes: number): string => `${(bytes / 1000).toFixed(1)} kB`;
const ms = (value: number): string => `${value.toFixed(value < 100 ? 1 : 0)} ms`;

function line(name: string, spread: Spread, text: (value: number) => string, what: string): string {
  const columns = [spread.p50, spread.p95, spread.mean].map((value) => text(value).padStart(12)).join("");
  return `  ${name.padEnd(18)}${columns}   ${what}`;
}

export function wanText(result: Omit<WanResult, "trace">): string {
  const { validators, heights, regions, megabits, ways } = result;
  const way = (name: keyof typeof ways): string =>
    `${name.replace("_", " ")} ${ways[name].messages.toFixed(0)} (${kb(ways[name].bytes)})`;
  const block = result.block_bytes === 0 ? "empty blocks" : `blocks of ${kb(result.block_bytes)}`;
  const rounds =
    result.later_rounds === 0
      ? "every height in round 0"
      : `${result.later_rounds} of ${heights} heights needed more than round 0`;
  return [
    `seed ${result.seed}: ${result.verdict}, ${validators} validators in ${regions.length} regions, ${heights} heights, ${block}, ${megabits} Mbit/s each; ${rounds}`,
    `  ${"".padEnd(18)}${["p50", "p95", "mean"].map((name) => name.padStart(12)).join("")}`,
    line("finality", result.finality_ms, ms, "proposer's start of a block to its commit, per node"),
    line("finality of +2/3", result.quorum_ms, ms, "the same, until more than two thirds have committed it"),
    line("height to height", result.interval_ms, ms, "commit to next commit, per node; no block interval"),
    line("messages", result.messages, (n) => n.toFixed(0), "sent per height and node"),
    line("bytes", result.bytes_sent, kb, "sent per height and node, without headers of the wire"),
    `    of these, mean: ${(["direct", "gossip", "round_state", "repair", "body"] as const).map(way).join(", ")}`,
    line("CPU", result.cpu_ms, ms, "per height and node, main thread"),
    line("CPU of workers", result.workers_ms, ms, "per height and node, signatures in batches"),
    `  costs: ${result.machine} (bench/results/costs.json); latencies: simulator/src/wan/regions.ts`,
    `  replay: ${result.replay}`,
    "",
  ].join("\n");
}
