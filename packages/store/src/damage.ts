import { ChainError, type Height } from "@quorate/chain";
import { StoreError } from "./errors.ts";

/** A height in a message. */
export function at(height: Height): string {
  return `height ${height}`;
}

/** `STORE_CORRUPT` with what to do about it. */
export function corrupt(what: string, facts: Readonly<Record<string, unknown>>, cause?: unknown): StoreError {
  return new StoreError(
    "STORE_CORRUPT",
    `the block store is damaged: ${what}; check the disk, then run \`validator reset\` and let the node sync again`,
    facts,
    cause,
  );
}

/** Decodes what the index holds: whatever does not decode was damaged there. */
export function decoded<T>(what: string, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (error instanceof ChainError) throw corrupt(`${what} cannot be decoded`, { what }, error);
    throw error;
  }
}
