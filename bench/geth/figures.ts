/** What is measured with Geth, and the goals. */
import { ours, type Row, ratio } from "../support/comparison.ts";

export const FIGURES = {
  P5: {
    title:
      "4 validators with a Geth each, 20 transfers and two blocks per second, from height 150 on: from the proposal's time to the commit on all nodes (p50), less a getPayload and a newPayload; beside it those calls",
    opponent: "Geth's own engine time",
    rows: [{ metric: "latency", unit: "ms", goals: [ours("at most", 15)] }] as readonly Row[],
  },
  P6: {
    title:
      "transfers per second, blocks of 15 M gas, four a second, four Geths with transfers of their own each",
    opponent: "the same Geths under a bare stub",
    rows: [{ metric: "txs_per_s", unit: "tx/s", goals: [ratio("at least", 0.9)] }] as readonly Row[],
  },
  P7: {
    title: "replay of 500 blocks of a few transfers each into a wiped Geth",
    opponent: "the same payloads called into a Geth one after the other",
    rows: [{ metric: "blocks_per_s", unit: "blocks/s", goals: [ratio("at least", 0.9)] }] as readonly Row[],
  },
} as const;

export type FigureId = keyof typeof FIGURES;
