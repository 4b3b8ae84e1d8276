/**
 * Commit (DESIGN §5.5): body synced -> commit, next state, indexes in one synced batch -> WAL EndHeight -> the EL follows.
 * What block sync brings goes in groups (commit-synced.ts).
 */
import {
  applyBlock,
  blockIdEquals,
  ChainError,
  type ChainState,
  type Commit,
  timeToMs,
} from "@quorate/chain";
import type { WalPosition } from "@quorate/wal";
import { encodeEndHeight, WalRecordType } from "../wal-records.ts";
import type { HeldBody } from "./bodies.ts";
import type { CommittedBlock, RunnerContext } from "./context.ts";
import { effectError, forkError, safetyError } from "./fatal.ts";
import { type ChainCheck, checkBody } from "./validate.ts";

export interface Committed {
  readonly state: ChainState;
  /** Where the WAL says so. */
  readonly endHeight: WalPosition;
  readonly block: CommittedBlock;
}

/**
 * Makes a decided block durable; `checked` when its chain rules were checked in this height already. `null` when it was committed already or the process is to stop: a decided block that
 * breaks a chain rule, or a second block at a decided height, is a safety halt.
 */
export async function commitBlock(
  ctx: RunnerContext,
  body: HeldBody,
  commit: Commit,
  checked: ChainCheck | null,
): Promise<Committed | null> {
  const { store, wal, clock, metrics, fatal } = ctx.modules;
  const before = ctx.chain();
  const { height, blockId, block } = body;
  if (height <= before.lastHeight) {
    const meta = await store.meta(height);
    if (meta !== null && !blockIdEquals(meta.blockId, commit.blockId)) {
      fatal(forkError(height, await store.seenCommit(height), commit));
    }
    return null;
  }
  if (height !== before.lastHeight + 1) return null;
  const startedAt = clock.monotonicMs();
  const check = checked ?? (await checkBody(ctx, body));
  if (!check.ok) {
    const appHash = check.code === "BAD_APP_HASH";
    fatal(
      safetyError(
        appHash
          ? `+2/3 signed another app hash at height ${height} than this node computed: ${check.reason}`
          : `+2/3 decided a block at height ${height} that breaks a rule of the chain: ${check.code} ${check.reason}`,
      ),
    );
    return null;
  }
  let state: ChainState;
  try {
    state = applyBlock(before, block, blockId);
  } catch (error) {
    if (!(error instanceof ChainError)) throw error;
    fatal(safetyError(`the decided block of height ${height} does not apply`, error));
    return null;
  }
  let endHeight: WalPosition;
  try {
    const ref = await body.synced;
    if (ctx.chain() !== before) return null;
    // Before the height is over: a crash in between leaves it in the log, which finds the votes again.
    await ctx.evidence.deciding({ height, time: block.header.time, validators: before.validators });
    if (ctx.chain() !== before) return null;
    const batchAt = clock.monotonicMs();
    await store.commit({ height, blockId, body: ref, block, seenCommit: commit, state });
    metrics.own.storeCommit.observe((clock.monotonicMs() - batchAt) / 1000);
    endHeight = wal.append(WalRecordType.endHeight, encodeEndHeight({ height, began: ctx.began(height) }));
  } catch (error) {
    fatal(effectError(`block ${height} could not be stored`, error));
    return null;
  }
  const tookMs = clock.monotonicMs() - startedAt;
  metrics.comet.state.blockProcessingTime.observe(tookMs);
  metrics.own.blockApply.observe(tookMs / 1000);
  return {
    state,
    endHeight,
    block: {
      height,
      round: commit.round,
      blockId,
      time: block.header.time,
      latencyMs: clock.wallMs() - timeToMs(block.header.time),
      headerAppHash: block.header.appHash,
      elHash: state.el.blockHash,
      txs: Math.max(0, block.txs.length - 1),
      proposer: block.header.proposerAddress,
      source: "consensus",
    },
  };
}
