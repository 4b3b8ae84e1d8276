/**
 * What holds after every step, whatever came in and from whom. Checked in production: a core that breaks one of these
 * has a bug, and a node that stops at once does less harm than one that signs on. Each costs a few comparisons; what
 * must be added up is added up only when a quorum is new.
 */
import { type BlockId, blockIdEquals, blockIdKey, VoteType } from "@quorate/chain";
import { ConsensusError } from "./errors.ts";
import { LIMITS } from "./limits.ts";
import { compareWatermarks, pointOfVote } from "./own.ts";
import type { ConsensusState } from "./state.ts";
import { certificatePower, type Tally } from "./tally.ts";
import type { Effect, Input, RoundValue, SignedWatermark, Step } from "./types.ts";
import { factsOf } from "./values.ts";
import { hasQuorum } from "./vote-keeper.ts";

/** A step as it is judged: `before` is the height as it began where the input began it. */
export interface Judged {
  readonly before: ConsensusState;
  readonly after: ConsensusState;
  readonly input: Input["kind"];
  readonly effects: readonly Effect[];
}

export interface Invariant {
  /** Stable: what a state dump and a test name it by. */
  readonly name: string;
  /** Where it comes from: lines of Algorithm 1 (arXiv:1807.04938), or the rule of this implementation. */
  readonly source: string;
  readonly holds: (step: Judged) => boolean;
}

const ORDER: Readonly<Record<Step, number>> = {
  NewHeight: 0,
  Propose: 1,
  Prevote: 2,
  PrevoteWait: 3,
  Precommit: 4,
  PrecommitWait: 5,
  Commit: 6,
};

export const INVARIANTS: readonly Invariant[] = [
  {
    name: "height stays",
    source: "a height begins by start_height alone",
    holds: ({ before, after }) => before.context === after.context,
  },
  {
    name: "round never falls",
    source: "L11, L55, L65",
    holds: ({ before, after }) => after.machine.round >= before.machine.round,
  },
  {
    name: "step never goes back in a round",
    source: "L11-67",
    holds: ({ before, after }) =>
      after.machine.round > before.machine.round || ORDER[after.machine.step] >= ORDER[before.machine.step],
  },
  {
    name: "lock never falls",
    source: "L38 alone sets it",
    holds: ({ before, after }) => isNoEarlier(before.machine.locked, after.machine.locked),
  },
  {
    name: "valid value never falls",
    source: "L42",
    holds: ({ before, after }) => isNoEarlier(before.machine.valid, after.machine.valid),
  },
  {
    name: "valid value is no older than lock",
    source: "L36-43",
    holds: ({ after: { machine } }) =>
      machine.locked === null || (machine.valid !== null && machine.valid.round >= machine.locked.round),
  },
  {
    name: "new lock has a polka and a valid body",
    source: "L36",
    holds: ({ before, after, input }) => {
      const { locked } = after.machine;
      if (locked === null || locked === before.machine.locked || isRestoring(input)) return true;
      const facts = factsOf(after.values, locked.blockId);
      return (
        locked.round <= after.machine.round &&
        Boolean(facts?.body) &&
        facts?.verdict === "valid" &&
        hasQuorum(after.votes, locked.round, VoteType.prevote, locked.blockId)
      );
    },
  },
  {
    name: "decision stands",
    source: "L51",
    holds: ({ before, after }) =>
      before.machine.decision === null || before.machine.decision === after.machine.decision,
  },
  {
    name: "decided exactly in Commit",
    source: "L49-54",
    holds: ({ after: { machine } }) => (machine.step === "Commit") === (machine.decision !== null),
  },
  {
    name: "new decision has +2/3 precommits and a body",
    source: "L49",
    holds: ({ before, after }) => {
      const { decision } = after.machine;
      if (decision === null || decision === before.machine.decision) return true;
      return (
        hasQuorum(after.votes, decision.round, VoteType.precommit, decision.blockId) &&
        Boolean(factsOf(after.values, decision.blockId)?.body)
      );
    },
  },
  {
    name: "what is decided is said once, as it is",
    source: "L51-54",
    holds: ({ before, after, effects }) => {
      const { decision } = after.machine;
      const isNew = decision !== null && decision !== before.machine.decision;
      let said = 0;
      for (const effect of effects) {
        if (effect.kind !== "decide") continue;
        said++;
        if (!isNew || effect.round !== decision.round) return false;
        if (!blockIdEquals(effect.blockId, decision.blockId)) return false;
      }
      return said === (isNew ? 1 : 0);
    },
  },
  {
    name: "watermark never falls",
    source: "sign state: height, round, type only rise",
    holds: ({ before, after }) =>
      isNoLower(before.own.watermark, after.own.watermark) && isNoLower(before.own.asked, after.own.asked),
  },
  {
    name: "nothing is asked to be signed twice or below the watermark",
    source: "one proposal, prevote, precommit per round",
    holds: signsInOrder,
  },
  {
    name: "votes are asked for this height and its own key",
    source: "L22-46",
    holds: ({ after: { context, machine }, effects }) =>
      effects.every(
        (effect) =>
          effect.kind !== "sign_vote" ||
          (context !== null &&
            effect.vote.height === context.height &&
            effect.vote.validatorIndex === context.index &&
            effect.vote.round <= machine.round),
      ),
  },
  {
    name: "precommit of a block is the lock",
    source: "L38-40",
    holds: ({ after: { machine }, effects }) =>
      effects.every((effect) => {
        if (effect.kind !== "sign_vote" || effect.vote.type !== VoteType.precommit) return true;
        const { blockId, round } = effect.vote;
        if (blockId === null) return true;
        return machine.locked?.round === round && blockIdEquals(machine.locked.blockId, blockId);
      }),
  },
  {
    name: "prevote respects the lock",
    source: "L23, L29",
    holds: (step) =>
      step.effects.every(
        (effect) =>
          effect.kind !== "sign_vote" ||
          effect.vote.type !== VoteType.prevote ||
          effect.vote.blockId === null ||
          lockAllows(step, effect.vote.round, effect.vote.blockId),
      ),
  },
  {
    name: "one own vote per round and type",
    source: "no honest equivocation",
    holds: ({ before, after: { own } }) => {
      if (own.votes === before.own.votes) return true;
      const points = own.votes.map(({ round, type }) => 2 * round + type);
      return new Set(points).size === points.length;
    },
  },
  {
    name: "timers are of this height",
    source: "L57-67",
    holds: ({ after: { context, timers } }) =>
      timers.every(({ timeout, ms }) => timeout.height === context?.height && ms >= 0),
  },
  {
    name: "rounds of votes ascend within their bound",
    source: "bounded memory",
    holds: ({ before, after: { votes } }) => {
      if (votes === before.votes) return true;
      const { rounds, progress } = votes;
      const most = LIMITS.keptRounds + 8 + progress.length * LIMITS.futureRoundsPerValidator;
      return rounds.length <= most && rounds.every(({ round }, at) => round > (rounds[at - 1]?.round ?? -1));
    },
  },
  {
    name: "a quorum is more than 2/3 of the power",
    source: "2f+1",
    holds: (step) => everyChangedTally(step, (then, now) => !isNewQuorum(then, now) || addsUp(step, now)),
  },
  {
    name: "a quorum stands",
    source: "2f+1 messages stay received",
    holds: (step) => everyChangedTally(step, keepsQuorum),
  },
  {
    name: "queues keep their bounds",
    source: "bounded memory",
    holds: ({ after: { own, absent, proposing, machine } }) =>
      own.pending.length <= LIMITS.pendingSignatures &&
      absent.length <= LIMITS.absentRounds &&
      (proposing === "idle" || machine.step === "Propose"),
  },
];

/** @throws ConsensusError `INVARIANT`, naming the first that is broken. */
export function checkStep(step: Judged): void {
  for (const { name, holds } of INVARIANTS) {
    if (holds(step)) continue;
    const { context, machine } = step.after;
    throw new ConsensusError("INVARIANT", `the consensus core broke the invariant "${name}": this is a bug`, {
      invariant: name,
      input: step.input,
      height: context?.height ?? 0,
      round: machine.round,
      step: machine.step,
    });
  }
}

/** Inputs that set lock and valid value from what was kept. */
function isRestoring(input: Input["kind"]): boolean {
  return input === "sign_state" || input === "restore";
}

function isNoEarlier(before: RoundValue | null, after: RoundValue | null): boolean {
  if (before === after || before === null) return true;
  if (after === null) return false;
  return (
    after.round > before.round ||
    (after.round === before.round && blockIdEquals(after.blockId, before.blockId))
  );
}

function isNoLower(before: SignedWatermark | null, after: SignedWatermark | null): boolean {
  return before === after || before === null || (after !== null && compareWatermarks(after, before) >= 0);
}

function signsInOrder({ before, effects }: Judged): boolean {
  let { asked } = before.own;
  const { watermark } = before.own;
  for (const effect of effects) {
    let point: SignedWatermark;
    if (effect.kind === "sign_vote") point = pointOfVote(effect.vote);
    else if (effect.kind === "sign_proposal") point = { round: effect.proposal.round, step: 0 };
    else continue;
    if (asked !== null && compareWatermarks(point, asked) <= 0) return false;
    if (watermark !== null && compareWatermarks(point, watermark) < 0) return false;
    asked = point;
  }
  return true;
}

/** Not locked before this round, locked on this block, or a polka for it came with or after the lock. */
function lockAllows({ before, after }: Judged, round: number, blockId: BlockId): boolean {
  const locks = [before.machine.locked, after.machine.locked].filter(
    (lock) => lock !== null && lock.round < round,
  );
  const lock = locks.at(-1);
  if (lock === undefined || lock === null || blockIdEquals(lock.blockId, blockId)) return true;
  return after.votes.rounds.some(
    (votes) =>
      votes.round >= lock.round && votes.round < round && votes.prevotes.quorum?.key === blockIdKey(blockId),
  );
}

/** Both tallies of every round that is kept in both states and not the same; `null`: the round is new. */
function everyChangedTally(
  { before, after }: Judged,
  holds: (then: Tally | null, now: Tally) => boolean,
): boolean {
  if (after.votes === before.votes) return true;
  for (const now of after.votes.rounds) {
    const then = before.votes.rounds.find(({ round }) => round === now.round) ?? null;
    if (then === now) continue;
    if (now.prevotes !== then?.prevotes && !holds(then?.prevotes ?? null, now.prevotes)) return false;
    if (now.precommits !== then?.precommits && !holds(then?.precommits ?? null, now.precommits)) return false;
  }
  return true;
}

function isNewQuorum(then: Tally | null, now: Tally): boolean {
  return now.quorum !== null && now.quorum !== then?.quorum;
}

function addsUp({ after: { context } }: Judged, { quorum, votes, certificate }: Tally): boolean {
  if (context === null || quorum === null) return false;
  if (certificate !== null) {
    const proven = blockIdKey(certificate.blockId) === quorum.key;
    return proven && certificatePower(certificate, context.validators) >= context.quorum;
  }
  let power = 0n;
  for (const [index, vote] of votes.entries()) {
    if (vote !== null && blockIdKey(vote.blockId) === quorum.key)
      power += context.validators.validators[index]?.power ?? 0n;
  }
  return power >= context.quorum;
}

function keepsQuorum(then: Tally | null, now: Tally): boolean {
  return then === null || then.quorum === null || then.quorum.key === now.quorum?.key;
}
