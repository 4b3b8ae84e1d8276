/** Many results as one: what was seen, how fast the chain came back, whether the runs went through anything. */
import { LINK_SHAPES, type LinkShape, linksText } from "./network/links.ts";
import type { SimResult } from "./run.ts";
import { CHURN_SIGNS, type ChurnSign, RULE_LINES, type Witness } from "./witness.ts";

export interface Recovery {
  readonly seeds: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  /** Which seed took longest. */
  readonly slowest: number | null;
}

export interface Summary {
  readonly seeds: number;
  readonly ok: number;
  readonly violations: number;
  readonly stalls: number;
  /** Virtual ms after healing until every honest node was three heights further, without the chain's own pauses. */
  readonly recovery_ms: Recovery;
  /** Of the seeds at timeouts of 300/150/150 ms alone. */
  readonly recovery_300_ms: Recovery;
  /** Of the seeds in which not everybody has a link to everybody, whatever their timeouts. */
  readonly recovery_sparse_ms: Recovery;
  /** Seeds by who has a link to whom. */
  readonly links: Readonly<Record<LinkShape, number>>;
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
  /**
   * Of all seeds: double votes in blocks; the most heights from catch to block, and the most of them after the faults (R37:
   * 10); the most bytes that a node held (R37: 1 MiB).
   */
  readonly evidence: {
    readonly convictions: number;
    readonly most_heights: number;
    readonly most_heights_healed: number;
    readonly most_bytes: number;
  };
  /** Hits of each rule of Algorithm 1 over all seeds. */
  readonly lines: Witness["lines"];
  /** How often over all seeds, and in how many of them; on chains whose set changes. */
  readonly churn: Readonly<Record<ChurnSign, { readonly times: number; readonly seeds: number }>>;
}

export function summarise(results: readonly SimResult[]): Summary {
  const count = (test: (result: SimResult) => boolean): number => results.filter(test).length;
  const sum = (of: (result: SimResult) => number): number =>
    results.reduce((total, each) => total + of(each), 0);
  const share = (test: (witness: Witness) => boolean): number =>
    Math.round((1000 * count(({ witness }) => test(witness))) / Math.max(1, results.length)) / 10;
  const lines = Object.fromEntries(
    RULE_LINES.map((line) => [line, sum(({ witness }) => witness.lines[line])]),
  );
  const churn = Object.fromEntries(
    CHURN_SIGNS.map((sign) => [
      sign,
      {
        times: sum(({ witness }) => witness.churn[sign]),
        seeds: count(({ witness }) => witness.churn[sign] > 0),
      },
    ]),
  );
  return {
    seeds: results.length,
    ok: count(({ verdict }) => verdict === "ok"),
    violations: count(({ verdict }) => verdict === "violation"),
    stalls: count(({ verdict }) => verdict === "stall"),
    recovery_ms: recoveryOf(results),
    recovery_300_ms: recoveryOf(results.filter(({ timeout_propose_ms }) => timeout_propose_ms === 300)),
    recovery_sparse_ms: recoveryOf(results.filter(({ links }) => links !== null)),
    links: Object.fromEntries(
      LINK_SHAPES.map((shape) => [shape, count(({ links }) => (links?.shape ?? "mesh") === shape)]),
    ) as Summary["links"],
    heights: sum(({ reached }) => reached),
    messages: sum(({ messages }) => messages),
    virtual_ms: sum(({ virtual_ms }) => virtual_ms),
    seen: {
      round_2: share(({ highestRound }) => highestRound >= 2),
      hidden_lock: share(({ hiddenLocks }) => hiddenLocks > 0),
      lock_change: share(({ lockChanges }) => lockChanges > 0),
      restart_mid_round: share(({ restartsMidRound }) => restartsMidRound > 0),
    },
    evidence: {
      convictions: sum(({ witness }) => witness.convictions),
      most_heights: Math.max(0, ...results.map(({ witness }) => witness.evidenceHeights)),
      most_heights_healed: Math.max(0, ...results.map(({ witness }) => witness.evidenceHeightsHealed)),
      most_bytes: Math.max(0, ...results.map(({ witness }) => witness.evidenceBytes)),
    },
    lines: lines as Witness["lines"],
    churn: churn as Summary["churn"],
  };
}

function recoveryOf(results: readonly SimResult[]): Recovery {
  const known = results
    .flatMap(({ seed, recovery_ms }) => (recovery_ms === null ? [] : [{ seed, ms: recovery_ms }]))
    .sort((a, b) => a.ms - b.ms || a.seed - b.seed);
  const at = (part: number): number =>
    known[Math.min(known.length - 1, Math.floor(part * known.length))]?.ms ?? 0;
  const last = known.at(-1);
  return {
    seeds: known.length,
    p50: at(0.5),
    p99: at(0.99),
    max: last?.ms ?? 0,
    slowest: last?.seed ?? null,
  };
}

/** One run for a person. */
export function runText(result: SimResult): string {
  const { witness } = result;
  const lines = [
    `seed ${result.seed}: ${result.verdict}, ${result.validators} validators, ${result.reached} heights, ${result.faults.length} faults, ${(result.virtual_ms / 1000).toFixed(1)} s simulated in ${(result.wall_ms / 1000).toFixed(1)} s`,
    ...(result.links === null ? [] : [`  links: ${linksText(result.links)}`]),
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
  const { seen, evidence } = summary;
  const back = ({ seeds, p50, p99, max, slowest }: Recovery): string =>
    `p50 ${p50} ms, p99 ${p99} ms, max ${max} ms (${seeds} seeds, slowest ${slowest ?? "none"})`;
  const shapes = LINK_SHAPES.filter((shape) => summary.links[shape] > 0)
    .map((shape) => `${shape} ${summary.links[shape]}`)
    .join(", ");
  const lines = [
    `${summary.seeds} seeds: ${summary.ok} ok, ${summary.violations} violations, ${summary.stalls} stalls`,
    `${summary.heights} heights and ${summary.messages} messages, ${(summary.virtual_ms / 1000).toFixed(0)} s simulated in ${(wallMs / 1000).toFixed(1)} s`,
    `three heights after healing: ${back(summary.recovery_ms)}`,
    `  at timeouts of 300/150/150 ms: ${back(summary.recovery_300_ms)}`,
    ...(summary.recovery_sparse_ms.seeds === 0
      ? []
      : [`  where not all have links to all: ${back(summary.recovery_sparse_ms)}; ${shapes}`]),
    `seeds with round 2 or later ${seen.round_2} %, hidden lock ${seen.hidden_lock} %, lock change ${seen.lock_change} %, restart in a begun height ${seen.restart_mid_round} %`,
    `${evidence.convictions} convictions within ${evidence.most_heights} heights of the catch, ${evidence.most_heights_healed} of them without faults; at most ${evidence.most_bytes} bytes of evidence held`,
    ...Object.entries(summary.lines).map(([line, hits]) => `  ${String(hits).padStart(8)}  ${line}`),
    ...Object.entries(summary.churn)
      .filter(([, { times }]) => times > 0)
      .map(([sign, { times, seeds }]) => `  ${String(times).padStart(8)}  ${sign}, in ${seeds} seeds`),
  ];
  return `${lines.join("\n")}\n`;
}
