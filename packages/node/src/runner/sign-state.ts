/** What the sign state tells the core about the height being decided. */
import { ChainError, type ChainState, decodeVoteSignBytes, type Vote } from "@quorate/chain";
import type { RoundValue, SignedWatermark } from "@quorate/consensus";
import { bytesEqual } from "@quorate/crypto";
import type { PrivVal } from "@quorate/privval";

/** Lock and watermark of the sign state, as far as they concern `height`. */
export function signStateAt(
  privval: Pick<PrivVal, "state"> | null,
  height: number,
): { readonly lock: RoundValue | null; readonly watermark: SignedWatermark | null } {
  const signed = privval?.state;
  const lock = signed?.lock?.height === height ? signed.lock : null;
  const last = signed?.lastSigned?.height === height ? signed.lastSigned : null;
  return {
    lock: lock === null ? null : { round: lock.round, blockId: lock.blockId },
    watermark: last === null ? null : { round: last.round, step: last.step },
  };
}

/**
 * The vote that the sign state holds, if it is one of the height after `state`; `null` when that was a proposal, when
 * only its place is known (an imported or raised watermark), or when the key is not in the set.
 */
export function lastVote(
  privval: Pick<PrivVal, "address" | "state">,
  chainId: string,
  state: ChainState,
): Vote | null {
  const { address } = privval;
  const last = privval.state.lastSigned;
  if (last === null || last.height !== state.lastHeight + 1 || last.step === 0) return null;
  if (last.signBytes.length === 0) return null;
  const { validators } = state.validators;
  const validatorIndex = validators.findIndex((each) => bytesEqual(each.address, address));
  if (validatorIndex < 0) return null;
  try {
    const content = decodeVoteSignBytes(chainId, last.signBytes);
    return { ...content, validatorAddress: address, validatorIndex, signature: last.signature };
  } catch (error) {
    // Signed on another chain with the same key: nothing of it counts here.
    if (error instanceof ChainError) return null;
    throw error;
  }
}
