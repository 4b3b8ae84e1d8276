/**
 * Proposals by round. Two different ones of one round prove that the proposer equivocates; both are kept, because
 * either may get the polka. A further one is kept only when a quorum names its block.
 */
import { blockIdEquals, type Proposal, type Round } from "@quorate/chain";
import { LIMITS } from "./limits.ts";

export interface KeptProposal {
  readonly proposal: Proposal;
  /** Wall clock at receipt, ms. */
  readonly receivedAtMs: number;
  /** PBTS verdict at receipt; matters for POL round -1 only. */
  readonly timely: boolean;
}

/** Ascending by round; within a round in order of arrival. */
export type ProposalKeeper = readonly KeptProposal[];

export function proposalsOf(keeper: ProposalKeeper, round: Round): readonly KeptProposal[] {
  return keeper.filter((each) => each.proposal.round === round);
}

/** Same content; signature bytes apart. */
export function sameProposal(a: Proposal, b: Proposal): boolean {
  return (
    a.round === b.round &&
    a.height === b.height &&
    a.polRound === b.polRound &&
    a.timestamp === b.timestamp &&
    blockIdEquals(a.blockId, b.blockId)
  );
}

/**
 * Keeps a proposal. `conflict` is the first proposal of the round when this is the first different one: it is said
 * once per round. `wanted`: a quorum of the round names this block.
 */
export function addProposal(
  keeper: ProposalKeeper,
  kept: KeptProposal,
  wanted: boolean,
): { readonly keeper: ProposalKeeper; readonly conflict: Proposal | null } {
  const { proposal } = kept;
  const others = proposalsOf(keeper, proposal.round);
  if (others.some((each) => sameProposal(each.proposal, proposal))) return { keeper, conflict: null };
  const limit = LIMITS.proposalsPerRound + (wanted ? 1 : 0);
  if (others.length >= limit) return { keeper, conflict: null };
  const at = keeper.findIndex((each) => each.proposal.round > proposal.round);
  return {
    keeper: at < 0 ? [...keeper, kept] : keeper.toSpliced(at, 0, kept),
    conflict: others.length === 1 ? (others[0]?.proposal ?? null) : null,
  };
}

/** Drops rounds below `round` - 16 except those named. */
export function pruneProposals(keeper: ProposalKeeper, round: Round, keep: readonly Round[]): ProposalKeeper {
  return keeper.filter(
    ({ proposal }) => proposal.round >= round - LIMITS.keptRounds || keep.includes(proposal.round),
  );
}
