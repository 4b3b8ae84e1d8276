import type { Block, BlockId, ChainState, Commit, Height, PastHeight } from "@quorate/chain";

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
  /** Stores body and commit batch, moves the state. Resolves when durable. */
  apply(block: Block, bytes: Uint8Array, blockId: BlockId, commit: Commit): Promise<void>;
  /** The height after the one being applied will come next: its body may be stored already. */
  expect?(block: Block, bytes: Uint8Array, blockId: BlockId): void;
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
