/** What a vector is here, and how an expectation is compared. */
import { deepStrictEqual } from "node:assert/strict";

/** One vector of the CometBFT kind. Input and expectation are outside data: a judge reads them as it needs them. */
export interface Case {
  readonly name: string;
  readonly kind: string;
  readonly input: Json;
  readonly expect: Json;
}

/** An object of a vector file. Every field may be missing; what a judge makes of that is a failed case, never a crash. */
// biome-ignore lint/suspicious/noExplicitAny: the only place where JSON of unknown form enters
export type Json = any;

/** Judges one kind: throws with the difference when the vector and this code disagree. */
export interface Judge {
  /** `kind` of the case. */
  readonly kind: string;
  /** Tells kinds of the same name apart by the form of their input. */
  readonly takes: (input: Json, expect: Json) => boolean;
  readonly run: (input: Json, expect: Json) => void | Promise<void>;
}

/** A verdict as the vectors write it. `reason` is a word for the class of refusal, null = accepted. */
export interface Verdict {
  readonly ok: boolean;
  readonly reason?: string;
}

export const verdict = (reason: string | null): Verdict =>
  reason === null ? { ok: true } : { ok: false, reason };

export class Mismatch extends Error {
  override readonly name = "Mismatch";
}

export function fail(what: string): never {
  throw new Mismatch(what);
}

export function shown(value: unknown): string {
  const text =
    JSON.stringify(value, (_, inner) => (typeof inner === "bigint" ? `${inner}` : inner)) ?? "nothing";
  return text.length > 160 ? `${text.slice(0, 160)}… (${text.length} characters)` : text;
}

export function equal(actual: unknown, expected: unknown, what: string): void {
  try {
    deepStrictEqual(actual, expected);
  } catch {
    fail(`${what}: the vector says ${shown(expected)}, this code ${shown(actual)}`);
  }
}

/** The library's own words and quantities beside a verdict: not part of what is compared. */
const COMMENTS: ReadonlySet<string> = new Set(["go_error"]);

/** Reasons are compared between words that both sides are known to use; other words say no more than "refused". */
export type Vocabulary = ReadonlySet<string>;

function compareVerdict(actual: Verdict, expected: Json, what: string, vocabulary: Vocabulary): void {
  if (actual.ok !== expected.ok) {
    const said = (v: { ok: unknown; reason?: unknown }): string =>
      v.ok ? "accepted" : `refused (${v.reason})`;
    fail(`${what}: the vector says ${said(expected)}, this code ${said(actual)}`);
  }
  const { reason } = actual;
  if (reason === undefined || typeof expected.reason !== "string") return;
  if (vocabulary.has(reason) && vocabulary.has(expected.reason))
    equal(reason, expected.reason, `${what}: reason`);
}

const isVerdict = (value: Json): boolean =>
  typeof value === "object" && value !== null && typeof value.ok === "boolean";

/**
 * Compares every field that the vector expects with what was computed from its input; a field that nothing was computed
 * for fails, so that no expectation passes unread. Values may be functions, called only when they are expected.
 */
export function compare(
  expect: Json,
  computed: Readonly<Record<string, unknown>>,
  vocabulary: Vocabulary = new Set(),
): void {
  if (typeof expect !== "object" || expect === null) fail("the vector expects nothing");
  let compared = 0;
  for (const [field, expected] of Object.entries(expect as Record<string, Json>)) {
    if (COMMENTS.has(field)) continue;
    if (!Object.hasOwn(computed, field)) fail(`the vector expects "${field}", which no rule here computes`);
    const value = computed[field];
    const actual: unknown = typeof value === "function" ? value() : value;
    if (isVerdict(expected) && isVerdict(actual)) {
      compareVerdict(actual as Verdict, expected, field, vocabulary);
    } else equal(actual, expected, field);
    compared++;
  }
  if (compared === 0) fail("the vector expects nothing");
}

/** Splits the fields of a verdict that stands beside other fields, as `ok`, `reason`. */
export function compareWhole(expect: Json, reason: string | null, vocabulary: Vocabulary): void {
  if (!isVerdict(expect)) fail("the vector has no verdict");
  compareVerdict(verdict(reason), expect, "verdict", vocabulary);
}
