/** What networks of bare cores are made of: validators in a known order of proposers, blocks by name, a fixed time. */
import { createHash } from "node:crypto";
import {
  type BlockId,
  type ChainParams,
  DEFAULT_PARAMS,
  makeValidatorSet,
  type Time,
  type Validator,
  type ValidatorSet,
} from "@quorate/chain";

export const PARAMS: ChainParams = DEFAULT_PARAMS;
export const LAST_TIME_MS = 1_700_000_000_000;
export const LAST_TIME: Time = BigInt(LAST_TIME_MS) * 1_000_000n;
/** Header time of every block unless said otherwise: one block interval after the last. */
export const BLOCK_TIME: Time = LAST_TIME + BigInt(PARAMS.blockIntervalMs) * 1_000_000n;
export const BLOCK_TIME_MS: number = LAST_TIME_MS + PARAMS.blockIntervalMs;

export function digest(text: string): Uint8Array {
  return new Uint8Array(createHash("sha256").update(text).digest());
}

/** `size` validators of power 1; the proposer of round r is number (first + r) mod size. */
export function validatorSet(size: number, first = 0): ValidatorSet {
  const made = makeValidatorSet(
    Array.from({ length: size }, (_, i) => ({ pubKey: digest(`validator ${i}`), power: 1n })),
  );
  const half = BigInt(Math.floor(size / 2));
  const validators: Validator[] = made.validators.map((validator, i) => {
    const turn = (i - first + size) % size;
    // The proposer of round 0 has just had its turn; the others follow one unit of priority apart.
    return { ...validator, priority: turn === 0 ? -half : half - BigInt(turn) };
  });
  return { ...made, validators, proposer: validators[first % size] ?? made.proposer };
}

const ids = new Map<string, BlockId>();

/** The id of the block of this name. The same name gives the same object. */
export function blockIdOf(name: string): BlockId {
  const known = ids.get(name);
  if (known) return known;
  const id: BlockId = {
    hash: digest(`block ${name}`),
    parts: { total: 1, hash: digest(`parts ${name}`) },
  };
  ids.set(name, id);
  return id;
}

const signatures = new Map<number, Uint8Array>();

/** Stands for a signature of this validator; nobody checks it. */
export function signature(index: number): Uint8Array {
  const known = signatures.get(index) ?? new Uint8Array(64).fill(index + 1);
  signatures.set(index, known);
  return known;
}
