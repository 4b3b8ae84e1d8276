export type ConsensusErrorCode =
  /** Bytes that are not one input or snapshot of this version. */
  | "DECODE"
  /** A rule of the driver fired again and again on one input: a bug, never a peer's doing. */
  | "UNSETTLED"
  /** A step broke what holds after every step: a bug, never a peer's doing. */
  | "INVARIANT";

/** The only error the core throws. `code` is stable; `facts` names what was found. */
export class ConsensusError extends Error {
  readonly code: ConsensusErrorCode;
  readonly facts: Readonly<Record<string, string | number>>;

  constructor(
    code: ConsensusErrorCode,
    message: string,
    facts: Readonly<Record<string, string | number>> = {},
  ) {
    super(message);
    this.name = "ConsensusError";
    this.code = code;
    this.facts = facts;
  }
}
