import { monitorEventLoopDelay } from "node:perf_hooks";
import { collectDefaultMetrics, Registry } from "prom-client";
import { type CometMetrics, createCometMetrics } from "./cometbft.ts";
import { createQuorateMetrics, type QuorateMetrics } from "./quorate.ts";

export interface Metrics {
  readonly comet: CometMetrics;
  readonly own: QuorateMetrics;
  /** Prometheus text exposition. */
  text(): Promise<string>;
  readonly contentType: string;
  close(): void;
}

/** One registry per node: nothing global, so several nodes can live in one process. */
export function createMetrics(chainId: string): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels({ chain_id: chainId });
  collectDefaultMetrics({ register: registry });
  const comet = createCometMetrics(registry);
  const own = createQuorateMetrics(registry);
  const delay = monitorEventLoopDelay({ resolution: 2 });
  delay.enable();
  return {
    comet,
    own,
    contentType: registry.contentType,
    async text() {
      for (const [label, value] of [
        ["0.5", delay.percentile(50)],
        ["0.99", delay.percentile(99)],
        ["1", delay.max],
      ] as const) {
        own.eventLoopLag.set({ quantile: label }, value / 1e9);
      }
      delay.reset();
      return registry.metrics();
    },
    close() {
      delay.disable();
      registry.clear();
    },
  };
}
