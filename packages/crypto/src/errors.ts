/** What went wrong: `HEX` and `UTF8` malformed text or bytes, `KEY` a seed of the wrong form, `CLOSED` use after close. */
export type CryptoErrorCode = "HEX" | "UTF8" | "KEY" | "CLOSED";

/** The one error of this package: a bad argument or state. Verification never throws, it answers false. */
export class CryptoError extends Error {
  readonly code: CryptoErrorCode;
  readonly facts: Readonly<Record<string, unknown>>;

  constructor(code: CryptoErrorCode, message: string, facts: Readonly<Record<string, unknown>> = {}) {
    super(message);
    this.name = "CryptoError";
    this.code = code;
    this.facts = facts;
  }
}
