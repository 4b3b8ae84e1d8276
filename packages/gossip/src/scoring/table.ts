import type { Offence } from "../types.ts";

/** What a peer's offence costs and what gossipsub is told about the message that carried it. */
export interface OffenceRule {
  /** Of {@link DISCONNECT_POINTS}; 0 = only counted. */
  readonly points: number;
  readonly verdict: "reject" | "ignore";
  /** Why so many points. */
  readonly reason: string;
}

/** Points at which a peer is disconnected and refused for a while. */
export const DISCONNECT_POINTS = 100;

/** Points halve in this time. */
export const HALF_LIFE_MS = 60_000;

/** The closed table of offences. Only what no honest node does costs a connection by itself. */
export const OFFENCES: Readonly<Record<Offence, OffenceRule>> = {
  malformed: { points: 100, verdict: "reject", reason: "our encoder never writes it" },
  oversized: { points: 100, verdict: "reject", reason: "our sender never exceeds a bound" },
  bad_signature: {
    points: 34,
    verdict: "reject",
    reason: "everybody verifies before forwarding; three cost 4 ms of CPU",
  },
  not_a_validator: {
    points: 34,
    verdict: "reject",
    reason: "sets are known one height ahead; a corrupt peer differs",
  },
  out_of_window: { points: 0, verdict: "ignore", reason: "honest nodes are at different heights" },
  bad_part: { points: 50, verdict: "reject", reason: "the proof is checked before a part is sent on" },
  bad_block: { points: 100, verdict: "reject", reason: "served blocks are decided blocks" },
  bad_commit: { points: 100, verdict: "reject", reason: "served commits and certificates were verified" },
  timeout: { points: 20, verdict: "ignore", reason: "a slow link is no proof of malice" },
  wrong_chain: { points: 100, verdict: "reject", reason: "nothing it says can be used" },
  equivocation: {
    points: 20,
    verdict: "ignore",
    reason:
      "proven by its own two signatures, but its votes count and may be needed: five in a minute are too many",
  },
  flood: { points: 5, verdict: "ignore", reason: "bursts happen; twenty in a minute do not" },
};
