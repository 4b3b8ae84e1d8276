import { makeDuplicateVoteEvidence, type Vote } from "@quorate/chain";
import { toHexUpper } from "@quorate/crypto";
import type { RunnerContext } from "./context.ts";

/** Validators caught signing twice since the previous block was committed. */
export class Equivocators {
  private readonly found = new Map<string, Uint8Array>();

  add(address: Uint8Array): void {
    this.found.set(toHexUpper(address), address);
  }

  /** Names them and begins anew. */
  take(): readonly Uint8Array[] {
    const addresses = [...this.found.values()];
    this.found.clear();
    return addresses;
  }
}

/** Two votes of one validator for one (height, round, type): logged, counted and kept across restarts. */
export async function keepEvidence(ctx: RunnerContext, first: Vote, second: Vote): Promise<void> {
  const { log, metrics, store } = ctx.modules;
  const state = ctx.chain();
  const set = first.height === state.lastHeight + 1 ? state.validators : state.lastValidators;
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
  if (set === null) return;
  await store.putEvidence(makeDuplicateVoteEvidence(first, second, set, state.lastTime));
}
