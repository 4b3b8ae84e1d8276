import type { Commit } from "@quorate/chain";
import { toHexUpper } from "@quorate/crypto";

export type SyncErrorCode =
  /** +2/3 signed a block that the rules here refuse: this node's state or software differs from the chain's. */
  | "DIVERGED"
  /** +2/3 signed another block at the last height than the one committed here: see {@link ForkFound}. */
  | "FORK";

/** What block sync cannot go on from. Bad peers are reported, never thrown. */
export class SyncError extends Error {
  override readonly name = "SyncError";
  readonly code: SyncErrorCode;
  readonly facts: Readonly<Record<string, unknown>>;

  constructor(code: SyncErrorCode, message: string, facts: Readonly<Record<string, unknown>>) {
    super(message);
    this.code = code;
    this.facts = facts;
  }
}

/** A second block with a valid commit, at the last height of this node's chain. */
export class ForkFound extends SyncError {
  /** By which the others decided it, every signature verified. */
  readonly commit: Commit;

  constructor(commit: Commit) {
    const { height, blockId } = commit;
    const hash = toHexUpper(blockId.hash);
    super("FORK", `+2/3 signed block ${height} ${hash}, another one than was committed here`, {
      height,
      blockHash: hash,
    });
    this.commit = commit;
  }
}
