/** Many results as one: what was seen, how fast the chain came back, whether the runs went through anything. */
import type { SimResult } from "./run.ts";
import { RULE_LINES, type Witness } from "./witness.ts";

export interface Summary {
  readonly seeds: number;
  readonly ok: number;
  readonly violations: number;
  readonly stalls: number;
  /** Virtual ms after healing until every honest node was three heights further. */
  readonly recovery_ms: { readonly p50: number; readonly p99: number; readonly max: number };
  readonly heights: number;
  readonly messages: number;
  readonly virtual_ms: number;
  /** Share of seeds in which it was seen, per cent. */
  readonly seen: {
    readonly round_2: number;
    readonly hidden_lock: number;
    readonly lock_change: number;
    readonly restart_mid_round: number;
  };
  /** Hits of each rule of Algorithm 1 over all seeds. */
  readonly lines: Witness["lines"];
}

export function summarise(results: readonly SimResult[]): Summary {
  const count = (test: (result: SimResult) => boolean): number => results.filter(test).length;
  const sum = (of: (result: SimResult) => number): number =>
    results.reduce((total, each) => total + of(each), 0);
  const share = (test: (witness: Witness) => boolean): number =>
    Math.round((1000 * count(({ witness }) => test(witness))) / Math.max(1, results.length)) / 10;
  const recovery = results.flatMap(({ recovery_ms }) => recovery_ms ?? []).sort((a, b) => a - b);
  const at = (part: number): number =>
    recovery[Math.min(recovery.length - 1, Math.floor(part * recovery.length))] ?? 0;
  const lines = Object.fromEntries(
    RULE_LINES.map((line) => [line, sum(({ witness }) => witness.lines[line])]),
  );
  return {
    seeds: results.length,
    ok: count(({ verdict }) => verdict === "ok"),
    violations: count(({ verdict }) => verdict === "violation"),
    stalls: count(({ verdict }) => verdict === "stall"),
    recovery_ms: { p50: at(0.5), p99: at(0.99), max: recovery.at(-1) ?? 0 },
    heights: sum(({ reached }) => reached),
    messages: sum(({ messages }) => messages),
    virtual_ms: sum(({ virtual_ms }) => virtual_ms),
    seen: {
      round_2: share(({ highestRound }) => highestRound >= 2),
      hidden_lock: share(({ hiddenLocks }) => hiddenLocks > 0),
      lock_change: share(({ lockChanges }) => lockChanges > 0),
      restart_mid_round: share(({ restartsMidRound }) => restartsMidRound > 0),
    },
    lines: lines as Witness["lines"],
  };
}

/** One run for a person. */
export function runText(result: SimResult): string {
  const { witness } = result;
  const lines = [
    `seed ${result.seed}: ${result.verdict}, ${result.validators} validators, ${result.reached} heights, ${result.faults.length} faults, ${(result.virtual_ms / 1000).toFixed(1)} s simulated in ${(result.wall_ms / 1000).toFixed(1)} s`,
    ...result.violations.map(({ law, text, t }) => `  broken at ${t.toFixed(3)} ms: ${law}: ${text}`),
    ...(result.verdict === "stall"
      ? [`  stalled: faults ended at ${result.healed_ms} ms, the lowest height stayed ${result.reached}`]
      : []),
    ...(result.verdict === "ok" ? [] : result.faults.map((fault) => `  fault: ${fault}`)),
    `  highest round ${witness.highestRound}, ${witness.crashes} crashes, ${witness.restartsMidRound} restarts mid-height, ${witness.hiddenLocks} hidden locks, ${witness.lockChanges} lock changes, recovery ${result.recovery_ms ?? "none"} ms`,
    `  replay: ${result.replay}`,
  ];
  return `${lines.join("\n")}\n`;
}

export function summaryText(summary: Summary, wallMs: number): string {
  const { recovery_ms: recovery, seen } = summary;
  const lines = [
    `${summary.seeds} seeds: ${summary.ok} ok, ${summary.violations} violations, ${summary.stalls} stalls`,
    `${summary.heights} heights and ${summary.messages} messages, ${(summary.virtual_ms / 1000).toFixed(0)} s simulated in ${(wallMs / 1000).toFixed(1)} s`,
    `three heights after healing: p50 ${recovery.p50} ms, p99 ${recovery.p99} ms, max ${recovery.max} ms`,
    `seeds with round 2 or later ${seen.round_2} %, hidden lock ${seen.hidden_lock} %, lock change ${seen.lock_change} %, restart in a begun height ${seen.restart_mid_round} %`,
    ...Object.entries(summary.lines).map(([line, hits]) => `  ${String(hits).padStart(8)}  ${line}`),
  ];
  return `${lines.join("\n")}\n`;
}
