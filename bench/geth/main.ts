/**
 * With Geth: `npm run bench:geth -- [--only P5,P6,P7] [--txs 20000] [--json] [--no-write]`. P5: commit latency beyond
 * Geth's own engine time; P6: transfers per second against the same Geths driven by a bare stub that only calls the
 * Engine API; P7: replay into a wiped client against what that Geth takes by itself. Writes bench/results/geth.json;
 * exit 1 with the reason when Geth cannot be had, a figure cannot be taken, or a goal is missed.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { buildGeth, ExecutionError, findGeth } from "@quorate/execution";
import { homePaths } from "@quorate/node";
import { writeDocument } from "../report/write.ts";
import { type Comparison, shortfalls, tableOf } from "../support/comparison.ts";
import { quantile } from "../support/measure.ts";
import { environment, mergeComparisons } from "../support/results.ts";
import { pause } from "../vs-cometbft/rpc.ts";
import { type Block, type Endpoint, readBlocks } from "./engine.ts";
import { FIGURES, type FigureId } from "./figures.ts";
import { startGeths } from "./geths.ts";
import { type Commit, endpointOf, startTestnet, type Testnet } from "./ours.ts";
import { drive, replay, type Slot } from "./stub.ts";
import { feed, signTransfers } from "./transfers.ts";

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    txs: { type: "string", default: "20000" },
    json: { type: "boolean", default: false },
    "no-write": { type: "boolean", default: false },
  },
});
const GAS_LIMIT = 60_000_000;
const INTERVAL_MS = 1_000;
const NODES = 4;
/** Pending transfers per client: more than a block holds. */
const LEVEL = 3_000;
/** Heights of the latency, and those before it that do not count. */
const LATENCY_HEIGHTS = 30;
const WARM_HEIGHTS = 5;
const PHASE_MS = 240_000;

const progress = (line: string): void => {
  process.stderr.write(`${line}\n`);
};
const wanted = values.only?.split(",") ?? Object.keys(FIGURES);
const transfersWanted = Number(values.txs);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

const binary = await geth();
const dir = await mkdtemp(join(tmpdir(), "quorate-bench-geth-"));
const results = new Map<FigureId, { ours: Outcome; theirs: Outcome }>();
try {
  await measure();
} finally {
  await rm(dir, { recursive: true, force: true });
}
const comparisons = [...results].map(([id, { ours, theirs }]): Comparison => {
  const { title, opponent, rows } = FIGURES[id];
  return {
    id,
    title,
    opponent,
    rows,
    full: false,
    on: environment(),
    ours: takenOf(ours),
    theirs: takenOf(theirs),
  };
});
if (!values["no-write"]) {
  await mergeComparisons("geth", comparisons);
  await writeDocument();
}
console.log(values.json ? JSON.stringify({ comparisons }) : tableOf(comparisons));
const missed = shortfalls(comparisons);
for (const what of missed) progress(`missed: ${what}`);
process.exit(missed.length === 0 && comparisons.length > 0 ? 0 : 1);

type Outcome = Readonly<Record<string, number>> | Error;

function takenOf(outcome: Outcome): Comparison["ours"] {
  return outcome instanceof Error
    ? { samples: [], failures: [outcome.message] }
    : { samples: [outcome], failures: [] };
}

async function attempt(work: () => Promise<Readonly<Record<string, number>>>): Promise<Outcome> {
  try {
    return await work();
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

async function geth(): Promise<string> {
  try {
    const options = { env: process.env, progress, signal: new AbortController().signal };
    return ((await findGeth(process.env)) ?? (await buildGeth(options))).path;
  } catch (error) {
    if (!(error instanceof ExecutionError)) throw error;
    progress(`Geth cannot be had: ${error.message}`);
    process.exit(1);
  }
}

/** One network of ours for all three figures, then the same Geths without it. */
async function measure(): Promise<void> {
  const home = join(dir, "network");
  const fresh = { gasLimit: GAS_LIMIT, intervalMs: INTERVAL_MS };
  progress("starting four validators, each with a Geth of its own");
  const testnet = await startTestnet({ home, geth: binary, fresh, load: 20 });
  const { nodes, accounts, evm_chain_id: chainId } = testnet.ready;
  const genesis = homePaths(nodes[0]?.home ?? home).elGenesis;
  let transfers: readonly (readonly string[])[] = [];
  let blocks: readonly Block[] = [];
  let replayed: Outcome = new Error("not measured");
  try {
    if (wanted.includes("P5")) {
      const ours = await attempt(() => latency(testnet));
      const engine = ours instanceof Error ? ours : { latency: ours["engine"] ?? Number.NaN };
      results.set("P5", { ours, theirs: engine });
      progress(`P5: ${shown(ours)}`);
    }
    if (wanted.includes("P6") || wanted.includes("P7")) {
      const keys = accounts.map(({ private_key: key }) => key);
      transfers = await signTransfers(keys, chainId, Math.ceil(transfersWanted / keys.length));
      progress(`signed ${transfers.flat().length} transfers`);
      const ours = await attempt(() => throughput(testnet, transfers));
      results.set("P6", { ours, theirs: new Error("not measured") });
      progress(`P6 quorate: ${shown(ours)}`);
    }
    if (wanted.includes("P7")) {
      const last = Math.max(0, ...testnet.commits.map(({ height }) => height));
      const source = nodes[1] === undefined ? null : await endpointOf(nodes[1]);
      if (source !== null) blocks = await readBlocks(source, 1, last - 1);
    }
  } finally {
    await testnet.stop();
  }
  if (wanted.includes("P7")) {
    replayed = await attempt(() => replayOfOurs(home, blocks.length));
    progress(`P7 quorate: ${shown(replayed)}`);
  }
  const stub = { binary, dir: join(dir, "stub"), chainId, gasLimit: GAS_LIMIT, genesis };
  const before = results.get("P6");
  if (before !== undefined) {
    const theirs = await attempt(() => throughputOfStub(stub, transfers));
    results.set("P6", { ...before, theirs });
    progress(`P6 stub: ${shown(theirs)}`);
  }
  if (wanted.includes("P7")) {
    const from = replayed instanceof Error ? 1 : (replayed["from"] ?? 1);
    const theirs = await attempt(() => replayOfStub({ ...stub, dir: join(dir, "replay") }, blocks, from));
    results.set("P7", { ours: replayed, theirs });
    progress(`P7 Geth: ${shown(theirs)}`);
  }
}

function shown(outcome: Outcome): string {
  return outcome instanceof Error ? outcome.message : JSON.stringify(outcome);
}

/** p50 over heights of the commit on the last node, less getPayload, the builder's newPayload and the others'. */
async function latency({ ready, commits, until }: Testnet): Promise<Readonly<Record<string, number>>> {
  const everywhere = (height: number): boolean =>
    commits.filter((commit) => commit.height === height).length >= ready.nodes.length;
  await until(() => everywhere(WARM_HEIGHTS), PHASE_MS, "the first heights");
  const before = await Promise.all(ready.nodes.map(({ metrics }) => engineCalls(metrics)));
  await until(() => everywhere(WARM_HEIGHTS + LATENCY_HEIGHTS), PHASE_MS, "the heights of the latency");
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
  const engine = meanMs(/getPayload/) + 2 * meanMs(/newPayload/);
  const byHeight = Map.groupBy(
    commits.filter(({ height }) => height > WARM_HEIGHTS && height <= WARM_HEIGHTS + LATENCY_HEIGHTS),
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

/** From the block before the first that holds a good part of the transfers to the one with which 95 % are decided. */
function rate(slots: readonly Slot[], total: number): Readonly<Record<string, number>> {
  const first = slots.findIndex(({ txs }) => txs >= 200);
  const from = slots[Math.max(0, first - 1)];
  let all = 0;
  let counted = 0;
  for (const [index, slot] of slots.entries()) {
    all += slot.txs;
    if (index < first || first < 0) continue;
    counted += slot.txs;
    if (all < total * 0.95) continue;
    const seconds = (slot.atMs - (from?.atMs ?? Number.NaN)) / 1000;
    return { txs_per_s: counted / seconds, seconds, txs: counted };
  }
  throw new Error(`only ${all} of ${total} transfers were decided, or never 200 in a block`);
}

async function throughput(
  { ready, commits, until }: Testnet,
  transfers: readonly (readonly string[])[],
): Promise<Readonly<Record<string, number>>> {
  const total = transfers.flat().length;
  const [first] = ready.nodes;
  const start = commits.length;
  const slots = (): readonly Slot[] => commits.slice(start).filter(({ node }) => node === first?.name);
  const enough = (): boolean => slots().reduce((sum, { txs }) => sum + txs, 0) >= total;
  const stopped = new AbortController();
  const urls = ready.nodes.map(({ eth_rpc: url }) => url);
  const feeding = feed(urls, transfers, LEVEL, stopped.signal);
  feeding.catch(() => undefined);
  try {
    await until(enough, PHASE_MS, `${total} transfers decided`);
  } finally {
    stopped.abort();
  }
  await feeding;
  return rate(slots(), total);
}

type StubOptions = Omit<Parameters<typeof startGeths>[0], "count">;

async function throughputOfStub(
  options: StubOptions,
  transfers: readonly (readonly string[])[],
): Promise<Readonly<Record<string, number>>> {
  const geths = await startGeths({ ...options, count: NODES });
  const stopped = new AbortController();
  try {
    const total = transfers.flat().length;
    const urls = geths.endpoints.map(({ eth }) => eth);
    const feeding = feed(urls, transfers, LEVEL, stopped.signal);
    feeding.catch(() => undefined);
    const slots: Slot[] = [];
    const end = performance.now() + PHASE_MS;
    let sum = 0;
    await drive(geths.endpoints, INTERVAL_MS, (slot) => {
      slots.push(slot);
      sum += slot.txs;
      return sum < total && performance.now() < end;
    });
    stopped.abort();
    await feeding;
    return rate(slots, total);
  } finally {
    stopped.abort();
    await geths.stop();
  }
}

/** The network goes on in its home; the first node's client begins from nothing. */
async function replayOfOurs(home: string, last: number): Promise<Readonly<Record<string, number>>> {
  await rm(join(homePaths(join(home, "node0")).data, "geth"), { recursive: true, force: true });
  const testnet = startTestnet({ home, geth: binary, fresh: null, load: 0 });
  const manifest = JSON.parse(await readFile(join(home, "network.json"), "utf8")) as {
    readonly base_port: number;
  };
  const metrics = `http://127.0.0.1:${manifest.base_port + 2}`;
  try {
    let from = 0;
    let fromAt = 0;
    for (const end = performance.now() + PHASE_MS; performance.now() < end; await pause(10)) {
      const executed = await payloadsExecuted(metrics);
      if (executed >= 1 && from === 0) {
        from = executed;
        fromAt = performance.now();
      }
      if (executed >= last) {
        const seconds = (performance.now() - fromAt) / 1000;
        return { blocks_per_s: (last - from) / seconds, seconds, from };
      }
    }
    throw new Error(`the client was not at block ${last} within ${PHASE_MS / 1000} s`);
  } finally {
    await (await testnet).stop();
  }
}

/** newPayload calls that ended well; 0 while the node does not answer. */
async function payloadsExecuted(metrics: string): Promise<number> {
  try {
    const calls = [...(await engineCalls(metrics))];
    return calls.find(([method]) => method.includes("newPayload"))?.[1].count ?? 0;
  } catch {
    // It is starting: the caller's limit ends the wait.
    return 0;
  }
}

async function replayOfStub(
  options: StubOptions,
  blocks: readonly Block[],
  from: number,
): Promise<Readonly<Record<string, number>>> {
  const geths = await startGeths({ ...options, count: 1 });
  try {
    const taken = await replay(geths.endpoints[0] as Endpoint, blocks);
    const seconds = ((taken.at(-1) ?? Number.NaN) - (taken[from - 1] ?? Number.NaN)) / 1000;
    return { blocks_per_s: (blocks.length - from) / seconds, seconds, from };
  } finally {
    await geths.stop();
  }
}
