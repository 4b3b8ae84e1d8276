/**
 * One signature (DESIGN §5.3): WAL synced up to the cause -> slot synced -> signature released. A non-nil precommit also
 * waits for its block's body to be on disk (§5.4). The answer goes back to the core as an input; that input's WAL record
 * needs no sync of its own, because the slot holds the signature.
 */
import { timeFromMs, type VoteType } from "@quorate/chain";
import type { UnsignedProposal, UnsignedVote } from "@quorate/consensus";
import type { RunnerContext } from "./context.ts";
import { durabilityError } from "./fatal.ts";

const PRECOMMIT: VoteType = 2;

export async function signVote(ctx: RunnerContext, unsigned: UnsignedVote): Promise<void> {
  const { privval, wal, clock, metrics, genesis, log } = ctx.modules;
  if (privval === null || !ctx.isCurrent(unsigned.height)) return;
  const startedAt = clock.monotonicMs();
  const cause = wal.position;
  try {
    await syncWal(ctx);
    if (unsigned.type === PRECOMMIT && unsigned.blockId !== null) {
      const body = await ctx.findBody(unsigned.height, unsigned.blockId);
      if (body === null) throw new Error("the body of a block to be precommitted is gone");
      await body.synced;
    }
    if (!ctx.isCurrent(unsigned.height)) return;
    const timestamp = timeFromMs(clock.wallMs());
    const answer = await privval.signVote(
      genesis.chainId,
      { ...unsigned, timestamp, validatorAddress: privval.address },
      cause,
    );
    metrics.own.signSync.observe((clock.monotonicMs() - startedAt) / 1000);
    if (!ctx.isCurrent(unsigned.height)) return;
    const { height, round } = unsigned;
    if (answer.ok) {
      ctx.submit({ kind: "signed_vote", height, round, vote: answer.message });
      return;
    }
    metrics.own.signRefused.inc({ code: answer.code });
    log.warn("the sign state refused a vote: abstaining", {
      height,
      round,
      type: unsigned.type,
      reason: answer.reason,
    });
    ctx.submit({
      kind: "sign_refused",
      height,
      round,
      what: unsigned.type === PRECOMMIT ? "precommit" : "prevote",
    });
  } catch (error) {
    ctx.modules.fatal(durabilityError("a vote could not be made durable before it was sent", error));
  }
}

export async function signProposal(ctx: RunnerContext, unsigned: UnsignedProposal): Promise<void> {
  const { privval, wal, clock, metrics, genesis, log } = ctx.modules;
  if (privval === null || !ctx.isCurrent(unsigned.height)) return;
  const startedAt = clock.monotonicMs();
  const cause = wal.position;
  try {
    await syncWal(ctx);
    if (!ctx.isCurrent(unsigned.height)) return;
    const answer = await privval.signProposal(genesis.chainId, unsigned, cause);
    metrics.own.signSync.observe((clock.monotonicMs() - startedAt) / 1000);
    if (!ctx.isCurrent(unsigned.height)) return;
    const { height, round } = unsigned;
    if (answer.ok) {
      metrics.comet.consensus.proposalCreate.inc();
      ctx.submit({ kind: "signed_proposal", height, round, proposal: answer.message });
      return;
    }
    metrics.own.signRefused.inc({ code: answer.code });
    log.warn("the sign state refused a proposal: abstaining", { height, round, reason: answer.reason });
    ctx.submit({ kind: "sign_refused", height, round, what: "proposal" });
  } catch (error) {
    ctx.modules.fatal(durabilityError("a proposal could not be made durable before it was sent", error));
  }
}

async function syncWal(ctx: RunnerContext): Promise<void> {
  const startedAt = ctx.modules.clock.monotonicMs();
  await ctx.modules.wal.sync();
  ctx.modules.metrics.own.walSync.observe((ctx.modules.clock.monotonicMs() - startedAt) / 1000);
}
