/** What decoders of our own formats share. */
import { ChainError } from "./errors.ts";

export function malformed(what: string): ChainError {
  return new ChainError("DECODE", what, {});
}

/** The value that a tag stands for. @throws ChainError `DECODE`. */
export function oneOf<T>(index: number, values: readonly T[]): T {
  const value = values[index];
  if (value === undefined) throw malformed(`a tag of ${index} stands for nothing`);
  return value;
}
