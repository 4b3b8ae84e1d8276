import { bytesEqual } from "@quorate/crypto";

/** The decided block the EL stands on. */
export interface Cursor {
  readonly height: number;
  readonly hash: Uint8Array;
}

/**
 * The guard of finality, which stock Geth does not keep (geth-verified §6): a head is only ever set to the cursor
 * itself or to a decided block above it. `null`: allowed.
 */
export function finalityBreach(cursor: Cursor, head: Cursor): string | null {
  if (head.height < cursor.height) {
    return `forkchoice to height ${head.height} would leave finalized height ${cursor.height}`;
  }
  if (head.height === cursor.height && !bytesEqual(head.hash, cursor.hash)) {
    return `forkchoice would replace the finalized block of height ${cursor.height}`;
  }
  return null;
}
