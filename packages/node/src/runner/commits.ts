/** Commits in turn: what consensus decides height by height, what block sync brings in groups, and what follows from either. */
import { type BlockId, type ChainState, type Commit, commitConflicts, type Height } from "@quorate/chain";
import { proposalsOfRound } from "@quorate/consensus";
import type { SyncedBlock } from "@quorate/sync";
import { recordCommit } from "../metrics/commits.ts";
import { recordVoteDelays } from "../metrics/vote-delays.ts";
import type { HeldBody } from "./bodies.ts";
import { commitBlock } from "./commit.ts";
import { commitSynced } from "./commit-synced.ts";
import type { CommittedBlock, RunnerContext } from "./context.ts";
import { effectError } from "./fatal.ts";
import type { LastHeight } from "./last-height.ts";
import type { LogKeeper } from "./log-keeper.ts";
import { passedOver, tellPassedOver } from "./passed-over.ts";
import type { Validation } from "./validate.ts";

export interface CommitsModules {
  readonly ctx: RunnerContext;
  readonly last: LastHeight;
  readonly validation: Validation;
  readonly keeper: LogKeeper;
  readonly stopped: () => boolean;
  /** The tip is another one: what belongs to the height that was being decided ends. */
  readonly leap: (state: ChainState, commit: Commit, blockId: BlockId, txs: number) => void;
  /** After everything about the new tip is known: the next height may begin. */
  readonly goOn: (height: Height) => void;
  readonly background: (task: Promise<void>) => void;
}

export class Commits {
  private readonly modules: CommitsModules;
  private turn: Promise<void> = Promise.resolve();

  constructor(modules: CommitsModules) {
    this.modules = modules;
  }

  /** One commit at a time; a block that is committed already is skipped. */
  commitBlock(body: HeldBody, commit: Commit): Promise<void> {
    return this.inTurn(() => this.commitNow(body, commit));
  }

  /** Heights that block sync verified in full on top of the tip, as one group; what is committed already is skipped. */
  commitSynced(run: readonly SyncedBlock[]): Promise<void> {
    return this.inTurn(() => this.commitRun(run));
  }

  /** Resolves when what is under way has ended. */
  settled(): Promise<void> {
    return this.turn;
  }

  private inTurn(work: () => Promise<void>): Promise<void> {
    const task = this.turn.then(work);
    this.turn = task.catch((error: unknown) =>
      this.modules.ctx.modules.fatal(effectError("committing a block failed", error)),
    );
    return this.turn;
  }

  private async commitNow(body: HeldBody, commit: Commit): Promise<void> {
    const { ctx, last, validation, keeper, stopped, leap, goOn, background } = this.modules;
    if (stopped()) return;
    const before = ctx.chain();
    const checked = validation.checked(body.height, body.blockId);
    const done = await commitBlock(ctx, body, commit, checked);
    if (done === null || ctx.chain() !== before) return;
    const seen = last.commit.commit;
    const { block } = done;
    this.tellPassedOver(before, commit);
    leap(done.state, commit, body.blockId, block.txs);
    background(ctx.evidence.decided(done.state, body.block));
    background(this.noteConflicts(seen, body.block.lastCommit));
    background(keeper.ended(done.endHeight));
    this.measure(before, done.state, body, block);
    ctx.modules.log.info("committed", {
      height: block.height,
      round: block.round,
      txs: block.txs,
      block: body.blockId.hash,
      source: block.source,
    });
    ctx.modules.execution.decided(body.height);
    ctx.modules.onCommit(block);
    goOn(body.height);
  }

  private async commitRun(run: readonly SyncedBlock[]): Promise<void> {
    const { ctx, last, keeper, stopped, leap, goOn, background } = this.modules;
    if (stopped()) return;
    const start = ctx.chain();
    const done = await commitSynced(ctx, run);
    const newest = done?.run.at(-1);
    if (done === null || newest === undefined || ctx.chain() !== start) return;
    let seen = last.commit.commit;
    leap(newest.state, newest.commit, newest.blockId, done.blocks.at(-1)?.txs ?? 0);
    let before = start;
    for (const [index, { block, bytes, commit, state }] of done.run.entries()) {
      background(ctx.evidence.decided(state, block));
      background(this.noteConflicts(seen, block.lastCommit));
      const told = done.blocks[index];
      if (told !== undefined) this.measure(before, state, { block, bytes }, told);
      before = state;
      seen = commit;
    }
    background(keeper.ended(done.endHeight));
    const { height } = newest.block.header;
    ctx.bodies.startHeight(height + 1, newest.blockId);
    ctx.modules.log.info("committed", {
      height,
      blocks: done.run.length,
      txs: done.blocks.reduce((sum, { txs }) => sum + txs, 0),
      block: newest.blockId.hash,
      source: "sync",
    });
    ctx.modules.execution.decided(height);
    for (const block of done.blocks) ctx.modules.onCommit(block);
    goOn(height);
  }

  private tellPassedOver(before: ChainState, commit: Commit): void {
    const { ctx } = this.modules;
    const { log, privval } = ctx.modules;
    if (privval === null || commit.round === 0) return;
    const proposals = (round: number): ReturnType<typeof proposalsOfRound> =>
      proposalsOfRound(ctx.core(), round);
    tellPassedOver(log, ctx.bodies, passedOver(proposals, before.validators, privval.address, commit));
  }

  /** Precommits of the last height that a block carries against those seen here: both verified. */
  private async noteConflicts(seen: Commit, carried: Commit): Promise<void> {
    const { evidence } = this.modules.ctx;
    for (const pair of commitConflicts(seen, carried)) await evidence.caught(pair.first, pair.second);
  }

  private measure(
    before: ChainState,
    after: ChainState,
    { block, bytes }: Pick<HeldBody, "block" | "bytes">,
    { txs, source, latencyMs }: CommittedBlock,
  ): void {
    const { ctx, last } = this.modules;
    const { metrics, privval } = ctx.modules;
    const own = privval?.address ?? null;
    recordCommit(metrics, { before, after, block, bytes: bytes.length, txs, source, latencyMs, own });
    if (source === "consensus" && last.proposal !== null) {
      recordVoteDelays(metrics, ctx.core(), before.validators, last.proposal, block);
    }
  }
}
