/**
 * With Geth: `npm run bench:geth -- [--only P5,P6,P7] [--validators 4] [--txs 20000] [--blocks 500] [--json]
 * [--no-write]`. P5: commit latency
 * beyond Geth's own engine time; P6: transfers per second against the same Geths driven by a bare stub that only calls the
 * Engine API; P7: replay into a wiped client against what that Geth takes by itself. Writes bench/results/geth.json;
 * exit 1 with the reason when Geth cannot be had, a figure cannot be taken, or a goal is missed.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildGeth, ExecutionError, findGeth } from "@quorate/execution";
import { homePaths } from "@quorate/node";
import { writeDocument } from "../report/write.ts";
import { type Comparison, type Metrics, shortfalls, tableOf } from "../support/comparison.ts";
import { optionsOf } from "../support/options.ts";
import { environment, mergeComparisons } from "../support/results.ts";
import { FIGURES, type FigureId } from "./figures.ts";
import { latency } from "./latency.ts";
import { startTestnet, type Testnet } from "./ours.ts";
import { makeChain, ofOurs, ofStub, replayed } from "./replay.ts";
import { throughput, throughputOfStub } from "./throughput.ts";
import { signTransfers, trickle } from "./transfers.ts";

const values = optionsOf("bench:geth", {
  only: { type: "string" },
  txs: { type: "string", default: "20000" },
  blocks: { type: "string", default: "500" },
  validators: { type: "string", default: "4" },
  json: { type: "boolean", default: false },
  "no-write": { type: "boolean", default: false },
});
/** So much that four clients on two cores execute a block well within timeout_propose. */
const GAS_LIMIT = 15_000_000;
/** The latency is taken at an interval that the clients' build window (300 ms) fits into. */
const INTERVAL_MS = { P5: 500, P6: 250 } as const;
const PHASE_MS = 240_000;
/** Transfers per second while the latency is taken, and for how many seconds there are some. */
const TRICKLE = 20;
const TRICKLE_S = 150;
/** Of the replay, on each side. */
const REPLAYS = 3;

const progress = (line: string): void => {
  process.stderr.write(`${line}\n`);
};
const wanted = values.only?.split(",") ?? Object.keys(FIGURES);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

const binary = await geth();
const dir = await mkdtemp(join(tmpdir(), "quorate-bench-geth-"));
interface Samples {
  readonly samples: Metrics[];
  readonly failures: string[];
}
const taken = new Map<FigureId, { readonly ours: Samples; readonly theirs: Samples }>();
try {
  for (const id of ["P5", "P6"] as const) if (wanted.includes(id)) await measureNetwork(id);
  if (wanted.includes("P7")) await measureReplay();
} catch (error) {
  progress(`a figure could not be taken: ${error instanceof Error ? error.message : String(error)}`);
} finally {
  await rm(dir, { recursive: true, force: true });
}
const comparisons = [...taken].map(([id, { ours, theirs }]): Comparison => {
  const { title, opponent, rows } = FIGURES[id];
  return { id, title, opponent, rows, full: false, on: environment(), ours, theirs };
});
if (!values["no-write"]) {
  await mergeComparisons("geth", comparisons);
  await writeDocument();
}
console.log(values.json ? JSON.stringify({ comparisons }) : tableOf(comparisons));
const missed = shortfalls(comparisons);
for (const what of missed) progress(`missed: ${what}`);
const absent = wanted.filter((id) => !comparisons.some((each) => each.id === id));
for (const id of absent) progress(`missed: ${id}: not taken`);
process.exit(missed.length === 0 && absent.length === 0 ? 0 : 1);

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

function take(id: FigureId, side: "ours" | "theirs", outcome: Metrics | Error): void {
  const none = (): Samples => ({ samples: [], failures: [] });
  const entry = taken.get(id) ?? { ours: none(), theirs: none() };
  taken.set(id, entry);
  const { samples, failures } = entry[side];
  if (outcome instanceof Error) failures.push(outcome.message);
  else samples.push(outcome);
  const what = outcome instanceof Error ? outcome.message : JSON.stringify(outcome);
  progress(`${id} ${side === "ours" ? "quorate" : FIGURES[id].opponent}: ${what}`);
}

async function attempt(work: () => Promise<Metrics>): Promise<Metrics | Error> {
  try {
    return await work();
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** A network of ours for the latency; for the throughput another one, then the same Geths without it. */
async function measureNetwork(id: "P5" | "P6"): Promise<void> {
  const validators = Number(values.validators);
  const home = join(dir, `network-${id}`);
  const common = { gasLimit: GAS_LIMIT, intervalMs: INTERVAL_MS[id] };
  progress(`starting ${validators} validators, each with a Geth of its own`);
  const testnet = await startTestnet({ home, geth: binary, validators, ...common, load: 0 });
  const { nodes, accounts, evm_chain_id: chainId } = testnet.ready;
  const keys = accounts.map(({ private_key: key }) => key);
  const count = id === "P6" ? Number(values.txs) : TRICKLE * TRICKLE_S;
  let signed: readonly (readonly string[])[] = [];
  try {
    signed = await signTransfers(keys, chainId, Math.ceil(count / keys.length));
    progress(`signed ${signed.flat().length} transfers`);
    if (id === "P5") return await measureLatency(testnet, signed);
    take("P6", "ours", await attempt(() => throughput(testnet, signed, PHASE_MS)));
  } finally {
    await testnet.stop();
  }
  const genesis = homePaths(nodes[0]?.home ?? home).elGenesis;
  const stub = { binary, dir: join(dir, "stub"), chainId, gasLimit: GAS_LIMIT, genesis, count: validators };
  take("P6", "theirs", await attempt(() => throughputOfStub(stub, signed, INTERVAL_MS.P6, PHASE_MS)));
}

async function measureLatency(testnet: Testnet, signed: readonly (readonly string[])[]): Promise<void> {
  const stopped = new AbortController();
  const urls = testnet.ready.nodes.map(({ eth_rpc: url }) => url);
  const trickling = trickle(urls, signed, TRICKLE, stopped.signal);
  // Awaited below, when the latency has been taken.
  trickling.catch(() => undefined);
  const outcome = await attempt(() => latency(testnet, PHASE_MS));
  stopped.abort();
  await trickling;
  take("P5", "ours", outcome);
  if (!(outcome instanceof Error)) take("P5", "theirs", { latency: outcome["engine"] ?? Number.NaN });
}

/** The sides take turns, in the other order every second time. */
async function measureReplay(): Promise<void> {
  progress("one validator makes a chain to replay");
  const blocks = Number(values.blocks);
  const made = { home: join(dir, "chain"), geth: binary, gasLimit: GAS_LIMIT, blocks, limitMs: PHASE_MS };
  const chain = await makeChain(made);
  for (let repetition = 0; repetition < REPLAYS; repetition++) {
    const sides = [
      ["ours", ofOurs(chain)],
      ["theirs", ofStub(chain)],
    ] as const;
    for (const [side, feed] of repetition % 2 === 0 ? sides : sides.toReversed()) {
      const options = { binary, dir, gasLimit: GAS_LIMIT };
      take("P7", side, await attempt(() => replayed(feed, chain, options, PHASE_MS)));
    }
  }
}
