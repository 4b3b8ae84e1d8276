import type { BlockId, ChainState, Evidence, Genesis } from "@quorate/chain";
import { blockIdOf, stateFromGenesis } from "@quorate/chain";
import { type ConsensusState, summary } from "@quorate/consensus";
import type { ExecutionClient } from "@quorate/execution";
import type { PeerInfo } from "@quorate/gossip";
import type {
  ConsensusSummary,
  ExecutionSummary,
  NodeInfo,
  RpcMempool,
  RpcPeer,
  RpcView,
} from "@quorate/rpc";
import type { BlockStore } from "@quorate/store";

export interface RpcViewSources {
  readonly genesis: Genesis;
  readonly genesisDocument: unknown;
  readonly store: BlockStore;
  readonly execution: ExecutionClient;
  readonly mempool: RpcMempool | null;
  /** `null`: taken, or known already; else why not. */
  submitEvidence(evidence: Evidence): Promise<string | null>;
  pendingEvidence(): readonly Evidence[];
  chain(): ChainState;
  core(): ConsensusState;
  /** Wall clock at which the current height began, ms. */
  heightStartedMs(): number;
  nodeInfo(): NodeInfo;
  peers(): readonly PeerInfo[];
  catchingUp(): boolean;
  phase(): string;
}

/** Adapts the node's parts to what RPC may read. */
export function createRpcView(sources: RpcViewSources): RpcView {
  const { store } = sources;
  const idOf = async (height: number): Promise<BlockId | null> => (await store.meta(height))?.blockId ?? null;
  return {
    genesis: sources.genesis,
    genesisDocument: sources.genesisDocument,
    get base() {
      return store.base;
    },
    get height() {
      return store.height;
    },
    state: () => sources.chain(),
    async block(height) {
      const bytes = await store.blockBytes(height);
      const block = await store.block(height);
      if (bytes === null || block === null) return null;
      return { block, blockId: (await idOf(height)) ?? blockIdOf(block, bytes), bytes: bytes.length };
    },
    heightOf: (hash) => store.heightOf(hash),
    async commit(height) {
      const commit = await store.commitOf(height);
      return commit === null ? null : { commit, canonical: height < store.height };
    },
    validators: (height) => store.validators(height),
    async rules(height) {
      const state = sources.chain();
      if (height === state.lastHeight + 1) return state;
      if (height === state.initialHeight) return stateFromGenesis(sources.genesis);
      return store.stateAt(height - 1);
    },
    nodeInfo: () => sources.nodeInfo(),
    peers: () => sources.peers().map(rpcPeer),
    consensus: () => consensusSummary(sources),
    executionSummary: () => executionSummary(sources),
    readiness: () => readiness(sources),
    evidence: {
      submit: (evidence) => sources.submitEvidence(evidence),
      pending: () => sources.pendingEvidence(),
      committed: () => store.committedEvidence(),
    },
    ...(sources.mempool === null ? {} : { mempool: sources.mempool }),
  };
}

function rpcPeer(peer: PeerInfo): RpcPeer {
  return {
    id: peer.id,
    address: peer.address,
    outbound: !peer.inbound,
    moniker: peer.status?.moniker ?? "",
    height: peer.status?.height ?? 0,
  };
}

function executionSummary(sources: RpcViewSources): ExecutionSummary {
  const { execution } = sources;
  const { status } = execution;
  const height = sources.chain().lastHeight;
  const lag = Math.max(0, height - execution.executedHeight);
  return {
    client:
      sources.genesis.execution === "none" ? "none" : status.kind === "ready" ? status.client : status.kind,
    head: execution.head === null ? "" : `0x${Buffer.from(execution.head.blockHash).toString("hex")}`,
    executedHeight: execution.executedHeight,
    lag,
    elReady: status.kind === "ready" && lag <= 1,
    detail: executionDetail(execution),
  };
}

/** What is wrong with the EL and what to do about it; the kind of its status when nothing is. */
function executionDetail({ status }: Pick<ExecutionClient, "status">): string {
  if (status.kind === "replaying")
    return `the execution client is at ${status.head} of ${status.target}: the node feeds it the decided blocks`;
  return "reason" in status ? `${status.reason}; ${status.action}` : status.kind;
}

/** `/ready`: in consensus or at the tip, with the EL at most one block behind; else the reasons. */
export function readiness(sources: Pick<RpcViewSources, "execution" | "chain" | "catchingUp" | "phase">): {
  readonly ready: boolean;
  readonly reasons: readonly string[];
} {
  const { execution } = sources;
  const height = sources.chain().lastHeight;
  const reasons: string[] = [];
  if (sources.phase() === "starting") reasons.push("starting");
  if (sources.phase() === "stopping") reasons.push("stopping");
  if (sources.catchingUp()) reasons.push("catching up with the chain");
  if (execution.status.kind !== "ready" && execution.status.kind !== "replaying") {
    reasons.push(`execution client: ${executionDetail(execution)}`);
  }
  if (execution.executedHeight < height - 1) {
    reasons.push(`execution client is at ${execution.executedHeight} of ${height}`);
  }
  return { ready: reasons.length === 0, reasons };
}

function consensusSummary(sources: RpcViewSources): ConsensusSummary {
  const at = summary(sources.core());
  const { validators } = sources.chain().validators;
  return {
    height: sources.chain().lastHeight + 1,
    round: at.round,
    step: at.step,
    proposer: at.proposer?.address ?? null,
    prevotesPower: at.prevotesPower,
    precommitsPower: at.precommitsPower,
    totalPower: sources.chain().validators.totalPower,
    missing: at.missing.flatMap((index) => validators[index]?.address ?? []),
    lockedRound: at.locked?.round ?? -1,
    validRound: at.valid?.round ?? -1,
    startTimeMs: sources.heightStartedMs(),
  };
}
