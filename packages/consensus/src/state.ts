/** The core's whole state: plain, structurally shared data. Nothing outside `step` makes a new one. */
import type { Address, ChainParams, Commit, Height, Round, Time, Validator, Vote } from "@quorate/chain";
import type { ProposalKeeper } from "./proposal-keeper.ts";
import { NEW_HEIGHT, type RoundMachine } from "./round-machine.ts";
import type {
  Effect,
  Input,
  RoundValue,
  SignedWatermark,
  Timeout,
  UnsignedProposal,
  UnsignedVote,
} from "./types.ts";
import type { Values } from "./values.ts";
import type { Electorate, VoteKeeper } from "./vote-keeper.ts";

/** What stays fixed while one height is being decided. */
export interface HeightContext extends Electorate {
  readonly height: Height;
  readonly params: ChainParams;
  /** Own address; null on a full node. */
  readonly address: Address | null;
  /** Own index in the set; -1 when not in it. */
  readonly index: number;
  readonly lastTime: Time;
}

/** How far this node is with the proposal of the round in which it is the proposer. */
export type Proposing =
  /** Not the proposer, not at the point, done, or silent in this round. */
  | "idle"
  /** The valid value is to be proposed again, but its body is not here yet. */
  | "waiting"
  | "building"
  | "signing";

export interface OwnSignatures {
  /** The lock that the sign state proves: the key signed a precommit for it. Null when it told of none. */
  readonly lock: RoundValue | null;
  /** Last point known to be signed: (round, step) never falls. */
  readonly watermark: SignedWatermark | null;
  /** Every own vote of the height that is known, in order of arrival. */
  readonly votes: readonly Vote[];
  /** Last (round, step) a signature was asked for: none is asked for twice. */
  readonly asked: SignedWatermark | null;
  /** Requests without an answer. */
  readonly pending: readonly PendingSignature[];
}

export type PendingSignature =
  | { readonly kind: "sign_vote"; readonly vote: UnsignedVote }
  | { readonly kind: "sign_proposal"; readonly proposal: UnsignedProposal };

export interface ConsensusState {
  /** Null before the first `start_height`. */
  readonly context: HeightContext | null;
  readonly machine: RoundMachine;
  /** Proposer of the current round. */
  readonly proposer: Validator | null;
  readonly votes: VoteKeeper;
  readonly proposals: ProposalKeeper;
  readonly values: Values;
  readonly own: OwnSignatures;
  readonly proposing: Proposing;
  /** Timers that run, as last scheduled. */
  readonly timers: readonly { readonly timeout: Timeout; readonly ms: number }[];
  /** Rounds whose proposer is known to be absent. */
  readonly absent: readonly Round[];
  /** The propose timer of this round was shrunk because the proposer seemed absent. */
  readonly shrunk: boolean;
  /** In Commit: the commit of this height; in NewHeight: that of the height before. Extended by late precommits. */
  readonly commit: Commit | null;
  /** Messages for the next height that came before this one was finished. */
  readonly ahead: readonly Input[];
}

/** One step: the new state, and what the shell has to do, in this order. */
export interface StepResult {
  readonly state: ConsensusState;
  readonly effects: readonly Effect[];
}

export const NOTHING_SIGNED: OwnSignatures = {
  lock: null,
  watermark: null,
  votes: [],
  asked: null,
  pending: [],
};

/** Before the first height: every input but `start_height` is ignored. */
export function initialState(): ConsensusState {
  return {
    context: null,
    machine: NEW_HEIGHT,
    proposer: null,
    votes: { rounds: [], progress: [] },
    proposals: [],
    values: [],
    own: NOTHING_SIGNED,
    proposing: "idle",
    timers: [],
    absent: [],
    shrunk: false,
    commit: null,
    ahead: [],
  };
}

/** The own proposal held for a round, if this node made one and knows it. */
export function isOwnProposer(state: ConsensusState): boolean {
  const address = state.context?.address;
  const proposer = state.proposer?.address;
  return Boolean(address && proposer && sameBytes(address, proposer));
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** A state while a step works on it: fields are replaced, never changed inside. */
export interface Work {
  state: ConsensusState;
  readonly context: HeightContext;
  readonly effects: Effect[];
}

export function change(work: Work, fields: Partial<ConsensusState>): void {
  work.state = { ...work.state, ...fields };
}
