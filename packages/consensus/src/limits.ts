/** Every bound of the core's memory, each with its reason. All count items of one height unless said otherwise. */
export const LIMITS = {
  /** Rounds below the current one whose counted votes and proposals stay: peers that lag are repaired from them. */
  keptRounds: 16,
  /** Highest future rounds in which one validator's votes are buffered: a flood costs its sender's own votes only. */
  futureRoundsPerValidator: 2,
  /** Proposals are kept up to this many rounds ahead: beyond, votes of the others pull this node there first. */
  futureProposalRounds: 16,
  /** Proposals of one round that are kept unasked (two prove equivocation); one more if a quorum names its block. */
  proposalsPerRound: 2,
  /** Blocks about which facts (body, verdict) are kept; the oldest that nothing refers to goes first. */
  values: 256,
  /** Votes for the next height kept per validator while this one is being finished: two rounds of both types. */
  aheadVotesPerValidator: 4,
  /** Highest validator index accepted for the next height, whose set the core does not know yet. */
  aheadValidators: 512,
  /** Proposals, certificates and bodies for the next height, each. */
  aheadOthers: 4,
  /** Rounds remembered as lacking their proposer before they begin. */
  absentRounds: 4,
  /** Signature requests without an answer that are remembered for a restart. */
  pendingSignatures: 8,
} as const;
