/**
 * Side by side with CometBFT on this machine: `npm run bench:vs-cometbft -- [--full] [--only P1,P2…] [--reps N]
 * [--minutes 19] [--json]`. CometBFT runs in the fastest configuration known and is built by the Go client into the cache.
 * Sides and figures take turns, repetition by repetition. Prints the table, writes bench/results/vs-cometbft.json; exit 1 with the reason
 * when the opponent cannot be had, a figure cannot be taken, or a goal is missed.
 */
import { writeDocument } from "../report/write.ts";
import { type Comparison, type Metrics, shortfalls, tableOf } from "../support/comparison.ts";
import { optionsOf } from "../support/options.ts";
import { environment, mergeComparisons } from "../support/results.ts";
import { cometbftSide } from "./cometbft.ts";
import { FIGURES, type FigureId } from "./figures.ts";
import type { Side } from "./network.ts";
import { COMETBFT, cometbft, OpponentError } from "./opponent.ts";
import { quorateSide } from "./quorate.ts";
import { SCENARIOS } from "./scenarios.ts";

const values = optionsOf("bench:vs-cometbft", {
  full: { type: "boolean", default: false },
  only: { type: "string" },
  reps: { type: "string" },
  minutes: { type: "string" },
  json: { type: "boolean", default: false },
  "no-write": { type: "boolean", default: false },
});

const progress = (line: string): void => {
  process.stderr.write(`${line}\n`);
};
const wanted = values.only?.split(",");
/** Short ones first: the long ones of many validators are what time may run out for. */
const ids = (Object.keys(FIGURES) as FigureId[]).filter((id) =>
  wanted === undefined
    ? values.full || FIGURES[id].repetitions[0] > 0
    : wanted.some((name) => id === name || id.startsWith(`${name}-`)),
);
if (ids.length === 0) {
  progress(`--only takes ${Object.keys(FIGURES).join(", ")}; P2, P8 and P9 stand for all of theirs`);
  process.exit(2);
}
const endsAt = performance.now() + Number(values.minutes ?? (values.full ? 120 : 19)) * 60_000;
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

const sides = await opponents();
const comparisons = await compareAll();

if (!values["no-write"]) {
  await mergeComparisons("vs-cometbft", comparisons);
  await writeDocument();
}
console.log(values.json ? JSON.stringify({ comparisons }) : tableOf(comparisons));
const missed = shortfalls(comparisons);
for (const what of missed) progress(`missed: ${what}`);
process.exit(missed.length === 0 ? 0 : 1);

async function opponents(): Promise<{ readonly consensus: Side; readonly sync: Side }> {
  try {
    const sync = ids.includes("P12") ? cometbftSide(await cometbft(COMETBFT.sync, progress)) : null;
    const consensus = cometbftSide(await cometbft(COMETBFT.consensus, progress));
    return { consensus, sync: sync ?? consensus };
  } catch (error) {
    if (!(error instanceof OpponentError)) throw error;
    progress(`the opponent cannot be had: ${error.message}`);
    process.exit(1);
  }
}

/** What was taken of one figure so far. */
interface Taking {
  readonly id: FigureId;
  readonly times: number;
  readonly quorate: Samples;
  readonly cometbft: Samples;
  /** Of its longest repetition, both sides together. */
  tookMs: number;
}

interface Samples {
  readonly samples: Metrics[];
  readonly failures: string[];
}

/**
 * Repetition by repetition, every figure once before any is taken again: when time runs out each has its verdict. A
 * repetition is begun while what it took before still fits.
 */
async function compareAll(): Promise<readonly Comparison[]> {
  const takings = ids.map((id): Taking => {
    const { repetitions } = FIGURES[id];
    const times =
      values.reps === undefined ? Math.max(1, repetitions[values.full ? 1 : 0]) : Number(values.reps);
    const none = (): Samples => ({ samples: [], failures: [] });
    return { id, times, quorate: none(), cometbft: none(), tookMs: 0 };
  });
  const most = Math.max(...takings.map(({ times }) => times));
  for (let repetition = 0; repetition < most; repetition++) {
    for (const taking of takings) {
      if (repetition >= taking.times) continue;
      const from = performance.now();
      if (from + taking.tookMs <= endsAt) {
        await repeat(taking, repetition);
        taking.tookMs = Math.max(taking.tookMs, performance.now() - from);
      } else if (repetition > 0) progress(`${taking.id}: no time is left for repetition ${repetition + 1}`);
      else
        for (const { failures } of [taking.quorate, taking.cometbft])
          failures.push("no time was left for it");
    }
  }
  return takings.map(({ id, quorate: ours, cometbft: theirs }) => {
    const { title, rows } = FIGURES[id];
    const opponent = `CometBFT ${id === "P12" ? COMETBFT.sync : COMETBFT.consensus}`;
    return { id, title, opponent, full: values.full, on: environment(), rows, ours, theirs };
  });
}

/** One repetition of both sides, in the other order every second time. */
async function repeat(taking: Taking, repetition: number): Promise<void> {
  const { id } = taking;
  const order = [id === "P12" ? sides.sync : sides.consensus, quorateSide];
  for (const side of repetition % 2 === 0 ? order : order.reverse()) {
    const { samples, failures } = taking[side.name];
    try {
      const metrics: Metrics = await SCENARIOS[id](side, { full: values.full });
      samples.push(metrics);
      progress(`${id} ${side.name}: ${shown(metrics)}`);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      failures.push(reason);
      progress(`${id} ${side.name}: ${reason}`);
    }
  }
}

function shown(metrics: Metrics): string {
  return Object.entries(metrics)
    .map(([name, value]) => `${name} ${Number(value.toPrecision(4))}`)
    .join(", ");
}
