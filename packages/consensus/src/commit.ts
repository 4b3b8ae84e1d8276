/** The commit of a decided block, built from what was counted, and its extension by late precommits. */
import {
  type BlockId,
  blockIdEquals,
  type Commit,
  CommitFlag,
  type CommitSig,
  type Round,
  type Vote,
  VoteType,
  voteOfCommitSig,
  ZERO_TIME,
} from "@quorate/chain";
import { type ConsensusState, change, sameBytes, type Work } from "./state.ts";
import { voteOfCertificate } from "./tally.ts";
import { tallyOf } from "./vote-keeper.ts";

const ABSENT: CommitSig = {
  flag: CommitFlag.absent,
  validatorAddress: new Uint8Array(0),
  timestamp: ZERO_TIME,
  signature: new Uint8Array(0),
};

/** One entry per validator: its precommit for the block or for nil, else absent. A certificate's signers count first. */
export function makeCommit(work: Work, round: Round, blockId: BlockId): Commit {
  const { validators, height } = work.context;
  const tally = tallyOf(work.state.votes, round, VoteType.precommit);
  const votes: (Vote | null)[] = [...(tally?.votes ?? [])];
  const certificate = tally?.certificate;
  for (const signature of certificate?.signatures ?? []) {
    const vote = certificate && voteOfCertificate(certificate, signature, validators);
    if (vote) votes[signature.validatorIndex] = vote;
  }
  const signatures = validators.validators.map((_, index) => {
    const vote = votes[index];
    return vote ? sigOf(vote, blockId) : ABSENT;
  });
  return { height, round, blockId, signatures };
}

/**
 * A late precommit of the committed round fills its absent place; one that contradicts the last height's commit is an
 * equivocation (in the commit's own height the vote keeper says so), and when it carries this node's key another
 * instance's (DESIGN §5.7); anything else leaves the commit alone.
 */
export function extendCommit(work: Work, vote: Vote): void {
  const commit = lateCommit(work.state, vote);
  if (!commit || vote.type !== VoteType.precommit || vote.round !== commit.round) return;
  const there = voteOfCommitSig(commit, vote.validatorIndex);
  if (there !== null) {
    const contradicts =
      vote.height < work.context.height &&
      sameBytes(there.validatorAddress, vote.validatorAddress) &&
      !blockIdEquals(there.blockId, vote.blockId);
    if (contradicts && isOwn(work, vote)) work.effects.push({ kind: "foreign_signature", vote });
    else if (contradicts) work.effects.push({ kind: "duplicate_vote", first: there, second: vote });
    return;
  }
  if (commit.signatures[vote.validatorIndex] === undefined) return;
  const signature = sigOf(vote, commit.blockId);
  if (signature.flag === CommitFlag.absent) return;
  const signatures = commit.signatures.with(vote.validatorIndex, signature);
  change(work, { commit: { ...commit, signatures } });
  work.effects.push({ kind: "extend_last_commit", vote });
}

function isOwn(work: Work, vote: Vote): boolean {
  const { address } = work.context;
  return address !== null && sameBytes(address, vote.validatorAddress);
}

/** The commit that a vote of this height may still extend: in Commit, and in NewHeight of the height after. */
function lateCommit(state: ConsensusState, vote: Vote): Commit | null {
  const { commit, machine } = state;
  if (commit === null || commit.height !== vote.height) return null;
  return machine.step === "Commit" || machine.step === "NewHeight" ? commit : null;
}

function sigOf(vote: Vote, committed: BlockId): CommitSig {
  if (vote.blockId !== null && !blockIdEquals(vote.blockId, committed)) return ABSENT;
  return {
    flag: vote.blockId === null ? CommitFlag.nil : CommitFlag.commit,
    validatorAddress: vote.validatorAddress,
    timestamp: vote.timestamp,
    signature: vote.signature,
  };
}

/** Whether the vote names a validator of the set by both index and address. */
export function isMember(work: Work, vote: Vote): boolean {
  const validator = work.context.validators.validators[vote.validatorIndex];
  return validator !== undefined && sameBytes(validator.address, vote.validatorAddress);
}
