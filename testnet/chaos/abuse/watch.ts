/** How a network does while nobody attacks it, and while somebody does: pace, memory, event loops, processor time. */
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import type { NodeNow } from "../../test/support/live.ts";
import { residentMib } from "../../test/support/live.ts";
import type { ChaosNetwork } from "../network.ts";
import type { Pace } from "../pace.ts";

const SAMPLE_MS = 100;
/** Linux counts processor time in these. */
const TICKS_PER_SECOND = 100;

export interface NodeSight {
  readonly name: string;
  /** Resident memory, MiB: lowest, highest and last; 0 where nobody tells. */
  readonly lowMib: number;
  readonly highMib: number;
  readonly lastMib: number;
  /** Share of one core. */
  readonly cores: number;
  readonly loopP99Ms: number;
  readonly loopMaxMs: number;
  /** Signatures that it verified. */
  readonly verified: number;
  /** Messages of topics that came through to admission. */
  readonly messages: number;
}

export interface Sight {
  /** Of the chain, ms. */
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly heights: number;
  readonly seconds: number;
  readonly nodes: readonly NodeSight[];
}

/** user+sys of a process, s; 0 where the system does not tell. */
function cpuSeconds(pid: number): number {
  if (process.platform !== "linux") return 0;
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

class Metrics {
  readonly #text: string;

  private constructor(text: string) {
    this.#text = text;
  }

  static async of({ metrics }: NodeNow): Promise<Metrics> {
    const response = await fetch(`${metrics}/metrics`, { signal: AbortSignal.timeout(10_000) });
    return new Metrics(await response.text());
  }

  /** Sum over all labels, or over those that contain `label`. */
  sum(name: string, label = ""): number {
    let sum = 0;
    for (const [, labels = "", value] of this.#text.matchAll(new RegExp(`^${name}(\\{.*\\})? (\\S+)$`, "gm")))
      if (labels.includes(label)) sum += Number(value);
    return sum;
  }
}

/** Looks until `meanwhile` ends. Whoever is not there all the time is not looked at. */
export async function watch(
  net: ChaosNetwork,
  pace: Pace,
  names: readonly string[],
  meanwhile: Promise<unknown>,
): Promise<Sight> {
  const nodes = (await net.live.nodes()).filter(({ name }) => names.includes(name));
  // A scrape begins the event loop's figures anew.
  const before = await Promise.all(nodes.map((node) => Metrics.of(node)));
  const cpu = nodes.map(({ pid }) => cpuSeconds(pid));
  const memory = nodes.map(({ pid }) => [residentMib(pid) ?? 0]);
  const fromMs = performance.now();
  const ended = { yet: false };
  const end = meanwhile.finally(() => {
    ended.yet = true;
  });
  // Its failure is thrown below, when this has looked its last.
  end.catch(() => undefined);
  while (!ended.yet) {
    await Promise.race([end.catch(() => undefined), delay(SAMPLE_MS)]);
    for (const [i, { pid }] of nodes.entries()) memory[i]!.push(residentMib(pid) ?? 0);
  }
  await end;
  const toMs = performance.now();
  const after = await Promise.all(nodes.map((node) => Metrics.of(node)));
  const seconds = (toMs - fromMs) / 1000;
  const intervals = pace.intervalsBetween(fromMs, toMs).toSorted((a, b) => a - b);
  const at = (share: number): number => intervals[Math.ceil(share * intervals.length) - 1] ?? Number.NaN;
  return {
    ...{ p50Ms: at(0.5), p95Ms: at(0.95), heights: intervals.length, seconds },
    nodes: nodes.map(({ name, pid }, i) => {
      const [was, is, mib] = [before[i]!, after[i]!, memory[i]!];
      const grown = (metric: string, label = ""): number => is.sum(metric, label) - was.sum(metric, label);
      return {
        name,
        ...{ lowMib: Math.min(...mib), highMib: Math.max(...mib), lastMib: mib.at(-1) ?? 0 },
        cores: (cpuSeconds(pid) - cpu[i]!) / seconds,
        loopP99Ms: 1000 * is.sum("quorate_event_loop_lag_seconds", '"p99"'),
        loopMaxMs: 1000 * is.sum("quorate_event_loop_lag_seconds", '"max"'),
        verified: grown("quorate_verify_signatures_total"),
        messages: grown("quorate_gossip_messages_total"),
      };
    }),
  };
}
