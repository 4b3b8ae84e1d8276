import { bytesEqual } from "@quorate/crypto";
import { blockIdEquals } from "../block-id.ts";
import { type Commit, CommitFlag, type CommitSig, type Vote, VoteType } from "../types.ts";

/** Two votes of one validator for one (height, round, type) that exclude each other. */
export interface VotePair {
  readonly first: Vote;
  readonly second: Vote;
}

/** The precommit that an entry of a commit stands for; `null` where the validator is absent. */
export function voteOfCommitSig(commit: Commit, index: number): Vote | null {
  const sig: CommitSig | undefined = commit.signatures[index];
  if (sig === undefined || sig.flag === CommitFlag.absent) return null;
  return {
    type: VoteType.precommit,
    height: commit.height,
    round: commit.round,
    blockId: sig.flag === CommitFlag.commit ? commit.blockId : null,
    timestamp: sig.timestamp,
    validatorAddress: sig.validatorAddress,
    validatorIndex: index,
    signature: sig.signature,
  };
}

/**
 * Validators whose precommits in two commits of one height and round contradict each other: for the block in one, for
 * nil (or for another block) in the other. Every signature of both must have been verified against the same set. Two
 * commits of different rounds contradict each other in no single vote.
 */
export function commitConflicts(a: Commit, b: Commit): readonly VotePair[] {
  if (a.height !== b.height || a.round !== b.round) return [];
  const pairs: VotePair[] = [];
  const sameBlock = blockIdEquals(a.blockId, b.blockId);
  for (let index = 0; index < Math.min(a.signatures.length, b.signatures.length); index++) {
    if (sameBlock && a.signatures[index]?.flag === b.signatures[index]?.flag) continue;
    const first = voteOfCommitSig(a, index);
    const second = voteOfCommitSig(b, index);
    if (first === null || second === null) continue;
    if (!bytesEqual(first.validatorAddress, second.validatorAddress)) continue;
    if (!blockIdEquals(first.blockId, second.blockId)) pairs.push({ first, second });
  }
  return pairs;
}
