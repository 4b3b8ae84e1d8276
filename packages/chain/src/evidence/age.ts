/** How long evidence counts (CometBFT evidence/verify.go and pool.go v0.38). */
import type { ChainParams, Evidence, Height, Time } from "../types.ts";

/** A height of the chain and the time of its block. */
export interface Moment {
  readonly height: Height;
  readonly time: Time;
}

/**
 * The height whose validator set judges the evidence: that of the votes, or the last one that the attacked light client
 * had in common with the chain.
 */
export function evidenceHeight(evidence: Evidence): Height {
  return evidence.kind === "duplicate_vote" ? evidence.voteA.height : evidence.commonHeight;
}

/**
 * Too old to be committed after `last`, the last decided block: more than the params' blocks AND more than their time
 * have passed since the evidence's height. Either alone is not enough, so that neither a fast nor a halted chain lets
 * an offender go.
 */
export function evidenceExpired(
  params: Pick<ChainParams, "evidenceMaxAgeBlocks" | "evidenceMaxAgeMs">,
  last: Moment,
  evidence: Moment,
): boolean {
  return (
    last.height - evidence.height > params.evidenceMaxAgeBlocks &&
    last.time - evidence.time > BigInt(params.evidenceMaxAgeMs) * 1_000_000n
  );
}
