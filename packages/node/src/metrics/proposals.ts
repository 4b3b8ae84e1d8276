import { type ChainParams, isTimely, type Proposal, timeToMs } from "@quorate/chain";
import { toHexUpper } from "@quorate/crypto";
import type { LogPort } from "@quorate/gossip";
import type { Metrics } from "./index.ts";

/** Measures the times of other nodes' proposals against this machine's clock, and says when they do not fit together. */
export class ProposalTimes {
  private readonly metrics: Metrics;
  private readonly log: LogPort;
  /** Proposers, validators all, whose last proposal was untimely. */
  private readonly untimely = new Set<string>();

  constructor(metrics: Metrics, log: LogPort) {
    this.metrics = metrics;
    this.log = log;
  }

  /** A proposal as it arrived. Re-proposals of an older round are not judged by their time. */
  received(params: ChainParams, proposal: Proposal, proposer: Uint8Array, receivedAtMs: number): void {
    if (proposal.polRound !== -1) return;
    const { comet, own } = this.metrics;
    const sentMs = timeToMs(proposal.timestamp);
    const seconds = (receivedAtMs - sentMs) / 1000;
    const timely = isTimely(params, sentMs, receivedAtMs, proposal.round);
    const address = toHexUpper(proposer);
    comet.consensus.proposalTimestampDifference.observe({ is_timely: String(timely) }, seconds);
    own.proposalDelay.set({ proposer_address: address }, seconds);
    if (timely) this.untimely.delete(address);
    else if (!this.untimely.has(address)) {
      this.untimely.add(address);
      const { height, round } = proposal;
      const distance = `${Math.abs(seconds).toFixed(1)} s ${seconds > 0 ? "behind" : "ahead of"}`;
      this.log.warn(`a proposal's time is ${distance} this machine's clock: this node votes nil`, {
        ...{ height, round, proposer: address },
        do: "if several proposers are named here, synchronise this machine's clock (chrony or systemd-timesyncd); if one, that one's",
      });
    }
  }
}
