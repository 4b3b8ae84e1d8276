import type { Block, BlockId, ChainState, Commit, Height, PastHeight } from "@quorate/chain";

/** A height whose commit holds and whose block keeps every rule of the chain. */
export interface SyncedBlock {
  readonly block: Block;
  readonly bytes: Uint8Array;
  readonly blockId: BlockId;
  readonly commit: Commit;
  /** The chain after it. */
  readonly state: ChainState;
}

/** Everything block sync needs, as ports. */
export interface SyncModules {
  /** Peers that have blocks, with the heights they serve. */
  peers(): readonly { readonly id: string; readonly height: Height; readonly earliestHeight: Height }[];
  request(
    peerId: string,
    from: Height,
    count: number,
    signal: AbortSignal,
  ): Promise<readonly { readonly height: Height; readonly block: Uint8Array; readonly commit: Uint8Array }[]>;
  /** Verifies the whole commit (every signature that counts) in batches. */
  verifySignatures(
    checks: readonly { publicKey: Uint8Array; message: Uint8Array; signature: Uint8Array }[],
  ): Promise<boolean[]>;
  /** Tip of the chain here. */
  state(): ChainState;
  /** A decided height at or below the tip, which evidence in a later block may be of; `null` = not kept here. */
  past(height: Height): Promise<PastHeight | null>;
  /**
   * Stores consecutive heights, verified on top of the tip, as one group, and moves the state. Resolves when they are
   * durable. It may take fewer of them, from the first on, when the chain is to end there.
   */
  apply(run: readonly SyncedBlock[]): Promise<void>;
  report(peerId: string, offence: "bad_block" | "bad_commit" | "malformed" | "timeout"): void;
  readonly log: {
    info(message: string, facts?: Readonly<Record<string, unknown>>): void;
    warn(message: string, facts?: Readonly<Record<string, unknown>>): void;
  };
  readonly metrics: { synced(height: Height, bytes: number): void } | null;
}

export interface BlockSync {
  /** Runs until no connected peer is ahead (or aborted); resolves with the height reached. */
  run(signal: AbortSignal): Promise<Height>;
  /** Highest height any peer claims; 0 when no peer. */
  readonly target: Height;
}
