/** A figure of ours beside an opponent's, repetition by repetition, with its goals: what JSON, table and document are made of. */

import { median } from "./measure.ts";
import type { Environment } from "./results.ts";

/** Of our median over the opponent's, or of our median alone. */
export interface Goal {
  readonly of: "ratio" | "ours";
  readonly kind: "below" | "at most" | "at least";
  readonly bound: number;
}

export interface Row {
  readonly metric: string;
  readonly unit: string;
  /** None: shown beside the others. */
  readonly goals: readonly Goal[];
}

export type Metrics = Readonly<Record<string, number>>;

export interface Taken {
  readonly samples: readonly Metrics[];
  /** Why a repetition gave no sample. */
  readonly failures: readonly string[];
}

export interface Comparison {
  readonly id: string;
  readonly title: string;
  readonly opponent: string;
  /** Long windows. */
  readonly full: boolean;
  readonly on: Environment;
  readonly rows: readonly Row[];
  readonly ours: Taken;
  readonly theirs: Taken;
}

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export interface Line {
  readonly id: string;
  readonly row: Row;
  readonly ours: Spread;
  readonly theirs: Spread;
  readonly ratio: number;
  readonly goals: readonly { readonly goal: Goal; readonly met: boolean }[];
}

export const ratio = (kind: Goal["kind"], bound: number): Goal => ({ of: "ratio", kind, bound });
export const ours = (kind: Goal["kind"], bound: number): Goal => ({ of: "ours", kind, bound });

export function linesOf(comparison: Comparison): readonly Line[] {
  return comparison.rows.map((row) => {
    const mine = spread(comparison.ours, row.metric);
    const theirs = spread(comparison.theirs, row.metric);
    const quotient = mine.median / theirs.median;
    const goals = row.goals.map((goal) => ({
      goal,
      met: holds(goal, goal.of === "ratio" ? quotient : mine.median),
    }));
    return { id: comparison.id, row, ours: mine, theirs, ratio: quotient, goals };
  });
}

/** Goals that were missed, and repetitions that gave nothing. */
export function shortfalls(comparisons: readonly Comparison[]): readonly string[] {
  return comparisons.flatMap((comparison) => [
    ...linesOf(comparison).flatMap((line) =>
      line.goals
        .filter(({ met }) => !met)
        .map(({ goal }) => {
          const { metric, unit } = line.row;
          const value = goal.of === "ratio" ? times(line.ratio) : `${figure(line.ours.median)} ${unit}`;
          return `${line.id} ${metric}: ${value}, goal ${goalText(goal, unit)}`;
        }),
    ),
    ...comparison.ours.failures.map((reason) => `${comparison.id} quorate: ${reason}`),
    ...comparison.theirs.failures.map((reason) => `${comparison.id} ${comparison.opponent}: ${reason}`),
  ]);
}

export const COLUMNS = [
  "figure",
  "quorate",
  "min..max",
  "opponent",
  "min..max",
  "ratio",
  "goal",
  "met",
] as const;

export function cellsOf(line: Line): readonly string[] {
  const { id, row, ours: mine, theirs, ratio: quotient, goals } = line;
  return [
    `${id} ${row.metric.replaceAll("_", " ")}, ${row.unit}`,
    figure(mine.median),
    range(mine),
    figure(theirs.median),
    range(theirs),
    times(quotient),
    goals.map(({ goal }) => goalText(goal, row.unit)).join(", ") || "-",
    goals.length === 0 ? "-" : goals.every(({ met }) => met) ? "met" : "missed",
  ];
}

export function tableOf(comparisons: readonly Comparison[]): string {
  const rows = [COLUMNS, ...comparisons.flatMap((each) => linesOf(each).map(cellsOf))];
  const widths = COLUMNS.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  const titles = comparisons.map(({ id, title, opponent }) => `${id}: ${title}; against ${opponent}`);
  return [...lines, "", ...titles].join("\n");
}

export function goalText(goal: Goal, unit: string): string {
  const sign = { below: "<", "at most": "≤", "at least": "≥" }[goal.kind];
  return goal.of === "ratio" ? `${sign} ${goal.bound}x` : `${sign} ${goal.bound} ${unit}`;
}

/** Three digits that count. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return "none";
  return Math.abs(value) >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(3)));
}

export function times(value: number): string {
  return Number.isFinite(value) ? `${figure(value)}x` : "none";
}

/** A figure that was not taken (NaN) meets nothing. */
function holds({ kind, bound }: Goal, value: number): boolean {
  if (kind === "below") return value < bound;
  return kind === "at most" ? value <= bound : value >= bound;
}

function spread({ samples }: Taken, metric: string): Spread {
  const list = samples.flatMap((sample) => sample[metric] ?? []);
  if (list.length === 0) return { median: Number.NaN, min: Number.NaN, max: Number.NaN };
  return { median: median(list), min: Math.min(...list), max: Math.max(...list) };
}

function range({ min, max }: Spread): string {
  return Number.isFinite(min) ? `${figure(min)}..${figure(max)}` : "none";
}
