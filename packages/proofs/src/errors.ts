export type ProofErrorCode = "NODE" | "NOT_YET" | "MISMATCH";

/** Why there is no proof: the node or its header (`NODE`), a height too new (`NOT_YET`), another chain (`MISMATCH`). */
export class ProofError extends Error {
  override readonly name = "ProofError";
  readonly code: ProofErrorCode;
  readonly facts: Readonly<Record<string, unknown>>;

  constructor(code: ProofErrorCode, message: string, facts: Readonly<Record<string, unknown>>) {
    super(message);
    this.code = code;
    this.facts = facts;
  }
}
