/**
 * The values of the chain. All are plain, immutable data: no methods, structurally shared, cheap to clone.
 * Shapes and bytes are those of CometBFT v0.38 (docs/protocol.md); their one encoding stands in `encoding/`.
 */

/** Block height, 1 .. 2^53-1. */
export type Height = number;
/** Round within a height, 0 .. 2^31-1; -1 stands for "no round" (POL round of a fresh proposal). */
export type Round = number;
/**
 * Nanoseconds since the Unix epoch, UTC. May be negative: Go's zero time (0001-01-01) is {@link ZERO_TIME}.
 * Our own header times are whole milliseconds (`time % 1_000_000n === 0n`).
 */
export type Time = bigint;
/** Voting power or proposer priority; int64 in every encoding. */
export type Power = bigint;
/** 20 bytes: SHA-256(public key)[0..20]. */
export type Address = Uint8Array;
/** 32 bytes. */
export type Hash = Uint8Array;

/** Identifies a block: header hash plus the header of its part set. A nil vote carries `null` instead. */
export interface BlockId {
  readonly hash: Hash;
  readonly parts: PartSetHeader;
}

export interface PartSetHeader {
  /** Number of 64 KiB parts, >= 1. */
  readonly total: number;
  /** RFC-6962 root over the parts. */
  readonly hash: Hash;
}

/** One 64 KiB piece of an encoded block with its Merkle proof. */
export interface Part {
  readonly index: number;
  readonly bytes: Uint8Array;
  readonly proof: MerkleProof;
}

export interface MerkleProof {
  readonly total: number;
  readonly index: number;
  readonly leafHash: Hash;
  readonly aunts: readonly Hash[];
}

/** SignedMsgType of the wire. */
export const VoteType = { prevote: 1, precommit: 2 } as const;
export type VoteType = (typeof VoteType)[keyof typeof VoteType];

export interface Vote {
  readonly type: VoteType;
  readonly height: Height;
  readonly round: Round;
  /** `null` = nil. */
  readonly blockId: BlockId | null;
  /** Wall clock of the signer, ms granularity. Nothing is ever derived from it. */
  readonly timestamp: Time;
  readonly validatorAddress: Address;
  readonly validatorIndex: number;
  /** 64 bytes over the canonical sign bytes. */
  readonly signature: Uint8Array;
}

export interface Proposal {
  readonly height: Height;
  readonly round: Round;
  /** POL round, -1 when the value is fresh. */
  readonly polRound: Round;
  readonly blockId: BlockId;
  /** Equals the block's header time (proposer-based timestamps). */
  readonly timestamp: Time;
  readonly signature: Uint8Array;
}

export const CommitFlag = { absent: 1, commit: 2, nil: 3 } as const;
export type CommitFlag = (typeof CommitFlag)[keyof typeof CommitFlag];

export interface CommitSig {
  readonly flag: CommitFlag;
  /** Empty when absent. */
  readonly validatorAddress: Uint8Array;
  /** {@link ZERO_TIME} when absent. */
  readonly timestamp: Time;
  /** Empty when absent. */
  readonly signature: Uint8Array;
}

/** +2/3 precommits of one round for one block; one entry per validator of the height's set, in set order. */
export interface Commit {
  readonly height: Height;
  readonly round: Round;
  readonly blockId: BlockId;
  readonly signatures: readonly CommitSig[];
}

export interface Header {
  readonly version: { readonly block: bigint; readonly app: bigint };
  readonly chainId: string;
  readonly height: Height;
  readonly time: Time;
  /** `null` at initial_height. */
  readonly lastBlockId: BlockId | null;
  readonly lastCommitHash: Uint8Array;
  readonly dataHash: Uint8Array;
  readonly validatorsHash: Uint8Array;
  readonly nextValidatorsHash: Uint8Array;
  readonly consensusHash: Uint8Array;
  readonly appHash: Uint8Array;
  readonly lastResultsHash: Uint8Array;
  readonly evidenceHash: Uint8Array;
  readonly proposerAddress: Address;
}

export interface Block {
  readonly header: Header;
  /** `txs[0]` is the execution envelope; the rest are raw EIP-2718 transactions (DESIGN §3). */
  readonly txs: readonly Uint8Array[];
  readonly evidence: readonly Evidence[];
  /** Empty commit (height 0, no signatures) at initial_height. */
  readonly lastCommit: Commit;
}

export interface DuplicateVoteEvidence {
  readonly kind: "duplicate_vote";
  /** Votes ordered by block id key; both of one validator, height, round and type. */
  readonly voteA: Vote;
  readonly voteB: Vote;
  readonly totalVotingPower: Power;
  readonly validatorPower: Power;
  readonly timestamp: Time;
}

export interface LightClientAttackEvidence {
  readonly kind: "light_client_attack";
  readonly conflictingBlock: LightBlock;
  readonly commonHeight: Height;
  readonly byzantineValidators: readonly Validator[];
  readonly totalVotingPower: Power;
  readonly timestamp: Time;
}

export type Evidence = DuplicateVoteEvidence | LightClientAttackEvidence;

export interface SignedHeader {
  readonly header: Header;
  readonly commit: Commit;
}

export interface LightBlock {
  readonly signedHeader: SignedHeader;
  readonly validators: ValidatorSet;
}

export interface Validator {
  readonly address: Address;
  /** Ed25519, 32 bytes. */
  readonly pubKey: Uint8Array;
  readonly power: Power;
  readonly priority: Power;
}

/** Ordered by power descending, then address ascending. Never empty. */
export interface ValidatorSet {
  readonly validators: readonly Validator[];
  /** The proposer as CometBFT's `/validators` shows it (of round 0 after the increment for the height). */
  readonly proposer: Validator;
  readonly totalPower: Power;
}

/** Params of the chain by name, values u64 (durations in ms) or 20-byte addresses; committed by the params root. */
export interface ChainParams {
  readonly blockIntervalMs: number;
  readonly timeoutProposeMs: number;
  readonly timeoutProposeDeltaMs: number;
  readonly timeoutPrevoteMs: number;
  readonly timeoutPrevoteDeltaMs: number;
  readonly timeoutPrecommitMs: number;
  readonly timeoutPrecommitDeltaMs: number;
  readonly timeoutMaxMs: number;
  readonly timeoutProposeAbsentMs: number;
  readonly precisionMs: number;
  readonly messageDelayMs: number;
  /** Seconds the EL timestamp may run ahead of floor(header.time); 0 unless block_interval < 1000. */
  readonly maxElTimeDriftS: number;
  readonly maxBlockBytes: number;
  readonly maxEvidenceBytes: number;
  readonly evidenceMaxAgeBlocks: number;
  readonly evidenceMaxAgeMs: number;
  readonly gasLimit: number;
  /** Unix seconds of the Osaka fork of the EL (0 = at genesis). */
  readonly forkOsaka: number;
  /** 0 = an empty block every block_interval; otherwise ms between empty blocks. */
  readonly emptyBlockIntervalMs: number;
}

export interface Upgrade {
  readonly height: Height;
  readonly appVersion: number;
  /** Params changed by it, by their name in genesis. */
  readonly params: Readonly<Record<string, number>>;
}

export interface GenesisValidator {
  readonly pubKey: Uint8Array;
  readonly power: Power;
  readonly name: string;
  /** 20-byte EL address: fee recipient and owner of the registry entry. */
  readonly owner: Uint8Array;
}

export interface Genesis {
  readonly chainId: string;
  /** Whole ms. */
  readonly genesisTime: Time;
  readonly initialHeight: Height;
  readonly execution: "none" | "engine";
  readonly evmChainId: number;
  readonly elGenesisHash: Hash;
  readonly anchorNumber: number;
  readonly anchorHash: Hash;
  /** 20 bytes; all zero with execution "none". */
  readonly depositContractAddress: Uint8Array;
  readonly params: ChainParams;
  readonly validators: readonly GenesisValidator[];
  readonly upgrades: readonly Upgrade[];
}

export interface RegistryEntry {
  readonly pubKey: Uint8Array;
  /** 20-byte EL address: receives fees and payouts, and is the only one that may withdraw. */
  readonly owner: Uint8Array;
  /** Power in the set of lastHeight + 2; 0 when it is in none. */
  readonly power: Power;
  /** 0 active, 1 leaving, 2 tombstoned. */
  readonly status: 0 | 1 | 2;
  /** Stake that its power follows from; 0 in permissioned mode. */
  readonly stakeGwei: bigint;
  /** Height from which evidence against a validator without power is too old; 0 where that is not fixed. */
  readonly unlockHeight: Height;
}

/** What a queued change asks for: the `kind` byte of a queue item. */
export const ChangeKind = { power: 0, deposit: 1, withdraw: 2, leave: 3 } as const;
export type ChangeKind = (typeof ChangeKind)[keyof typeof ChangeKind];

/** A change of one validator that waits for its turn. */
export interface QueuedChange {
  readonly pubKey: Uint8Array;
  /** Owner of the entry that it makes, should the key have none. */
  readonly owner: Uint8Array;
  readonly kind: ChangeKind;
  /** power: the new absolute power; deposit, withdraw: gwei still to be added or taken; leave: 0. */
  readonly value: bigint;
  /** Height of the block whose execution requests asked for it. */
  readonly height: Height;
}

/** Gwei that an owner is owed, or (with 0 gwei) a validator that is only held for evidence until then. */
export interface Payout {
  readonly pubKey: Uint8Array;
  readonly address: Uint8Array;
  readonly gwei: bigint;
  /** Not before this height and {@link unlockTimeMs}; both 0 until the block after the one that made it fixes them. */
  readonly unlockHeight: Height;
  /** ms since 1970, compared with header times. */
  readonly unlockTimeMs: number;
}

/** A param or a version of the rules that the registry's owner has set for a later height. */
export type ScheduledChange =
  | {
      readonly kind: "param";
      /** Its name in genesis. */
      readonly name: string;
      readonly value: number;
      /** First height at which it holds. */
      readonly height: Height;
    }
  | { readonly kind: "upgrade"; readonly appVersion: number; readonly height: Height };

/** The validator registry (DESIGN §8; docs/protocol.md §3): a pure function of genesis and the blocks. */
export interface Registry {
  /** 0 permissioned, 1 stake. */
  readonly policy: 0 | 1;
  readonly nextDepositIndex: bigint;
  /** Index of the next payload withdrawal. */
  readonly nextWithdrawalIndex: bigint;
  /** Ascending by key. */
  readonly entries: readonly RegistryEntry[];
  /** Oldest first. */
  readonly changes: readonly QueuedChange[];
  /** Oldest first. */
  readonly payouts: readonly Payout[];
  /** Oldest first. */
  readonly scheduled: readonly ScheduledChange[];
}

/**
 * The state after applying block `lastHeight` (before the first block: `lastHeight === initialHeight - 1`).
 * A pure function of genesis and the blocks; it never depends on a local EL.
 */
export interface ChainState {
  readonly genesisHash: Hash;
  /** Block 0 of the execution client: proofs of possession name it. */
  readonly elGenesisHash: Hash;
  readonly chainId: string;
  readonly initialHeight: Height;
  readonly execution: "none" | "engine";
  readonly lastHeight: Height;
  /** `null` before the first block. */
  readonly lastBlockId: BlockId | null;
  /** Header time of `lastHeight`, genesis time before the first block. */
  readonly lastTime: Time;
  /** Set of lastHeight; `null` before the first block. */
  readonly lastValidators: ValidatorSet | null;
  /** Set of lastHeight + 1, priorities incremented for it. */
  readonly validators: ValidatorSet;
  /** Set of lastHeight + 2. */
  readonly nextValidators: ValidatorSet;
  readonly params: ChainParams;
  readonly upgrades: readonly Upgrade[];
  readonly appVersion: bigint;
  /** app_hash that header lastHeight + 1 must carry. */
  readonly appHash: Hash;
  /** EL head of lastHeight: what the next payload builds on. */
  readonly el: ElHead;
  readonly registry: Registry;
}

export interface ElHead {
  readonly blockHash: Hash;
  readonly number: number;
  /** Seconds. */
  readonly timestamp: number;
  readonly gasLimit: bigint;
}

export interface Withdrawal {
  readonly index: bigint;
  readonly validatorIndex: bigint;
  readonly address: Uint8Array;
  readonly amountGwei: bigint;
}

/** Execution envelope, `txs[0]` of a block (DESIGN §3a). Version 0 = no EL. */
export type Envelope = { readonly version: 0 } | EnvelopeV1;

export interface EnvelopeV1 {
  readonly version: 1;
  readonly parentHash: Hash;
  readonly feeRecipient: Uint8Array;
  readonly stateRoot: Hash;
  readonly receiptsRoot: Hash;
  /** 256 bytes. */
  readonly logsBloom: Uint8Array;
  readonly prevRandao: Hash;
  readonly blockNumber: number;
  readonly gasLimit: bigint;
  readonly gasUsed: bigint;
  /** Seconds. */
  readonly timestamp: number;
  /** <= 32 bytes. */
  readonly extraData: Uint8Array;
  /** Wei. */
  readonly baseFeePerGas: bigint;
  readonly blockHash: Hash;
  readonly blobGasUsed: bigint;
  readonly excessBlobGas: bigint;
  readonly withdrawals: readonly Withdrawal[];
  /** Each: type byte followed by data; types strictly ascending (EIP-7685). */
  readonly executionRequests: readonly Uint8Array[];
}

/** Everything the EL must be asked with so that all nodes agree; pure function of state and header time. */
export interface PayloadAttributes {
  /** Seconds. */
  readonly timestamp: number;
  readonly prevRandao: Hash;
  readonly suggestedFeeRecipient: Uint8Array;
  readonly withdrawals: readonly Withdrawal[];
  readonly parentBeaconBlockRoot: Hash;
}

/** Why a block may be decided: the transferable proof that +2/3 signed it in one round. */
export interface Certificate {
  readonly type: VoteType;
  readonly height: Height;
  readonly round: Round;
  /** `null` = a nil polka or nil quorum. */
  readonly blockId: BlockId | null;
  readonly signatures: readonly CertificateSig[];
}

export interface CertificateSig {
  readonly validatorIndex: number;
  readonly timestamp: Time;
  readonly signature: Uint8Array;
}

/** 0001-01-01T00:00:00Z, the zero value of Go's time.Time. */
export const ZERO_TIME: Time = -62_135_596_800n * 1_000_000_000n;
