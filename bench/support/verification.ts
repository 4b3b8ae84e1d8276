/** Figures of `npm run bench:verify`: signatures per second and core, each beside OpenSSL's in the same round. */
import { figure, times } from "./comparison.ts";
import { median } from "./measure.ts";
import type { Environment } from "./results.ts";

/** What OpenSSL verifies per second on a quiet core of the machine that the goals were set on. */
export const OPENSSL_REFERENCE = 15_000;

export interface VerificationCase {
  readonly backend: string;
  /** Signatures of a batch; 1 = one by one. */
  readonly batch: number;
  /** Distinct keys among them. */
  readonly keys: number;
  /** Signatures per second where OpenSSL does {@link OPENSSL_REFERENCE}; 0 = none. */
  readonly goal: number;
  /** CPU µs per signature, round by round. */
  readonly us: readonly number[];
}

/** CPU µs, round by round, of a part of the work done in two ways. */
export interface VerificationPart {
  readonly what: string;
  readonly us: readonly number[];
}

export interface Verification {
  readonly on: Environment;
  /** The first is OpenSSL's. */
  readonly cases: readonly VerificationCase[];
  readonly parts: readonly VerificationPart[];
}

/** Median over the rounds of OpenSSL's time over this one's: what disturbs a round disturbs both. */
export function speedup({ cases }: Verification, of: VerificationCase): number {
  const base = cases[0]?.us ?? [];
  return median(of.us.map((us, round) => (base[round] ?? Number.NaN) / us));
}

const perSecond = (us: number): string => String(Math.round(1e6 / us));
const needed = (goal: number): number => goal / OPENSSL_REFERENCE;

export function verificationRows(result: Verification): readonly (readonly string[])[] {
  return [
    ["backend", "batch", "keys", "signatures/s/core", "min..max", "µs each", "of OpenSSL", "goal", "met"],
    ...result.cases.map((each) => {
      const ratio = speedup(result, each);
      return [
        each.backend,
        String(each.batch),
        String(each.keys),
        perSecond(median(each.us)),
        `${perSecond(Math.max(...each.us))}..${perSecond(Math.min(...each.us))}`,
        figure(median(each.us)),
        times(ratio),
        each.goal === 0
          ? "-"
          : `≥ ${times(needed(each.goal))} (${each.goal} where OpenSSL does ${OPENSSL_REFERENCE})`,
        each.goal === 0 ? "-" : ratio >= needed(each.goal) ? "met" : "missed",
      ];
    }),
  ];
}

export function missedVerification(result: Verification): readonly string[] {
  return result.cases
    .filter((each) => each.goal > 0 && !(speedup(result, each) >= needed(each.goal)))
    .map(
      (each) =>
        `${each.backend}, batches of ${each.batch} under ${each.keys} keys: ${times(speedup(result, each))} of OpenSSL, goal ${times(needed(each.goal))}`,
    );
}
