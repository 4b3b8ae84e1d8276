/** What is a state and not an event: read when Prometheus asks. */
import { statfs } from "node:fs/promises";
import type { ChainState } from "@quorate/chain";
import { type ConsensusState, summary } from "@quorate/consensus";
import type { ElStatus, ExecutionClient } from "@quorate/execution";
import type { LogPort } from "@quorate/gossip";
import type { RpcMempool } from "@quorate/rpc";
import type { BlockStore } from "@quorate/store";
import { MAX_BACKLOG_BYTES, type Wal } from "@quorate/wal";
import { reasonOf } from "../errors.ts";
import type { Metrics } from "./index.ts";
import { showRegistry } from "./registry.ts";

export interface SampleSources {
  readonly store: Pick<BlockStore, "base">;
  readonly execution: Pick<ExecutionClient, "status" | "executedHeight">;
  readonly mempool: RpcMempool | null;
  readonly wal: Pick<Wal, "backlogBytes">;
  /** Directory whose file system is watched. */
  readonly dataDir: string;
  readonly log: LogPort;
  chain(): ChainState;
  core(): ConsensusState;
}

const EL_STATUS: readonly ElStatus["kind"][] = [
  "connecting",
  "ready",
  "replaying",
  "offline",
  "misconfigured",
  "broken",
];

export function sampleNode(metrics: Metrics, sources: SampleSources): void {
  metrics.beforeScrape(async () => {
    showExecution(metrics, sources);
    showRound(metrics, sources.core());
    showRegistry(metrics.registry, sources.chain());
    metrics.queues.note("wal", sources.wal.backlogBytes, MAX_BACKLOG_BYTES);
    metrics.comet.state.blockStoreBaseHeight.set(sources.store.base);
    if (sources.mempool !== null) {
      metrics.comet.mempool.size.set(sources.mempool.count);
      metrics.comet.mempool.sizeBytes.set(sources.mempool.bytes);
    }
    await showDisk(metrics, sources);
  });
}

function showExecution({ own }: Metrics, { execution, chain }: SampleSources): void {
  own.executedHeight.set(execution.executedHeight);
  own.executionLag.set(Math.max(0, chain().lastHeight - execution.executedHeight));
  for (const status of EL_STATUS) own.elStatus.set({ status }, status === execution.status.kind ? 1 : 0);
}

/** 0 when a round begins, 1 when all have voted. */
function showRound({ comet }: Metrics, core: ConsensusState): void {
  const { totalPower, prevotesPower, precommitsPower } = summary(core);
  const share = (power: bigint): number => (totalPower === 0n ? 0 : Number(power) / Number(totalPower));
  comet.consensus.roundVotingPower.set({ vote_type: "prevote" }, share(prevotesPower));
  comet.consensus.roundVotingPower.set({ vote_type: "precommit" }, share(precommitsPower));
}

/** A file system that does not answer has no samples: a scrape must not fail over it. */
async function showDisk({ own }: Metrics, { dataDir, log }: SampleSources): Promise<void> {
  try {
    const { bavail, blocks, bsize } = await statfs(dataDir);
    own.diskFree.set(bavail * bsize);
    own.diskSize.set(blocks * bsize);
  } catch (error) {
    own.diskFree.remove();
    own.diskSize.remove();
    log.warn("the free space of the data directory cannot be read", {
      dir: dataDir,
      reason: reasonOf(error),
    });
  }
}
