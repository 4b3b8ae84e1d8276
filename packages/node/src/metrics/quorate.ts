/** Metrics that CometBFT has no name for. Durations in seconds, sizes in bytes, `_total` for counters. */
import { Counter, Gauge, Histogram, type Registry } from "prom-client";

const SYNC_SECONDS: number[] = [0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1];
const CALL_SECONDS: number[] = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const BATCH_SIZES: number[] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];
const RPC_SECONDS: number[] = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5];

export interface QuorateMetrics {
  readonly build: Gauge<"version">;
  readonly phase: Gauge<"phase">;
  readonly elCalls: Histogram<"method" | "status">;
  readonly elStatus: Gauge<"status">;
  readonly executedHeight: Gauge;
  readonly executionLag: Gauge;
  readonly walSync: Histogram;
  readonly walBytes: Counter;
  readonly signSync: Histogram;
  readonly signRefused: Counter<"code">;
  readonly bodySync: Histogram;
  readonly storeCommit: Histogram;
  readonly blockApply: Histogram;
  readonly verifyQueue: Gauge;
  readonly verifyBatch: Histogram;
  readonly verifySeconds: Histogram;
  readonly verifySignatures: Counter<"path">;
  readonly verifyDisagreements: Counter;
  readonly eventLoopLag: Gauge<"statistic">;
  readonly queueFill: Gauge<"queue">;
  readonly gossipMessages: Counter<"topic" | "verdict">;
  readonly peerOffences: Counter<"offence">;
  readonly equivocations: Counter<"type">;
  readonly evidenceBytes: Gauge;
  readonly evidenceCommitted: Counter;
  readonly commitLatency: Histogram;
  readonly coreStep: Histogram;
  readonly proposalDelay: Gauge<"proposer_address">;
  readonly rpcCalls: Histogram<"method" | "outcome">;
  readonly rpcConnections: Gauge;
  readonly diskFree: Gauge;
  readonly diskSize: Gauge;
}

export function createQuorateMetrics(registry: Registry): QuorateMetrics {
  const registers = [registry];
  const named = (name: string, help: string): { name: string; help: string; registers: Registry[] } => ({
    name: `quorate_${name}`,
    help,
    registers,
  });
  return {
    build: new Gauge({ ...named("build_info", "Version of the program."), labelNames: ["version"] }),
    phase: new Gauge({ ...named("node_phase", "1 for the phase the node is in."), labelNames: ["phase"] }),
    elCalls: new Histogram({
      ...named("el_call_seconds", "Time of calls to the execution client, by method and status."),
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
    walSync: new Histogram({
      ...named("wal_sync_seconds", "Time for which a signature waited for the WAL to be on disk."),
      buckets: SYNC_SECONDS,
    }),
    walBytes: new Counter(named("wal_bytes_total", "Payload bytes appended to the WAL.")),
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
    bodySync: new Histogram({
      ...named("store_body_sync_seconds", "Time from handing a block body to the store until it is on disk."),
      buckets: SYNC_SECONDS,
    }),
    blockApply: new Histogram({
      ...named("block_apply_seconds", "Time to check, store and apply a decided block."),
      buckets: SYNC_SECONDS,
    }),
    storeCommit: new Histogram({
      ...named("store_commit_seconds", "Time of the synced commit batch."),
      buckets: SYNC_SECONDS,
    }),
    verifyQueue: new Gauge(
      named("verify_queue_length", "Signatures waiting for a verification worker or in one."),
    ),
    verifyBatch: new Histogram({
      ...named("verify_batch_size", "Signatures per batch."),
      buckets: BATCH_SIZES,
    }),
    verifySeconds: new Histogram({
      ...named("verify_batch_seconds", "Time from queueing a batch to its verdict."),
      buckets: SYNC_SECONDS,
    }),
    verifySignatures: new Counter({
      ...named("verify_signatures_total", "Signatures verified, on the main thread or by the workers."),
      labelNames: ["path"],
    }),
    verifyDisagreements: new Counter(
      named(
        "verify_disagreements_total",
        "Signatures on which the batch verifier and its oracle differed; from the first one on the oracle does everything.",
      ),
    ),
    eventLoopLag: new Gauge({
      ...named("event_loop_lag_seconds", "Event-loop delay since the last scrape: p50, p99, max."),
      labelNames: ["statistic"],
    }),
    queueFill: new Gauge({
      ...named("queue_fill_ratio", "Highest fill of each bounded queue since the last scrape, 0 to 1."),
      labelNames: ["queue"],
    }),
    gossipMessages: new Counter({
      ...named(
        "gossip_messages_total",
        "Messages by topic and verdict; direct = frames of votes, proposals and repair on the peer streams.",
      ),
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
    evidenceBytes: new Gauge(named("evidence_pool_bytes", "Encoded bytes of pending evidence.")),
    evidenceCommitted: new Counter(named("evidence_committed_total", "Evidence in blocks, since start.")),
    commitLatency: new Histogram({
      ...named("commit_latency_seconds", "From the proposal's time to the durable commit here."),
      buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10],
    }),
    coreStep: new Histogram({
      ...named("core_step_seconds", "Time of one step of the consensus core."),
      buckets: [0.00001, 0.00002, 0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.005, 0.02],
    }),
    proposalDelay: new Gauge({
      ...named(
        "proposal_delay_seconds",
        "Receive time minus timestamp of the last proposal of each proposer: build and network time plus clock difference.",
      ),
      labelNames: ["proposer_address"],
    }),
    rpcCalls: new Histogram({
      ...named("rpc_call_seconds", "Time of RPC calls, by method and outcome."),
      labelNames: ["method", "outcome"],
      buckets: RPC_SECONDS,
    }),
    rpcConnections: new Gauge(named("rpc_connections", "Open RPC connections.")),
    diskFree: new Gauge(
      named("disk_free_bytes", "Bytes of the data directory's file system that this process may still use."),
    ),
    diskSize: new Gauge(named("disk_size_bytes", "Size of the data directory's file system.")),
  };
}
