/**
 * At start the watermark is the highest of: the valid slots, own messages in the WAL, own signatures in stored commits
 * (DESIGN §3a). A rotten newest slot thus does not step back.
 */
import { type ChainState, type Commit, CommitFlag, VoteType } from "@quorate/chain";
import { bytesEqual } from "@quorate/crypto";
import type { PrivVal } from "@quorate/privval";
import type { Replay } from "./replay.ts";

export async function raiseWatermark(
  privval: PrivVal | null,
  state: ChainState,
  lastCommit: Commit,
  replay: Replay,
): Promise<void> {
  if (privval === null) return;
  const signed = lastCommit.signatures.some(
    (s) => s.flag !== CommitFlag.absent && bytesEqual(s.validatorAddress, privval.address),
  );
  if (signed && state.lastBlockId !== null) await privval.raise(lastCommit.height, lastCommit.round, 2);
  for (const { height, round, step, lock } of replay.signed) {
    await privval.raise(height, round, step, lock ?? undefined);
  }
  if (privval.slotLost !== true || replay.kind !== "resumed") return;
  // The lost slot may hold the answer to what the log shows as asked: it is not asked again, as if it had been given.
  for (const effect of replay.pending) {
    if (effect.kind === "sign_proposal")
      await privval.raise(effect.proposal.height, effect.proposal.round, 0);
    if (effect.kind !== "sign_vote") continue;
    const { height, round, type, blockId } = effect.vote;
    const precommit = type === VoteType.precommit;
    await privval.raise(
      height,
      round,
      precommit ? 2 : 1,
      precommit && blockId !== null ? { round, blockId } : undefined,
    );
  }
}
