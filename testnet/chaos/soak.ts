/** A long run of one network: memory, descriptors and rounds stay flat, whatever happens on the wires meanwhile. */
import { readdirSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { anonymousMib, type NodeNow } from "../test/support/live.ts";
import { recovery } from "./bounds.ts";
import type { Campaign, Report } from "./campaign.ts";
import { collect, toldBy } from "./memory.ts";
import type { ChaosNetwork } from "./network.ts";
import { suffer, torment } from "./torments.ts";

const QUIET_MS = 40_000;
const SAMPLE_MS = 2_000;
/** Those that leave the processes alive: a restart would hide what leaks. */
const MILD = ["disconnect", "lost-route", "slow-wires", "pause", "slow-disk", "client-pause"].map(torment);
/** Scenes before memory is compared: caches fill and code is compiled. */
const WARM_UP = 5;
/** Memory of a node may grow by so much an hour; over a shorter run noise is larger. */
const MIB_PER_HOUR = 1;
/** Of what the heap holds once garbage is collected: caches with bounds that are not reached yet. */
const NOISE_HEAP_MIB = 3;
/**
 * Of what the process has from the system and no file stands behind: V8 collects when it sees fit, and the index keeps up to
 * two write buffers of 2 MiB.
 */
const NOISE_MIB = 40;
/** Timers and open handles beyond those after the warm-up: requests and retries under way. */
const SPARE_TIMERS = 24;
/** Descriptors beyond those after the warm-up: connections that come and go. */
const SPARE_DESCRIPTORS = 16;
/** Of heights while nothing is done to anybody. */
const FIRST_ROUND_SHARE = 0.99;

interface Sample {
  readonly minute: number;
  /** JavaScript's objects and what they hold outside the heap, garbage collected. */
  readonly heapMib: number;
  /** Pages of its own. What LevelDB maps of its files comes and goes as the kernel likes. */
  readonly mib: number;
  readonly descriptors: number;
  /** Timers and handles that its event loop knows of. */
  readonly timers: number;
}

interface Log {
  readonly samples: Map<string, Sample[]>;
  readonly fromMs: number;
  heights: number;
  late: number;
}

const logs = new WeakMap<ChaosNetwork, Log>();

function descriptorsOf(pid: number): number {
  return process.platform === "linux" ? readdirSync(`/proc/${pid}/fd`).length : 0;
}

/** Lowest figures of a quiet while, at the beginning of which garbage is collected. */
async function lowest(nodes: readonly NodeNow[]): Promise<Map<string, Omit<Sample, "minute">>> {
  const found = new Map<string, Omit<Sample, "minute">>();
  collect(nodes);
  for (const until = performance.now() + QUIET_MS; performance.now() < until; await delay(SAMPLE_MS)) {
    for (const { name, pid, metrics } of nodes) {
      const before = found.get(name);
      const { heapMib, timers } = await toldBy(metrics);
      const [mib, descriptors] = [anonymousMib(pid) ?? 0, descriptorsOf(pid)];
      found.set(name, {
        heapMib: Math.min(heapMib, before?.heapMib ?? heapMib),
        mib: Math.min(mib, before?.mib ?? mib),
        descriptors: Math.min(descriptors, before?.descriptors ?? descriptors),
        timers: Math.min(timers, before?.timers ?? timers),
      });
    }
  }
  return found;
}

export const soak: Campaign = {
  name: "soak",
  unit: "minutes",
  about:
    "one network for as long as --minutes says: memory, descriptors and timers stay flat, heights take one round",
  network: { blockIntervalMs: 250, load: 20 },
  scenesPerNetwork: Number.POSITIVE_INFINITY,
  async scene({ net, pace, random, report }) {
    const { live } = net;
    const log: Log = logs.get(net) ?? { samples: new Map(), fromMs: performance.now(), heights: 0, late: 0 };
    logs.set(net, log);
    const from = performance.now();
    const nodes = await live.nodes();
    const first = live.height + 1;
    const quiet = await lowest(nodes);
    const last = live.height;
    for (const { height, round } of live.commitsOf("node0")) {
      if (height <= first || height > last) continue;
      log.heights++;
      if (round > 0) log.late++;
    }
    for (const [name, sample] of quiet) {
      const minute = (performance.now() - log.fromMs) / 60_000;
      log.samples.set(name, [...(log.samples.get(name) ?? []), { minute, ...sample }]);
    }
    const name = live.names[Math.floor(random() * live.names.length)]!;
    const chosen = MILD[Math.floor(random() * MILD.length)]!;
    report.what += ` (${chosen.name} of ${name})`;
    const tormented = performance.now();
    await suffer(net, [{ node: name, torment: chosen }]);
    await recovery(net, pace, report, { nodes: [name], fromMs: tormented, stopped: false });
    report.done(Math.round((performance.now() - from) / 600) / 100);
  },
  conclude(net, report) {
    const log = logs.get(net);
    if (log === undefined) return;
    for (const [name, samples] of log.samples) judgeGrowth(name, samples.slice(WARM_UP), report);
    if (log.heights > 100 && log.late / log.heights > 1 - FIRST_ROUND_SHARE)
      report.problem(`${log.late} of ${log.heights} quiet heights took more than one round`);
  },
};

function judgeGrowth(name: string, samples: readonly Sample[], report: Report): void {
  const [first, last] = [samples[0], samples.at(-1)];
  if (first === undefined || last === undefined || samples.length < 3) return;
  const hours = (last.minute - first.minute) / 60;
  for (const { what, of, noise } of [
    { what: "heap", of: (sample: Sample) => sample.heapMib, noise: NOISE_HEAP_MIB },
    { what: "memory", of: (sample: Sample) => sample.mib, noise: NOISE_MIB },
  ]) {
    const grown = slope(samples, of) * 60 * hours;
    report.measured(`growth of ${name}'s ${what}, KiB`, grown * 1024);
    if (grown > noise + MIB_PER_HOUR * hours)
      report.problem(
        `${name}'s ${what} grew by ${grown.toFixed(1)} MiB in ${(hours * 60).toFixed(0)} minutes after its warm-up`,
      );
  }
  report.measured(`heap of ${name}, MiB`, last.heapMib);
  report.measured(`memory of ${name}, MiB`, last.mib);
  report.measured(`descriptors of ${name}`, last.descriptors);
  report.measured(`timers of ${name}`, last.timers);
  if (last.timers > first.timers + SPARE_TIMERS)
    report.problem(`${name} has ${last.timers} timers and handles, after its warm-up it had ${first.timers}`);
  if (last.descriptors > first.descriptors + SPARE_DESCRIPTORS)
    report.problem(
      `${name} has ${last.descriptors} descriptors, after its warm-up it had ${first.descriptors}`,
    );
}

/** MiB per minute, by least squares. */
function slope(samples: readonly Sample[], of: (sample: Sample) => number): number {
  const mean = (pick: (sample: Sample) => number): number =>
    samples.reduce((sum, sample) => sum + pick(sample), 0) / samples.length;
  const [x, y] = [mean(({ minute }) => minute), mean(of)];
  const over = samples.reduce((sum, sample) => sum + (sample.minute - x) * (of(sample) - y), 0);
  const under = samples.reduce((sum, { minute }) => sum + (minute - x) ** 2, 0);
  return under === 0 ? 0 : over / under;
}
