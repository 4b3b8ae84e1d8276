/** From what is on disk to a running height: read before anybody is contacted, taken up when the node may act. */
import type { LogPort } from "@quorate/gossip";
import type { PrivVal } from "@quorate/privval";
import type { BlockStore } from "@quorate/store";
import type { Wal } from "@quorate/wal";
import type { Runner } from "../runner/runner.ts";
import { type Replay, replayHeight } from "./replay.ts";
import { raiseWatermark } from "./watermark.ts";

export interface RecoveryModules {
  readonly wal: Wal;
  readonly store: BlockStore;
  readonly privval: PrivVal | null;
  readonly log: LogPort;
  readonly chainId: string;
}

/** Replays the log and raises the sign state to what log and stored commit show as signed, or as about to be. */
export async function recover(
  runner: Runner,
  { wal, store, privval, log, chainId }: RecoveryModules,
): Promise<Replay> {
  const state = runner.chain();
  const { commit } = runner.lastCommit();
  const replay = await replayHeight(state, {
    wal,
    store,
    lastCommit: state.lastBlockId === null ? null : commit,
    own: privval?.address ?? null,
    log,
  });
  await raiseWatermark(privval, state, commit, { chainId, replay, end: wal.position });
  return replay;
}

/** Goes on with the height, or begins it. A runner that was halted meanwhile does neither. */
export async function takeUp(runner: Runner, replay: Replay): Promise<void> {
  switch (replay.kind) {
    case "resumed":
      for (const blockId of replay.bodies) await runner.findBody(runner.chain().lastHeight + 1, blockId);
      runner.resume(replay.core, replay.pending);
      return;
    case "snapshot":
      runner.start();
      runner.submit({ kind: "restore", snapshot: replay.snapshot });
      return;
    case "fresh":
      runner.start();
      return;
  }
}
