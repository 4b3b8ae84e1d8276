/**
 * At start the watermark is the highest of: the valid slots, what the log shows as given to the signer, own messages in the
 * log, own signatures in stored commits (DESIGN §3a). A rotten newest slot thus does not step back.
 */
import { type ChainState, type Commit, CommitFlag, VoteType } from "@quorate/chain";
import { bytesEqual } from "@quorate/crypto";
import type { PrivVal, SignDependency } from "@quorate/privval";
import type { SignIntent } from "../wal-records.ts";
import type { Replay } from "./replay.ts";

/** What the log says, and up to where it reaches: all of it is on disk. */
export interface LogFacts {
  readonly chainId: string;
  readonly replay: Pick<Replay, "signed" | "intents">;
  readonly end: SignDependency;
}

export async function raiseWatermark(
  privval: PrivVal | null,
  state: ChainState,
  lastCommit: Commit,
  { chainId, replay, end }: LogFacts,
): Promise<void> {
  if (privval === null) return;
  for (const intent of replay.intents) await fulfil(privval, chainId, intent, end);
  const signed = lastCommit.signatures.some(
    (s) => s.flag !== CommitFlag.absent && bytesEqual(s.validatorAddress, privval.address),
  );
  if (signed && state.lastBlockId !== null) await privval.raise(lastCommit.height, lastCommit.round, 2);
  for (const { height, round, step, lock } of replay.signed) {
    await privval.raise(height, round, step, lock ?? undefined);
  }
}

/**
 * Signs what the process was about to sign when it ended, or did sign, in a slot that is lost since: the same bytes either
 * way, because the intent names the time too. What the sign state is above of, it refuses: nothing is missing then.
 */
async function fulfil(
  privval: PrivVal,
  chainId: string,
  { step, polRound, ...content }: SignIntent,
  end: SignDependency,
): Promise<void> {
  if (step === 0) {
    const { blockId } = content;
    if (blockId !== null) await privval.signProposal(chainId, { ...content, polRound, blockId }, end);
    return;
  }
  const type = step === 2 ? VoteType.precommit : VoteType.prevote;
  // The index is no part of what is signed; the signature is read back from the sign state.
  const vote = { ...content, type, validatorAddress: privval.address, validatorIndex: 0 };
  await privval.signVote(chainId, vote, end);
}
