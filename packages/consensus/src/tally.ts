/**
 * The votes of one (round, type), counted by validator index. One validator counts once: the first vote wins. Only a
 * verified certificate overrides that, because it proves a quorum although some of its signers voted twice.
 */
import {
  type BlockId,
  blockIdKey,
  type Certificate,
  type CertificateSig,
  type Power,
  type ValidatorSet,
  type Vote,
} from "@quorate/chain";

export interface Sum {
  /** {@link blockIdKey} of `blockId`. */
  readonly key: string;
  readonly blockId: BlockId | null;
  readonly power: Power;
}

export interface Tally {
  /** By validator index; the counted vote, or null. */
  readonly votes: readonly (Vote | null)[];
  /** Power per value voted for, in order of first vote. */
  readonly sums: readonly Sum[];
  /** Power of all validators counted here. */
  readonly power: Power;
  /** The value with +2/3, once there is one; it never changes again. */
  readonly quorum: { readonly key: string; readonly blockId: BlockId | null } | null;
  /** The certificate that gave the quorum, if counted votes alone do not add up to it. */
  readonly certificate: Certificate | null;
  /** Indexes of validators already reported for voting twice here. */
  readonly equivocators: readonly number[];
}

/** What became of a vote. `conflict` is said once per validator; further conflicting votes are `duplicate`. */
export type Counted =
  | { readonly kind: "counted" }
  | { readonly kind: "duplicate" }
  | { readonly kind: "conflict"; readonly first: Vote };

export function emptyTally(size: number): Tally {
  return {
    votes: new Array<Vote | null>(size).fill(null),
    sums: [],
    power: 0n,
    quorum: null,
    certificate: null,
    equivocators: [],
  };
}

/** Adds a vote whose index lies in the set. `needed`: the smallest power that is a quorum. */
export function addToTally(
  tally: Tally,
  vote: Vote,
  power: Power,
  needed: Power,
): { readonly tally: Tally; readonly counted: Counted } {
  const index = vote.validatorIndex;
  const key = blockIdKey(vote.blockId);
  const first = tally.votes[index];
  if (first) {
    // Equal votes that differ in time or signature bytes are one vote: nothing is derived from a vote's time.
    if (blockIdKey(first.blockId) === key || tally.equivocators.includes(index)) {
      return { tally, counted: { kind: "duplicate" } };
    }
    return {
      tally: { ...tally, equivocators: [...tally.equivocators, index] },
      counted: { kind: "conflict", first },
    };
  }
  const at = tally.sums.findIndex((sum) => sum.key === key);
  const before = tally.sums[at];
  const sum: Sum = before
    ? { ...before, power: before.power + power }
    : { key, blockId: vote.blockId, power };
  return {
    tally: {
      ...tally,
      votes: tally.votes.with(index, vote),
      sums: before ? tally.sums.with(at, sum) : [...tally.sums, sum],
      power: tally.power + power,
      quorum: tally.quorum ?? (sum.power >= needed ? { key, blockId: vote.blockId } : null),
    },
    counted: { kind: "counted" },
  };
}

/** Takes one validator's vote out again (eviction from a buffered round). A quorum that stands is not touched. */
export function removeFromTally(tally: Tally, index: number, power: Power): Tally {
  const vote = tally.votes[index];
  if (!vote) return tally;
  const key = blockIdKey(vote.blockId);
  return {
    ...tally,
    votes: tally.votes.with(index, null),
    sums: tally.sums
      .map((sum) => (sum.key === key ? { ...sum, power: sum.power - power } : sum))
      .filter((sum) => sum.power > 0n),
    power: tally.power - power,
    equivocators: tally.equivocators.filter((each) => each !== index),
  };
}

/** The vote that one signature of a certificate stands for; `null` when the index is outside the set. */
export function voteOfCertificate(
  certificate: Certificate,
  signature: CertificateSig,
  validators: ValidatorSet,
): Vote | null {
  const validator = validators.validators[signature.validatorIndex];
  if (!validator) return null;
  return {
    type: certificate.type,
    height: certificate.height,
    round: certificate.round,
    blockId: certificate.blockId,
    timestamp: signature.timestamp,
    validatorAddress: validator.address,
    validatorIndex: signature.validatorIndex,
    signature: signature.signature,
  };
}

/** Power behind a certificate; 0 when an index is unknown or stands twice, so that such a one never counts. */
export function certificatePower(certificate: Certificate, validators: ValidatorSet): Power {
  const seen = new Set<number>();
  let power = 0n;
  for (const { validatorIndex } of certificate.signatures) {
    const validator = validators.validators[validatorIndex];
    if (!validator || seen.has(validatorIndex)) return 0n;
    seen.add(validatorIndex);
    power += validator.power;
  }
  return power;
}
