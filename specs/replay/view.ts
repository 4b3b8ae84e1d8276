/** The core's state and effects, written as the model's (trace.ts writes those). */
import { type BlockId, blockIdKey, type Proposal, VoteType } from "@quorate/chain";
import type { ConsensusState, Effect, RoundValue, SignedWatermark } from "@quorate/consensus";
import { BLOCK_TIME, blockIdOf } from "../../campaigns/cores/world.ts";
import {
  factsText,
  type ModelProposal,
  type ModelVote,
  proposalText,
  sorted,
  type View,
  valueText,
  voteText,
} from "./trace.ts";

/** The blocks of `specs/types.qnt`: node i makes a_i and b_i, and x_i, which is INVALID. */
const NAMES: ReadonlyMap<string, string> = new Map(
  ["a", "b", "x"].flatMap((letter) =>
    [0, 1, 2, 3].map((i) => [blockIdKey(blockIdOf(`${letter}${i}`)), `${letter}${i}`] as const),
  ),
);

export function nameOf(blockId: BlockId | null): string {
  if (blockId === null) return "nil";
  return NAMES.get(blockIdKey(blockId)) ?? "a block of no name";
}

const kindOf = (type: VoteType): ModelVote["kind"] => (type === VoteType.prevote ? "prevote" : "precommit");

function modelVote(vote: {
  readonly type: VoteType;
  readonly round: number;
  readonly blockId: BlockId | null;
  readonly validatorIndex: number;
}): string {
  const { type, round, blockId, validatorIndex } = vote;
  return voteText({ kind: kindOf(type), round, value: nameOf(blockId), from: validatorIndex });
}

function modelProposal(proposal: Omit<Proposal, "height" | "signature">): string {
  const { round, polRound, blockId, timestamp } = proposal;
  const model: ModelProposal = {
    round,
    pol: polRound,
    value: nameOf(blockId),
    fits: timestamp === BLOCK_TIME,
  };
  return proposalText(model);
}

function roundValueText(value: RoundValue | null): string {
  return value === null ? "none" : valueText({ round: value.round, value: nameOf(value.blockId) });
}

function pointText(point: SignedWatermark | null): string {
  return point === null ? "-1" : String(3 * point.round + point.step);
}

const PRECOMMIT_TIMER = { none: "Off", full: "Full", zero: "Zero" } as const;
const PROPOSING = { idle: "Idle", waiting: "Waiting", building: "Building", signing: "Signing" } as const;
const VERDICT = { valid: "Valid", invalid: "Invalid" } as const;
const TIMER = {
  new_height: "TimerNewHeight",
  propose: "TimerPropose",
  prevote: "TimerPrevote",
  precommit: "TimerPrecommit",
} as const;

export function viewOfCore(state: ConsensusState): View {
  const { machine, votes, own } = state;
  const tallies = votes.rounds.flatMap(({ round, prevotes, precommits }) => [
    { place: `prevote ${round}`, tally: prevotes },
    { place: `precommit ${round}`, tally: precommits },
  ]);
  const counted = ({ tally }: (typeof tallies)[number]): string =>
    sorted(tally.votes.flatMap((vote, i) => (vote ? [`${i}=${nameOf(vote.blockId)}`] : [])));
  return {
    round: String(machine.round),
    step: machine.step,
    locked: roundValueText(machine.locked),
    valid: roundValueText(machine.valid),
    decision: roundValueText(machine.decision),
    prevoteTimer: String(machine.prevoteTimer),
    precommitTimer: PRECOMMIT_TIMER[machine.precommitTimer],
    votes: sorted(tallies.flatMap((each) => (counted(each) ? [`${each.place}: ${counted(each)}`] : []))),
    quorums: sorted(
      tallies.flatMap(({ place, tally: { quorum } }) =>
        quorum ? [`${place} ${nameOf(quorum.blockId)}`] : [],
      ),
    ),
    proofs: sorted(
      tallies.flatMap(({ place, tally: { certificate } }) =>
        certificate
          ? [`${place} ${sorted(certificate.signatures.map(({ validatorIndex }) => String(validatorIndex)))}`]
          : [],
      ),
    ),
    progress: votes.progress.join(" "),
    accused: sorted(tallies.flatMap(({ place, tally }) => tally.equivocators.map((i) => `${place} ${i}`))),
    proposals: state.proposals
      .map(({ proposal, timely }) => `${modelProposal(proposal)} ${timely ? "timely" : "untimely"}`)
      .join(", "),
    facts: sorted(
      state.values.map(({ blockId, body, verdict, asking, askedRound, wantedRound }) =>
        factsText(nameOf(blockId), {
          body: body !== null,
          verdict: verdict === null ? "Unknown" : VERDICT[verdict],
          asking,
          askedRound,
          wantedRound,
        }),
      ),
    ),
    proposing: PROPOSING[state.proposing],
    watermark: pointText(own.watermark),
    asked: pointText(own.asked),
    ownVotes: sorted(
      own.votes.map(({ type, round, blockId }) => `${kindOf(type)} ${round} ${nameOf(blockId)}`),
    ),
    pending: own.pending
      .map((each) => (each.kind === "sign_vote" ? modelVote(each.vote) : modelProposal(each.proposal)))
      .join(", "),
    timers: sorted(state.timers.map(({ timeout: { kind, round } }) => `${TIMER[kind]} ${round}`)),
  };
}

/** Null for an effect that the model shows by its state (timers, steps) or leaves out (late precommits). */
export function outputOfEffect(effect: Effect): string | null {
  switch (effect.kind) {
    case "sign_vote":
      return `AskVote ${modelVote(effect.vote)}`;
    case "sign_proposal":
      return `AskProposal ${modelProposal(effect.proposal)}`;
    case "broadcast_vote":
      return `SendVote ${modelVote(effect.vote)}`;
    case "broadcast_proposal":
      return `SendProposal ${modelProposal(effect.proposal)}`;
    case "broadcast_certificate":
      return `SendPolka ${roundValueText(asRoundValue(effect.certificate))}`;
    case "validate":
      return `Validate ${nameOf(effect.blockId)}`;
    case "want_body":
      return `WantBody ${nameOf(effect.blockId)}`;
    case "build":
      return `Build ${effect.round}`;
    case "decide":
      return `Decide ${roundValueText(effect)}`;
    case "duplicate_vote": {
      const { type, round, validatorIndex } = effect.second;
      return `DuplicateVote ${kindOf(type)} ${round} ${validatorIndex}`;
    }
    case "duplicate_proposal":
      return `DuplicateProposal ${effect.second.round}`;
    case "foreign_signature":
      return `ForeignVote ${modelVote(effect.vote)}`;
    case "foreign_proposal":
      return `ForeignProposal ${effect.proposal.round}`;
    case "snapshot":
      return "SnapshotWritten";
    case "schedule_timeout":
    case "cancel_timeout":
    case "new_step":
    case "extend_last_commit":
      return null;
  }
}

function asRoundValue({ round, blockId }: { round: number; blockId: BlockId | null }): RoundValue | null {
  return blockId === null ? null : { round, blockId };
}
