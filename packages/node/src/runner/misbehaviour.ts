import { makeDuplicateVoteEvidence, type Time, type ValidatorSet, type Vote } from "@quorate/chain";
import { toHexUpper } from "@quorate/crypto";
import type { RunnerContext } from "./context.ts";

/** Pairs of votes that wait for their height's block; a set of the largest size in a round of either type. */
const MAX_PENDING = 1024;

/** Validators caught signing twice since the previous block was committed. */
export class Equivocators {
  private readonly found = new Map<string, Uint8Array>();
  private pending: { readonly first: Vote; readonly second: Vote }[] = [];

  add(address: Uint8Array): void {
    this.found.set(toHexUpper(address), address);
  }

  /** Names them and begins anew. */
  take(): readonly Uint8Array[] {
    const addresses = [...this.found.values()];
    this.found.clear();
    return addresses;
  }

  /** Two votes of the height being decided: evidence bears the time of that height's block, known when it is decided. */
  hold(first: Vote, second: Vote): void {
    if (this.pending.length < MAX_PENDING) this.pending.push({ first, second });
  }

  /** What was held, and begins anew. */
  release(): readonly { readonly first: Vote; readonly second: Vote }[] {
    return this.pending.splice(0);
  }
}

/** Two votes of one validator for one (height, round, type): logged, counted and kept across restarts. */
export async function keepEvidence(ctx: RunnerContext, first: Vote, second: Vote): Promise<void> {
  const { log, metrics } = ctx.modules;
  metrics.own.equivocations.inc({ type: first.type === 1 ? "prevote" : "precommit" });
  ctx.equivocators.add(first.validatorAddress);
  log.error("equivocation: a validator signed two different votes", {
    height: first.height,
    round: first.round,
    type: first.type,
    validator: first.validatorAddress,
    first: first.blockId?.hash ?? "nil",
    second: second.blockId?.hash ?? "nil",
  });
  await noteEvidence(ctx, first, second);
}

/**
 * Keeps verified votes that contradict each other as evidence made of the chain's own data: the same on every node,
 * whenever it saw them and whoever handed them on. Votes of heights other than the last and the present are let go.
 */
export async function noteEvidence(ctx: RunnerContext, first: Vote, second: Vote): Promise<void> {
  const { lastHeight, lastValidators, lastTime } = ctx.chain();
  if (first.height === lastHeight + 1) ctx.equivocators.hold(first, second);
  else if (first.height === lastHeight && lastValidators !== null) {
    await putEvidence(ctx, first, second, lastValidators, lastTime);
  }
}

/** Stores what was held of a decided height; `time` is that of its block. */
export async function settleEvidence(
  ctx: RunnerContext,
  height: number,
  set: ValidatorSet,
  time: Time,
): Promise<void> {
  for (const { first, second } of ctx.equivocators.release()) {
    if (first.height === height) await putEvidence(ctx, first, second, set, time);
  }
}

async function putEvidence(
  ctx: RunnerContext,
  first: Vote,
  second: Vote,
  set: ValidatorSet,
  time: Time,
): Promise<void> {
  await ctx.modules.store.putEvidence(makeDuplicateVoteEvidence(first, second, set, time));
}
