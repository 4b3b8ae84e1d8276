/** Own signatures: what may be asked of the signer, and what to think of a message that carries our key. */
import { type BlockId, blockIdEquals, type Proposal, type Vote, VoteType } from "@quorate/chain";
import { LIMITS } from "./limits.ts";
import { change, type OwnSignatures, sameBytes, type Work } from "./state.ts";
import type { RoundValue, SignedWatermark, UnsignedProposal, UnsignedVote } from "./types.ts";

export const SIGNED_STEP: { readonly proposal: 0; readonly prevote: 1; readonly precommit: 2 } = {
  proposal: 0,
  prevote: 1,
  precommit: 2,
};

/** Order of signatures within a height: by round, then proposal, prevote, precommit. */
export function compareWatermarks(a: SignedWatermark, b: SignedWatermark): number {
  return a.round - b.round || a.step - b.step;
}

export function laterWatermark(a: SignedWatermark | null, b: SignedWatermark | null): SignedWatermark | null {
  if (a === null || b === null) return a ?? b;
  return compareWatermarks(a, b) >= 0 ? a : b;
}

export function laterValue(a: RoundValue | null, b: RoundValue | null): RoundValue | null {
  if (a === null || b === null) return a ?? b;
  return a.round >= b.round ? a : b;
}

export function pointOfVote(vote: Pick<Vote, "round" | "type">): SignedWatermark {
  return {
    round: vote.round,
    step: vote.type === VoteType.prevote ? SIGNED_STEP.prevote : SIGNED_STEP.precommit,
  };
}

export function ownVote(own: OwnSignatures, vote: Pick<Vote, "round" | "type">): Vote | null {
  return own.votes.find((each) => each.round === vote.round && each.type === vote.type) ?? null;
}

/**
 * Asks for a vote of the current round, unless this node is no validator, the vote is known already, something later
 * was signed, or it was asked before. At the watermark itself the signer is asked: it gives back the stored signature
 * of the same vote and refuses any other.
 */
export function requestVote(work: Work, type: VoteType, blockId: BlockId | null): void {
  const { index, height } = work.context;
  const { machine, own } = work.state;
  if (index < 0) return;
  const vote: UnsignedVote = { type, height, round: machine.round, blockId, validatorIndex: index };
  const point = pointOfVote(vote);
  if (own.watermark && compareWatermarks(point, own.watermark) < 0) return;
  if (own.asked && compareWatermarks(point, own.asked) <= 0) return;
  if (ownVote(own, vote)) return;
  ask(work, point, { kind: "sign_vote", vote });
  work.effects.push({ kind: "sign_vote", vote });
}

/** Whether a proposal of the current round may still be signed: nothing at or past that point was. */
export function mayPropose(work: Work): boolean {
  const { machine, own } = work.state;
  const point: SignedWatermark = { round: machine.round, step: SIGNED_STEP.proposal };
  const last = laterWatermark(own.watermark, own.asked);
  return last === null || compareWatermarks(point, last) > 0;
}

export function requestProposal(work: Work, proposal: UnsignedProposal): void {
  ask(work, { round: proposal.round, step: SIGNED_STEP.proposal }, { kind: "sign_proposal", proposal });
  work.effects.push({ kind: "sign_proposal", proposal });
}

/** The signer answered, either way: the request is no longer open. */
export function settleRequest(work: Work, what: "proposal" | VoteType, round: number): void {
  const { own } = work.state;
  const pending = own.pending.filter((each) =>
    each.kind === "sign_vote"
      ? each.vote.type !== what || each.vote.round !== round
      : what !== "proposal" || each.proposal.round !== round,
  );
  if (pending.length !== own.pending.length) change(work, { own: { ...own, pending } });
}

export function rememberSigned(work: Work, point: SignedWatermark, vote: Vote | null): void {
  const { own } = work.state;
  const votes = vote === null || ownVote(own, vote) ? own.votes : [...own.votes, vote];
  change(work, { own: { ...own, votes, watermark: laterWatermark(own.watermark, point) } });
}

/**
 * §5.7 of the design for a vote that came from outside. A second signature for one place is another instance's even when
 * it is for the same block: the guard gives out the first one again.
 */
export function judgeOwnVote(work: Work, vote: Vote): "known" | "recovered" | "foreign" {
  const { own } = work.state;
  const known = ownVote(own, vote);
  if (known) {
    const same = blockIdEquals(known.blockId, vote.blockId) && sameBytes(known.signature, vote.signature);
    return same ? "known" : "foreign";
  }
  if (!own.watermark || compareWatermarks(pointOfVote(vote), own.watermark) > 0) return "foreign";
  // Not against the machine's lock: a polka that comes after a restart without a log locks in a round whose precommit
  // may have been signed before, for nil.
  const againstLock =
    vote.type === VoteType.precommit &&
    own.lock?.round === vote.round &&
    !blockIdEquals(own.lock.blockId, vote.blockId);
  return againstLock ? "foreign" : "recovered";
}

export function judgeOwnProposal(work: Work, proposal: Proposal): "recovered" | "foreign" {
  const { watermark } = work.state.own;
  const point: SignedWatermark = { round: proposal.round, step: SIGNED_STEP.proposal };
  return watermark && compareWatermarks(point, watermark) <= 0 ? "recovered" : "foreign";
}

function ask(work: Work, point: SignedWatermark, request: OwnSignatures["pending"][number]): void {
  const { own } = work.state;
  const pending = [...own.pending, request].slice(-LIMITS.pendingSignatures);
  change(work, { own: { ...own, asked: laterWatermark(own.asked, point), pending } });
}
