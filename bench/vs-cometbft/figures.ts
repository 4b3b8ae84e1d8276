/** What is compared, how often, and the goals: the one table that the command, the JSON and the document read. */

export type Better = "less" | "more";

export interface Goal {
  /** Of our median over the opponent's, or of our median alone. */
  readonly of: "ratio" | "ours";
  readonly kind: "below" | "at most" | "at least";
  readonly bound: number;
}

export interface Row {
  readonly metric: string;
  readonly unit: string;
  readonly goals: readonly Goal[];
}

const ratio = (kind: Goal["kind"], bound: number): Goal => ({ of: "ratio", kind, bound });
const ours = (kind: Goal["kind"], bound: number): Goal => ({ of: "ours", kind, bound });

/** Rows of each figure; a metric without goals is shown beside the others. */
export const ROWS = {
  P1: [
    { metric: "height", unit: "ms", goals: [ours("at most", 5.5), ratio("below", 0.5)] },
    { metric: "cpu", unit: "CPU ms/height", goals: [ratio("below", 1)] },
    { metric: "interval_p95", unit: "ms", goals: [] },
  ],
  "P2-1MB": [
    { metric: "decided", unit: "MB/s", goals: [ratio("at least", 3)] },
    { metric: "cpu_per_mb", unit: "CPU ms/MB", goals: [] },
  ],
  "P2-4MB": [
    { metric: "decided", unit: "MB/s", goals: [ratio("at least", 3)] },
    { metric: "cpu_per_mb", unit: "CPU ms/MB", goals: [] },
  ],
  P11: [{ metric: "decided", unit: "tx/s", goals: [ratio("at least", 2)] }],
  P12: [{ metric: "synced", unit: "blocks/s", goals: [ratio("at least", 4)] }],
  "P8-10": [
    { metric: "height", unit: "ms", goals: [ratio("below", 0.5)] },
    { metric: "cpu", unit: "CPU ms/height", goals: [] },
  ],
  "P8-20": [
    { metric: "height", unit: "ms", goals: [ratio("below", 0.5)] },
    { metric: "cpu", unit: "CPU ms/height", goals: [] },
  ],
  "P9-kill": [{ metric: "longest_gap", unit: "ms", goals: [ours("at most", 1000)] }],
  "P9-term": [{ metric: "longest_gap", unit: "ms", goals: [ours("at most", 300)] }],
  P10: [{ metric: "rss", unit: "MB/node", goals: [ours("at most", 160)] }],
} as const satisfies Readonly<Record<string, readonly Row[]>>;

export type FigureId = keyof typeof ROWS;

export const TITLES: Readonly<Record<FigureId, string>> = {
  P1: "4 validators, empty blocks",
  "P2-1MB": "4 validators, blocks of 1 MiB, each proposer its own transactions of 65 kB",
  "P2-4MB": "4 validators, blocks of 4 MiB, each proposer its own transactions of 65 kB",
  P11: "4 validators, transactions of 200 bytes, gossiped, blocks up to 1 MiB",
  P12: "a fresh full node follows 2000 empty blocks of a chain at rest",
  "P8-10": "10 validators, empty blocks",
  "P8-20": "20 validators, empty blocks",
  "P9-kill": "kill -9 of the proposer of 4: the longest gap between blocks afterwards",
  "P9-term": "SIGTERM to the proposer of 4: the longest gap between blocks afterwards",
  P10: "resident memory after 10,000 empty heights",
};
