/** From samples to the table: median, least, most, ratio, goal, met or not. */
import { median } from "../support/measure.ts";
import { type FigureId, type Goal, ROWS, type Row, TITLES } from "./figures.ts";

export interface Taken {
  readonly samples: Readonly<Record<string, number>>[];
  /** Why a repetition gave no sample. */
  readonly failures: string[];
}

export interface Comparison {
  readonly id: FigureId;
  readonly opponent: string;
  readonly quorate: Taken;
  readonly cometbft: Taken;
}

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export interface Line {
  readonly id: FigureId;
  readonly row: Row;
  readonly quorate: Spread;
  readonly cometbft: Spread;
  /** Of the medians, ours over theirs. */
  readonly ratio: number;
  readonly goals: readonly { readonly goal: Goal; readonly met: boolean }[];
}

export interface Verdict {
  readonly what: string;
  readonly met: boolean;
}

export function linesOf(comparisons: readonly Comparison[]): readonly Line[] {
  return comparisons.flatMap(({ id, quorate, cometbft }) =>
    ROWS[id].map((row: Row): Line => {
      const mine = spread(quorate, row.metric);
      const theirs = spread(cometbft, row.metric);
      const ratio = mine.median / theirs.median;
      return {
        id,
        row,
        quorate: mine,
        cometbft: theirs,
        ratio,
        goals: row.goals.map((goal) => ({
          goal,
          met: holds(goal, goal.of === "ratio" ? ratio : mine.median),
        })),
      };
    }),
  );
}

/** Every goal, and every repetition that failed. */
export function verdicts(comparisons: readonly Comparison[]): readonly Verdict[] {
  const goals = linesOf(comparisons).flatMap(({ id, row, quorate, ratio, goals: list }) =>
    list.map(({ goal, met }) => {
      const value = goal.of === "ratio" ? `${figure(ratio)}x` : `${figure(quorate.median)} ${row.unit}`;
      return { met, what: `${id} ${row.metric}: ${value}, goal ${goalText(goal, row.unit)}` };
    }),
  );
  const failed = comparisons.flatMap(({ id, quorate, cometbft }) =>
    Object.entries({ quorate, cometbft }).flatMap(([side, { failures }]) =>
      failures.map((reason) => ({ met: false, what: `${id} ${side}: ${reason}` })),
    ),
  );
  return [...goals, ...failed];
}

const HEAD = ["figure", "quorate", "min..max", "CometBFT", "min..max", "ratio", "goal", "met"] as const;

/** One row of cells per metric. */
export function cellsOf(comparisons: readonly Comparison[]): readonly (readonly string[])[] {
  return linesOf(comparisons).map(({ id, row, quorate, cometbft, ratio, goals }) => [
    `${id} ${row.metric} (${row.unit})`,
    figure(quorate.median),
    range(quorate),
    figure(cometbft.median),
    range(cometbft),
    `${figure(ratio)}x`,
    goals.map(({ goal }) => goalText(goal, row.unit)).join(", ") || "-",
    goals.length === 0 ? "-" : goals.every(({ met }) => met) ? "met" : "missed",
  ]);
}

export function tableOf(comparisons: readonly Comparison[]): string {
  const rows = [HEAD, ...cellsOf(comparisons)];
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  const titles = comparisons.map(({ id, opponent }) => `${id}: ${TITLES[id]}; against ${opponent}`);
  return [...lines, "", ...titles].join("\n");
}

export { HEAD as COLUMNS };

export function goalText(goal: Goal, unit: string): string {
  const sign = { below: "<", "at most": "≤", "at least": "≥" }[goal.kind];
  return goal.of === "ratio" ? `${sign} ${goal.bound}x` : `${sign} ${goal.bound} ${unit}`;
}

/** Three digits that count. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return "none";
  return Math.abs(value) >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(3)));
}

function holds({ kind, bound }: Goal, value: number): boolean {
  // A figure that was not taken meets nothing.
  if (kind === "below") return value < bound;
  return kind === "at most" ? value <= bound : value >= bound;
}

function spread({ samples }: Taken, metric: string): Spread {
  const list = samples.flatMap((sample) => (sample[metric] === undefined ? [] : [sample[metric]]));
  return { median: median(list), min: Math.min(...list), max: Math.max(...list) };
}

function range({ min, max }: Spread): string {
  return Number.isFinite(min) ? `${figure(min)}..${figure(max)}` : "none";
}
