/** What the fuzzer asks of a decoder. */
import type { Random } from "./random.ts";

/** An input was taken or refused; both are right. Everything else a decoder does breaks a law. */
export type Outcome = "accepted" | "refused";

/** A law that an input broke, in words. */
export class Violation extends Error {
  override readonly name = "Violation";
}

export interface Target {
  /** As in `--target`. */
  readonly name: string;
  /** What is decoded, for the list of targets. */
  readonly what: string;
  /** Bytes that are worth changing: valid encodings of random values. */
  readonly valid: (random: Random) => Uint8Array;
  /** How they are changed. */
  readonly mutate: (bytes: Uint8Array, random: Random, others: readonly Uint8Array[]) => Uint8Array;
  /**
   * Gives the input to the decoder.
   * @throws Violation when a law is broken; any other error that escapes breaks the first law.
   */
  readonly run: (input: Uint8Array) => Outcome | Promise<Outcome>;
  /** ms of CPU time that one input may take; {@link MAX_MS} unless said. Larger only where one input is many of the product's own. */
  readonly maxMs?: number;
  readonly close?: () => Promise<void>;
}

/** No input holds the event loop longer than this. */
export const MAX_MS = 50;

/** Runs a decoder whose refusals are errors of known classes. */
export function refusable(
  classes: readonly (abstract new (...args: never[]) => Error)[],
  run: () => void,
): Outcome {
  try {
    run();
    return "accepted";
  } catch (error) {
    if (classes.some((each) => error instanceof each)) return "refused";
    throw error;
  }
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0;
}

/** A canonical format: what is accepted encodes to the very same bytes. */
export function canonical<T>(options: {
  readonly name: string;
  readonly what: string;
  readonly refusals: readonly (abstract new (...args: never[]) => Error)[];
  readonly make: (random: Random) => T;
  readonly encode: (value: T) => Uint8Array;
  readonly decode: (bytes: Uint8Array) => T;
  readonly mutate: Target["mutate"];
}): Target {
  const { name, what, refusals, make, encode, decode, mutate } = options;
  return {
    name,
    what,
    valid: (random) => encode(make(random)),
    mutate,
    run: (input) => {
      const kept = input.slice();
      const outcome = refusable(refusals, () => {
        const value = decode(input);
        let again: Uint8Array;
        try {
          again = encode(value);
        } catch (error) {
          throw new Violation(`what was accepted cannot be encoded: ${String(error)}`);
        }
        if (!sameBytes(again, input)) throw new Violation("what was accepted encodes to other bytes");
      });
      if (!sameBytes(kept, input)) throw new Violation("the decoder changed its input");
      return outcome;
    },
  };
}
