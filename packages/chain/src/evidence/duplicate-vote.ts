/** Evidence of two votes by one validator where one is allowed (CometBFT evidence/verify.go v0.38). */
import { bytesEqual, type SignatureCheck, type VerifierBackend } from "@quorate/crypto";
import { blockIdEquals, blockIdKey } from "../block-id.ts";
import { voteSignBytes } from "../encoding/sign-bytes.ts";
import { ChainError } from "../errors.ts";
import type { DuplicateVoteEvidence, Time, ValidatorSet, Vote } from "../types.ts";
import { validatorByAddress } from "../validators/set.ts";

function refuse(reason: string, message: string): ChainError {
  return new ChainError("EVIDENCE", `duplicate vote: ${message}`, { reason });
}

function checkPair(a: Vote, b: Vote): void {
  if (a.height !== b.height || a.round !== b.round || a.type !== b.type) {
    throw refuse("hrs_mismatch", "the votes differ in height, round or type");
  }
  if (!bytesEqual(a.validatorAddress, b.validatorAddress)) {
    throw refuse("vote_address_mismatch", "the votes are of different validators");
  }
  if (blockIdEquals(a.blockId, b.blockId)) throw refuse("same_block_id", "the votes are for the same block");
}

/**
 * Evidence from two votes in any order. `set` is that of the votes' height, `time` the time of the block of that
 * height.
 * @throws ChainError `EVIDENCE` when they do not contradict each other or the validator is not in the set.
 */
export function makeDuplicateVoteEvidence(
  a: Vote,
  b: Vote,
  set: ValidatorSet,
  time: Time,
): DuplicateVoteEvidence {
  checkPair(a, b);
  const found = validatorByAddress(set, a.validatorAddress);
  if (found === null) throw refuse("not_a_validator", `the voter was no validator at height ${a.height}`);
  const ordered = blockIdKey(a.blockId) < blockIdKey(b.blockId);
  return {
    kind: "duplicate_vote",
    voteA: ordered ? a : b,
    voteB: ordered ? b : a,
    totalVotingPower: set.totalPower,
    validatorPower: found.validator.power,
    timestamp: time,
  };
}

/**
 * The two signature checks that decide whether evidence proves a double vote; `set` is that of the votes' height. Age
 * and block time are for the caller to compare.
 * @throws ChainError `EVIDENCE` when votes, order, powers or validator do not fit; `facts.reason` says which.
 */
export function duplicateVoteChecks(
  chainId: string,
  evidence: DuplicateVoteEvidence,
  set: ValidatorSet,
): SignatureCheck[] {
  const { voteA, voteB } = evidence;
  const found = validatorByAddress(set, voteA.validatorAddress);
  if (found === null) throw refuse("not_a_validator", `the voter was no validator at height ${voteA.height}`);
  checkPair(voteA, voteB);
  if (blockIdKey(voteA.blockId) >= blockIdKey(voteB.blockId)) {
    throw refuse("vote_order", "the votes are not in order of their block ids");
  }
  const { validator } = found;
  if (validator.power !== evidence.validatorPower) {
    throw refuse(
      "validator_power_mismatch",
      `power ${evidence.validatorPower}, in the set ${validator.power}`,
    );
  }
  if (set.totalPower !== evidence.totalVotingPower) {
    throw refuse("total_power_mismatch", `total ${evidence.totalVotingPower}, in the set ${set.totalPower}`);
  }
  return [voteA, voteB].map((vote) => ({
    publicKey: validator.pubKey,
    message: voteSignBytes(chainId, vote),
    signature: vote.signature,
  }));
}

/**
 * Verifies evidence of a double vote, signatures included.
 * @throws ChainError `EVIDENCE` when it proves nothing.
 */
export function verifyDuplicateVote(
  chainId: string,
  evidence: DuplicateVoteEvidence,
  set: ValidatorSet,
  backend: VerifierBackend,
): void {
  const verdicts = backend.verifyBatch(duplicateVoteChecks(chainId, evidence, set));
  if (!verdicts[0]) throw refuse("vote_a_signature", "the signature of vote A does not hold");
  if (!verdicts[1]) throw refuse("vote_b_signature", "the signature of vote B does not hold");
}
