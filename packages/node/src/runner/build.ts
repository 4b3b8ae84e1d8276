/**
 * Builds a block to propose. The proposer fixes t when it starts the build and does not propose before t on its clock;
 * what it sends passed its own EL's newPayload, or is with an EL that was quick and right before. Nothing but the timestamp may vary in a rebuild (DESIGN §7).
 */
import {
  type Block,
  type BlockContent,
  blockIdOf,
  type ChainState,
  encodeBlock,
  makeBlock,
  payloadAttributes,
  type Time,
  timeFromMs,
  timeToMs,
  validateBlock,
} from "@quorate/chain";
import type { Input } from "@quorate/consensus";
import type { BuiltPayload } from "@quorate/execution";
import { sleep } from "../clock.ts";
import { reasonOf } from "../errors.ts";
import type { RunnerContext } from "./context.ts";

/** A build that was started right after the commit of the previous height. */
export interface Prepared {
  readonly height: number;
  readonly time: Time;
}

/** Started by the runner when this node is the proposer of round 0 of the height that begins. */
export async function prepareBuild(
  ctx: RunnerContext,
  height: number,
  notBefore: Time,
): Promise<Prepared | null> {
  const { execution, clock, privval, log } = ctx.modules;
  const state = ctx.chain();
  if (privval === null || !canPropose(ctx, state)) return null;
  const time = laterOf(timeFromMs(clock.wallMs()), notBefore);
  try {
    await execution.prepare(state, payloadAttributes(state, time, privval.address));
    return ctx.isCurrent(height) ? { height, time } : null;
  } catch (error) {
    log.warn("the execution client did not start a build", { height, reason: reasonOf(error) });
    return null;
  }
}

export async function buildProposal(
  ctx: RunnerContext,
  request: { readonly height: number; readonly round: number; readonly notBefore: Time },
  prepared: Promise<Prepared | null>,
): Promise<void> {
  const { height, round } = request;
  const answer = (value: Extract<Input, { kind: "built" }>["value"]): void => {
    if (ctx.isCurrent(height)) ctx.submit({ kind: "built", height, round, value });
  };
  const { log, clock, privval, execution } = ctx.modules;
  const startedAt = clock.monotonicMs();
  const state = ctx.chain();
  const signal = ctx.heightSignal();
  if (privval === null || state.lastHeight !== height - 1) {
    answer(null);
    return;
  }
  const budgetMs = Math.min(
    state.params.timeoutProposeMs + round * state.params.timeoutProposeDeltaMs,
    state.params.timeoutMaxMs,
  );
  try {
    if (!canPropose(ctx, state)) {
      await waitForExecution(ctx, height - 1, budgetMs / 2, signal);
      if (!canPropose(ctx, state)) {
        log.warn("not proposing: the execution client is not ready", {
          height,
          round,
          status: execution.status.kind,
        });
        answer(null);
        return;
      }
    }
    const early = round === 0 ? await prepared : null;
    let time = early?.height === height ? early.time : laterOf(timeFromMs(clock.wallMs()), request.notBefore);
    let payload = await takePayload(ctx, state, time, signal);
    if (payload !== null && (payload.validationMs ?? 0) > budgetMs / 2) {
      const next = timeFromMs((Math.floor(timeToMs(time) / 1000) + 1) * 1000);
      log.warn("own payload is slow to validate: rebuilding for the next second", {
        height,
        round,
        ms: payload.validationMs ?? 0,
      });
      const spentMs = clock.monotonicMs() - startedAt;
      const waitMs = Math.max(0, timeToMs(next) - clock.wallMs());
      if (spentMs + waitMs >= budgetMs / 2) {
        answer(null);
        return;
      }
      time = next;
      // The EL's empty block: nothing is filled in for attributes that it has not seen before.
      payload = await execution.getBuilt(
        state,
        payloadAttributes(state, time, privval.address),
        signal,
        true,
      );
    }
    if (payload === null) {
      log.warn("not proposing: the execution client built nothing", { height, round });
      answer(null);
      return;
    }
    await sleep(clock, timeToMs(time) - clock.wallMs(), signal);
    if (!ctx.isCurrent(height) || ctx.chain() !== state) return;
    const { block, bytes } = withEvidence(ctx, state, {
      time,
      txs: payload.txs,
      proposerAddress: privval.address,
      lastCommit: ctx.lastCommit().commit,
    });
    // A proposer that builds what it would refuse itself has a bug: say so instead of costing the others a round.
    validateBlock(state, block, bytes.length, ctx.evidence.past);
    const blockId = blockIdOf(block, bytes);
    if (ctx.bodies.add(height, blockId, bytes, block) === null) {
      answer(null);
      return;
    }
    ctx.submit({ kind: "body", height, blockId, time, proposerAddress: privval.address });
    if (payload.validationMs === null) {
      // Its verdict is asked for when it is proposed, as that of a block of anybody else.
      answer({ blockId, time, open: true });
      return;
    }
    ctx.submit({ kind: "verdict", height, blockId, verdict: "valid" });
    answer({ blockId, time });
  } catch (error) {
    if (signal.aborted) return;
    log.error("building a block failed", { height, round, reason: reasonOf(error) });
    answer(null);
  }
}

/** Tag and length of the list of evidence, which an empty one has in part. */
const EVIDENCE_FRAMING = 8;

/** The block with as much of the evidence that waits as the payload has left room for. */
function withEvidence(
  ctx: RunnerContext,
  state: ChainState,
  content: Omit<BlockContent, "evidence">,
): { readonly block: Block; readonly bytes: Uint8Array } {
  const encoded = (evidence: Block["evidence"]): { readonly block: Block; readonly bytes: Uint8Array } => {
    const block = makeBlock(state, { ...content, evidence });
    return { block, bytes: encodeBlock(block) };
  };
  const bare = encoded([]);
  const evidence = ctx.evidence.forBlock(
    state,
    state.params.maxBlockBytes - bare.bytes.length - EVIDENCE_FRAMING,
  );
  return evidence.length === 0 ? bare : encoded(evidence);
}

/** Gives an EL that is still adopting the last block half of timeoutPropose; the caller looks again afterwards. */
async function waitForExecution(
  ctx: RunnerContext,
  height: number,
  ms: number,
  signal: AbortSignal,
): Promise<void> {
  const enough = new AbortController();
  const stop = (): void => enough.abort();
  const cancel = ctx.modules.clock.timer(ms, stop);
  signal.addEventListener("abort", stop, { once: true });
  try {
    await ctx.modules.execution.whenExecuted(height, enough.signal);
  } catch (error) {
    if (!enough.signal.aborted) throw error;
  } finally {
    cancel();
    signal.removeEventListener("abort", stop);
  }
}

async function takePayload(
  ctx: RunnerContext,
  state: ChainState,
  time: Time,
  signal: AbortSignal,
): Promise<BuiltPayload | null> {
  const { privval, execution } = ctx.modules;
  if (privval === null) return null;
  const attributes = payloadAttributes(state, time, privval.address);
  await execution.prepare(state, attributes);
  await sleep(ctx.modules.clock, timeToMs(time) - ctx.modules.clock.wallMs(), signal);
  return execution.getBuilt(state, attributes, signal);
}

function canPropose(ctx: RunnerContext, state: ChainState): boolean {
  const { execution } = ctx.modules;
  return execution.status.kind === "ready" && execution.executedHeight >= state.lastHeight;
}

const laterOf = (a: Time, b: Time): Time => (a > b ? a : b);
