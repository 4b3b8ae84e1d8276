import { monitorEventLoopDelay } from "node:perf_hooks";
import { OFFENCES } from "@quorate/gossip/core";
import { collectDefaultMetrics, Registry } from "prom-client";
import { type CometMetrics, createCometMetrics } from "./cometbft.ts";
import { exposition } from "./exposition.ts";
import { QueueFill } from "./fill.ts";
import { createQuorateMetrics, type QuorateMetrics } from "./quorate.ts";
import { createRegistryMetrics, type RegistryMetrics } from "./registry.ts";

export interface Metrics {
  readonly comet: CometMetrics;
  readonly own: QuorateMetrics;
  readonly registry: RegistryMetrics;
  readonly queues: QueueFill;
  /** Called before each scrape: sets what is a state and not an event. A rejection fails that scrape. */
  beforeScrape(sample: () => void | Promise<void>): void;
  /** Prometheus text exposition. */
  text(): Promise<string>;
  readonly contentType: string;
  close(): void;
}

/** Gauges of prom-client that count under a counter's name; their parts by kind stay. */
const MISNAMED = [
  "nodejs_active_handles_total",
  "nodejs_active_requests_total",
  "nodejs_active_resources_total",
];

/**
 * How often the event loop's delay is looked at, ms. Each look wakes the main thread: every 2 ms, and every 10 for
 * prom-client's own, they took 1.5 % of a core of a node that had nothing to do, and a fortieth of what a height costs.
 */
const DELAY_RESOLUTION_MS = 20;

/** increase() does not see the step from no sample to 1, so what must not be missed begins at 0. */
function beginAtZero({ consensus }: CometMetrics, own: QuorateMetrics): void {
  for (const type of ["prevote", "precommit", "proposal"]) own.equivocations.inc({ type }, 0);
  for (const code of ["REGRESSION", "CONFLICT"]) own.signRefused.inc({ code }, 0);
  for (const vote_type of ["prevote", "precommit"]) consensus.lateVotes.inc({ vote_type }, 0);
  for (const status of ["accepted", "rejected"]) consensus.proposalReceive.inc({ status }, 0);
  for (const offence of Object.keys(OFFENCES)) own.peerOffences.inc({ offence }, 0);
}

/**
 * One registry per node: nothing global, so several nodes can live in one process. `ofProcess` false leaves out what is
 * the process's own (memory, CPU, event loop), which no simulated node has.
 */
export function createMetrics(chainId: string, version: string, ofProcess: boolean = true): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels({ chain_id: chainId });
  if (ofProcess) {
    collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: DELAY_RESOLUTION_MS });
  }
  for (const name of MISNAMED) registry.removeSingleMetric(name);
  const comet = createCometMetrics(registry);
  const own = createQuorateMetrics(registry);
  own.build.set({ version }, 1);
  beginAtZero(comet, own);
  const queues = new QueueFill(own.queueFill);
  const samples: (() => void | Promise<void>)[] = [];
  const delay = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS });
  if (ofProcess) delay.enable();
  return {
    comet,
    own,
    registry: createRegistryMetrics(registry),
    queues,
    contentType: registry.contentType,
    beforeScrape: (sample) => void samples.push(sample),
    async text() {
      for (const sample of samples) await sample();
      queues.show();
      for (const [statistic, value] of [
        ["p50", delay.percentile(50)],
        ["p99", delay.percentile(99)],
        ["max", delay.max],
      ] as const) {
        // What it records is the time between two looks.
        own.eventLoopLag.set({ statistic }, Math.max(0, value / 1e9 - DELAY_RESOLUTION_MS / 1000));
      }
      delay.reset();
      return exposition(await registry.metrics());
    },
    close() {
      delay.disable();
      registry.clear();
    },
  };
}
