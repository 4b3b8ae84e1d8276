import { type ChainParams, isTimely, type Proposal, timeToMs } from "@quorate/chain";
import { toHexUpper } from "@quorate/crypto";
import type { Metrics } from "./index.ts";

/** A proposal of another node as it arrived. Re-proposals of an older round are not judged by their time. */
export function recordProposal(
  metrics: Metrics,
  params: ChainParams,
  proposal: Proposal,
  proposer: Uint8Array,
  receivedAtMs: number,
): void {
  if (proposal.polRound !== -1) return;
  const sentMs = timeToMs(proposal.timestamp);
  const seconds = (receivedAtMs - sentMs) / 1000;
  const timely = isTimely(params, sentMs, receivedAtMs, proposal.round);
  metrics.comet.consensus.proposalTimestampDifference.observe({ is_timely: String(timely) }, seconds);
  metrics.own.proposalDelay.set({ proposer_address: toHexUpper(proposer) }, seconds);
}
