/** What every campaign against a running network has in common: seeds, bounds, measures, problems, the verdict. */

import { join } from "node:path";
import { ethChain } from "../test/support/eth.ts";
import { tail } from "../test/support/live.ts";
import { seededRandom } from "../test/support/random.ts";
import { judgeVotes } from "../test/support/votes.ts";
import { type ChaosNetwork, type ChaosOptions, startChaosNetwork } from "./network.ts";
import { Pace } from "./pace.ts";

/** One torment of a running network. All its chance comes from `random`: the same seed asks for the same. */
export interface Scene {
  readonly net: ChaosNetwork;
  readonly pace: Pace;
  readonly seed: number;
  readonly random: () => number;
  readonly report: Report;
}

export interface Campaign {
  readonly name: string;
  /** What {@link Report.count} counts. */
  readonly unit: string;
  readonly about: string;
  readonly network: Partial<ChaosOptions>;
  /** Scenes that one network goes through before it is judged and another one is made. */
  readonly scenesPerNetwork: number;
  scene(scene: Scene): Promise<void>;
  /** What only all scenes of one network together show. */
  conclude?(net: ChaosNetwork, report: Report): void;
}

export interface RunOptions {
  readonly seed: number;
  /** At most so many scenes. */
  readonly scenes: number;
  readonly minutes: number;
  readonly el: string;
  /** Factor on every bound of time, for machines that do other work meanwhile. */
  readonly slack: number;
  /** Homes of networks that failed stay. */
  readonly keep: boolean;
  readonly signal: AbortSignal;
  progress(line: string): void;
}

export interface Measure {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export interface Verdict {
  readonly campaign: string;
  readonly unit: string;
  readonly count: number;
  readonly failed: number;
  readonly next_seed: number;
  readonly ok: boolean;
  readonly seed: number;
  readonly el: string;
  readonly heights: number;
  /** By name with unit. */
  readonly measures: Readonly<Record<string, Measure>>;
  readonly problems: readonly string[];
}

/** What a campaign found. */
export class Report {
  readonly slack: number;
  readonly problems: string[] = [];
  readonly #samples = new Map<string, number[]>();
  readonly #progress: (line: string) => void;
  count = 0;
  failed = 0;
  heights = 0;
  /** Of the scene that runs. */
  what = "";

  readonly #signal: AbortSignal | null;

  /** After `signal` nothing is a problem any more: whoever interrupts a scene breaks it. */
  constructor(slack: number, progress: (line: string) => void, signal: AbortSignal | null = null) {
    this.slack = slack;
    this.#signal = signal;
    this.#progress = progress;
  }

  /** One of the campaign's units is done. */
  done(units = 1): void {
    this.count += units;
  }

  problem(text: string): void {
    if (this.#signal?.aborted === true) return;
    const line = `${this.what}: ${text}`;
    this.problems.push(line);
    this.#progress(`PROBLEM ${line}`);
  }

  /** A duration; beyond its bound it is a problem. */
  took(name: string, ms: number, boundMs: number = Number.POSITIVE_INFINITY): void {
    this.measured(`${name}, ms`, ms);
    const bound = boundMs * this.slack;
    if (ms > bound) this.problem(`${name} took ${(ms / 1000).toFixed(1)} s, the bound is ${bound / 1000} s`);
  }

  /** What a reader of the output wants to see of a scene that held, too. */
  say(text: string): void {
    this.#progress(text);
  }

  /** Any number worth showing; the name says its unit. */
  measured(name: string, value: number): void {
    const samples = this.#samples.get(name) ?? [];
    samples.push(value);
    this.#samples.set(name, samples);
  }

  get measures(): Record<string, Measure> {
    return Object.fromEntries(
      [...this.#samples].map(([name, samples]) => {
        const sorted = samples.toSorted((a, b) => a - b);
        const at = (share: number): number => Math.round(sorted[Math.ceil(share * sorted.length) - 1] ?? 0);
        return [name, { count: sorted.length, p50: at(0.5), p99: at(0.99), max: at(1) }];
      }),
    );
  }
}

/** Scenes by ascending seeds until the time, the scenes or the patience of the signal are over. */
export async function runCampaign(campaign: Campaign, options: RunOptions): Promise<Verdict> {
  const { signal, progress } = options;
  const report = new Report(options.slack, progress, signal);
  const deadline = performance.now() + options.minutes * 60_000;
  const over = (seed: number): boolean =>
    signal.aborted || seed - options.seed >= options.scenes || performance.now() > deadline;
  let seed = options.seed;
  while (!over(seed)) {
    report.what = `network of seed ${seed}`;
    let net: ChaosNetwork;
    try {
      net = await startChaosNetwork({
        ...{ blockIntervalMs: 500, load: 5, ...campaign.network },
        el: options.el,
      });
    } catch (error) {
      report.problem(reasonOf(error));
      report.failed++;
      break;
    }
    const before = report.problems.length;
    const pace = new Pace(net.live);
    // Whatever a scene waits for, without a network it does not come.
    const interrupted = (): void => void net.live.network.stop();
    if (signal.aborted) interrupted();
    signal.addEventListener("abort", interrupted);
    let scenes = 0;
    const usable = (): boolean => net.betrayed.size === 0 && report.problems.length === before;
    for (; scenes < campaign.scenesPerNetwork && !over(seed) && usable(); scenes++) {
      report.what = `${campaign.name} --seed ${seed}`;
      const failed = report.problems.length;
      const startedAt = performance.now();
      try {
        await campaign.scene({ net, pace, seed, random: seededRandom(seed), report });
      } catch (error) {
        report.problem(reasonOf(error));
      }
      if (signal.aborted) break;
      if (report.problems.length > failed) report.failed++;
      const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
      progress(`${report.what}: ${report.problems.length > failed ? "FAILED" : "held"}, ${seconds} s`);
      seed++;
    }
    report.what = `${campaign.name}, network of seeds ${seed - scenes} to ${seed - 1}`;
    const sound = report.problems.length;
    campaign.conclude?.(net, report);
    await judge(net, pace, report, options.signal);
    const bad = report.problems.length > before;
    if (bad && sound === before) report.failed++;
    if (bad) {
      for (const name of net.live.names) progress(`--- ${name}\n${unusual(net.live.homeOf(name))}`);
      progress(
        options.keep ? `kept: ${net.live.home}` : "the network's home is removed; --keep would keep it",
      );
    }
    report.heights += net.live.height;
    signal.removeEventListener("abort", interrupted);
    const { code, err } = await net.close(bad && options.keep);
    // Which the network's own judge finds in the votes that its nodes saw, too.
    const robbed = net.betrayed.size > 0 && code === DIVERGED && err.includes("conflicting signatures");
    if (code !== 0 && !robbed)
      report.problem(`the network ended with ${code}: ${err.trim().split("\n").at(-1)}`);
    if (scenes > 0) {
      progress(
        `${campaign.name}: network of seeds ${seed - scenes} to ${seed - 1} ${bad ? "FAILED" : "held"} over ${net.live.height} heights;` +
          ` ${report.count} ${campaign.unit} so far, ${report.failed} failed`,
      );
    }
  }
  return {
    ...{
      campaign: `chaos-${campaign.name}`,
      unit: campaign.unit,
      count: report.count,
      failed: report.failed,
    },
    ...{ next_seed: seed, ok: report.problems.length === 0, seed: options.seed, el: options.el },
    ...{ heights: report.heights, measures: report.measures, problems: report.problems },
  };
}

/** Exit code of a network of which two nodes say different things. */
const DIVERGED = 7;

/** What went wrong and, where an error names it, why. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message} (${reasonOf(error.cause)})`;
}

/** The last lines of a node's log that say more than that a height was committed. */
function unusual(home: string): string {
  const lines = tail(join(home, "node.log"), 200).split("\n");
  return lines
    .filter((line) => !/ committed height=\d+ round=0 /.test(line))
    .slice(-15)
    .join("\n");
}

/** What must hold of every network at its end, whatever was done to it. */
export async function judge(
  net: ChaosNetwork,
  pace: Pace,
  report: Report,
  signal: AbortSignal,
): Promise<void> {
  const { live, links } = net;
  links.heal();
  for (const name of live.names) live.fault(name, {});
  if (signal.aborted) return;
  for (const death of pace.deaths)
    report.problem(`${death.name} ended by itself with exit code ${death.exit}`);
  try {
    const height = (await live.advances(1)) - 1;
    for (const diverged of live.divergedHeights()) report.problem(`height ${diverged} differs between nodes`);
    const nodes = await live.nodes();
    const chains = await Promise.all(nodes.map(({ eth_rpc }) => ethChain(eth_rpc, height)));
    for (const [index, chain] of chains.entries()) {
      const wrong = chain.findIndex((block, at) => block === "absent" || block !== chains[0]?.[at]);
      if (wrong >= 0) report.problem(`the client of ${nodes[index]?.name} has another block at ${wrong + 1}`);
    }
    const votes = judgeVotes(nodes.map(({ home }) => home));
    for (const place of votes.conflicts)
      if (!net.betrayed.has(place.split("/")[0] ?? "")) report.problem(`two messages signed for ${place}`);
  } catch (error) {
    report.problem(`no verdict: ${reasonOf(error)}`);
  }
}
