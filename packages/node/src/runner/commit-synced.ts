/**
 * Commit of heights that block sync has verified, as one group (ADR 0006): all bodies synced -> all commits, states and
 * indexes in one synced batch -> WAL EndHeight of the last -> the EL follows. A node that catches up signs nothing, and what a
 * crash takes of the group comes from the peers again.
 */
import { blockIdEquals, timeToMs } from "@quorate/chain";
import type { BodyRef } from "@quorate/store";
import type { SyncedBlock } from "@quorate/sync";
import type { WalPosition } from "@quorate/wal";
import { encodeEndHeight, WalRecordType } from "../wal-records.ts";
import type { CommittedBlock, RunnerContext } from "./context.ts";
import { effectError, forkError } from "./fatal.ts";

export interface CommittedRun {
  /** Heights that were stored, ascending, at least one. */
  readonly run: readonly SyncedBlock[];
  /** Of each of them. */
  readonly blocks: readonly CommittedBlock[];
  /** Where the WAL says that the last of them is committed. */
  readonly endHeight: WalPosition;
}

/**
 * Makes consecutive heights durable that were verified on top of the tip. `null` when all of them were committed already,
 * the tip is another one by now, or the process is to stop: a second block at a decided height is a safety halt.
 */
export async function commitSynced(
  ctx: RunnerContext,
  given: readonly SyncedBlock[],
): Promise<CommittedRun | null> {
  const { store, wal, clock, metrics, fatal } = ctx.modules;
  const before = ctx.chain();
  const run: SyncedBlock[] = [];
  for (const synced of given) {
    const { height } = synced.block.header;
    if (height > before.lastHeight) {
      run.push(synced);
      continue;
    }
    const meta = await store.meta(height);
    if (meta === null || blockIdEquals(meta.blockId, synced.blockId)) continue;
    fatal(forkError(height, await store.seenCommit(height), synced.commit));
    return null;
  }
  const [first] = run;
  const last = run.at(-1);
  if (first === undefined || last === undefined) return null;
  const { header } = first.block;
  const follows =
    header.height === before.lastHeight + 1 && blockIdEquals(header.lastBlockId, before.lastBlockId);
  if (!follows || ctx.chain() !== before) return null;
  const startedAt = clock.monotonicMs();
  let endHeight: WalPosition;
  try {
    const stored = await Promise.all(
      run.map(async (synced) => ({ ...synced, body: await putBody(ctx, synced, synced === last) })),
    );
    if (ctx.chain() !== before) return null;
    for (const [index, { block }] of run.entries()) {
      const { validators } = run[index - 1]?.state ?? before;
      // Before the height is over: a crash in between leaves it in the log, which finds the votes again.
      await ctx.evidence.deciding({ height: block.header.height, time: block.header.time, validators });
    }
    if (ctx.chain() !== before) return null;
    const batchAt = clock.monotonicMs();
    await store.commit(
      ...stored.map(({ block, blockId, body, commit, state }) => {
        const { height } = block.header;
        return { height, blockId, body, block, seenCommit: commit, state };
      }),
    );
    metrics.own.storeCommit.observe((clock.monotonicMs() - batchAt) / 1000);
    const { height } = last.block.header;
    endHeight = wal.append(WalRecordType.endHeight, encodeEndHeight({ height, began: ctx.began(height) }));
  } catch (error) {
    fatal(effectError(`blocks ${header.height} to ${last.block.header.height} could not be stored`, error));
    return null;
  }
  const eachMs = (clock.monotonicMs() - startedAt) / run.length;
  const wallMs = clock.wallMs();
  const blocks = run.map((synced): CommittedBlock => {
    metrics.comet.state.blockProcessingTime.observe(eachMs);
    metrics.own.blockApply.observe(eachMs / 1000);
    return committedBlock(synced, wallMs);
  });
  return { run, blocks, endHeight };
}

/** The tip's stays in memory, for peers one height behind. */
async function putBody(
  ctx: RunnerContext,
  { block, blockId, bytes }: SyncedBlock,
  isTip: boolean,
): Promise<BodyRef> {
  if (!isTip) return ctx.modules.store.putBody(blockId, bytes);
  const { height } = block.header;
  const body = ctx.bodies.add(height, blockId, bytes, block);
  if (body === null) throw new Error(`the synced block ${height} is not what its id says`);
  return body.synced;
}

function committedBlock({ block, blockId, commit, state }: SyncedBlock, wallMs: number): CommittedBlock {
  const { header } = block;
  return {
    height: header.height,
    round: commit.round,
    blockId,
    time: header.time,
    latencyMs: wallMs - timeToMs(header.time),
    headerAppHash: header.appHash,
    elHash: state.el.blockHash,
    txs: Math.max(0, block.txs.length - 1),
    proposer: header.proposerAddress,
    source: "sync",
  };
}
