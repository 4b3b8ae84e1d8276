import type { Address, BlockId, ChainState, Commit, Genesis, Proposal, Time, Vote } from "@quorate/chain";
import type { ConsensusState, Input, StepResult } from "@quorate/consensus";
import type { Verifier } from "@quorate/crypto";
import type { ExecutionClient } from "@quorate/execution";
import type { Gossip, LogPort } from "@quorate/gossip";
import type { PrivVal } from "@quorate/privval";
import type { BlockStore } from "@quorate/store";
import type { Wal } from "@quorate/wal";
import type { Clock } from "../clock.ts";
import type { NodeError } from "../errors.ts";
import type { EvidenceKeeper } from "../evidence/keeper.ts";
import type { Metrics } from "../metrics/index.ts";
import type { Bodies, HeldBody } from "./bodies.ts";
import type { LastCommit } from "./last-commit.ts";
import type { Timers } from "./timers.ts";

/** What the effect handlers publish through; the whole of gossip is not needed. */
export type Publisher = Pick<
  Gossip,
  | "publishProposal"
  | "publishVote"
  | "publishCertificate"
  | "publishEvidence"
  | "roundStateChanged"
  | "heightDecided"
  | "wantBody"
>;

/** A committed block, told to the host (events of a testnet, RPC, metrics). */
export interface CommittedBlock {
  readonly height: number;
  readonly round: number;
  readonly blockId: BlockId;
  /** Header time. */
  readonly time: Time;
  /** Wall clock minus header time when it was committed here, ms. */
  readonly latencyMs: number;
  /** As the header of this height carries it. */
  readonly headerAppHash: Uint8Array;
  readonly elHash: Uint8Array;
  readonly txs: number;
  readonly proposer: Uint8Array;
  readonly source: "consensus" | "sync";
}

export interface RunnerModules {
  readonly genesis: Genesis;
  readonly clock: Clock;
  readonly log: LogPort;
  readonly metrics: Metrics;
  readonly store: BlockStore;
  readonly wal: Wal;
  /** `null` on a full node. */
  readonly privval: PrivVal | null;
  readonly publisher: Publisher;
  readonly execution: ExecutionClient;
  readonly verifier: Verifier;
  readonly onCommit: (block: CommittedBlock) => void;
  /** Own messages as they are sent, for the vote trace. */
  readonly onOwnMessage: (message: Vote | Proposal) => void;
  /** A validator signed two proposals for one round of the present height. */
  readonly onTwoProposals?: (validator: Address) => void;
  /** After every step of the core, before its effects are carried out. */
  readonly onStep?: (input: Input, before: ConsensusState, after: StepResult) => void;
  /** Ends the process by DESIGN §9; called at most once per cause, safe to call again. */
  readonly fatal: (error: NodeError) => void;
}

/** What an effect handler may touch. Handlers await; so each re-checks {@link isCurrent} afterwards. */
export interface RunnerContext {
  readonly modules: RunnerModules;
  readonly bodies: Bodies;
  readonly timers: Timers;
  readonly evidence: EvidenceKeeper;
  core(): ConsensusState;
  /** State after the last committed block. */
  chain(): ChainState;
  lastCommit(): LastCommit;
  /** WAL sequence of the record that began this height here; 0 = not known. */
  began(height: number): bigint;
  submit(input: Input): void;
  /** Is this still the height being decided, and may the node still act? */
  isCurrent(height: number): boolean;
  /** Is this the height being decided or the one before, and may the node still act? */
  isRecent(height: number): boolean;
  /** Aborts when the height is decided, left for sync, or the node stops. */
  heightSignal(): AbortSignal;
  /** From memory, or read back from the store. */
  findBody(height: number, blockId: BlockId): Promise<HeldBody | null>;
  commitBlock(body: HeldBody, commit: Commit): Promise<void>;
}
