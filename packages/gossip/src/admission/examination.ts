import type { SignatureCheck } from "@quorate/crypto";
import type { Offence } from "../types.ts";

/** What the checks before the signature found. */
export type Examination =
  /** Known already, out of the window, or no room: nothing to say about it. */
  | { readonly kind: "drop" }
  | { readonly kind: "offence"; readonly offence: Offence }
  /** Needed no signature and is delivered; `origin` as in {@link Verify}. */
  | { readonly kind: "done"; readonly origin: number | null }
  | Verify;

export interface Verify {
  readonly kind: "verify";
  readonly checks: readonly SignatureCheck[];
  /** Nothing is spent on the other checks before the first one holds: what is made up costs one. */
  readonly firstAlone: boolean;
  /** Of the sender if a check fails. */
  readonly offence: Offence;
  /** Validator (by set index) that made the message, `null` = it has no single origin. */
  readonly origin: number | null;
  /**
   * All signatures are good: remember and deliver, or hold for the next height. `stale`: another copy came first.
   * An offence: the message was good and delivered, but what it carried besides was not.
   */
  accept(): Offence | "stale" | null;
  /** Verification did not happen or failed: forget that it was under way. */
  release(): void;
}

export const DROP: Examination = { kind: "drop" };

export function offence(found: Offence): Examination {
  return { kind: "offence", offence: found };
}
