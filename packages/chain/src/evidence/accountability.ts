import { blockIdEquals } from "../block-id.ts";
import type { Certificate, Power, Validator, ValidatorSet, Vote } from "../types.ts";
import type { VotePair } from "./commit-conflicts.ts";

/** Who signed both sides of a fork: more than a third of the power, whatever the network did. */
export interface ForkBlame {
  /**
   * Signers of both certificates, in set order. Of one round each of them equivocated. Of different rounds an honest one
   * may be among them, who followed a later polka: see `misdeedsOf`.
   */
  readonly signedBoth: readonly Validator[];
  readonly power: Power;
  /**
   * Their votes as evidence, where both certificates are of one round. Of different rounds no single vote is false by
   * itself: who broke a lock is told by the votes in all logs together, see `misdeedsOf`.
   */
  readonly pairs: readonly VotePair[];
}

/**
 * Two certificates of precommits for different blocks at one height, each with +2/3 of `set`, every signature verified.
 * Any two of them share more than 1/3 of the power; of one round, these are the fork's makers.
 */
export function blameForFork(set: ValidatorSet, a: Certificate, b: Certificate): ForkBlame {
  const signedBoth: Validator[] = [];
  const pairs: VotePair[] = [];
  let power = 0n;
  for (const [index, validator] of set.validators.entries()) {
    const first = voteOf(a, index, validator);
    const second = voteOf(b, index, validator);
    if (first === null || second === null || blockIdEquals(first.blockId, second.blockId)) continue;
    signedBoth.push(validator);
    power += validator.power;
    if (a.round === b.round) pairs.push({ first, second });
  }
  return { signedBoth, power, pairs };
}

function voteOf(certificate: Certificate, index: number, validator: Validator): Vote | null {
  const found = certificate.signatures.find(({ validatorIndex }) => validatorIndex === index);
  if (found === undefined) return null;
  const { type, height, round, blockId } = certificate;
  const { timestamp, signature } = found;
  return {
    type,
    height,
    round,
    blockId,
    timestamp,
    validatorAddress: validator.address,
    validatorIndex: index,
    signature,
  };
}
