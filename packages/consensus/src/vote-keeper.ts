/**
 * All votes of a height: tallies per round and type, and for each validator how far it is known to have got. Bounded:
 * the last 16 rounds, the lock and valid rounds, and per validator the two highest future rounds.
 */
import {
  type BlockId,
  blockIdKey,
  type Certificate,
  type Power,
  type Round,
  type ValidatorSet,
  type Vote,
  VoteType,
} from "@quorate/chain";
import { LIMITS } from "./limits.ts";
import {
  addToTally,
  type Counted,
  certificatePower,
  emptyTally,
  removeFromTally,
  type Tally,
  voteOfCertificate,
} from "./tally.ts";

export interface RoundVotes {
  readonly round: Round;
  readonly prevotes: Tally;
  readonly precommits: Tally;
}

export interface VoteKeeper {
  /** Ascending by round; only rounds with votes. */
  readonly rounds: readonly RoundVotes[];
  /**
   * Per validator the furthest point it signed: 2 * round + (1 for a precommit), -1 for nothing. It survives eviction:
   * whoever signed a later message has passed every earlier step, whether or not the earlier message got here.
   */
  readonly progress: readonly number[];
}

/** What the keeper needs to know about the height. */
export interface Electorate {
  readonly validators: ValidatorSet;
  /** Smallest power that is a quorum (more than 2/3). */
  readonly quorum: Power;
  /** Smallest power of more than 1/3. */
  readonly third: Power;
}

export function emptyKeeper(size: number): VoteKeeper {
  return { rounds: [], progress: new Array<number>(size).fill(-1) };
}

export function roundVotes(keeper: VoteKeeper, round: Round): RoundVotes | null {
  return keeper.rounds.find((each) => each.round === round) ?? null;
}

export function tallyOf(keeper: VoteKeeper, round: Round, type: VoteType): Tally | null {
  const votes = roundVotes(keeper, round);
  return votes && (type === VoteType.prevote ? votes.prevotes : votes.precommits);
}

/** Whether +2/3 of (round, type) is for this very value. */
export function hasQuorum(
  keeper: VoteKeeper,
  round: Round,
  type: VoteType,
  blockId: BlockId | null,
): boolean {
  return tallyOf(keeper, round, type)?.quorum?.key === blockIdKey(blockId);
}

/**
 * Counts a vote whose index lies in the set. `current` is the node's round: later rounds are buffered within bounds,
 * rounds no longer kept are ignored (reported as `duplicate`).
 */
export function addVote(
  keeper: VoteKeeper,
  electorate: Electorate,
  current: Round,
  vote: Vote,
): { readonly keeper: VoteKeeper; readonly counted: Counted } {
  const room =
    vote.round > current ? makeRoom(keeper, electorate, current, vote) : { keeper, admitted: true };
  if (!room.admitted) return { keeper, counted: { kind: "duplicate" } };
  return count(room.keeper, electorate, vote);
}

/**
 * Counts a verified certificate as a whole: its quorum stands even where signers of it were first seen voting for
 * something else; those are returned as conflicts. A certificate without +2/3 changes nothing.
 */
export function addCertificate(
  keeper: VoteKeeper,
  electorate: Electorate,
  certificate: Certificate,
): {
  readonly keeper: VoteKeeper;
  readonly conflicts: readonly { readonly first: Vote; readonly second: Vote }[];
} {
  if (certificatePower(certificate, electorate.validators) < electorate.quorum) {
    return { keeper, conflicts: [] };
  }
  let next = keeper;
  const conflicts: { first: Vote; second: Vote }[] = [];
  for (const signature of certificate.signatures) {
    const vote = voteOfCertificate(certificate, signature, electorate.validators);
    if (!vote) continue;
    const added = count(next, electorate, vote);
    next = added.keeper;
    if (added.counted.kind === "conflict") conflicts.push({ first: added.counted.first, second: vote });
  }
  const tally = tallyOf(next, certificate.round, certificate.type) ?? emptyTally(next.progress.length);
  if (tally.quorum === null) {
    const quorum = { key: blockIdKey(certificate.blockId), blockId: certificate.blockId };
    next = withTally(next, certificate.round, certificate.type, { ...tally, quorum, certificate });
  }
  return { keeper: next, conflicts };
}

/** Drops rounds below `round` - 16 except those named. */
export function pruneKeeper(keeper: VoteKeeper, round: Round, keep: readonly Round[]): VoteKeeper {
  const rounds = keeper.rounds.filter(
    (each) => each.round >= round - LIMITS.keptRounds || keep.includes(each.round),
  );
  return rounds.length === keeper.rounds.length ? keeper : { ...keeper, rounds };
}

/**
 * Power of validators known to have reached this step of the round: L34 and L47 ask for +2/3 of it. Counting those who
 * went on keeps a round moving when one of their earlier messages is lost for good.
 */
export function powerAtOrPast(
  keeper: VoteKeeper,
  electorate: Electorate,
  round: Round,
  type: VoteType,
): Power {
  const point = pointOf(round, type);
  let power = 0n;
  // By index: both loops run after every input, and pairs of an iterator were a fiftieth of what a height allocates.
  for (let index = 0; index < keeper.progress.length; index++) {
    const reached = keeper.progress[index] ?? -1;
    if (reached >= point) power += electorate.validators.validators[index]?.power ?? 0n;
  }
  return power;
}

/** L55: the highest round above `round` that more than 1/3 of power has reached; `null` if none. */
export function skipTarget(keeper: VoteKeeper, electorate: Electorate, round: Round): Round | null {
  const ahead: { round: Round; power: Power }[] = [];
  for (let index = 0; index < keeper.progress.length; index++) {
    const reached = Math.floor((keeper.progress[index] ?? -1) / 2);
    if (reached <= round) continue;
    ahead.push({ round: reached, power: electorate.validators.validators[index]?.power ?? 0n });
  }
  if (ahead.length === 0) return null;
  ahead.sort((a, b) => b.round - a.round);
  let sum = 0n;
  for (const each of ahead) {
    sum += each.power;
    if (sum >= electorate.third) return each.round;
  }
  return null;
}

function pointOf(round: Round, type: VoteType): number {
  return 2 * round + (type === VoteType.precommit ? 1 : 0);
}

/** At most the two highest future rounds per validator: a third either replaces the lowest or is refused. */
function makeRoom(
  keeper: VoteKeeper,
  electorate: Electorate,
  current: Round,
  vote: Vote,
): { readonly keeper: VoteKeeper; readonly admitted: boolean } {
  const index = vote.validatorIndex;
  const buffered = keeper.rounds.filter(
    (each) =>
      each.round > current &&
      // A round with +2/3 is kept for its quorum, not for this sender: it takes no room and loses no vote.
      each.prevotes.quorum === null &&
      each.precommits.quorum === null &&
      Boolean(each.prevotes.votes[index] ?? each.precommits.votes[index]),
  );
  if (buffered.length < LIMITS.futureRoundsPerValidator) return { keeper, admitted: true };
  if (buffered.some((each) => each.round === vote.round)) return { keeper, admitted: true };
  const lowest = buffered[0];
  if (!lowest || vote.round < lowest.round) return { keeper, admitted: false };
  const power = electorate.validators.validators[index]?.power ?? 0n;
  const reduced: RoundVotes = {
    round: lowest.round,
    prevotes: removeFromTally(lowest.prevotes, index, power),
    precommits: removeFromTally(lowest.precommits, index, power),
  };
  const empty = reduced.prevotes.power === 0n && reduced.precommits.power === 0n;
  const rounds = empty
    ? keeper.rounds.filter((each) => each !== lowest)
    : keeper.rounds.map((each) => (each === lowest ? reduced : each));
  return { keeper: { ...keeper, rounds }, admitted: true };
}

function count(
  keeper: VoteKeeper,
  electorate: Electorate,
  vote: Vote,
): { readonly keeper: VoteKeeper; readonly counted: Counted } {
  const index = vote.validatorIndex;
  const power = electorate.validators.validators[index]?.power ?? 0n;
  const before = tallyOf(keeper, vote.round, vote.type) ?? emptyTally(keeper.progress.length);
  const { tally, counted } = addToTally(before, vote, power, electorate.quorum);
  if (counted.kind === "duplicate") return { keeper, counted };
  const next = withTally(keeper, vote.round, vote.type, tally);
  const point = pointOf(vote.round, vote.type);
  const progress =
    point > (keeper.progress[index] ?? -1) ? keeper.progress.with(index, point) : keeper.progress;
  return { keeper: { ...next, progress }, counted };
}

function withTally(keeper: VoteKeeper, round: Round, type: VoteType, tally: Tally): VoteKeeper {
  const at = keeper.rounds.findIndex((each) => each.round >= round);
  const existing = keeper.rounds[at];
  const blank = emptyTally(keeper.progress.length);
  const base: RoundVotes =
    existing?.round === round ? existing : { round, prevotes: blank, precommits: blank };
  const entry: RoundVotes =
    type === VoteType.prevote ? { ...base, prevotes: tally } : { ...base, precommits: tally };
  if (existing?.round === round) return { ...keeper, rounds: keeper.rounds.with(at, entry) };
  const rounds = at < 0 ? [...keeper.rounds, entry] : keeper.rounds.toSpliced(at, 0, entry);
  return { ...keeper, rounds };
}
