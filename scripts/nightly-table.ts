/**
 * The campaigns of `npm run test:nightly`: what each runs, what it counts, how much it shall reach in the course of time,
 * and its share of the time.
 */

import { SHARES } from "../campaigns/support/report.ts";
import { TARGETS } from "../fuzz/targets/index.ts";
import type { Total } from "./nightly-totals.ts";

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
  /** Units over all nights; 0 = as many as there are, which is after {@link parts} seeds. */
  readonly target: number;
  /** An enumeration is cut into so many parts, one a seed. */
  readonly parts?: number;
  /** Of the whole time; the shares are made to fill it. */
  readonly share: number;
  /** Arguments of npm. */
  command(run: Run): readonly string[];
  /** Reads its stdout; without it {@link lastLine} does. */
  read?(stdout: string, run: Run): Outcome;
}

function npmRun(script: string, ...args: readonly string[]): readonly string[] {
  return ["run", "-s", script, "--", ...args];
}

/** Torments of real processes; they take the time that they are given. */
function chaos(
  name: string,
  facts: Pick<NightlyCampaign, "bars" | "unit" | "target" | "share">,
  el: "embedded" | "geth" = "embedded",
): NightlyCampaign {
  return {
    ...facts,
    name: el === "embedded" ? `chaos-${name}` : `chaos-${name}-${el}`,
    command: ({ seed, minutes }) =>
      npmRun("chaos", name, "--keep", "--el", el, "--seed", String(seed), "--minutes", minutes.toFixed(2)),
  };
}

/** A part of an enumeration per run: {@link SHARES} seeds in a row are all of it. */
function crash(name: string, bars: string, share: number): NightlyCampaign {
  return {
    ...{ name: `crash-${name}`, bars, unit: "cases", target: 0, parts: SHARES, share },
    command: ({ seed }) => npmRun("crash", name, "--seed", String(seed), "--json"),
  };
}

/** A campaign that is told how much to do at a time, with the contract's last line. */
function batches(
  name: string,
  facts: Pick<NightlyCampaign, "bars" | "unit" | "target" | "share">,
  count: number,
): NightlyCampaign {
  return {
    ...{ name, ...facts },
    command: ({ seed }) => npmRun(name, "--seed", String(seed + 1), "--count", String(count), "--json"),
    read: (stdout) => {
      const outcome = lastLine(stdout);
      return { ...outcome, nextSeed: outcome.nextSeed - 1 };
    },
  };
}

/** Seeds of the simulator, its summary being the whole document. */
function simulated(
  facts: Omit<NightlyCampaign, "command" | "read">,
  seeds: number,
  ...more: readonly string[]
): NightlyCampaign {
  return {
    ...facts,
    command: ({ seed }) =>
      npmRun(
        ...["sim", "--seed", String(seed + 1), "--seeds", String(seeds)],
        ...[...more, "--no-shrink", "--json"],
      ),
    read: (stdout, { seed }) => {
      const read = JSON.parse(stdout) as { readonly seeds: number; readonly failed: unknown[] };
      return { count: read.seeds, failed: read.failed.length, nextSeed: seed + seeds };
    },
  };
}

/** In the order in which they run: what finds most bugs first. */
export const TABLE: readonly NightlyCampaign[] = [
  simulated({ name: "sim", bars: "R02 R03 R05", unit: "seeds", target: 100_000, share: 12 }, 20),
  simulated(
    { name: "churn", bars: "R43", unit: "seeds", target: 10_000, share: 6 },
    20,
    ...["--churn", "--heights", "15"],
  ),
  {
    ...{ name: "fuzz", bars: "R25 R27 R28", unit: "inputs", target: 10_000_000, share: 7 },
    command: ({ seed, minutes }) => {
      const secondsEach = Math.max(1, Math.floor((minutes * 60) / TARGETS.length));
      return npmRun("fuzz", "--seed", String(seed), "--seconds", String(secondsEach));
    },
  },
  crash("effects", "R06", 3),
  crash("wal", "R15 R16", 3),
  crash("disk", "R17 R18", 1),
  crash("signstate", "R19", 1),
  crash("schedules", "R44", 2),
  crash("evidence", "R37", 2),
  batches("twins", { bars: "R07", unit: "scenarios", target: 50_000, share: 2 }, 2_000),
  batches("byzzfuzz", { bars: "R08", unit: "runs", target: 10_000, share: 2 }, 500),
  batches("accountability", { bars: "R09", unit: "forks", target: 1_000, share: 2 }, 50),
  batches("spec", { bars: "R10", unit: "traces", target: 300, share: 2 }, 30),
  {
    ...{ name: "mutants", bars: "R04", unit: "mutants", target: 40, share: 8 },
    command: () => npmRun("mutants", "--json"),
  },
  {
    ...{ name: "demos", bars: "R21 R23", unit: "demos", target: 8, share: 3 },
    command: () => npmRun("test", "testnet/nightly/demos.test.ts"),
    read: (stdout, { seed }) => {
      const counted = (word: string): number =>
        Number(new RegExp(`^ℹ ${word} (\\d+)$`, "m").exec(stdout)?.[1] ?? Number.NaN);
      const [count, failed] = [counted("pass") + counted("fail"), counted("fail")];
      if (Number.isNaN(count)) throw new Error("the tests end without a summary");
      return { count, failed, nextSeed: seed + 1 };
    },
  },
  chaos("kills", { bars: "R14", unit: "kills", target: 500, share: 6 }),
  chaos("matrix", { bars: "R42", unit: "cells", target: 90, share: 6 }),
  chaos("execution", { bars: "R23", unit: "kills", target: 300, share: 4 }),
  chaos("execution", { bars: "R23", unit: "kills", target: 300, share: 4 }, "geth"),
  chaos("clocks", { bars: "R41", unit: "faults", target: 20, share: 3 }),
  chaos("abuse", { bars: "R30 R31 R32 R33 R34 R35 R36", unit: "scenes", target: 140, share: 4 }),
  chaos("swarm", { bars: "R41 R42", unit: "scenes", target: 100, share: 2 }),
  chaos("soak", { bars: "R47", unit: "minutes", target: 60, share: 8 }),
];

/** Whether all nights together did what they shall. */
export function isReached({ target, parts = 0 }: NightlyCampaign, total: Total): boolean {
  return total.next_seed >= parts && total.count >= target && total.runs > 0;
}

/** The table of docs/evidence/README.md. */
export function tableText(table: readonly NightlyCampaign[]): string {
  const whole = table.reduce((sum, { share }) => sum + share, 0);
  const rows = table.map(
    ({ name, bars, unit, target, share, command }) =>
      `| ${name} | ${bars} | ${target === 0 ? "all" : target.toLocaleString("en-US")} ${unit} | ${((100 * share) / whole).toFixed(1)} % | \`npm ${command({ seed: 0, minutes: 5 }).join(" ")}\` |`,
  );
  return [
    "| campaign | bars | target | share | a run of five minutes from its beginning |",
    "| --- | --- | --- | --- | --- |",
    ...rows,
  ].join("\n");
}
