/** Metrics that CometBFT has no name for. Durations in seconds, sizes in bytes, `_total` for counters. */
import { Counter, Gauge, Histogram, type Registry } from "prom-client";

const SYNC_SECONDS: number[] = [0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1];
const CALL_SECONDS: number[] = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const BATCH_SIZES: number[] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

export interface QuorateMetrics {
  readonly phase: Gauge<"phase">;
  readonly elCalls: Histogram<"method" | "status">;
  readonly elStatus: Gauge<"status">;
  readonly executedHeight: Gauge;
  readonly executionLag: Gauge;
  readonly walSync: Histogram;
  readonly walBytes: Counter;
  readonly signSync: Histogram;
  readonly signRefused: Counter<"code">;
  readonly storeCommit: Histogram;
  readonly verifyQueue: Gauge;
  readonly verifyBatch: Histogram;
  readonly verifySeconds: Histogram;
  readonly eventLoopLag: Gauge<"quantile">;
  readonly queueFill: Gauge<"queue">;
  readonly gossipMessages: Counter<"topic" | "verdict">;
  readonly peerOffences: Counter<"offence">;
  readonly equivocations: Counter<"type">;
  readonly commitLatency: Histogram;
  readonly coreStep: Histogram;
  readonly clockOffset: Gauge;
}

export function createQuorateMetrics(registry: Registry): QuorateMetrics {
  const registers = [registry];
  const named = (name: string, help: string): { name: string; help: string; registers: Registry[] } => ({
    name: `quorate_${name}`,
    help,
    registers,
  });
  return {
    phase: new Gauge({ ...named("node_phase", "1 for the phase the node is in."), labelNames: ["phase"] }),
    elCalls: new Histogram({
      ...named("el_call_seconds", "Calls to the execution client, by method and status."),
      labelNames: ["method", "status"],
      buckets: CALL_SECONDS,
    }),
    elStatus: new Gauge({
      ...named("el_status", "1 for the state of the execution client."),
      labelNames: ["status"],
    }),
    executedHeight: new Gauge(
      named("executed_height", "Highest height that the execution client acknowledged as head."),
    ),
    executionLag: new Gauge(
      named("execution_lag_blocks", "Decided blocks that the execution client has not executed."),
    ),
    walSync: new Histogram({ ...named("wal_sync_seconds", "Time of a WAL sync."), buckets: SYNC_SECONDS }),
    walBytes: new Counter(named("wal_bytes_total", "Bytes appended to the WAL.")),
    signSync: new Histogram({
      ...named(
        "sign_seconds",
        "Time from a request to a released signature: WAL sync, slot sync and signing.",
      ),
      buckets: SYNC_SECONDS,
    }),
    signRefused: new Counter({
      ...named("sign_refused_total", "Signatures refused by the guard."),
      labelNames: ["code"],
    }),
    storeCommit: new Histogram({
      ...named("store_commit_seconds", "Time of the synced commit batch."),
      buckets: SYNC_SECONDS,
    }),
    verifyQueue: new Gauge(named("verify_queue_length", "Signatures waiting for a verification worker.")),
    verifyBatch: new Histogram({
      ...named("verify_batch_size", "Signatures per batch."),
      buckets: BATCH_SIZES,
    }),
    verifySeconds: new Histogram({
      ...named("verify_batch_seconds", "Time from queueing a batch to its verdict."),
      buckets: SYNC_SECONDS,
    }),
    eventLoopLag: new Gauge({
      ...named("event_loop_lag_seconds", "Event-loop delay since the last scrape."),
      labelNames: ["quantile"],
    }),
    queueFill: new Gauge({
      ...named("queue_fill_ratio", "How full each bounded queue is, 0 to 1."),
      labelNames: ["queue"],
    }),
    gossipMessages: new Counter({
      ...named("gossip_messages_total", "Gossip messages by topic and verdict."),
      labelNames: ["topic", "verdict"],
    }),
    peerOffences: new Counter({
      ...named("peer_offences_total", "Offences of peers, by kind."),
      labelNames: ["offence"],
    }),
    equivocations: new Counter({
      ...named("equivocations_total", "Equivocations detected, by message type."),
      labelNames: ["type"],
    }),
    commitLatency: new Histogram({
      ...named("commit_latency_seconds", "From the proposal's time to the durable commit here."),
      buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10],
    }),
    coreStep: new Histogram({
      ...named("core_step_seconds", "Time of one step of the consensus core."),
      buckets: [0.00001, 0.00002, 0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.005, 0.02],
    }),
    clockOffset: new Gauge(
      named("clock_offset_seconds", "Receive time minus timestamp of the last proposal of another node."),
    ),
  };
}
