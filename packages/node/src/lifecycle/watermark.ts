/**
 * At start the watermark is the highest of: the valid slots, own messages in the WAL, own signatures in stored commits
 * (DESIGN §3a). A rotten newest slot thus does not step back.
 */
import { type ChainState, type Commit, CommitFlag } from "@quorate/chain";
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
}
