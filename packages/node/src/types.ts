import type { Address, Genesis, Hash, Height, Round, Time } from "@quorate/chain";
import type { ConsensusState, Input, StepResult } from "@quorate/consensus";
import type { LogPort } from "@quorate/gossip";

/** Everything a node is configured with; `cli` makes it from flags, environment and config.toml. */
export interface NodeConfig {
  readonly home: string;
  readonly moniker: string;
  /** Version of the program, shown by RPC. */
  readonly version: string;
  readonly p2p: {
    /** Multiaddrs. */
    readonly listen: readonly string[];
    readonly announce: readonly string[];
    readonly persistentPeers: readonly string[];
    /** Peer ids; empty = everybody of this chain. */
    readonly allow: readonly string[];
    readonly validatorPeers: Readonly<Record<string, string>>;
    readonly maxPeers: number;
    readonly gossipTxs: boolean;
  };
  /** host:port; empty string = off. */
  readonly rpcListen: string;
  readonly metricsListen: string;
  /** Absent with genesis execution "none". */
  readonly execution?: {
    readonly engineUrl: string;
    readonly ethUrl: string;
    readonly jwtFile: string;
    /** ms between fcU with attributes and getPayload on an EL that fills blocks in the background (Geth: 300). */
    readonly buildWindowMs: number;
  };
  /** Stop cleanly (exit 0) after this height. */
  readonly haltHeight?: number;
  /** Verification worker threads; 0 = cores - 1, at least 1. */
  readonly verifyWorkers: number;
  /** When set, every vote and proposal sent or received is appended here as NDJSON (testnets). */
  readonly voteTrace?: string;
}

/** Supplied by the composition's host. */
export interface NodeModules {
  readonly log: (module: string) => LogPort;
  /**
   * True when the host took the home already (store's `lockHome`) and keeps it until the node has ended: a host that
   * refuses a second start before it loads this package. Otherwise createNode takes and frees it.
   */
  readonly homeLocked?: boolean;
  /**
   * Called once, when the home is locked and its genesis read, before the execution client is contacted: starts an
   * embedded one. A NodeError that it rejects with is createNode's own. Not called with execution "none".
   */
  readonly startExecution?: (genesis: Genesis) => Promise<void>;
  /** Every decided height in order, also those that block sync brings, once it is durable here. Must not throw. */
  readonly onCommit?: (commit: CommitInfo) => void;
  readonly onPhase?: (phase: NodePhase) => void;
  /** After every step of the consensus core, before its effects are carried out: for traces. Must not throw. */
  readonly onStep?: (input: Input, before: ConsensusState, after: StepResult) => void;
}

/** What became final at a height. */
export interface CommitInfo {
  readonly height: Height;
  /** Round of the commit. */
  readonly round: Round;
  /** Header time. */
  readonly time: Time;
  /** BlockID.hash. */
  readonly blockHash: Hash;
  /** As the header of this height carries it. */
  readonly appHash: Hash;
  /** `null` with execution "none". */
  readonly elHash: Hash | null;
  /** EVM transactions; the envelope is not counted. */
  readonly txs: number;
  /** Address in the header. */
  readonly proposer: Address;
  /** Wall clock minus header time when it was committed here, ms. */
  readonly latencyMs: number;
}

export interface StartedInfo {
  readonly chainId: string;
  readonly genesisHash: string;
  readonly peerId: string;
  readonly p2p: readonly string[];
  readonly rpc: string;
  readonly metrics: string;
  readonly validatorAddress: string | null;
  readonly height: number;
}

export type NodePhase = "starting" | "syncing" | "consensus" | "stopping";

/** Why the process ends; codes of DESIGN §9. */
export interface NodeExit {
  readonly code: number;
  readonly what: string;
  readonly do: string;
}

export interface QuorateNode {
  readonly started: StartedInfo;
  readonly phase: NodePhase;
  /** Settles once when the node has stopped, by itself (fatal, halt height) or by {@link stop}. */
  readonly exited: Promise<NodeExit>;
  stop(): Promise<NodeExit>;
  /** A bug reached the host (unhandled rejection): writes data/state-dump.json and stops without signing; code 1. */
  crash(error: unknown): Promise<NodeExit>;
}
