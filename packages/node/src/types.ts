import type { LogPort } from "@quorate/gossip";

/** Everything a node is configured with; `cli` makes it from flags, environment and config.toml. */
export interface NodeConfig {
  readonly home: string;
  readonly moniker: string;
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
}
