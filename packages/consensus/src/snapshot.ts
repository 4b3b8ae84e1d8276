/** Snapshots of a height: lock, valid value, and the messages that justify them. */
import {
  blockIdKey,
  type Certificate,
  certificateFromVotes,
  type Round,
  type Vote,
  VoteType,
} from "@quorate/chain";
import type { ConsensusState, Work } from "./state.ts";
import type { Tally } from "./tally.ts";
import type { Snapshot } from "./types.ts";
import { tallyOf } from "./vote-keeper.ts";

/**
 * What a restart needs: the polkas of lock and valid rounds as certificates; own votes; all other votes of the current
 * round and later; proposals of the current, lock and valid rounds.
 */
export function takeSnapshot(work: Work): Snapshot {
  const { machine, votes, proposals, own } = work.state;
  const rounds = new Set<Round>([machine.round]);
  if (machine.locked) rounds.add(machine.locked.round);
  if (machine.valid) rounds.add(machine.valid.round);
  const certificates: Certificate[] = [];
  for (const round of [...rounds].sort((a, b) => a - b)) {
    const certificate = quorumCertificate(work.state, round, VoteType.prevote);
    if (certificate?.blockId) certificates.push(certificate);
  }
  const covered = (vote: Vote): boolean =>
    certificates.some(
      (each) =>
        each.round === vote.round &&
        each.type === vote.type &&
        each.signatures.some((signature) => signature.validatorIndex === vote.validatorIndex),
    );
  const kept: Vote[] = [...own.votes];
  for (const { round, prevotes, precommits } of votes.rounds) {
    if (round < machine.round) continue;
    for (const vote of [...prevotes.votes, ...precommits.votes]) {
      if (vote && vote.validatorIndex !== work.context.index && !covered(vote)) kept.push(vote);
    }
  }
  return {
    height: work.context.height,
    round: machine.round,
    step: machine.step,
    locked: machine.locked,
    valid: machine.valid,
    votes: kept,
    certificates,
    proposals: proposals
      .filter(({ proposal }) => rounds.has(proposal.round))
      .map(({ proposal, receivedAtMs }) => ({ proposal, receivedAtMs })),
  };
}

/** The proof of a quorum held here: the certificate that gave it, else one made of the counted votes. */
export function quorumCertificate(state: ConsensusState, round: Round, type: VoteType): Certificate | null {
  const tally = tallyOf(state.votes, round, type);
  if (!tally?.quorum) return null;
  return tally.certificate ?? certificateFromVotes(votesForQuorum(tally));
}

function votesForQuorum(tally: Tally): readonly Vote[] {
  const key = tally.quorum?.key;
  return tally.votes.filter((vote): vote is Vote => vote !== null && blockIdKey(vote.blockId) === key);
}
