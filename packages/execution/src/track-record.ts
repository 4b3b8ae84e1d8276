import type { Verdict } from "./types.ts";

/** So many of its own payloads in a row an EL must have found VALID before one is proposed ahead of its verdict. */
const RUN = 3;
/** Below this much gas the time of a payload says nothing about its gas. */
const LEAST_GAS = 1_000_000;

/**
 * How an EL judged what it built itself. Where it is sure to be quick, its newPayload and those of the others may run at the
 * same time: the proposer waits for its verdict before it prevotes, not before it proposes. One payload that was not VALID,
 * or not in time, and the EL is waited for again.
 */
export class TrackRecord {
  #recent: readonly { readonly gas: number; readonly ms: number }[] = [];

  /** Whether a payload of so much gas will surely be judged within a quarter of timeoutPropose. */
  isQuick(gasUsed: bigint, timeoutProposeMs: number): boolean {
    if (this.#recent.length < RUN) return false;
    const gas = Number(gasUsed);
    const worst = this.#recent.map((each) => each.ms * Math.max(1, gas / Math.max(each.gas, LEAST_GAS)));
    return Math.max(...worst) <= timeoutProposeMs / 4;
  }

  note(verdict: Verdict["kind"], gasUsed: bigint, ms: number): void {
    this.#recent = verdict === "valid" ? [...this.#recent, { gas: Number(gasUsed), ms }].slice(-RUN) : [];
  }
}
