import type { Block, ChainPast, ChainState, Height, PastHeight } from "@quorate/chain";
import { evidenceHeight, evidenceListSize, NO_PAST } from "@quorate/chain";
import type { BlockStore } from "@quorate/store";

export type PastStore = Pick<BlockStore, "base" | "block" | "validators">;

/** A decided height as evidence is judged against it; `null` when it was never decided or is not kept here. */
export async function pastHeight(
  store: PastStore,
  state: ChainState,
  height: Height,
): Promise<PastHeight | null> {
  if (height > state.lastHeight || height < state.initialHeight) return null;
  if (height === state.lastHeight) {
    return state.lastValidators === null
      ? null
      : { height, time: state.lastTime, validators: state.lastValidators };
  }
  const block = await store.block(height);
  const validators = await store.validators(height);
  return block === null || validators === null ? null : { height, time: block.header.time, validators };
}

/**
 * The heights that a block's evidence is of; read before the block is judged, which is pure. Nothing is read for more
 * evidence than a block may carry: the block is refused for that, and its proposer names as many heights as it likes.
 */
export async function pastOf(
  store: PastStore,
  state: ChainState,
  block: Pick<Block, "evidence">,
): Promise<ChainPast> {
  if (block.evidence.length === 0) return NO_PAST;
  if (evidenceListSize(block.evidence) > state.params.maxEvidenceBytes) return NO_PAST;
  const known = new Map<Height, PastHeight>();
  for (const height of new Set(block.evidence.map(evidenceHeight))) {
    const past = await pastHeight(store, state, height);
    if (past !== null) known.set(height, past);
  }
  return (height) => known.get(height) ?? null;
}
