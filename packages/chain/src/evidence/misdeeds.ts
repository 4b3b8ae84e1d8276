/**
 * Accountable safety: whoever broke Algorithm 1 (arXiv:1807.04938) is named by the votes that honest validators hold, and
 * a fork at a height always names more than 1/3 of its power.
 *
 * Why: let v be decided in round r by precommits A, and another value in round s >= r by precommits B. If s = r, A and B
 * share more than 1/3 of the power, which signed both (equivocation). Else, without a polka for another value in
 * (r, s], B's precommits are unfounded. Let k be the first round above r with a polka for some w other than v: A and that
 * polka share more than 1/3, which precommitted v and prevoted w later; each of them broke its lock unless w had a polka
 * in round r already. Then either v had one there too, and more than 1/3 prevoted both, or A's precommits are unfounded.
 */
import { blockIdKey } from "../block-id.ts";
import {
  type BlockId,
  type Round,
  type Validator,
  type ValidatorSet,
  type Vote,
  VoteType,
} from "../types.ts";
import { quorum } from "../validators/set.ts";

/** What no honest validator does, with the votes that show it. */
export type Misdeed =
  /** Two different votes for one (round, type); by themselves a proof, see `makeDuplicateVoteEvidence`. */
  | { readonly kind: "equivocation"; readonly first: Vote; readonly second: Vote }
  /** A precommit for a block that had no polka in its round (L36). */
  | { readonly kind: "unfounded"; readonly precommit: Vote }
  /** A precommit for one block and a later prevote for another that had no polka in between (L23, L29): amnesia. */
  | { readonly kind: "lock_broken"; readonly precommit: Vote; readonly prevote: Vote };

/** Sign of guilt of one validator, the plainest there is. */
export interface Guilt {
  readonly validator: Validator;
  readonly misdeed: Misdeed;
}

/**
 * The validators that the votes of one height convict, in set order. `votes`: verified, of validators of `set`, the set of
 * that height. An equivocation is proof whatever else there is; the other two are told from what is absent, so they hold
 * only if `votes` are all that every honest validator counted at this height (its log has them), not a part of it.
 */
export function misdeedsOf(set: ValidatorSet, votes: readonly Vote[]): readonly Guilt[] {
  const polkas = polkasOf(set, votes);
  const byValidator = new Map<number, Vote[]>();
  for (const vote of votes) {
    const own = byValidator.get(vote.validatorIndex) ?? [];
    own.push(vote);
    byValidator.set(vote.validatorIndex, own);
  }
  return set.validators.flatMap((validator, index) => {
    const own = byValidator.get(index) ?? [];
    const misdeed = equivocationIn(own) ?? unfoundedIn(own, polkas) ?? brokenLockIn(own, polkas);
    return misdeed === null ? [] : [{ validator, misdeed }];
  });
}

/** Rounds with a polka, by block. */
type Polkas = ReadonlyMap<string, ReadonlySet<Round>>;

function polkasOf(set: ValidatorSet, votes: readonly Vote[]): Polkas {
  const voters = new Map<string, { readonly round: Round; readonly blockId: BlockId; from: Set<number> }>();
  for (const { type, round, blockId, validatorIndex } of votes) {
    if (type !== VoteType.prevote || blockId === null) continue;
    const key = `${round}/${blockIdKey(blockId)}`;
    const entry = voters.get(key) ?? { round, blockId, from: new Set<number>() };
    entry.from.add(validatorIndex);
    voters.set(key, entry);
  }
  const needed = quorum(set.totalPower);
  const polkas = new Map<string, Set<Round>>();
  for (const { round, blockId, from } of voters.values()) {
    let power = 0n;
    for (const index of from) power += set.validators[index]?.power ?? 0n;
    if (power < needed) continue;
    const key = blockIdKey(blockId);
    polkas.set(key, (polkas.get(key) ?? new Set()).add(round));
  }
  return polkas;
}

function equivocationIn(own: readonly Vote[]): Misdeed | null {
  const places = new Map<string, Vote>();
  for (const vote of own) {
    const place = `${vote.round}/${vote.type}`;
    const first = places.get(place);
    if (first === undefined) places.set(place, vote);
    else if (blockIdKey(first.blockId) !== blockIdKey(vote.blockId))
      return { kind: "equivocation", first, second: vote };
  }
  return null;
}

function unfoundedIn(own: readonly Vote[], polkas: Polkas): Misdeed | null {
  const precommit = own.find(
    ({ type, round, blockId }) =>
      type === VoteType.precommit && blockId !== null && polkas.get(blockIdKey(blockId))?.has(round) !== true,
  );
  return precommit === undefined ? null : { kind: "unfounded", precommit };
}

function brokenLockIn(own: readonly Vote[], polkas: Polkas): Misdeed | null {
  for (const precommit of own) {
    if (precommit.type !== VoteType.precommit || precommit.blockId === null) continue;
    const locked = blockIdKey(precommit.blockId);
    for (const prevote of own) {
      if (prevote.type !== VoteType.prevote || prevote.blockId === null) continue;
      if (prevote.round <= precommit.round) continue;
      const key = blockIdKey(prevote.blockId);
      if (key === locked) continue;
      const rounds = [...(polkas.get(key) ?? [])];
      const allowed = rounds.some((round) => round >= precommit.round && round < prevote.round);
      if (!allowed) return { kind: "lock_broken", precommit, prevote };
    }
  }
  return null;
}
