/** One night: campaigns one after the other, each within its share, their counts added up as they come. */
import { spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { join } from "node:path";
import { isReached, lastLine, type NightlyCampaign, type Outcome, type Run } from "./nightly-table.ts";
import { type Totals, totalOf } from "./nightly-totals.ts";

export interface Night {
  readonly table: readonly NightlyCampaign[];
  readonly minutes: number;
  readonly totals: Totals;
  /** Directory of the campaigns' outputs. */
  readonly logs: string;
  readonly cwd: string;
  readonly signal: AbortSignal;
  /** Called with new totals after every run, so that an interrupted night is not lost. */
  keep(totals: Totals): void;
  say(line: string): void;
}

/** A run that takes so much longer than its share hangs. */
const GRACE_MINUTES = 15;

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
}

export async function runNightly(night: Night): Promise<{ readonly ok: boolean; readonly lines: string[] }> {
  const { table, signal, say } = night;
  const whole = table.reduce((sum, { share }) => sum + share, 0);
  let totals = night.totals;
  let ok = true;
  const rows = [["campaign", "bars", "this run", "failed", "in all", "target", ""]];
  for (const campaign of table) {
    if (signal.aborted) break;
    const { name, unit, bars, target } = campaign;
    const before = totalOf(totals, name, unit);
    const share = (night.minutes * campaign.share) / whole;
    say(`${name}: ${share.toFixed(1)} minutes from seed ${before.next_seed}`);
    const failure = await fill(campaign, share, night, totals, (next) => {
      totals = next;
      night.keep(totals);
    });
    const after = totalOf(totals, name, unit);
    if (failure !== null) say(`${name}: ${failure}`);
    const failed = after.failed - before.failed;
    if (failure !== null || failed > 0) ok = false;
    const done = amount(after.count - before.count);
    rows.push([
      ...[name, bars, `${done} ${unit}`, failure ?? String(failed), amount(after.count)],
      ...[target === 0 ? "all" : amount(target), isReached(campaign, after) ? "reached" : "BELOW ITS TARGET"],
    ]);
  }
  return { ok: ok && !signal.aborted, lines: aligned(rows) };
}

/** Runs until the share is used up; at least once. `null`, or why the campaign could not be judged. */
async function fill(
  campaign: NightlyCampaign,
  share: number,
  night: Night,
  from: Totals,
  keep: (totals: Totals) => void,
): Promise<string | null> {
  const { name, unit } = campaign;
  const until = performance.now() + share * 60_000;
  let totals = from;
  for (let first = true; first || performance.now() < until; first = false) {
    if (night.signal.aborted) return "interrupted";
    const before = totalOf(totals, name, unit);
    const begun = performance.now();
    const run: Run = { seed: before.next_seed, minutes: Math.max(0.1, (until - begun) / 60_000) };
    const log = join(night.logs, `${name}-${run.seed}.log`);
    const { code, stdout } = await command(campaign.command(run), run, log, night);
    if (night.signal.aborted) return "interrupted";
    let outcome: Outcome;
    try {
      outcome = (campaign.read ?? lastLine)(stdout, run);
    } catch (error) {
      return `no result (exit code ${code}, ${error instanceof Error ? error.message : String(error)}); see ${log}`;
    }
    const minutes = Math.round(((performance.now() - begun) / 60_000 + before.minutes) * 100) / 100;
    totals = {
      ...totals,
      [name]: {
        unit,
        count: round(before.count + outcome.count),
        failed: before.failed + outcome.failed,
        next_seed: outcome.nextSeed,
        runs: before.runs + 1,
        minutes,
      },
    };
    keep(totals);
    if (outcome.failed > 0) return `${outcome.failed} failed; see ${log}`;
    if (code !== 0) return `exit code ${code} without a failure; see ${log}`;
    // What has no seeds does the same again.
    if (outcome.nextSeed === run.seed) break;
  }
  return null;
}

function command(args: readonly string[], run: Run, log: string, night: Night): Promise<Ended> {
  const file = createWriteStream(log);
  const child = spawn("npm", [...args], { cwd: night.cwd, stdio: ["ignore", "pipe", "pipe"] });
  let stdout = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    file.write(text);
  });
  child.stderr.on("data", (bytes: Buffer) => file.write(bytes));
  const stop = (): void => void child.kill("SIGTERM");
  const late = setTimeout(stop, (run.minutes + GRACE_MINUTES) * 60_000);
  night.signal.addEventListener("abort", stop, { once: true });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      clearTimeout(late);
      night.signal.removeEventListener("abort", stop);
      file.end(() => resolve({ code, stdout }));
    });
  });
}

const round = (value: number): number => Math.round(value * 100) / 100;
const amount = (value: number): string => round(value).toLocaleString("en-US");

function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join("  ")
      .trimEnd(),
  );
}
