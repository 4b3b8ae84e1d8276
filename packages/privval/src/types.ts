import type { BlockId, Height, Proposal, Round, Time, Vote } from "@quorate/chain";

/** What the consensus core asks to be signed, completed with what the guard needs. */
export interface VoteToSign {
  readonly type: Vote["type"];
  readonly height: Height;
  readonly round: Round;
  readonly blockId: BlockId | null;
  readonly timestamp: Time;
  readonly validatorAddress: Uint8Array;
  readonly validatorIndex: number;
}

export interface ProposalToSign {
  readonly height: Height;
  readonly round: Round;
  readonly polRound: Round;
  readonly blockId: BlockId;
  readonly timestamp: Time;
}

/** WAL position this signature is caused by: synced before the request (DESIGN §5.3). */
export interface SignDependency {
  readonly sequence: bigint;
  readonly crc: number;
}

export type SignAnswer<T> =
  | { readonly ok: true; readonly message: T; readonly reused: boolean }
  /** A regression or a conflict: abstain. Never a thrown error: the process goes on. */
  | { readonly ok: false; readonly code: "REGRESSION" | "CONFLICT"; readonly reason: string };

/** Step order within a round: proposal 0, prevote 1, precommit 2. */
export type SignStep = 0 | 1 | 2;

export interface LastSigned {
  readonly height: Height;
  readonly round: Round;
  readonly step: SignStep;
  readonly signBytes: Uint8Array;
  readonly signature: Uint8Array;
  readonly timestamp: Time;
}

/** Content of the newest valid slot. */
export interface SignState {
  readonly generation: bigint;
  readonly lastSigned: LastSigned | null;
  /** Last non-nil precommit = the lock. */
  readonly lock: { readonly height: Height; readonly round: Round; readonly blockId: BlockId } | null;
  readonly dependency: SignDependency;
}

/** The double-sign and lock guard with its key. The only thing in the system that sees a private key. */
export interface PrivVal {
  readonly address: Uint8Array;
  readonly pubKey: Uint8Array;
  readonly state: SignState;
  /** Slot synced before the signature is returned. Rejects only on durability failure (fatal, exit 6). */
  signVote(chainId: string, vote: VoteToSign, dependency: SignDependency): Promise<SignAnswer<Vote>>;
  signProposal(
    chainId: string,
    proposal: ProposalToSign,
    dependency: SignDependency,
  ): Promise<SignAnswer<Proposal>>;
  /** Raises the watermark to an own signature seen in the WAL, a stored or a synced commit; never lowers. */
  raise(
    height: Height,
    round: Round,
    step: SignStep,
    lock?: { readonly round: Round; readonly blockId: BlockId },
  ): Promise<void>;
  close(): Promise<void>;
}
