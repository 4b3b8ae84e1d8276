export type SyncErrorCode =
  /** +2/3 signed a block that the rules here refuse: this node's state or software differs from the chain's. */
  "DIVERGED";

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
