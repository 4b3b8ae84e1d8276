/** Counters that show what a run went through: a run in which nothing went wrong proves nothing. */
import { type Block, blockIdEquals, VoteType } from "@quorate/chain";
import { type ConsensusState, type Input, proposalOf, type StepResult } from "@quorate/consensus";
import type { Figure } from "./invariants/law.ts";

/** Lines of Algorithm 1 (arXiv:1807.04938) as the round machine's arms have them. */
export const RULE_LINES = [
  "L11-21 start round",
  "L16 propose valid value again",
  "L18 propose new value",
  "L22-24 prevote proposal",
  "L22,L26 prevote nil",
  "L28-30 prevote with polka",
  "L28,L32 prevote nil against polka",
  "L34-35 timeoutPrevote",
  "L36-41 lock and precommit",
  "L42-43 late polka",
  "L44-46 precommit nil on polka of nil",
  "L47-48 timeoutPrecommit",
  "L49-54 decide",
  "L55-56 skip to a later round",
  "L57-60 timeoutPropose",
  "L61-64 timeoutPrevote over",
  "L65-67 timeoutPrecommit over",
] as const;
export type RuleLine = (typeof RULE_LINES)[number];

/** What happens on chains whose set changes: each by the rule that was written for it. */
export const CHURN_SIGNS = [
  /** Heights after which as many have power as may have. */
  "fullSets",
  /** Changes that met a full set: refused, or paid back. */
  "refusedWhenFull",
  /** Rises that were cut to what a set may have in all. */
  "cutToTotal",
  /** Amounts above what anybody may have. */
  "amountsTooLarge",
  /** New keys that came with nothing, or with too little. */
  "dust",
  /** New keys without a proof of possession. */
  "unproven",
  /** Times that the last validator stayed although it was to leave. */
  "lastStayed",
  /** Keys outside genesis whose signature stands in a commit. */
  "joinersVoting",
  /** Nodes whose key left, three heights later. */
  "leaversGoingOn",
  /** Reports against keys that were not in the set of that height. */
  "reports-outside",
  /** Reports with other powers or another time than that height's. */
  "reports-misstated",
  /** Reports of which one signature does not hold. */
  "reports-unsigned",
  /** Reports that were handed in before, to the byte. */
  "reports-again",
  /** Further reports against who was convicted already. */
  "reports-tombstoned",
] as const;
export type ChurnSign = (typeof CHURN_SIGNS)[number];

export interface Witness {
  /** Highest round that any honest node entered. */
  readonly highestRound: number;
  readonly decidedAfterRound0: number;
  /** A block locked by some honest node was not the one decided later, or was decided in a later round. */
  readonly hiddenLocks: number;
  /** A lock moved to another block. */
  readonly lockChanges: number;
  /** Starts of a process in a height that it had begun before. */
  readonly restartsMidRound: number;
  readonly crashes: number;
  readonly restarts: number;
  /** Heights whose set has other validators or powers than the one before. */
  readonly setChanges: number;
  /** Double votes in decided blocks, each block once. */
  readonly convictions: number;
  /** Most heights from a catch to the block that convicts, whatever happened between; and how many of them without faults. */
  readonly evidenceHeights: number;
  readonly evidenceHeightsHealed: number;
  /** Most encoded bytes of evidence that an honest node held. */
  readonly evidenceBytes: number;
  readonly churn: Readonly<Record<ChurnSign, number>>;
  readonly duplicateVotes: number;
  readonly duplicateProposals: number;
  readonly refusedSignatures: number;
  readonly invalidVerdicts: number;
  readonly lines: Readonly<Record<RuleLine, number>>;
}

export class WitnessCounter {
  readonly #lines = new Map<RuleLine, number>();
  #highestRound = 0;
  #lateDecisions = 0;
  #hiddenLocks = 0;
  #lockChanges = 0;
  #restartsMidRound = 0;
  #crashes = 0;
  #restarts = 0;
  readonly #convictions = new Map<number, number>();
  readonly #figures: Record<Figure, number> = {
    evidenceHeights: 0,
    evidenceHeightsHealed: 0,
    evidenceBytes: 0,
  };
  readonly #churn = new Map<ChurnSign, number>();
  #duplicateVotes = 0;
  #duplicateProposals = 0;
  #refused = 0;
  #invalid = 0;
  readonly #places = new Map<number, { height: number; step: string }>();
  readonly #fresh = new Set<number>();
  readonly #countedLocks = new Set<number>();
  readonly #powers = new Map<number, string>();

  life(node: number, kind: "crash" | "restart" | "pause" | "resume"): void {
    if (kind === "crash") this.#crashes++;
    if (kind === "restart") {
      this.#restarts++;
      this.#fresh.add(node);
    }
  }

  step(node: number, input: Input, before: ConsensusState, { state, effects }: StepResult): void {
    this.#noteLife(node, state);
    const { machine, context } = state;
    if (context !== null && !this.#powers.has(context.height)) {
      const powers = context.validators.validators.map(({ address, power }) => `${address.join()}=${power}`);
      this.#powers.set(context.height, powers.join(";"));
    }
    this.#highestRound = Math.max(this.#highestRound, machine.round);
    if (input.kind === "sign_refused") this.#refused++;
    if (input.kind === "verdict" && input.verdict === "invalid") this.#invalid++;
    if (before.context?.height === state.context?.height) this.#locks(before, state);
    this.#rules(input, before, { state, effects });
  }

  /** An honest node stores this block. */
  stored(height: number, block: Pick<Block, "evidence">): void {
    const { length } = block.evidence.filter(({ kind }) => kind === "duplicate_vote");
    if (length > 0) this.#convictions.set(height, length);
  }

  measured(figure: Figure, value: number): void {
    this.#figures[figure] = Math.max(this.#figures[figure], value);
  }

  saw(sign: ChurnSign): void {
    this.#churn.set(sign, (this.#churn.get(sign) ?? 0) + 1);
  }

  result(): Witness {
    const churn = Object.fromEntries(CHURN_SIGNS.map((sign) => [sign, this.#churn.get(sign) ?? 0]));
    const lines = Object.fromEntries(RULE_LINES.map((line) => [line, this.#lines.get(line) ?? 0]));
    return {
      highestRound: this.#highestRound,
      decidedAfterRound0: this.#lateDecisions,
      hiddenLocks: this.#hiddenLocks,
      lockChanges: this.#lockChanges,
      restartsMidRound: this.#restartsMidRound,
      crashes: this.#crashes,
      restarts: this.#restarts,
      setChanges: [...this.#powers].filter(
        ([height, powers]) => (this.#powers.get(height - 1) ?? powers) !== powers,
      ).length,
      convictions: [...this.#convictions.values()].reduce((sum, count) => sum + count, 0),
      ...this.#figures,
      churn: churn as Record<ChurnSign, number>,
      duplicateVotes: this.#duplicateVotes,
      duplicateProposals: this.#duplicateProposals,
      refusedSignatures: this.#refused,
      invalidVerdicts: this.#invalid,
      lines: lines as Record<RuleLine, number>,
    };
  }

  #noteLife(node: number, state: ConsensusState): void {
    const height = state.context?.height ?? 0;
    const place = this.#places.get(node);
    if (this.#fresh.delete(node) && place?.height === height && place.step !== "NewHeight") {
      this.#restartsMidRound++;
    }
    this.#places.set(node, { height, step: state.machine.step });
  }

  #locks(before: ConsensusState, state: ConsensusState): void {
    const [was, is] = [before.machine.locked, state.machine.locked];
    if (was !== is && was !== null && is !== null && !blockIdEquals(was.blockId, is.blockId))
      this.#lockChanges++;
    const { decision, locked } = state.machine;
    const height = state.context?.height ?? 0;
    // Hidden: somebody is locked on what he cannot know to be locked by others when the round is over.
    if (locked !== null && state.machine.round > locked.round && decision === null) {
      if (!this.#countedLocks.has(height)) {
        this.#countedLocks.add(height);
        this.#hiddenLocks++;
      }
    }
  }

  #count(line: RuleLine): void {
    this.#lines.set(line, (this.#lines.get(line) ?? 0) + 1);
  }

  #rules(input: Input, before: ConsensusState, { state, effects }: StepResult): void {
    const timeout = input.kind === "timeout" ? input.timeout.kind : null;
    let started = before.machine.round;
    for (const effect of effects) {
      switch (effect.kind) {
        case "new_step":
          if (effect.step === "Propose") {
            this.#count("L11-21 start round");
            if (timeout === "precommit" && effect.round === before.machine.round + 1) {
              this.#count("L65-67 timeoutPrecommit over");
            } else if (effect.round > started || (effect.round > 0 && timeout === null)) {
              this.#count("L55-56 skip to a later round");
            }
            started = effect.round;
          }
          break;
        case "build":
          this.#count("L18 propose new value");
          break;
        case "sign_proposal":
          if (effect.proposal.polRound >= 0) this.#count("L16 propose valid value again");
          break;
        case "sign_vote":
          this.#vote(effect.vote, timeout, state);
          break;
        case "schedule_timeout":
          if (effect.timeout.kind === "prevote") this.#count("L34-35 timeoutPrevote");
          if (effect.timeout.kind === "precommit") this.#count("L47-48 timeoutPrecommit");
          break;
        case "snapshot": {
          const { machine } = state;
          const onlyValid = machine.valid !== null && machine.locked?.round !== machine.valid.round;
          if (onlyValid && machine.valid !== before.machine.valid) this.#count("L42-43 late polka");
          break;
        }
        case "decide":
          this.#count("L49-54 decide");
          if (effect.round > 0) this.#lateDecisions++;
          break;
        case "duplicate_vote":
          this.#duplicateVotes++;
          break;
        case "duplicate_proposal":
          this.#duplicateProposals++;
          break;
        default:
          break;
      }
    }
  }

  #vote(
    vote: { readonly type: number; readonly round: number; readonly blockId: unknown },
    timeout: string | null,
    state: ConsensusState,
  ): void {
    const proposal = proposalOf(state, vote.round);
    if (vote.type === VoteType.precommit) {
      if (vote.blockId !== null) this.#count("L36-41 lock and precommit");
      else if (timeout === "prevote") this.#count("L61-64 timeoutPrevote over");
      else this.#count("L44-46 precommit nil on polka of nil");
      return;
    }
    const withPolka = proposal !== null && proposal.polRound >= 0;
    if (vote.blockId !== null)
      this.#count(withPolka ? "L28-30 prevote with polka" : "L22-24 prevote proposal");
    else if (timeout === "propose") this.#count("L57-60 timeoutPropose");
    else this.#count(withPolka ? "L28,L32 prevote nil against polka" : "L22,L26 prevote nil");
  }
}
