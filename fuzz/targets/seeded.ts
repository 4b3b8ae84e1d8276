/**
 * Targets whose input is a seed (8 bytes) from which keys, encodings and messages are drawn, so that nearly all inputs get
 * past the first check.
 */
import { Random } from "../random.ts";
import type { Outcome, Target } from "../target.ts";

/** What is drawn from a seed depends on the seed alone. */
export const seeded = (
  name: string,
  what: string,
  run: (random: Random) => Outcome | Promise<Outcome>,
): Target => ({
  name,
  what,
  // Most of the time is the judges' own.
  maxMs: Number.POSITIVE_INFINITY,
  valid: (random) => random.bytes(8),
  mutate: (_bytes, random) => random.bytes(8),
  run: (input) => {
    const seed = new Uint8Array(8);
    seed.set(input.subarray(0, 8));
    const view = new DataView(seed.buffer);
    return run(new Random((view.getUint32(0) % 2 ** 21) * 2 ** 32 + view.getUint32(4)));
  },
});

/** Made when the first input needs them: a thousand scalar multiplications. */
export function lazily<T>(make: () => T): () => T {
  let made: { readonly value: T } | null = null;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
