import type { Block, Genesis, Hash } from "@quorate/chain";
import { bytesEqual } from "@quorate/crypto";
import type { ElBlock, EngineApi } from "../engine/api.ts";
import type { Failure } from "../engine/failure.ts";
import { payloadOf } from "../payload/to-engine.ts";
import type { DecidedBlocks, ExecutionPayload } from "../types.ts";
import type { Cursor } from "./finality.ts";

export interface DecidedPayload {
  readonly payload: ExecutionPayload;
  readonly parentBeaconBlockRoot: Hash;
}

/** The decided payload of `height`; `null`: the store does not have it. */
export async function decidedPayload(store: DecidedBlocks, height: number): Promise<DecidedPayload | null> {
  const found: { readonly block: Block; readonly parentBeaconBlockRoot: Hash } | null =
    await store.block(height);
  if (found === null) return null;
  return { payload: payloadOf(found.block), parentBeaconBlockRoot: found.parentBeaconBlockRoot };
}

export type Location =
  | {
      readonly kind: "found";
      /** Highest decided block on the EL's canonical chain. */
      readonly cursor: Cursor;
      /** The EL's head is exactly the cursor. */
      readonly atHead: boolean;
      /** The EL stands on a block that was not decided. */
      readonly aside: boolean;
    }
  /** The EL lacks blocks that our store does not hold any more. */
  | { readonly kind: "pruned"; readonly needed: number }
  | { readonly kind: "failed"; readonly failure: Failure };

/**
 * Finds where the EL's canonical chain leaves the decided one. An EL may lack its last acknowledged blocks after a
 * crash (geth-verified §7.1), may be ahead of a store that lost its tail, or may have been moved aside.
 */
export async function locate(
  api: EngineApi,
  store: DecidedBlocks,
  genesis: Genesis,
  head: ElBlock,
): Promise<Location> {
  const anchor: Cursor = { height: genesis.anchorNumber, hash: genesis.anchorHash };
  const found = (cursor: Cursor, aside: boolean): Location => {
    return { kind: "found", cursor, atHead: cursor.height === head.number && !aside, aside };
  };
  const top = Math.min(head.number, store.height);
  if (top <= anchor.height) return found(anchor, false);

  const check = async (height: number): Promise<Cursor | "differs" | Location> => {
    const decided = await decidedPayload(store, height);
    if (decided === null) return { kind: "pruned", needed: height };
    const { blockHash } = decided.payload.envelope;
    const theirs = height === head.number ? { ok: true as const, value: head } : await api.block(height);
    if (!theirs.ok) return { kind: "failed", failure: theirs.failure };
    return theirs.value !== null && bytesEqual(theirs.value.hash, blockHash)
      ? { height, hash: blockHash }
      : "differs";
  };

  const highest = await check(top);
  if (highest !== "differs") return "kind" in highest ? highest : found(highest, false);
  // Both chains are prefix-closed: bisect for the last common height.
  let common = anchor;
  let different = top;
  while (different - common.height > 1) {
    const middle = Math.floor((common.height + different) / 2);
    const result = await check(middle);
    if (result === "differs") different = middle;
    else if ("kind" in result) return result;
    else common = result;
  }
  return found(common, true);
}
