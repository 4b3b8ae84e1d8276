/** The timers that run, kept in the state so that a restart can set them again and none is scheduled twice. */
import type { Round } from "@quorate/chain";
import { change, type Work } from "./state.ts";
import type { Timeout, TimeoutKind } from "./types.ts";

export function sameTimeout(a: Timeout, b: Timeout): boolean {
  return a.kind === b.kind && a.round === b.round && a.height === b.height;
}

/** Schedules, or reschedules with another duration. The same timer with the same duration is left running. */
export function schedule(work: Work, kind: TimeoutKind, round: Round, ms: number): void {
  const timeout: Timeout = { kind, height: work.context.height, round };
  const running = work.state.timers.find((each) => sameTimeout(each.timeout, timeout));
  if (running?.ms === ms) return;
  const others = work.state.timers.filter((each) => each !== running);
  change(work, { timers: [...others, { timeout, ms }] });
  work.effects.push({ kind: "schedule_timeout", timeout, ms });
}

export function cancelTimer(work: Work, kind: TimeoutKind, round: Round): void {
  for (const { timeout } of work.state.timers) {
    if (timeout.kind === kind && timeout.round === round) cancel(work, timeout);
  }
}

export function cancelAll(work: Work): void {
  for (const { timeout } of work.state.timers) cancel(work, timeout);
}

/** A timer fired: it runs no more. */
export function forgetTimer(work: Work, timeout: Timeout): void {
  change(work, { timers: work.state.timers.filter((each) => !sameTimeout(each.timeout, timeout)) });
}

function cancel(work: Work, timeout: Timeout): void {
  forgetTimer(work, timeout);
  work.effects.push({ kind: "cancel_timeout", timeout });
}
