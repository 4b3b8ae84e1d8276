import {
  type Block,
  type Proposal,
  quorum,
  timeToMs,
  type ValidatorSet,
  type Vote,
  VoteType,
} from "@quorate/chain";
import { type ConsensusState, votesOf } from "@quorate/consensus";
import { toHexUpper } from "@quorate/crypto";
import type { Metrics } from "./index.ts";

export interface VoteDelays {
  /** From `sinceMs` to the time of the vote with which the power of the votes passed 2/3; `null` = it did not. */
  readonly quorumSeconds: number | null;
  /** To the time of the last vote, when every validator voted. */
  readonly fullSeconds: number | null;
}

/**
 * How long the votes of one (round, type) took, by the times in the votes (CometBFT: calculatePrevoteMessageDelayMetrics).
 * The times are the signers' own: good for a graph, never for a decision.
 */
export function voteDelays(
  votes: readonly (Vote | null)[],
  validators: ValidatorSet,
  sinceMs: number,
): VoteDelays {
  const present = votes
    .filter((vote): vote is Vote => vote !== null)
    .sort((a, b) => (a.timestamp < b.timestamp ? -1 : a.timestamp > b.timestamp ? 1 : 0));
  const seconds = (vote: Vote | undefined): number | null =>
    vote === undefined ? null : (timeToMs(vote.timestamp) - sinceMs) / 1000;
  const needed = quorum(validators.totalPower);
  let power = 0n;
  const decisive = present.find((vote) => {
    power += validators.validators[vote.validatorIndex]?.power ?? 0n;
    return power >= needed;
  });
  const full = present.length === validators.validators.length;
  return { quorumSeconds: seconds(decisive), fullSeconds: full ? seconds(present.at(-1)) : null };
}

/** Of the round in which a height was decided; `core` still holds its votes. */
export function recordVoteDelays(
  metrics: Metrics,
  core: ConsensusState,
  validators: ValidatorSet,
  proposal: Proposal,
  block: Block,
): void {
  const { consensus } = metrics.comet;
  const label = { proposer_address: toHexUpper(block.header.proposerAddress) };
  const sinceMs = timeToMs(proposal.timestamp);
  const prevotes = voteDelays(votesOf(core, proposal.round, VoteType.prevote), validators, sinceMs);
  const precommits = voteDelays(votesOf(core, proposal.round, VoteType.precommit), validators, sinceMs);
  if (prevotes.quorumSeconds !== null) consensus.quorumPrevoteDelay.set(label, prevotes.quorumSeconds);
  if (prevotes.fullSeconds !== null) consensus.fullPrevoteDelay.set(label, prevotes.fullSeconds);
  if (precommits.quorumSeconds !== null) consensus.quorumPrecommitDelay.set(label, precommits.quorumSeconds);
}
