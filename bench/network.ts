/**
 * A local network of real processes with real execution clients: `npm run bench:network -- [--el embedded|geth|PATH]
 * [--heights 120] [--load 20] [--block-interval 1000] [--json]`.
 * From the proposal's time t to the commit on all nodes (p50, p95), how much of it the EL's calls take, send-to-commit
 * latency, decided tx/s, memory per process, event-loop lag. Medians of one run on one machine; nothing absolute.
 */
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { optionsOf } from "./support/options.ts";

const values = optionsOf("bench:network", {
  el: { type: "string", default: "embedded" },
  heights: { type: "string", default: "120" },
  load: { type: "string", default: "20" },
  "block-interval": { type: "string", default: "1000" },
  json: { type: "boolean", default: false },
});

interface Endpoints {
  readonly name: string;
  readonly pid: number;
  readonly el_pid: number;
  readonly metrics: string;
}
interface Commit {
  readonly event: "commit";
  readonly node: string;
  readonly height: number;
  readonly txs: number;
  readonly ms: number;
  readonly time: string;
}

type Event =
  | Commit
  | { readonly event: "ready"; readonly nodes: readonly Endpoints[] }
  | { readonly event: "done"; readonly latency_ms: unknown; readonly interval_ms: unknown }
  | { readonly event: "node" };

const home = await mkdtemp(join(tmpdir(), "quorate-bench-"));
const cli = new URL("../packages/cli/src/main.ts", import.meta.url).pathname;
const flags = ["--el", values.el, "--heights", values.heights, "--load", values.load];
const child = spawn(
  process.execPath,
  [
    ...[...process.execArgv, cli, "testnet", "--home", home, "--json", "--log-level", "warn"],
    ...[...flags, "--block-interval", values["block-interval"], "--base-port", String(await freeBase())],
  ],
  { stdio: ["ignore", "pipe", "inherit"] },
);
let nodes: readonly Endpoints[] = [];
const commits: Commit[] = [];
const done: Extract<Event, { event: "done" }>[] = [];
const last = Number(values.heights) - 3;
let scraped: Promise<readonly NodeFigures[]> | null = null;
for await (const line of createInterface({ input: child.stdout })) {
  const event = JSON.parse(line) as Event;
  if (event.event === "ready") nodes = event.nodes;
  if (event.event === "done") done.push(event);
  if (event.event !== "commit") continue;
  commits.push(event);
  if (event.height >= last) scraped ??= Promise.all(nodes.map(figures));
}
const code = await new Promise<number | null>((resolve) => {
  if (child.exitCode === null) child.once("exit", resolve);
  else resolve(child.exitCode);
});
await rm(home, { recursive: true, force: true });

const byHeight = Map.groupBy(commits, ({ height }) => height);
const complete = [...byHeight.values()].filter((list) => list.length === nodes.length && list[0]!.height > 5);
const toAll = complete.map((list) => Math.max(...list.map(({ ms }) => ms)));
const spanS =
  (Date.parse(complete.at(-1)?.[0]?.time ?? "") - Date.parse(complete[0]?.[0]?.time ?? "")) / 1000;
const txs = complete.reduce((sum, list) => sum + list[0]!.txs, 0);
const seen = (await scraped) ?? [];
const result = {
  el: values.el,
  heights: complete.length,
  commit_on_all_ms: { p50: quantile(toAll, 0.5), p95: quantile(toAll, 0.95) },
  el_ms_per_height_and_node: round(median(seen.map(({ elMs }) => elMs))),
  send_to_commit_ms: done[0]?.latency_ms ?? null,
  interval_ms: done[0]?.interval_ms ?? null,
  decided_tx_per_s: round(txs / spanS),
  rss_mb: {
    validator: round(median(seen.map(({ rssMb }) => rssMb))),
    el: round(median(seen.map(({ elRssMb }) => elRssMb))),
  },
  event_loop_lag_p99_ms: round(median(seen.map(({ lagMs }) => lagMs))),
};
console.log(
  values.json
    ? JSON.stringify(result)
    : Object.entries(result)
        .map(
          ([key, value]) => `${key.padEnd(28)} ${typeof value === "object" ? JSON.stringify(value) : value}`,
        )
        .join("\n"),
);
process.exitCode = code ?? 1;

interface NodeFigures {
  readonly elMs: number;
  readonly rssMb: number;
  readonly elRssMb: number;
  readonly lagMs: number;
}

/** EL time per height, memory and event-loop lag of one node, from its own metrics and /proc. */
async function figures(node: Endpoints): Promise<NodeFigures> {
  const text = await (
    await fetch(node.metrics.endsWith("/metrics") ? node.metrics : `${node.metrics}/metrics`)
  ).text();
  const sum = (name: string, filter: RegExp): number =>
    text
      .split("\n")
      .filter((line) => line.startsWith(name) && filter.test(line))
      .reduce((total, line) => total + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
  const height = sum("cometbft_consensus_latest_block_height", /./);
  const elSeconds = sum("quorate_el_call_seconds_sum", /engine_(newPayload|forkchoiceUpdated|getPayload)/);
  return {
    elMs: (elSeconds * 1000) / height,
    rssMb: await rss(node.pid),
    elRssMb: await rss(node.el_pid),
    lagMs: sum("quorate_event_loop_lag_seconds", /statistic="p99"/) * 1000,
  };
}

async function rss(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? Number.NaN) / 1024;
}

/** A base from which the network's ports are probably free: the network itself refuses a taken one by name. */
async function freeBase(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? Math.min(address.port, 60_000) : 26_600;
}

function quantile(list: readonly number[], q: number): number {
  const sorted = [...list].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN;
}
function median(list: readonly number[]): number {
  return quantile(list.filter(Number.isFinite), 0.5);
}
function round(value: number): number {
  return Math.round(value * 100) / 100;
}
