/** Read-only views of the state for the shell: repair of peers, round state, status, restart. */
import {
  type BlockId,
  type Certificate,
  type Height,
  type Power,
  type Proposal,
  type Round,
  type Validator,
  type Vote,
  VoteType,
} from "@quorate/chain";
import { buildEffect } from "./driver.ts";
import { proposalsOf } from "./proposal-keeper.ts";
import { quorumCertificate } from "./snapshot.ts";
import type { ConsensusState } from "./state.ts";
import type { Effect, RoundValue, Step } from "./types.ts";
import { factsOf } from "./values.ts";
import { tallyOf } from "./vote-keeper.ts";

/** The counted votes of (round, type) by validator index; null where there is none. Empty if nothing is held. */
export function votesOf(state: ConsensusState, round: Round, type: VoteType): readonly (Vote | null)[] {
  return tallyOf(state.votes, round, type)?.votes ?? [];
}

/** One counted vote; own votes of the whole height, others within the kept rounds. */
export function voteOf(state: ConsensusState, round: Round, type: VoteType, index: number): Vote | null {
  const counted = tallyOf(state.votes, round, type)?.votes[index];
  if (counted) return counted;
  const own = state.own.votes.find((vote) => vote.round === round && vote.type === type);
  return own?.validatorIndex === index ? own : null;
}

/** The proof of +2/3 for one value (or nil) in (round, type), once this node holds it. */
export function certificateOf(state: ConsensusState, round: Round, type: VoteType): Certificate | null {
  return quorumCertificate(state, round, type);
}

/** Bit array of the validators whose vote of (round, type) is held: bit i is byte i >> 3, mask 1 << (i & 7). */
export function haveBits(
  state: ConsensusState,
  round: Round,
  type: VoteType,
): { readonly size: number; readonly bits: Uint8Array } {
  const size = state.votes.progress.length;
  const bits = new Uint8Array(Math.ceil(size / 8));
  for (let index = 0; index < size; index++) {
    if (!voteOf(state, round, type, index)) continue;
    const at = index >> 3;
    bits[at] = (bits[at] ?? 0) | (1 << (index & 7));
  }
  return { size, bits };
}

/** Rounds of which votes are held (own votes included), ascending, with the types held. */
export function voteRounds(
  state: ConsensusState,
): readonly { readonly round: Round; readonly type: VoteType }[] {
  const found = new Map<number, { round: Round; type: VoteType }>();
  const note = (round: Round, type: VoteType): void => {
    found.set(2 * round + type, { round, type });
  };
  for (const { round, prevotes, precommits } of state.votes.rounds) {
    if (prevotes.power > 0n) note(round, VoteType.prevote);
    if (precommits.power > 0n) note(round, VoteType.precommit);
  }
  for (const vote of state.own.votes) note(vote.round, vote.type);
  return [...found.entries()].sort(([a], [b]) => a - b).map(([, each]) => each);
}

/** Every (round, type) with +2/3 for one value: what peers may ask the certificate of. */
export function maj23(
  state: ConsensusState,
): readonly { readonly round: Round; readonly type: VoteType; readonly blockId: BlockId | null }[] {
  return state.votes.rounds.flatMap(({ round, prevotes, precommits }) => [
    ...(prevotes.quorum ? [{ round, type: VoteType.prevote, blockId: prevotes.quorum.blockId }] : []),
    ...(precommits.quorum ? [{ round, type: VoteType.precommit, blockId: precommits.quorum.blockId }] : []),
  ]);
}

/** The first proposal held of a round. */
export function proposalOf(state: ConsensusState, round: Round): Proposal | null {
  return proposalsOf(state.proposals, round)[0]?.proposal ?? null;
}

/** All proposals held of a round, in order of arrival: more than one proves equivocation. */
export function proposalsOfRound(state: ConsensusState, round: Round): readonly Proposal[] {
  return proposalsOf(state.proposals, round).map(({ proposal }) => proposal);
}

/** Whether the core knows the body of this block to be here. */
export function hasBody(state: ConsensusState, blockId: BlockId): boolean {
  return Boolean(factsOf(state.values, blockId)?.body);
}

export interface HeightRoundStep {
  /** 0 before the first height. */
  readonly height: Height;
  readonly round: Round;
  readonly step: Step;
}

/** Where the core stands. Asked after every input, so nothing is added up here; the rest is in {@link summary}. */
export function heightRoundStep({ context, machine }: ConsensusState): HeightRoundStep {
  return { height: context?.height ?? 0, round: machine.round, step: machine.step };
}

export interface Summary extends HeightRoundStep {
  readonly proposer: Validator | null;
  readonly locked: RoundValue | null;
  readonly valid: RoundValue | null;
  readonly decision: RoundValue | null;
  readonly totalPower: Power;
  /** Smallest power that is a quorum. */
  readonly quorum: Power;
  /** Power counted in the current round. */
  readonly prevotesPower: Power;
  readonly precommitsPower: Power;
  /** Indexes of validators whose vote of the current step (prevote up to PrevoteWait, then precommit) is missing. */
  readonly missing: readonly number[];
}

export function summary(state: ConsensusState): Summary {
  const { machine, context, proposer } = state;
  const prevotes = tallyOf(state.votes, machine.round, VoteType.prevote);
  const precommits = tallyOf(state.votes, machine.round, VoteType.precommit);
  const precommitting = ["Precommit", "PrecommitWait", "Commit"].includes(machine.step);
  const current = precommitting ? precommits : prevotes;
  return {
    ...heightRoundStep(state),
    proposer,
    locked: machine.locked,
    valid: machine.valid,
    decision: machine.decision,
    totalPower: context?.validators.totalPower ?? 0n,
    quorum: context?.quorum ?? 0n,
    prevotesPower: prevotes?.power ?? 0n,
    precommitsPower: precommits?.power ?? 0n,
    missing: state.votes.progress.flatMap((_, index) => (current?.votes[index] ? [] : [index])),
  };
}

/**
 * The effects that still wait for an answer in this state: running timers (with their full duration), an open build,
 * open signatures, open verdicts, bodies wanted. After a replay the shell carries out these and no others.
 */
export function outstanding(state: ConsensusState): readonly Effect[] {
  const { context, machine } = state;
  if (context === null) return [];
  const { height } = context;
  const effects: Effect[] = state.timers.map(({ timeout, ms }) => ({
    kind: "schedule_timeout",
    timeout,
    ms,
  }));
  if (state.proposing === "building") effects.push(buildEffect(context, machine.round));
  effects.push(...state.own.pending);
  if (machine.step === "Commit") return effects;
  for (const { blockId, asking, askedRound, body, wantedRound } of state.values) {
    if (asking) effects.push({ kind: "validate", height, round: askedRound, blockId });
    if (!body && wantedRound >= 0) effects.push({ kind: "want_body", height, round: wantedRound, blockId });
  }
  return effects;
}
