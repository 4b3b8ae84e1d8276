/**
 * Everything outside that a node touches, so that one composition runs on a machine and in the simulator. What
 * {@link systemPorts} gives is the machine.
 */
import type { Genesis } from "@quorate/chain";
import type { SignatureCheck, Verifier } from "@quorate/crypto";
import type { ExecutionClient } from "@quorate/execution";
import type { Gossip, GossipModules, LogPort, PeerBinding } from "@quorate/gossip";
import type { PrivVal } from "@quorate/privval";
import type { RpcMempool } from "@quorate/rpc";
import type { BlockStore } from "@quorate/store";
import type { WalDisk } from "@quorate/wal";
import type { Clock } from "./clock.ts";
import type { StateDump } from "./last-exit.ts";
import type { Metrics } from "./metrics/index.ts";
import type { Node } from "./node.ts";
import type { VoteTrace } from "./vote-trace.ts";

/** A gossip layer over the network of this machine, wired and not started. */
export type CreateGossip = (modules: GossipModules) => Promise<Gossip>;

export interface OpenedExecution {
  readonly client: ExecutionClient;
  /** The pool behind `broadcast_tx_*`; `null` where transactions enter through the EL alone. */
  readonly mempool: RpcMempool | null;
}

/** In the order in which they are opened; each may end the start with a NodeError. */
export interface NodePorts {
  readonly clock: Clock;
  /** Takes the home before anything in it is opened; `null`: the host holds it. */
  readonly lockHome: (() => Promise<{ release(): Promise<void> }>) | null;
  loadGenesis(): Promise<{ readonly genesis: Genesis; readonly document: unknown }>;
  /** Log, sign state and bodies write through one disk, in the order of their calls. */
  openDisk(): WalDisk;
  /** Size of the log's segments, bytes; default the log's own. Small ones roll over and are pruned within few heights. */
  readonly walSegmentBytes?: number;
  /** `onFailure`: a write or sync failed, also one that nobody waits for. */
  openStore(disk: WalDisk, genesis: Genesis, onFailure: (error: Error) => void): Promise<BlockStore>;
  createMetrics(genesis: Genesis): Metrics;
  /** `null` on a full node. */
  openPrivVal(disk: WalDisk): Promise<PrivVal | null>;
  /** `onFailure`: a decided block could not be read. */
  openExecution(
    genesis: Genesis,
    store: BlockStore,
    metrics: Metrics,
    onFailure: (error: unknown) => void,
  ): Promise<OpenedExecution>;
  /** `onFalseAcceptance`: a signature that it had accepted, and that may have been counted, does not hold. */
  createVerifier(metrics: Metrics, onFalseAcceptance: (check: SignatureCheck) => void): Verifier;
  openTrace(genesis: Genesis): VoteTrace | null;
  readonly createGossip: CreateGossip;
  /** What this node's peers are told of its validator; without it they know it by their configuration or not at all. */
  loadPeerBinding?(log: LogPort): Promise<PeerBinding | null>;
  /** Keeps what a fatal end leaves for the operator; answers what went wrong, if anything. */
  dump(dump: StateDump): Promise<string | null>;
  /** Serves RPC and metrics; `opened` is told of each server. Answers their URLs, empty where switched off. */
  serve(
    node: Node,
    metrics: Metrics,
    opened: (name: string, close: () => Promise<void>) => void,
  ): Promise<{ readonly rpc: string; readonly metrics: string }>;
}
