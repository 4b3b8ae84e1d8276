import type { Block, BlockId, ChainState, Commit, Genesis, Height, ValidatorSet } from "@quorate/chain";

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
  nodeInfo(): NodeInfo;
  peers(): readonly RpcPeer[];
  consensus(): ConsensusSummary;
  executionSummary(): ExecutionSummary;
  readiness(): { readonly ready: boolean; readonly reasons: readonly string[] };
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
