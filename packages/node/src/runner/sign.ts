/**
 * One signature (DESIGN §5.3): WAL synced up to cause and intent -> slot synced -> signature released. A non-nil precommit
 * also waits for its block's body to be on disk (§5.4). The answer goes back to the core as an input; that input's WAL
 * record needs no sync of its own, because the slot holds the signature, and should the slot rot, the intent gives it
 * again (ADR 0005).
 */
import { type Time, timeFromMs, type VoteType } from "@quorate/chain";
import type { Input, UnsignedProposal, UnsignedVote } from "@quorate/consensus";
import {
  comparePlaces,
  type PrivVal,
  type SignAnswer,
  type SignDependency,
  type SignState,
} from "@quorate/privval";
import { encodeSignIntent, type SignIntent, WalRecordType } from "../wal-records.ts";
import type { RunnerContext } from "./context.ts";
import { effectError } from "./fatal.ts";

const PRECOMMIT: VoteType = 2;

interface Request<T> {
  readonly height: number;
  readonly round: number;
  readonly what: "proposal" | "prevote" | "precommit";
  /** What else must be on disk before the signature may exist. */
  readonly durable: () => Promise<void>;
  /** All that the signature depends on, but for chain and key. */
  readonly intent: (now: Time) => SignIntent;
  readonly sign: (privval: PrivVal, intent: SignIntent, cause: SignDependency) => Promise<SignAnswer<T>>;
  readonly answer: (message: T) => Input;
}

export function signVote(ctx: RunnerContext, unsigned: UnsignedVote): Promise<void> {
  const { height, round, blockId } = unsigned;
  const precommit = unsigned.type === PRECOMMIT;
  return release(ctx, {
    height,
    round,
    what: precommit ? "precommit" : "prevote",
    durable: () => (precommit && blockId !== null ? bodySynced(ctx, unsigned) : Promise.resolve()),
    intent: (timestamp) => ({ height, round, step: precommit ? 2 : 1, polRound: -1, blockId, timestamp }),
    sign: (privval, { timestamp }, cause) => {
      const vote = { ...unsigned, timestamp, validatorAddress: privval.address };
      return privval.signVote(ctx.modules.genesis.chainId, vote, cause);
    },
    answer: (vote) => ({ kind: "signed_vote", height, round, vote }),
  });
}

export function signProposal(ctx: RunnerContext, unsigned: UnsignedProposal): Promise<void> {
  const { height, round, polRound, blockId, timestamp } = unsigned;
  return release(ctx, {
    height,
    round,
    what: "proposal",
    durable: () => Promise.resolve(),
    intent: () => ({ height, round, step: 0, polRound, blockId, timestamp }),
    sign: (privval, _intent, cause) => privval.signProposal(ctx.modules.genesis.chainId, unsigned, cause),
    answer: (proposal) => ({ kind: "signed_proposal", height, round, proposal }),
  });
}

async function release<T>(ctx: RunnerContext, request: Request<T>): Promise<void> {
  const { privval, wal, clock, metrics, log, fatal } = ctx.modules;
  const { height, round, what } = request;
  if (privval === null || !ctx.isCurrent(height)) return;
  const startedAt = clock.monotonicMs();
  const seconds = (): number => (clock.monotonicMs() - startedAt) / 1000;
  try {
    await request.durable();
    if (!ctx.isCurrent(height)) return;
    const intent = request.intent(timeFromMs(clock.wallMs()));
    if (isNew(intent, privval.state)) {
      const record = encodeSignIntent(intent);
      metrics.own.walBytes.inc(record.length);
      wal.append(WalRecordType.signIntent, record);
    }
    const cause = wal.position;
    const { direct } = wal;
    const logged = wal.sync().then(() => metrics.own.walSync.observe(seconds()));
    // Log and slots share one disk thread that works in the order of the calls and fails for good at the first fault:
    // the log is on disk before the slot, though both are asked for at once. Not so while an earlier write of the log
    // is under way, or a new segment is due: then the slot has to wait.
    if (!direct) {
      await logged;
      if (!ctx.isCurrent(height)) return;
    }
    const [answer] = await Promise.all([request.sign(privval, intent, cause), logged]);
    metrics.own.signSync.observe(seconds());
    // A precommit of a height that the others decided meanwhile still belongs into its commit.
    if (!ctx.isRecent(height)) return;
    if (answer.ok) {
      ctx.submit(request.answer(answer.message));
      return;
    }
    metrics.own.signRefused.inc({ code: answer.code });
    log.warn("the sign state refused a signature: abstaining", {
      height,
      round,
      what,
      reason: answer.reason,
    });
    ctx.submit({ kind: "sign_refused", height, round, what });
  } catch (error) {
    fatal(effectError(`a ${what} could not be made durable before it was sent`, error));
  }
}

/** What the sign state has already answered, or refuses, is not intended once more: its first time is the one that counts. */
function isNew(intent: SignIntent, { lastSigned }: SignState): boolean {
  return lastSigned === null || comparePlaces(intent, lastSigned) > 0;
}

async function bodySynced(ctx: RunnerContext, vote: UnsignedVote): Promise<void> {
  if (vote.blockId === null) return;
  const body = await ctx.findBody(vote.height, vote.blockId);
  if (body === null) throw new Error("the body of a block to be precommitted is gone");
  await body.synced;
}
