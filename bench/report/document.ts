/** docs/performance.md and its plots, made from bench/results alone. */
import { COLUMNS, type Comparison, cellsOf, linesOf, shortfalls } from "../support/comparison.ts";
import { median } from "../support/measure.ts";
import type { Comparisons, Environment } from "../support/results.ts";
import type { Stages } from "../support/stages.ts";
import {
  loopRows,
  missedVerification,
  type Verification,
  verificationRows,
} from "../support/verification.ts";
import { comparisonPlot, stagesPlot } from "./svg.ts";

export interface Results {
  readonly cometbft: Comparisons | null;
  readonly geth: Comparisons | null;
  readonly stages: Stages | null;
  readonly verify: Verification | null;
}

/** Path below docs/ -> content. */
export function documentFiles(results: Results): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  const sections = [
    INTRODUCTION,
    comparisonSection("Beside CometBFT", "cometbft", COMETBFT, results.cometbft, files),
    comparisonSection("With Geth", "geth", GETH, results.geth, files),
    stagesSection(results.stages, files),
    verificationSection(results.verify),
    LIMITS,
  ];
  files.set("performance.md", `${sections.filter((each) => each !== "").join("\n\n")}\n`);
  return files;
}

const COMMANDS = table([
  ["command", "what it measures", "time"],
  ["`npm run bench:all`", "everything on this page, one command after the other", "about half an hour"],
  ["`npm run bench:vs-cometbft`", "the tables beside CometBFT; `--only P1,P2` for some", "below 20 minutes"],
  [
    "`npm run bench:vs-cometbft -- --full`",
    "long windows, more repetitions, memory after 10,000 heights",
    "about an hour",
  ],
  ["`npm run bench:geth`", "the tables with Geth", "about 6 minutes"],
  ["`npm run bench:stages`", "one height step by step", "half a minute"],
  ["`npm run bench:verify`", "signatures per second of each backend", "below 5 minutes"],
  [
    "`npm run bench:height`, `bench:network`, `bench:durability`, `bench:costs`, `bench:fresh-clone`",
    "single parts, printed and not kept here",
    "minutes",
  ],
]);

const INTRODUCTION = `# Performance

Written by the benchmarks themselves from \`bench/results/*.json\` (\`npm run bench:report\` writes it again without measuring
anything; a test compares the two). Figures belong to the machine that they were taken on: **only ratios taken in one run
mean something elsewhere.** Every figure is the median of its repetitions, with least and most beside it; both sides take
turns on the same machine. A missed goal is shown as missed, a repetition that gave nothing is named.

${COMMANDS}

What a height may cost in messages, bytes, signatures, syncs and allocations is held by a test of \`npm test\`
(\`packages/node/test/ceilings.json\`): counts are the same on a slow machine, times are not.`;

const COMETBFT = `CometBFT is built from its release by the Go client and runs in the fastest configuration known: no wait after a commit, no
transaction index, peer gossip every 0.5 ms, flushed every 0.1 ms, wide p2p limits, log level error; stores, log and sign
state sync as shipped; its key-value application lives inside its process, in memory. Ours are processes of the validator
without execution client, \`block_interval\` 0, every other parameter its default. Heights, blocks and transactions of both
are read from, and sent to, the RPC that both serve; CPU time and memory come from the kernel. P12 is measured against the
release that is the fastest there. Where a row names a height, both sides have decided so many before they are measured: a
validator runs for months, a young process compiles for half a minute (twice the CPU per height at first).`;

const GETH = `The same Geths twice: under our validators, and driven by a bare stub that only calls the Engine API (no consensus, no
network, no disk). P5 is the time from a proposal's own timestamp to its commit on all nodes, less what the Geths took for
the calls on that way: getPayload, and newPayload, on which the proposer's client works at the same time as the others'. For P6
each client is fed transfers of its own, which neither side spreads. For P7 a node that takes no part in consensus feeds the
chain in its store to a new Geth, and the stub feeds another the same payloads from memory; the first fifty blocks do not count.`;

const LIMITS = `## How to read a disturbed run

The JSON keeps \`otherCores\` of each window: cores that neither the measured processes nor the harness used. Above 0.2
something else ran, and the figure should be taken again. All nodes of a network share the machine's cores, so figures of
networks are bound by CPU time: CPU per height tells more than milliseconds.`;

function comparisonSection(
  title: string,
  name: string,
  how: string,
  results: Comparisons | null,
  files: Map<string, string>,
): string {
  if (results === null || results.comparisons.length === 0) {
    return `## ${title}\n\n${how}\n\nNothing has been measured yet.`;
  }
  const { comparisons } = results;
  files.set(`performance/${name}.svg`, comparisonPlot(comparisons));
  const missed = shortfalls(comparisons);
  return [
    `## ${title}`,
    how,
    `![Both sides of each figure and the goals](performance/${name}.svg)`,
    table([COLUMNS, ...comparisons.flatMap((each) => linesOf(each).map(cellsOf))]),
    list(comparisons.map(subject)),
    missed.length === 0 ? "Every goal is met." : `Missed:\n\n${list(missed)}`,
  ].join("\n\n");
}

function subject({ id, title, opponent, full, on, ours, theirs }: Comparison): string {
  const counts = `${ours.samples.length} and ${theirs.samples.length} repetitions${full ? ", long windows" : ""}`;
  return `**${id}**: ${title}; against ${opponent}; ${counts}; ${where(on)}`;
}

function stagesSection(stages: Stages | null, files: Map<string, string>): string {
  const title = "## One height, stage by stage";
  const how = `Four validators without execution client, empty blocks, \`block_interval\` 0, from the nodes' own metrics (mean of the window,
median of the nodes). A step ends where the next begins, so the steps add up to the height; the parts run inside the steps,
some beside each other.`;
  if (stages === null) return `${title}\n\n${how}\n\nNothing has been measured yet.`;
  files.set("performance/stages.svg", stagesPlot(stages));
  const steps = stages.steps.map(({ name, ms }) => [name, "", ms.toFixed(3)]);
  const parts = stages.parts.map(({ name, times, ms }) => [`… ${name}`, times.toFixed(2), ms.toFixed(3)]);
  return [
    title,
    how,
    "![The steps of one height](performance/stages.svg)",
    table([["step, and parts of the work", "times per height", "ms per height"], ...steps, ...parts]),
    `${stages.heights} heights of ${stages.msPerHeight.toFixed(2)} ms and ${stages.cpuMsPerHeight.toFixed(2)} CPU ms (all nodes); ${where(stages.on)}.`,
  ].join("\n\n");
}

const VERIFICATION = `Groups of signatures are verified as true batches by a WebAssembly module of our own (\`packages/crypto/assembly\`), built from
AssemblyScript by \`npm run wasm\` and compared with its sources by a test: random linear combination with the cofactor, ZIP-215
exactly. CPU time of one thread, SHA-512 and everything in JavaScript included, messages of 140 bytes, keys known before.
OpenSSL is \`crypto.verify\` with an imported key; it verifies one by one and by itself does not have ZIP-215's verdict. The
ratio is the median of the rounds' own, in which all backends take turns.`;

const VERIFICATION_NOTES = `Where the time of a signature in a batch goes: its own R (decoding takes 254 squarings, of four points at once; a table of four
multiples; 26 additions), its key (2 · 16 additions from tables that stay with the key), SHA-512, and a share of the 128 doublings
that the whole batch has in common. Under few keys the second part vanishes: the scalars of a key are added up first.

Measured, and of no use beyond the noise: digits of five bits instead of four for R (fewer additions, but a table twice as
long, made for one use); digits of six or eight bits for keys (half or twice the memory). Decided by counting operations:
buckets (Pippenger) instead of common doublings (Straus) pay from some 200 signatures on, more than a worker gets at once;
additions carry nothing between their two multiplications, because the bounds allow it
(\`packages/crypto/assembly/field.ts\`); digits lie in a list for each place, so that nobody looks at zeros; a subtraction is an
addition with two lanes swapped, not one of a negated table entry. SHA-512 is inside the module because that was the faster of
the two above.

A node verifies few votes on its main thread, at once, within a budget (\`packages/gossip/src/verification/budget.ts\`); what is
above it, and every group, goes to a worker, where what waits is put together into larger batches. The loop's delay is wall
time: where the idle loop is late by more than 2 ms, other work had the cores, and only the CPU time beside it tells something.`;

function verificationSection(result: Verification | null): string {
  const title = "## Signatures";
  if (result === null) return `${title}\n\n${VERIFICATION}\n\nNothing has been measured yet.`;
  const missed = missedVerification(result);
  const parts = result.parts.map(({ what, us }) => [what, median(us).toFixed(2)]);
  return [
    title,
    VERIFICATION,
    table(verificationRows(result)),
    table(loopRows(result)),
    missed.length === 0 ? "Every goal is met." : `Missed:\n\n${list(missed)}`,
    table([["part", "CPU µs"], ...parts]),
    `${result.cases[0]?.us.length ?? 0} rounds; ${where(result.on)}.`,
    VERIFICATION_NOTES,
  ].join("\n\n");
}

function where({ taken, commit, dirty, machine, node }: Environment): string {
  const changed = dirty ? " with changes" : "";
  return `${taken.slice(0, 16).replace("T", " ")} UTC, commit ${commit.slice(0, 10)}${changed}, ${machine}, Node ${node}`;
}

/** Columns padded, as the formatter wants them. */
function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(3, ...rows.map((row) => row[at]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(" | ")} |`;
  const [head = [], ...rest] = rows;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rest.map(line)].join("\n");
}

function list(items: readonly string[]): string {
  return items.map((item) => `- ${item}`).join("\n");
}
