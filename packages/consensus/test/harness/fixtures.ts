/** Values for tests: validators in a known order of proposers, ids, votes, proposals. Signatures are not real. */
import { createHash } from "node:crypto";
import {
  type BlockId,
  type Certificate,
  type ChainParams,
  DEFAULT_PARAMS,
  makeValidatorSet,
  type Proposal,
  type Round,
  type Time,
  type Validator,
  type ValidatorSet,
  type Vote,
  VoteType,
} from "@quorate/chain";
import type { Input } from "../../src/index.ts";

export const HEIGHT = 5;
export const LAST_TIME: Time = 1_700_000_000_000n * 1_000_000n;
/** Time of every test block unless said otherwise: one block interval after the last. */
export const TIME: Time = LAST_TIME + 1_000_000_000n;
export const TIME_MS: number = Number(TIME / 1_000_000n);
export const PARAMS: ChainParams = DEFAULT_PARAMS;

function digest(text: string): Uint8Array {
  return new Uint8Array(createHash("sha256").update(text).digest());
}

/** `powers.length` validators; in round r the proposer is number (first + r) mod n, for equal powers. */
export function validatorSet(powers: readonly bigint[], first = 0): ValidatorSet {
  const made = makeValidatorSet(powers.map((power, i) => ({ pubKey: digest(`validator ${i}`), power })));
  const n = powers.length;
  const equal = powers.every((power) => power === powers[0]);
  if (!equal) return made;
  const unit = powers[0] ?? 1n;
  const validators: Validator[] = made.validators.map((validator, i) => {
    const turn = (i - first + n) % n;
    // The proposer of round 0 has just had its turn; the next in order are ahead of each other by one unit.
    const priority = turn === 0 ? -unit * BigInt(Math.floor(n / 2)) : unit * BigInt(Math.floor(n / 2) - turn);
    return { ...validator, priority };
  });
  return { ...made, validators, proposer: validators[first % n] ?? made.proposer };
}

export function blockId(label: string): BlockId {
  return { hash: digest(`block ${label}`), parts: { total: 1, hash: digest(`parts ${label}`) } };
}

export function vote(
  set: ValidatorSet,
  index: number,
  type: VoteType,
  round: Round,
  id: BlockId | null,
  fields: Partial<Vote> = {},
): Vote {
  const validator = set.validators[index];
  if (!validator) throw new Error(`no validator ${index}`);
  return {
    type,
    height: HEIGHT,
    round,
    blockId: id,
    timestamp: TIME,
    validatorAddress: validator.address,
    validatorIndex: index,
    signature: new Uint8Array(64).fill(index + 1),
    ...fields,
  };
}

export function prevote(
  set: ValidatorSet,
  index: number,
  round: Round,
  id: BlockId | null,
  fields: Partial<Vote> = {},
): Vote {
  return vote(set, index, VoteType.prevote, round, id, fields);
}

export function precommit(
  set: ValidatorSet,
  index: number,
  round: Round,
  id: BlockId | null,
  fields: Partial<Vote> = {},
): Vote {
  return vote(set, index, VoteType.precommit, round, id, fields);
}

export function certificate(
  type: VoteType,
  round: Round,
  id: BlockId | null,
  indexes: readonly number[],
  height: number = HEIGHT,
): Certificate {
  return {
    type,
    height,
    round,
    blockId: id,
    signatures: indexes.map((validatorIndex) => ({
      validatorIndex,
      timestamp: TIME,
      signature: new Uint8Array(64).fill(validatorIndex + 1),
    })),
  };
}

export function proposal(round: Round, id: BlockId, fields: Partial<Proposal> = {}): Proposal {
  return {
    height: HEIGHT,
    round,
    polRound: -1,
    blockId: id,
    timestamp: TIME,
    signature: new Uint8Array(64).fill(9),
    ...fields,
  };
}

export function startHeight(
  set: ValidatorSet,
  index: number | null,
  fields: Partial<Extract<Input, { kind: "start_height" }>> = {},
): Extract<Input, { kind: "start_height" }> {
  return {
    kind: "start_height",
    height: HEIGHT,
    validators: set,
    params: PARAMS,
    address: index === null ? null : (set.validators[index]?.address ?? null),
    lastTime: LAST_TIME,
    startDelayMs: 100,
    lock: null,
    watermark: null,
    ...fields,
  };
}
