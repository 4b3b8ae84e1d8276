/**
 * The round machine: Algorithm 1 of arXiv:1807.04938 as one arm per paper line. It knows steps, lock and valid value;
 * which arm applies is found by the driver (mux table in driver.ts), from votes, proposals and verdicts.
 *
 * | lines       | input                  | in step                | does                                       | then      |
 * |-------------|------------------------|------------------------|--------------------------------------------|-----------|
 * | L11-21      | new_round(r)           | any but Commit, r new  | timeoutPropose; proposer: re-propose/build | Propose   |
 * | L22-24      | proposal(v)            | Propose                | prevote v if not locked on another         | Prevote   |
 * | L22, L26    | invalid_proposal       | Propose                | prevote nil                                | Prevote   |
 * | L28-30      | proposal_with_polka(v) | Propose                | prevote v if lock <= POL round or is v     | Prevote   |
 * | L28, L32    | invalid_with_polka     | Propose                | prevote nil                                | Prevote   |
 * | L57-60      | timeout_propose        | Propose                | prevote nil                                | Prevote   |
 * | L34-35      | prevote_any            | Prevote, once          | timeoutPrevote                             | PrevoteWait |
 * | L36-43      | polka(v)               | Prevote(Wait)          | lock := valid := v, precommit v            | Precommit |
 * | L36, L42-43 | polka(v)               | Precommit(Wait)        | valid := v                                 | same      |
 * | L44-46      | polka_nil              | Prevote(Wait)          | precommit nil                              | Precommit |
 * | L61-64      | timeout_prevote        | Prevote(Wait)          | precommit nil                              | Precommit |
 * | L47-48      | precommit_any          | in a round, once       | timeoutPrecommit (0 ms when +2/3 are nil)  | (PrecommitWait) |
 * | L49-54      | precommit_quorum(v)    | any but Commit         | decide v, of whatever round                | Commit    |
 * | L55-56      | new_round(r)           | any but Commit, r > round | as L11                                  | Propose   |
 * | L65-67      | timeout_precommit      | in a round             | as L55 with round + 1                      | Propose   |
 *
 * The lock changes by L36 alone: never by nil, never by a timeout, never by a proposal, never to an older round.
 */
import { type BlockId, blockIdEquals, type Round } from "@quorate/chain";
import type { RoundValue, Step } from "./types.ts";

export interface RoundMachine {
  readonly round: Round;
  readonly step: Step;
  readonly locked: RoundValue | null;
  readonly valid: RoundValue | null;
  /** L34 has fired in this round. */
  readonly prevoteTimer: boolean;
  /** L47 has fired in this round: with the full timeout, or with 0 ms because +2/3 are nil. */
  readonly precommitTimer: "none" | "full" | "zero";
  /** Round of the commit and its value. */
  readonly decision: RoundValue | null;
}

export type MachineInput =
  | { readonly kind: "new_round"; readonly round: Round }
  | { readonly kind: "proposal"; readonly blockId: BlockId }
  | { readonly kind: "invalid_proposal" }
  | { readonly kind: "proposal_with_polka"; readonly blockId: BlockId; readonly polRound: Round }
  | { readonly kind: "invalid_with_polka" }
  | { readonly kind: "timeout_propose"; readonly round: Round }
  | { readonly kind: "prevote_any" }
  | { readonly kind: "polka"; readonly blockId: BlockId }
  | { readonly kind: "polka_nil" }
  | { readonly kind: "timeout_prevote"; readonly round: Round }
  | { readonly kind: "precommit_any"; readonly nilQuorum: boolean }
  | { readonly kind: "timeout_precommit"; readonly round: Round }
  | { readonly kind: "precommit_quorum"; readonly round: Round; readonly blockId: BlockId };

export type MachineOutput =
  | { readonly kind: "round_started"; readonly round: Round }
  | { readonly kind: "prevote"; readonly blockId: BlockId | null }
  | { readonly kind: "precommit"; readonly blockId: BlockId | null }
  | { readonly kind: "prevote_timer" }
  | { readonly kind: "precommit_timer"; readonly nilQuorum: boolean }
  /** Lock or valid value changed; precedes the precommit that follows from it. */
  | { readonly kind: "values_changed" }
  | { readonly kind: "decided"; readonly decision: RoundValue };

export interface Transition {
  readonly machine: RoundMachine;
  readonly outputs: readonly MachineOutput[];
}

/** A height before its first round. */
export const NEW_HEIGHT: RoundMachine = {
  round: 0,
  step: "NewHeight",
  locked: null,
  valid: null,
  prevoteTimer: false,
  precommitTimer: "none",
  decision: null,
};

/** Applies one input. An input whose guard does not hold returns the very same machine and no outputs. */
export function apply(machine: RoundMachine, input: MachineInput): Transition {
  const refused: Transition = { machine, outputs: [] };
  // Commit comes before every other guard: a decided height moves no more.
  if (machine.step === "Commit") return refused;
  switch (input.kind) {
    case "new_round": // L11-21, L55-56
      return isAfter(machine, input.round) ? startRound(machine, input.round) : refused;
    case "proposal": // L22-24
      if (machine.step !== "Propose") return refused;
      return prevote(machine, lockAllows(machine, input.blockId, -1) ? input.blockId : null);
    case "proposal_with_polka": // L28-30
      if (machine.step !== "Propose" || input.polRound >= machine.round) return refused;
      return prevote(machine, lockAllows(machine, input.blockId, input.polRound) ? input.blockId : null);
    case "invalid_proposal": // L22, L26
    case "invalid_with_polka": // L28, L32
      return machine.step === "Propose" ? prevote(machine, null) : refused;
    case "timeout_propose": // L57-60
      return machine.step === "Propose" && input.round === machine.round ? prevote(machine, null) : refused;
    case "prevote_any": // L34-35
      if (machine.step !== "Prevote" || machine.prevoteTimer) return refused;
      return {
        machine: { ...machine, step: "PrevoteWait", prevoteTimer: true },
        outputs: [{ kind: "prevote_timer" }],
      };
    case "polka": // L36-43
      return polka(machine, input.blockId);
    case "polka_nil": // L44-46
      return isPrevoting(machine) ? precommit(machine, null, []) : refused;
    case "timeout_prevote": // L61-64
      return isPrevoting(machine) && input.round === machine.round ? precommit(machine, null, []) : refused;
    case "precommit_any": // L47-48
      return precommitAny(machine, input.nilQuorum);
    case "timeout_precommit": // L65-67
      if (machine.step === "NewHeight" || input.round !== machine.round) return refused;
      return startRound(machine, machine.round + 1);
    case "precommit_quorum": {
      // L49-54
      const decision: RoundValue = { round: input.round, blockId: input.blockId };
      return { machine: { ...machine, step: "Commit", decision }, outputs: [{ kind: "decided", decision }] };
    }
  }
}

export function isPrevoting(machine: RoundMachine): boolean {
  return machine.step === "Prevote" || machine.step === "PrevoteWait";
}

export function isPrecommitting(machine: RoundMachine): boolean {
  return machine.step === "Precommit" || machine.step === "PrecommitWait";
}

/** Whether `round` lies ahead; in NewHeight round 0 still does. */
export function isAfter(machine: RoundMachine, round: Round): boolean {
  return round > machine.round || (machine.step === "NewHeight" && round === machine.round);
}

function startRound(machine: RoundMachine, round: Round): Transition {
  return {
    machine: { ...machine, round, step: "Propose", prevoteTimer: false, precommitTimer: "none" },
    outputs: [{ kind: "round_started", round }],
  };
}

/** L23 with POL round -1, L29 with another: not locked, locked on this value, or locked no later than the POL. */
function lockAllows(machine: RoundMachine, blockId: BlockId, polRound: Round): boolean {
  const { locked } = machine;
  return locked === null || locked.round <= polRound || blockIdEquals(locked.blockId, blockId);
}

function prevote(machine: RoundMachine, blockId: BlockId | null): Transition {
  return { machine: { ...machine, step: "Prevote" }, outputs: [{ kind: "prevote", blockId }] };
}

function precommit(
  machine: RoundMachine,
  blockId: BlockId | null,
  before: readonly MachineOutput[],
): Transition {
  const step: Step = machine.precommitTimer === "none" ? "Precommit" : "PrecommitWait";
  return { machine: { ...machine, step }, outputs: [...before, { kind: "precommit", blockId }] };
}

function polka(machine: RoundMachine, blockId: BlockId): Transition {
  const value: RoundValue = { round: machine.round, blockId };
  // A node that came back without its log can be in a round below its lock: what it signed there stays the lock.
  if (machine.locked !== null && machine.locked.round > machine.round) return { machine, outputs: [] };
  // L36-41
  if (isPrevoting(machine)) {
    return precommit({ ...machine, locked: value, valid: value }, blockId, [{ kind: "values_changed" }]);
  }
  // L42-43: too late to lock, not too late to propose it later
  if (isPrecommitting(machine) && (machine.valid?.round ?? -1) < machine.round) {
    return { machine: { ...machine, valid: value }, outputs: [{ kind: "values_changed" }] };
  }
  return { machine, outputs: [] };
}

function precommitAny(machine: RoundMachine, nilQuorum: boolean): Transition {
  const wanted = nilQuorum ? "zero" : "full";
  const running = machine.precommitTimer;
  if (machine.step === "NewHeight" || running === wanted || running === "zero") {
    return { machine, outputs: [] };
  }
  const step: Step = machine.step === "Precommit" ? "PrecommitWait" : machine.step;
  return {
    machine: { ...machine, step, precommitTimer: wanted },
    outputs: [{ kind: "precommit_timer", nilQuorum }],
  };
}
