import type { SignatureCheck } from "@quorate/crypto";
import { unpackChecks } from "./packing.ts";

/**
 * What was accepted in batches of late, packed as it went to a thread and came back: when the backend that accepted it
 * turns out to be wrong, this is asked again.
 */
export class Accepted {
  readonly #limit: number;
  readonly #groups: { readonly checks: ArrayBuffer; readonly verdicts: Uint8Array }[] = [];
  #bytes = 0;

  /** `limit`: bytes kept; the oldest groups go first. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  add(checks: ArrayBuffer, verdicts: Uint8Array): void {
    this.#groups.push({ checks, verdicts });
    this.#bytes += checks.byteLength + verdicts.byteLength;
    while (this.#bytes > this.#limit) {
      const oldest = this.#groups.shift()!;
      this.#bytes -= oldest.checks.byteLength + oldest.verdicts.byteLength;
    }
  }

  /** Takes everything out, latest group first. */
  take(): SignatureCheck[][] {
    this.#bytes = 0;
    return this.#groups
      .splice(0)
      .reverse()
      .map(({ checks, verdicts }) =>
        unpackChecks(checks).filter(
          (check, i): check is SignatureCheck => check !== null && verdicts[i] === 1,
        ),
      )
      .filter((checks) => checks.length > 0);
  }
}
