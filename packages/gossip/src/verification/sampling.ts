import type { SignatureCheck, VerifierBackend } from "@quorate/crypto";

export interface SamplingOptions {
  /** Share of verdicts asked again, 0 .. 1. */
  readonly rate: number;
  readonly random: () => number;
  /** Called once per difference; what it means (quarantine, re-verification, stop) is the caller's policy. */
  readonly onDifference: (check: SignatureCheck, primary: boolean) => void;
}

/**
 * A backend whose verdicts are asked again of an oracle: every rejection, because a peer is penalised for it, and a
 * random sample of acceptances. Where the two differ the oracle's verdict counts.
 */
export function sampledBackend(
  primary: VerifierBackend,
  oracle: VerifierBackend,
  options: SamplingOptions,
): VerifierBackend {
  const judge = (check: SignatureCheck, verdict: boolean): boolean => {
    if (verdict && options.random() >= options.rate) return true;
    const again = oracle.verify(check);
    if (again !== verdict) options.onDifference(check, verdict);
    return again;
  };
  return {
    name: primary.name,
    verify: (check) => judge(check, primary.verify(check)),
    verifyBatch: (checks) => primary.verifyBatch(checks).map((verdict, i) => judge(checks[i]!, verdict)),
  };
}
