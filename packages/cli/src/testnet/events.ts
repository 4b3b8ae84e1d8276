/** The NDJSON contract of `testnet --json`: keys in this order, no spaces. */
import type { DevAccount } from "./accounts.ts";
import type { Percentiles } from "./chain-watch.ts";
import type { NodeCommit, NodeState } from "./child.ts";

export interface NodeInfo {
  readonly name: string;
  readonly pid: number;
  readonly home: string;
  readonly address: string | null;
  readonly peer_id: string;
  readonly p2p: string;
  readonly rpc: string;
  readonly metrics: string;
  readonly eth_rpc: string;
  readonly el_pid: number | null;
}

export interface ReadyFacts {
  readonly chainId: string;
  readonly evmChainId: number;
  readonly genesisHash: string;
  readonly home: string;
  readonly nodes: readonly NodeInfo[];
  readonly accounts: readonly DevAccount[];
}

export interface Summary {
  readonly ok: boolean;
  readonly heights: number;
  readonly txsSent: number;
  readonly txsMined: number;
  readonly diverged: boolean;
  readonly conflictingSignatures: number;
  readonly latency: Percentiles;
  readonly interval: Percentiles;
}

export function readyEvent(facts: ReadyFacts): object {
  return {
    event: "ready",
    chain_id: facts.chainId,
    evm_chain_id: facts.evmChainId,
    genesis_hash: facts.genesisHash,
    home: facts.home,
    nodes: facts.nodes,
    accounts: facts.accounts.map(({ address, privateKey }) => ({ address, private_key: privateKey })),
  };
}

export function commitEvent(node: string, commit: NodeCommit): object {
  return {
    event: "commit",
    node,
    height: commit.height,
    round: commit.round,
    time: commit.time,
    block_id: commit.blockId,
    app_hash: commit.appHash,
    el_hash: commit.elHash,
    txs: commit.txs,
    proposer: commit.proposer,
    ms: commit.ms,
  };
}

export function nodeEvent(name: string, state: NodeState, pid: number | null, exit: number | null): object {
  return {
    event: "node",
    name,
    state,
    ...(pid === null ? {} : { pid }),
    ...(exit === null ? {} : { exit }),
  };
}

export function demoEvent(step: string, ok: boolean, height: number): object {
  return { event: "demo", step, ok, height };
}

export function doneEvent(summary: Summary): object {
  return {
    event: "done",
    ok: summary.ok,
    heights: summary.heights,
    txs_sent: summary.txsSent,
    txs_mined: summary.txsMined,
    diverged: summary.diverged,
    conflicting_signatures: summary.conflictingSignatures,
    latency_ms: { p50: summary.latency.p50, p95: summary.latency.p95 },
    interval_ms: { p50: summary.interval.p50, p95: summary.interval.p95 },
  };
}
