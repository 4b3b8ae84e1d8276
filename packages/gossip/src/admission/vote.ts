import type { Vote } from "@quorate/chain";
import { VoteType, voteSignBytes } from "@quorate/chain";
import { bytesEqual } from "@quorate/crypto";
import { LIMITS } from "../limits.ts";
import { TokenBucket } from "../scoring/token-bucket.ts";
import { bytesKey, idKey } from "../wire/keys.ts";
import type { AdmissionContext, Source } from "./context.ts";
import { DROP, type Examination, offence } from "./examination.ts";
import { heightWindow, voteRoundInWindow } from "./window.ts";

/**
 * A vote: height and round in the window, member of the height's set under its index, not seen, within the signer's
 * budget of future rounds, and only then its signature. Late precommits of the last height are taken while the view
 * still knows its set: they complete the last commit.
 */
export function examineVote(context: AdmissionContext, vote: Vote, source: Source): Examination {
  const { view, seen, metrics } = context;
  const window = heightWindow(view.height, vote.height);
  const late = vote.height < view.height || (window === "current" && vote.round < view.round);
  if (late) metrics?.vote("late", vote.type);
  const wanted =
    window === "current" || window === "next" || (window === "last" && vote.type === VoteType.precommit);
  if (!wanted) return DROP;
  if (!voteRoundInWindow(window === "current" ? view.round : 0, vote.round)) return DROP;
  const set = view.validators(vote.height);
  if (set === null) return DROP;
  const validator = set.validators[vote.validatorIndex];
  if (validator === undefined || !bytesEqual(validator.address, vote.validatorAddress)) {
    return offence("not_a_validator");
  }
  const id = idKey(vote.blockId);
  const ofHeight = seen.of(vote.height);
  const isNew = (): boolean =>
    ofHeight.vote(vote.round, vote.type, vote.validatorIndex, id) === "new" || ofHeight.isForeign(vote);
  if (!isNew()) {
    metrics?.vote("duplicate", vote.type);
    return DROP;
  }
  const round = window === "current" ? view.round : 0;
  const budget = window !== "last" && vote.round > round + 1 ? budgetOf(context, vote.validatorIndex) : null;
  // What could not be held would be forgotten, and verified again whenever it comes again.
  if (window === "next" && !context.held.hasRoom(source.id, VOTE_BYTES)) return DROP;
  const pendingKey = `v${vote.round}/${vote.type}/${vote.validatorIndex}/${id}/${bytesKey(vote.signature)}`;
  if (ofHeight.pending.has(pendingKey)) {
    metrics?.vote("duplicate", vote.type);
    return DROP;
  }
  if (budget !== null && !budget.take(1, context.now())) return DROP;
  ofHeight.pending.add(pendingKey);
  return {
    kind: "verify",
    firstAlone: false,
    checks: [
      {
        publicKey: validator.pubKey,
        message: voteSignBytes(context.chainId, vote),
        signature: vote.signature,
      },
    ],
    offence: "bad_signature",
    origin: vote.validatorIndex,
    accept() {
      ofHeight.pending.delete(pendingKey);
      if (!isNew()) return "stale";
      if (ofHeight.isForeign(vote)) ofHeight.toldForeign(vote);
      // The height may have moved while a worker verified.
      const ahead = vote.height - view.height;
      if (ahead < -1 || ahead > 1) return "stale";
      if (ahead === 1) {
        const deliver = (): void => context.events.vote(vote, source.id);
        if (!context.held.hold(vote.height, source.id, VOTE_BYTES, deliver)) return "stale";
        metrics?.queue("gossip_next_height", context.held.length, LIMITS.heldItems);
      }
      ofHeight.addVote(vote.round, vote.type, vote.validatorIndex, id);
      if (vote.height > source.observedHeight) source.observedHeight = vote.height;
      if (ahead !== 1) context.events.vote(vote, source.id);
      return null;
    },
    release() {
      ofHeight.pending.delete(pendingKey);
      // Its signer did not sign it, or nobody knows: what others forge must not use up what is his.
      budget?.giveBack(1);
    },
  };
}

/** What a held vote is charged for. */
const VOTE_BYTES = 512;

/** Of a validator's votes for far rounds; it goes on from height to height, which on a fast chain are many a second. */
function budgetOf(context: AdmissionContext, index: number): TokenBucket {
  let bucket = context.budgets.get(index);
  if (bucket === undefined) {
    bucket = new TokenBucket(LIMITS.futureRoundBurst, LIMITS.futureRoundsPerSecond, context.now());
    context.budgets.set(index, bucket);
  }
  return bucket;
}
