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

/** The event loop while 10,000 signatures arrive per second, round by round. */
export interface VerificationLoop {
  readonly what: string;
  readonly p99Ms: readonly number[];
  /** Share of a core that the receiving thread used. */
  readonly cpu: readonly number[];
  /** Signatures that it took in per second. */
  readonly perSecond: readonly number[];
  /** Whether {@link LOOP_MARGIN_MS} is asked of it. */
  readonly goal: boolean;
}

/** An idle loop's p99 was 1.2 ms where 3 ms were set as the goal. */
export const LOOP_MARGIN_MS = 2;

export interface Verification {
  readonly on: Environment;
  /** The first is that of an idle loop. */
  readonly loops: readonly VerificationLoop[];
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

const loopBound = ({ loops }: Verification): number => median(loops[0]?.p99Ms ?? []) + LOOP_MARGIN_MS;

export function loopRows(result: Verification): readonly (readonly string[])[] {
  return [
    [
      "10,000 signatures per second",
      "taken",
      "event loop p99, ms",
      "min..max",
      "CPU µs of this thread each",
      "goal",
      "met",
    ],
    ...result.loops.map(({ what, p99Ms, cpu, perSecond, goal }) => [
      what,
      String(Math.round(median(perSecond))),
      figure(median(p99Ms)),
      `${figure(Math.min(...p99Ms))}..${figure(Math.max(...p99Ms))}`,
      median(perSecond) === 0 ? "-" : figure((1e6 * median(cpu)) / median(perSecond)),
      goal ? `≤ idle + ${LOOP_MARGIN_MS}` : "-",
      goal ? (median(p99Ms) <= loopBound(result) ? "met" : "missed") : "-",
    ]),
  ];
}

export function missedVerification(result: Verification): readonly string[] {
  const late = result.loops
    .filter(({ goal, p99Ms }) => goal && !(median(p99Ms) <= loopBound(result)))
    .map(
      ({ what, p99Ms }) =>
        `${what}: event loop p99 ${figure(median(p99Ms))} ms, goal ${figure(loopBound(result))} ms`,
    );
  return [...slow(result), ...late];
}

function slow(result: Verification): readonly string[] {
  return result.cases
    .filter((each) => each.goal > 0 && !(speedup(result, each) >= needed(each.goal)))
    .map(
      (each) =>
        `${each.backend}, batches of ${each.batch} under ${each.keys} keys: ${times(speedup(result, each))} of OpenSSL, goal ${times(needed(each.goal))}`,
    );
}
