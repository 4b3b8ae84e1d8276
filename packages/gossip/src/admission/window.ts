import type { Height, Round } from "@quorate/chain";
import { LIMITS } from "../limits.ts";

/** Where a message stands against the height being decided. */
export type Window = "past" | "last" | "current" | "next" | "beyond";

export function heightWindow(own: Height, height: Height): Window {
  switch (height - own) {
    case 0:
      return "current";
    case 1:
      return "next";
    case -1:
      return "last";
    default:
      return height < own ? "past" : "beyond";
  }
}

/** Votes of any earlier round count (a decision may come from any); later ones up to a bound no honest node reaches. */
export function voteRoundInWindow(own: Round, round: Round): boolean {
  return round <= own + LIMITS.roundsAhead;
}

export function proposalRoundInWindow(own: Round, round: Round): boolean {
  return round <= own + LIMITS.proposalRoundsAhead;
}
