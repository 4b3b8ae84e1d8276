/**
 * A validity verdict is a fact about (height, block hash): chain rules first (pure), then the last commit's signatures,
 * then the execution client. VALID is final; no answer is no verdict.
 */
import { type BlockId, blockIdKey, ChainError, parentBeaconBlockRoot, validateBlock } from "@quorate/chain";
import { heightRoundStep } from "@quorate/consensus";
import { sleep } from "../clock.ts";
import { reasonOf } from "../errors.ts";
import { pastOf } from "../evidence/past.ts";
import type { HeldBody } from "./bodies.ts";
import type { RunnerContext } from "./context.ts";

export type ChainCheck =
  | { readonly ok: true }
  | { readonly ok: false; readonly code: string; readonly reason: string };

/** Chain rules and last-commit signatures of a body; independent of any EL. */
export async function checkBody(ctx: RunnerContext, body: HeldBody): Promise<ChainCheck> {
  try {
    const state = ctx.chain();
    const past = await pastOf(ctx.modules.store, state, body.block);
    const checks = ctx.lastCommit().unverified(validateBlock(state, body.block, body.bytes.length, past));
    if (checks.length === 0) return { ok: true };
    const verdicts = await ctx.modules.verifier.verify(checks, { priority: 1 });
    if (verdicts.every(Boolean)) return { ok: true };
    return {
      ok: false,
      code: "BAD_SIGNATURE",
      reason: "a signature of the last commit or of the evidence is wrong",
    };
  } catch (error) {
    if (error instanceof ChainError) return { ok: false, code: error.code, reason: error.message };
    throw error;
  }
}

/** A question that got no answer is asked again after this long, each time after twice as long, ms. */
const RETRY_MIN_MS = 200;
const RETRY_MAX_MS = 5_000;

/** Remembers what is being asked, so that one id is asked once at a time. */
export class Validation {
  private readonly asking = new Set<string>();
  private readonly chainChecks = new Map<string, ChainCheck>();

  startHeight(): void {
    this.asking.clear();
    this.chainChecks.clear();
  }

  /** The chain check of a body of the height being decided, when it was made. */
  checked(height: number, blockId: BlockId): ChainCheck | null {
    return this.chainChecks.get(keyOf(height, blockId)) ?? null;
  }

  async run(ctx: RunnerContext, height: number, blockId: BlockId): Promise<void> {
    const key = keyOf(height, blockId);
    if (this.asking.has(key)) return;
    this.asking.add(key);
    try {
      await this.askUntilAnswered(ctx, height, blockId, key);
    } finally {
      this.asking.delete(key);
    }
  }

  /** The core asks once: whatever went wrong, the question stays open as long as its height does. */
  private async askUntilAnswered(
    ctx: RunnerContext,
    height: number,
    blockId: BlockId,
    key: string,
  ): Promise<void> {
    const signal = ctx.heightSignal();
    for (let waitMs = RETRY_MIN_MS; ; waitMs = Math.min(2 * waitMs, RETRY_MAX_MS)) {
      try {
        if (await this.ask(ctx, height, blockId, key, signal)) return;
      } catch (error) {
        if (signal.aborted) return;
        const reason = reasonOf(error);
        ctx.modules.log.error("validation failed: trying again", { height, block: blockId.hash, reason });
      }
      if (!(await sleep(ctx.modules.clock, waitMs, signal)) || !ctx.isCurrent(height)) return;
    }
  }

  /** False: there is no answer, and the height still waits for one. */
  private async ask(
    ctx: RunnerContext,
    height: number,
    blockId: BlockId,
    key: string,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { execution, log, metrics, publisher } = ctx.modules;
    const state = ctx.chain();
    const body = await ctx.findBody(height, blockId);
    if (!ctx.isCurrent(height)) return true;
    if (body === null) {
      log.error("the body of a proposed block is gone: fetching it again", { height, block: blockId.hash });
      publisher.wantBody(height, heightRoundStep(ctx.core()).round, blockId);
      return false;
    }
    const known = this.chainChecks.get(key);
    const check = known ?? (await checkBody(ctx, body));
    if (!ctx.isCurrent(height)) return true;
    this.chainChecks.set(key, check);
    if (!check.ok) {
      log.warn("a proposed block breaks a rule of the chain", {
        height,
        block: blockId.hash,
        code: check.code,
        reason: check.reason,
      });
      metrics.comet.consensus.proposalReceive.inc({ status: "rejected" });
      ctx.submit({ kind: "verdict", height, blockId, verdict: "invalid" });
      return true;
    }
    const verdict = await execution.validate(body.block, parentBeaconBlockRoot(state), signal);
    if (!ctx.isCurrent(height)) return true;
    if (verdict.kind === "unknown") return false;
    metrics.comet.consensus.proposalReceive.inc({
      status: verdict.kind === "valid" ? "accepted" : "rejected",
    });
    if (verdict.kind === "invalid") {
      log.warn("the execution client refuses a proposed block", {
        height,
        block: blockId.hash,
        reason: verdict.reason,
      });
    }
    ctx.submit({ kind: "verdict", height, blockId, verdict: verdict.kind });
    return true;
  }
}

const keyOf = (height: number, blockId: BlockId): string => `${height}/${blockIdKey(blockId)}`;
