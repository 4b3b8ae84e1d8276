import type {
  Block,
  BlockId,
  ChainParams,
  ChainState,
  Commit,
  Evidence,
  Genesis,
  Height,
  ValidatorSet,
} from "@quorate/chain";

/** What RPC may read. One snapshot object per call; nothing here can change the node. */
export interface RpcView {
  readonly genesis: Genesis;
  /** The genesis file as CometBFT's `/genesis` shows it. */
  readonly genesisDocument: unknown;
  readonly base: Height;
  readonly height: Height;
  state(): ChainState;
  block(
    height: Height,
  ): Promise<{ readonly block: Block; readonly blockId: BlockId; readonly bytes: number } | null>;
  heightOf(blockHash: Uint8Array): Promise<Height | null>;
  /** `canonical` false = seen commit of the tip. */
  commit(height: Height): Promise<{ readonly commit: Commit; readonly canonical: boolean } | null>;
  validators(height: Height): Promise<ValidatorSet | null>;
  /** Params and app version in force at a height, that of the next block included. */
  rules(height: Height): Promise<{ readonly params: ChainParams; readonly appVersion: bigint } | null>;
  nodeInfo(): NodeInfo;
  peers(): readonly RpcPeer[];
  consensus(): ConsensusSummary;
  executionSummary(): ExecutionSummary;
  readiness(): { readonly ready: boolean; readonly reasons: readonly string[] };
  /** Transactions handed in by `broadcast_tx_*`; absent where the chain takes them through the EL alone. */
  readonly mempool?: RpcMempool;
  readonly evidence: RpcEvidence;
}

/** The evidence pool and what left it for a block. */
export interface RpcEvidence {
  /** `null`: taken, or known already; else why not. */
  submit(evidence: Evidence): Promise<string | null>;
  /** In no block yet, oldest first. */
  pending(): readonly Evidence[];
  /** In blocks, the newest first. */
  committed(): Promise<readonly { readonly height: Height; readonly evidence: Evidence }[]>;
}

/** The pool behind `broadcast_tx_*` and `unconfirmed_txs`. */
export interface RpcMempool {
  submit(tx: Uint8Array): Promise<{ readonly accepted: boolean; readonly reason?: string }>;
  /** Up to `limit` pending transactions, oldest first. */
  pending(limit: number): readonly Uint8Array[];
  readonly count: number;
  readonly bytes: number;
}

/** Where the server reports; `node` supplies it. */
export interface RpcLog {
  debug(message: string, facts?: Readonly<Record<string, unknown>>): void;
  info(message: string, facts?: Readonly<Record<string, unknown>>): void;
  warn(message: string, facts?: Readonly<Record<string, unknown>>): void;
  error(message: string, facts?: Readonly<Record<string, unknown>>): void;
}

export interface RpcMetrics {
  /** One answered call. `method` is "unknown" for names that no method has, so labels stay bounded. */
  call(method: string, outcome: "ok" | "error", seconds: number): void;
  connections(open: number): void;
  /** Requests being answered, of at most `limit`. */
  inFlight?(count: number, limit: number): void;
}

export interface RpcModules {
  readonly log: RpcLog;
  readonly metrics: RpcMetrics | null;
}

export interface RpcOptions {
  /** `host:port`, `[v6]:port`, or `tcp://host:port` as CometBFT writes it. Port 0 takes a free one. */
  readonly listen: string;
}

export interface RpcServer {
  /** Where it answers, for example `http://127.0.0.1:26657`. */
  readonly url: string;
  /** Stops accepting, lets answers under way finish for a short time, closes every connection. */
  close(): Promise<void>;
}

export interface NodeInfo {
  readonly id: string;
  readonly listenAddress: string;
  readonly network: string;
  readonly version: string;
  readonly moniker: string;
  readonly rpcAddress: string;
  readonly genesisHash: string;
  readonly catchingUp: boolean;
  readonly validator: {
    readonly address: Uint8Array;
    readonly pubKey: Uint8Array;
    readonly power: bigint;
  } | null;
  readonly startedAtMs: number;
}

export interface RpcPeer {
  readonly id: string;
  readonly address: string;
  readonly outbound: boolean;
  readonly moniker: string;
  readonly height: Height;
}

export interface ConsensusSummary {
  readonly height: Height;
  readonly round: number;
  readonly step: string;
  readonly proposer: Uint8Array | null;
  readonly prevotesPower: bigint;
  readonly precommitsPower: bigint;
  readonly totalPower: bigint;
  /** Addresses without a vote in this step. */
  readonly missing: readonly Uint8Array[];
  readonly lockedRound: number;
  readonly validRound: number;
  readonly startTimeMs: number;
}

export interface ExecutionSummary {
  readonly client: string;
  readonly head: string;
  readonly executedHeight: Height;
  readonly lag: number;
  readonly elReady: boolean;
  readonly detail: string;
}
