/** Certificates: the votes of one round for one value that a quorum signed, and their way to and from commits. */
import type { SignatureCheck } from "@quorate/crypto";
import { blockIdEquals } from "../block-id.ts";
import { ABSENT_SIG } from "../encoding/commit.ts";
import { voteSignBytes } from "../encoding/sign-bytes.ts";
import { ChainError } from "../errors.ts";
import type {
  BlockId,
  Certificate,
  CertificateSig,
  Commit,
  CommitSig,
  ValidatorSet,
  Vote,
} from "../types.ts";
import { CommitFlag, VoteType } from "../types.ts";
import { quorum } from "../validators/set.ts";

function refuse(reason: string, message: string): ChainError {
  return new ChainError("CERTIFICATE", `certificate: ${message}`, { reason });
}

/**
 * The signature checks that decide whether a certificate proves its quorum; valid if and only if nothing is thrown and
 * all hold.
 * @throws ChainError `CERTIFICATE` on an index outside the set or not ascending, or power below the quorum.
 */
export function certificateChecks(
  chainId: string,
  set: ValidatorSet,
  certificate: Certificate,
): SignatureCheck[] {
  let power = 0n;
  let last = -1;
  for (const { validatorIndex } of certificate.signatures) {
    const validator = set.validators[validatorIndex];
    if (validator === undefined)
      throw refuse("unknown_index", `validator ${validatorIndex} is not in the set`);
    if (validatorIndex <= last)
      throw refuse("duplicate_index", `validator ${validatorIndex} is out of order`);
    last = validatorIndex;
    power += validator.power;
  }
  const needed = quorum(set.totalPower);
  if (power < needed) throw refuse("not_enough_power", `power ${power} is below the quorum of ${needed}`);
  return certificate.signatures.map((sig) => ({
    publicKey: set.validators[sig.validatorIndex]!.pubKey,
    message: voteSignBytes(chainId, { ...certificate, timestamp: sig.timestamp }),
    signature: sig.signature,
  }));
}

/**
 * The certificate of some votes, in order of index.
 * @throws ChainError `CERTIFICATE` when there are none, or type, height, round or block differ, or two votes are of one
 * validator.
 */
export function certificateFromVotes(votes: readonly Vote[]): Certificate {
  const first = votes[0];
  if (first === undefined) throw refuse("no_votes", "it needs at least one vote");
  const { type, height, round, blockId } = first;
  for (const vote of votes) {
    const sameRound = vote.type === type && vote.height === height && vote.round === round;
    if (!sameRound || !blockIdEquals(vote.blockId, blockId)) {
      throw refuse("mixed_votes", "its votes differ in type, height, round or block");
    }
  }
  const signatures = votes
    .map(
      ({ validatorIndex, timestamp, signature }): CertificateSig => ({
        validatorIndex,
        timestamp,
        signature,
      }),
    )
    .sort((a, b) => a.validatorIndex - b.validatorIndex);
  for (const [i, sig] of signatures.entries()) {
    if (i > 0 && sig.validatorIndex === signatures[i - 1]!.validatorIndex) {
      throw refuse("duplicate_index", `validator ${sig.validatorIndex} voted twice`);
    }
  }
  return { type, height, round, blockId, signatures };
}

/**
 * The commit of a precommit certificate for a block; validators that are not in it are absent.
 * @throws ChainError `CERTIFICATE` when it is for nil or of prevotes, or names a validator outside the set.
 */
export function commitFromCertificate(set: ValidatorSet, certificate: Certificate): Commit {
  const { height, round, blockId } = certificate;
  if (certificate.type !== VoteType.precommit || blockId === null) {
    throw refuse("no_decision", "only precommits for a block make a commit");
  }
  const signatures: CommitSig[] = set.validators.map(() => ABSENT_SIG);
  for (const { validatorIndex, timestamp, signature } of certificate.signatures) {
    signatures[validatorIndex] = entry(set, validatorIndex, CommitFlag.commit, { timestamp, signature });
  }
  return { height, round, blockId, signatures };
}

function entry(
  set: ValidatorSet,
  index: number,
  flag: CommitFlag,
  signed: Pick<CommitSig, "timestamp" | "signature">,
): CommitSig {
  const validator = set.validators[index];
  if (validator === undefined) throw refuse("unknown_index", `validator ${index} is not in the set`);
  return {
    flag,
    validatorAddress: validator.address,
    timestamp: signed.timestamp,
    signature: signed.signature,
  };
}

/**
 * The commit for `blockId` of the precommits of one round. Nil votes stand in it as such; votes for other blocks, which
 * only a faulty validator casts beside a decision, are absent. Whether it has a quorum, `commitChecks` says.
 * @throws ChainError `CERTIFICATE` when a vote is no precommit, of another height or round, or outside the set.
 */
export function commitFromVotes(
  set: ValidatorSet,
  decision: { readonly height: number; readonly round: number; readonly blockId: BlockId },
  votes: readonly Vote[],
): Commit {
  const { height, round, blockId } = decision;
  const signatures: CommitSig[] = set.validators.map(() => ABSENT_SIG);
  for (const vote of votes) {
    if (vote.type !== VoteType.precommit || vote.height !== height || vote.round !== round) {
      throw refuse("mixed_votes", `a vote is no precommit of height ${height}, round ${round}`);
    }
    if (vote.blockId !== null && !blockIdEquals(vote.blockId, blockId)) continue;
    const flag = vote.blockId === null ? CommitFlag.nil : CommitFlag.commit;
    signatures[vote.validatorIndex] = entry(set, vote.validatorIndex, flag, vote);
  }
  return { height, round, blockId, signatures };
}

/**
 * The certificate in a commit: its signatures for the block, without absent and nil entries.
 * @throws ChainError `CERTIFICATE` when the number of entries is not that of the set.
 */
export function certificateFromCommit(set: ValidatorSet, commit: Commit): Certificate {
  if (commit.signatures.length !== set.validators.length) {
    throw refuse("wrong_signature_count", "the commit has another number of entries than the set");
  }
  const signatures: CertificateSig[] = [];
  for (const [validatorIndex, { flag, timestamp, signature }] of commit.signatures.entries()) {
    if (flag === CommitFlag.commit) signatures.push({ validatorIndex, timestamp, signature });
  }
  const { height, round, blockId } = commit;
  return { type: VoteType.precommit, height, round, blockId, signatures };
}
