/** The one thing that no crash may bring about: two messages of one key that contradict each other. */
import {
  type BlockId,
  blockIdEquals,
  type Proposal,
  proposalSignBytes,
  type Vote,
  VoteType,
  voteSignBytes,
} from "@quorate/chain";

export interface Sent {
  readonly votes: readonly Vote[];
  readonly proposals: readonly { readonly proposal: Proposal }[];
}

/** Different sign bytes, apart from the time of a vote, for one (height, round, type) among all that was sent. */
export function contradictions(runs: readonly Sent[]): string[] {
  const found: string[] = [];
  const seen = new Map<string, string>();
  const check = (key: string, bytes: Uint8Array): void => {
    const text = Buffer.from(bytes).toString("latin1");
    if ((seen.get(key) ?? text) !== text) found.push(`two different messages for ${key}`);
    seen.set(key, text);
  };
  for (const { votes, proposals } of runs) {
    for (const vote of votes) {
      const bytes = voteSignBytes("any", { ...vote, timestamp: 0n });
      check(`height ${vote.height} round ${vote.round} type ${vote.type}`, bytes);
    }
    for (const { proposal } of proposals) {
      check(`height ${proposal.height} round ${proposal.round} proposal`, proposalSignBytes("any", proposal));
    }
  }
  return found;
}

/**
 * Prevotes for another block than the one precommitted in an earlier round of the height, where no polka of a round in
 * between is known: amnesia. `polkas` are those that anybody ever saw.
 */
export function broken(
  runs: readonly Sent[],
  polkas: readonly { readonly height: number; readonly round: number; readonly blockId: BlockId }[],
): string[] {
  const votes = runs.flatMap((run) => run.votes);
  const locks = votes.filter(({ type, blockId }) => type === VoteType.precommit && blockId !== null);
  return votes.flatMap((vote) => {
    const { type, height, round, blockId } = vote;
    if (type !== VoteType.prevote || blockId === null) return [];
    const lock = locks
      .filter((each) => each.height === height && each.round < round)
      .reduce<Vote | null>((best, each) => (best === null || each.round > best.round ? each : best), null);
    if (lock === null || blockIdEquals(lock.blockId, blockId)) return [];
    const excused = polkas.some(
      (polka) =>
        polka.height === height &&
        polka.round > lock.round &&
        polka.round < round &&
        blockIdEquals(polka.blockId, blockId),
    );
    return excused
      ? []
      : [`height ${height}: precommitted in round ${lock.round}, prevoted another block in round ${round}`];
  });
}
