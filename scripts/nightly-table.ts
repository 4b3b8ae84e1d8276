/**
 * The campaigns of `npm run test:nightly`: what each runs, what it counts, how much it shall reach in the course of time,
 * and its share of the time.
 */

import { TARGETS } from "../fuzz/targets/index.ts";

/** What a run of a campaign did. */
export interface Outcome {
  readonly count: number;
  readonly failed: number;
  /** Of the next run. */
  readonly nextSeed: number;
}

/** Of a campaign whose last line is a JSON object with count, failed and next_seed. @throws Error for any other. */
export function lastLine(stdout: string): Outcome {
  const line = stdout.trimEnd().split("\n").at(-1) ?? "";
  const { count, failed, next_seed } = JSON.parse(line) as Record<string, unknown>;
  if (typeof count !== "number" || typeof failed !== "number" || typeof next_seed !== "number")
    throw new Error("the last line lacks count, failed or next_seed");
  return { count, failed, nextSeed: next_seed };
}

export interface Run {
  readonly seed: number;
  /** What is left of the campaign's share. */
  readonly minutes: number;
}

export interface NightlyCampaign {
  readonly name: string;
  /** Bars that it serves, see docs/evidence. */
  readonly bars: string;
  readonly unit: string;
  /** Units over all nights; 0 = as many as there are. */
  readonly target: number;
  /** Of the whole time; the shares are made to fill it. */
  readonly share: number;
  /** Arguments of npm. */
  command(run: Run): readonly string[];
  /** Reads its stdout; without it {@link lastLine} does. */
  read?(stdout: string, run: Run): Outcome;
}

function chaos(
  name: string,
  bars: string,
  unit: string,
  target: number,
  share: number,
  ...more: readonly string[]
): NightlyCampaign {
  return {
    ...{
      name: ["chaos", name, ...more.filter((word) => !word.startsWith("--"))].join("-"),
      bars,
      unit,
      target,
      share,
    },
    command: ({ seed, minutes }) => [
      ...["run", "-s", "chaos", "--", name, "--seed", String(seed), "--minutes", minutes.toFixed(2), ...more],
    ],
  };
}

/** A sixteenth of an enumeration per run: sixteen seeds in a row are all of it. */
function crash(name: string, bars: string, target: number, share: number): NightlyCampaign {
  return {
    ...{ name: `crash-${name}`, bars, unit: "cases", target, share },
    command: ({ seed }) => ["run", "-s", "crash", "--", name, "--seed", String(seed), "--json"],
    read: (stdout, { seed }) => {
      const [report] = JSON.parse(stdout) as readonly { readonly cases: number; readonly violated: number }[];
      if (report === undefined) throw new Error("no report");
      return { count: report.cases, failed: report.violated, nextSeed: seed + 1 };
    },
  };
}

const SIM_SEEDS = 20;

/** The command takes seconds per decoder. */
function fuzzSeconds(minutes: number): number {
  return Math.max(1, Math.floor((minutes * 60) / TARGETS.length));
}

export const TABLE: readonly NightlyCampaign[] = [
  {
    ...{ name: "sim", bars: "R02 R03 R05", unit: "seeds", target: 100_000, share: 14 },
    command: ({ seed }) => [
      "run",
      "-s",
      "sim",
      "--",
      "--seed",
      String(seed + 1),
      "--seeds",
      String(SIM_SEEDS),
      "--json",
    ],
    read: (stdout, { seed }) => {
      const document = JSON.parse(stdout) as { readonly seeds: number; readonly failed: readonly unknown[] };
      return { count: document.seeds, failed: document.failed.length, nextSeed: seed + SIM_SEEDS };
    },
  },
  {
    ...{ name: "fuzz", bars: "R25 R27 R28", unit: "inputs", target: 10_000_000, share: 8 },
    command: ({ seed, minutes }) => [
      ...["run", "-s", "fuzz", "--", "--seed", String(seed), "--seconds", String(fuzzSeconds(minutes))],
    ],
  },
  {
    ...{ name: "twins", bars: "R07", unit: "scenarios", target: 50_000, share: 3 },
    command: ({ seed }) => ["run", "-s", "twins", "--", "--seed", String(seed), "--count", "2000", "--json"],
  },
  {
    ...{ name: "byzzfuzz", bars: "R08", unit: "runs", target: 10_000, share: 2 },
    command: ({ seed }) => [
      "run",
      "-s",
      "byzzfuzz",
      "--",
      "--seed",
      String(seed),
      "--count",
      "1000",
      "--json",
    ],
  },
  {
    ...{ name: "spec", bars: "R10", unit: "traces", target: 300, share: 3 },
    command: ({ seed }) => ["run", "-s", "spec", "--", "--seed", String(seed + 1), "--count", "30", "--json"],
    read: (stdout) => {
      const outcome = lastLine(stdout);
      return { ...outcome, nextSeed: outcome.nextSeed - 1 };
    },
  },
  crash("effects", "R06", 0, 3),
  crash("wal", "R15 R16", 0, 3),
  crash("disk", "R21 R22", 0, 1),
  crash("signstate", "R19", 0, 1),
  crash("schedules", "R12", 0, 2),
  {
    ...{ name: "mutants", bars: "R04", unit: "mutants", target: 40, share: 10 },
    command: () => ["run", "-s", "mutants", "--", "--json"],
  },
  chaos("kills", "R14", "kills", 500, 6),
  chaos("matrix", "R42", "cells", 90, 6),
  chaos("execution", "R23", "kills", 300, 4),
  chaos("execution", "R23", "kills", 300, 4, "--el", "geth"),
  chaos("clocks", "R41", "faults", 20, 3),
  chaos("swarm", "R41 R42", "scenes", 100, 2),
  chaos("soak", "R47", "minutes", 60, 4),
];
