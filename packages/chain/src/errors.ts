/**
 * The one error of this package. `code` is stable and for programs, the message for people, `facts` for logs.
 *
 * Codes of the byte half: `DECODE` malformed, non-canonical or out-of-range bytes; `ENCODE` a value that has no
 * encoding; `TIME` text or number that is no time; `VALIDATORS` a refused validator set or change of one; `COMMIT` and
 * `CERTIFICATE` signatures that do not fit their set; `EVIDENCE` evidence that proves nothing; `PARTS` a part that
 * does not fit its set; `INVALID` a value that CometBFT's ValidateBasic refuses; `LIGHT` a header that a light client
 * cannot follow.
 */
export class ChainError extends Error {
  readonly code: string;
  readonly facts: Readonly<Record<string, unknown>>;

  constructor(code: string, message: string, facts: Readonly<Record<string, unknown>> = {}) {
    super(message);
    this.name = "ChainError";
    this.code = code;
    this.facts = facts;
  }
}
