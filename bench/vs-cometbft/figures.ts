/** What is compared with CometBFT: what it is, the goals, and how often each side is measured. */
import { ours, type Row, ratio } from "../support/comparison.ts";

export interface Figure {
  readonly title: string;
  readonly rows: readonly Row[];
  /** Repetitions of each side, and with `--full`; 0: only there. */
  readonly repetitions: readonly [short: number, full: number];
}

const height = { metric: "height", unit: "ms" } as const;
const cpu = { metric: "cpu", unit: "CPU ms per height of all" } as const;

const decidedMb: readonly Row[] = [
  { metric: "decided", unit: "MB/s", goals: [ratio("at least", 3)] },
  { metric: "cpu_per_mb", unit: "CPU ms of all", goals: [] },
];

export const FIGURES = {
  P1: {
    title: "4 validators, empty blocks, from height 1,000 on",
    rows: [
      { ...height, goals: [ours("at most", 5.5), ratio("below", 0.5)] },
      { ...cpu, goals: [ratio("below", 1)] },
      { metric: "interval_p95", unit: "ms", goals: [] },
    ],
    repetitions: [3, 5],
  },
  "P9-kill": {
    title: "kill -9 of the proposer of 4: the longest gap between blocks until its next turn is over",
    rows: [{ metric: "longest_gap", unit: "ms", goals: [ours("at most", 1000)] }],
    repetitions: [2, 5],
  },
  "P9-term": {
    title: "SIGTERM to the proposer of 4: the longest gap between blocks until its next turn is over",
    rows: [{ metric: "longest_gap", unit: "ms", goals: [ours("at most", 300)] }],
    repetitions: [2, 5],
  },
  "P2-1MB": {
    title: "4 validators, blocks of 1 MiB, each proposer its own transactions of 65 kB, from height 200 on",
    rows: decidedMb,
    repetitions: [2, 3],
  },
  "P2-4MB": {
    title: "4 validators, blocks of 4 MiB, each proposer its own transactions of 65 kB, from height 50 on",
    rows: decidedMb,
    repetitions: [2, 3],
  },
  P11: {
    title:
      "4 validators, transactions of 200 bytes that all nodes hear of, blocks up to 1 MiB, from second 10 on",
    rows: [{ metric: "decided", unit: "tx/s", goals: [ratio("at least", 2)] }],
    repetitions: [2, 3],
  },
  P12: {
    title: "a fresh full node follows 2000 empty blocks of a chain at rest",
    rows: [{ metric: "synced", unit: "blocks/s", goals: [ratio("at least", 4)] }],
    repetitions: [1, 2],
  },
  "P8-10": {
    title: "10 validators, empty blocks, from height 300 on",
    rows: [
      { ...height, goals: [ratio("below", 0.5)] },
      { ...cpu, goals: [] },
    ],
    repetitions: [2, 3],
  },
  "P8-20": {
    title: "20 validators, empty blocks, from height 10 on",
    rows: [
      { ...height, goals: [ratio("below", 0.5)] },
      { ...cpu, goals: [] },
    ],
    repetitions: [1, 2],
  },
  P10: {
    title: "4 validators, resident memory of a node after 10,000 empty heights",
    rows: [{ metric: "rss", unit: "MB", goals: [ours("at most", 160)] }],
    repetitions: [0, 1],
  },
} as const satisfies Readonly<Record<string, Figure>>;

export type FigureId = keyof typeof FIGURES;
