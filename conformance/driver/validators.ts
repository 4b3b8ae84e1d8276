/** A validator set in which the model's proposers are the chain's: validator (r + 1) mod n in name order in round r. */
import { createHash } from "node:crypto";
import { makeValidatorSet, proposerOf, type Validator, type ValidatorSet } from "@quorate/chain";
import { fail } from "../case.ts";
import { namesOf } from "./trace.ts";

export interface ModelSet {
  readonly names: readonly string[];
  readonly set: ValidatorSet;
  /** Place in the set. */
  indexOf(name: string): number;
}

const keyOf = (name: string): Uint8Array =>
  new Uint8Array(createHash("sha256").update(`model ${name}`).digest());

/**
 * Priorities that give every validator one turn after the other, the first being name 1. Equal powers have exact ones;
 * for others a start is searched from which the rotation keeps the order up to `rounds`.
 */
export function modelSet(valset: Readonly<Record<string, number>>, rounds: number): ModelSet {
  const names = namesOf(valset);
  const made = makeValidatorSet(names.map((name) => ({ pubKey: keyOf(name), power: BigInt(valset[name]!) })));
  const nameOf = (validator: Validator): string =>
    names.find((name) => Buffer.compare(keyOf(name), validator.pubKey) === 0)!;
  const order = made.validators.map(nameOf);
  const turn = (name: string): number => (names.indexOf(name) - 1 + names.length) % names.length;
  const first = order.indexOf(names[1 % names.length]!);
  for (const spread of spreads(made, names.length)) {
    const validators = made.validators.map((validator, i) => ({
      ...validator,
      priority: spread(turn(order[i]!)),
    }));
    const set: ValidatorSet = { ...made, validators, proposer: validators[first]! };
    if (follows(set, order, names, rounds)) return { names, set, indexOf: (name) => order.indexOf(name) };
  }
  return fail(
    `no priorities make the proposers of rounds 0 to ${rounds} alternate with powers ${Object.values(valset)}`,
  );
}

function follows(
  set: ValidatorSet,
  order: readonly string[],
  names: readonly string[],
  rounds: number,
): boolean {
  for (let round = 0; round <= rounds; round++) {
    const proposer = proposerOf(set, round).address;
    const place = set.validators.findIndex(({ address }) => Buffer.compare(address, proposer) === 0);
    if (order[place] !== names[(round + 1) % names.length]) return false;
  }
  return true;
}

/** Candidate priorities by turn: ever wider steps; round 0's proposer has just paid. */
function* spreads(set: ValidatorSet, n: number): Generator<(turn: number) => bigint> {
  const half = BigInt(Math.floor(n / 2));
  const unit = set.validators[0]!.power;
  const steps = new Set([unit, set.totalPower / BigInt(n), set.totalPower / BigInt(2 * n) + 1n]);
  for (let k = 1n; k <= 64n; k++) steps.add((set.totalPower * 2n * k) / (64n * BigInt(n)) + 1n);
  for (const step of steps) {
    yield (turn) => (turn === 0 ? -step * half : step * (half - BigInt(turn)));
    // The one that has just proposed far behind all others.
    yield (turn) => (turn === 0 ? -step * BigInt(n) : step * (half - BigInt(turn)));
  }
}
