/** Validator sets and their proposers (CometBFT types/validator_set.go v0.38). */
import { addressOf, bytesEqual, compareBytes } from "@quorate/crypto";
import { ChainError } from "../errors.ts";
import { MAX_ROUNDS_AHEAD, MAX_TOTAL_POWER, MAX_VALIDATORS, PUBLIC_KEY_SIZE } from "../limits.ts";
import type { Address, Power, Round, Validator, ValidatorSet } from "../types.ts";
import { normalisePriorities, rotate, totalPowerOf } from "./priority.ts";

/** A validator's key and its power; power 0 in a change removes it. */
export interface ValidatorPower {
  /** Ed25519, 32 bytes. */
  readonly pubKey: Uint8Array;
  /** 0 .. {@link MAX_TOTAL_POWER}. */
  readonly power: Power;
}

function refuse(reason: string, message: string): ChainError {
  return new ChainError("VALIDATORS", `validator set: ${message}`, { reason });
}

function checkTotal(total: Power): void {
  if (total > MAX_TOTAL_POWER) {
    throw refuse("total_power_overflow", `total power ${total} is above the limit ${MAX_TOTAL_POWER}`);
  }
}

/** Order of a set: power descending, then address ascending. */
export function compareValidators(a: Validator, b: Validator): number {
  if (a.power !== b.power) return a.power > b.power ? -1 : 1;
  return compareBytes(a.address, b.address);
}

/** The changes as validators in address order, each checked for itself. */
function checkedChanges(changes: readonly ValidatorPower[]): Validator[] {
  const sorted = changes
    .map(({ pubKey, power }) => ({ address: addressOf(pubKey), pubKey, power, priority: 0n }))
    .sort((a, b) => compareBytes(a.address, b.address));
  for (const [i, { pubKey, power, address }] of sorted.entries()) {
    if (pubKey.length !== PUBLIC_KEY_SIZE)
      throw refuse("key_length", `a key has ${pubKey.length} bytes, not 32`);
    if (i > 0 && bytesEqual(address, sorted[i - 1]!.address)) {
      throw refuse("duplicate_validator", "a validator is named twice");
    }
    if (power < 0n) throw refuse("negative_power", `power ${power} is negative`);
    if (power > MAX_TOTAL_POWER) throw refuse("power_too_high", `power ${power} is above ${MAX_TOTAL_POWER}`);
  }
  return sorted;
}

/** @throws ChainError when some order of applying the changes overflows: they are walked by rising difference. */
function totalAfterUpdates(
  known: ReadonlyMap<Validator, Validator | undefined>,
  updates: readonly Validator[],
  total: Power,
  removed: Power,
): Power {
  const differences = updates.map((update) => update.power - (known.get(update)?.power ?? 0n));
  differences.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  let running = total - removed;
  for (const difference of differences) {
    running += difference;
    checkTotal(running);
  }
  return running + removed;
}

function applyChanges(validators: readonly Validator[], changes: readonly Validator[]): Validator[] {
  const byAddress = indexByAddress(validators);
  const known = new Map(changes.map((change) => [change, findIn(byAddress, change.address)]));
  const updates = changes.filter((change) => change.power > 0n);
  const removals = changes.filter((change) => change.power === 0n);
  const added = updates.filter((update) => known.get(update) === undefined).length;
  if (added === 0 && removals.length === validators.length) {
    throw refuse("empty_result", "the changes would leave no validator");
  }
  let removedPower = 0n;
  for (const removal of removals) {
    const validator = known.get(removal);
    if (validator === undefined) throw refuse("unknown_removal", "a validator to remove is not in the set");
    removedPower += validator.power;
  }
  const total = totalAfterUpdates(known, updates, totalPowerOf(validators), removedPower);
  if (validators.length + added - removals.length > MAX_VALIDATORS) {
    throw refuse("too_many", `a set has at most ${MAX_VALIDATORS} validators`);
  }
  // A newcomer starts 1.125 totals back, so that leaving and coming back never pays.
  const newcomerPriority = -(total + (total >> 3n));
  const kept = new Set(validators);
  for (const change of changes) {
    const validator = known.get(change);
    if (validator !== undefined) kept.delete(validator);
  }
  const changed = updates.map((update) => ({
    ...update,
    priority: known.get(update)?.priority ?? newcomerPriority,
  }));
  return [...kept, ...changed];
}

function indexByAddress(validators: readonly Validator[]): Map<string, Validator> {
  return new Map(validators.map((validator) => [addressKey(validator.address), validator]));
}

function findIn(index: ReadonlyMap<string, Validator>, address: Address): Validator | undefined {
  return index.get(addressKey(address));
}

function addressKey(address: Address): string {
  return String.fromCharCode(...address);
}

function centred(validators: readonly Validator[]): Validator[] {
  const priorities = normalisePriorities(validators, totalPowerOf(validators));
  return validators
    .map((validator, i) => ({ ...validator, priority: priorities[i]! }))
    .sort(compareValidators);
}

/**
 * A new set in order, its proposer chosen by one increment.
 * @throws ChainError `VALIDATORS` when it is empty or names a validator twice, when a power is not positive or the
 * total above {@link MAX_TOTAL_POWER}; `facts.reason` says which.
 */
export function makeValidatorSet(list: readonly ValidatorPower[]): ValidatorSet {
  if (list.length === 0) throw refuse("empty_set", "a set has at least one validator");
  const changes = checkedChanges(list);
  if (changes.some((change) => change.power === 0n))
    throw refuse("zero_power", "a new validator has power 0");
  const validators = centred(applyChanges([], changes));
  return incrementProposerPriority(
    { validators, proposer: validators[0]!, totalPower: totalPowerOf(validators) },
    1,
  );
}

/**
 * The set after changes of power: new validators join, power 0 removes. Until the next
 * {@link incrementProposerPriority} its `proposer` is the old one, which may just have been removed.
 * @throws ChainError `VALIDATORS` when a change is refused; nothing of it is applied then.
 */
export function updateValidatorSet(set: ValidatorSet, changes: readonly ValidatorPower[]): ValidatorSet {
  if (changes.length === 0) return set;
  const validators = centred(applyChanges(set.validators, checkedChanges(changes)));
  return { validators, proposer: set.proposer, totalPower: totalPowerOf(validators) };
}

/**
 * The set after `times` steps of the proposer rotation in one call: rescaled and centred once, so it is not the same as
 * `times` calls with 1. `times` 0 answers the set itself.
 * @throws ChainError `VALIDATORS` when `times` is not 0 .. {@link MAX_ROUNDS_AHEAD}.
 */
export function incrementProposerPriority(set: ValidatorSet, times: number): ValidatorSet {
  if (times === 0) return set;
  if (!Number.isInteger(times) || times < 0 || times > MAX_ROUNDS_AHEAD) {
    throw refuse("increments", `cannot rotate the proposer ${times} times`);
  }
  const priorities = normalisePriorities(set.validators, set.totalPower);
  const proposer = rotate(priorities, set.validators, set.totalPower, times);
  const validators = set.validators.map((validator, i) => ({ ...validator, priority: priorities[i]! }));
  return { validators, proposer: validators[proposer]!, totalPower: set.totalPower };
}

/**
 * The proposer of a round: that of the height's own set in round 0, after it one call of the rotation with the round's
 * number, however the round was reached.
 */
export function proposerOf(set: ValidatorSet, round: Round): Validator {
  return round === 0 ? set.proposer : incrementProposerPriority(set, round).proposer;
}

/** Place and entry of an address in a set, or null. */
export function validatorByAddress(
  set: ValidatorSet,
  address: Address,
): { readonly index: number; readonly validator: Validator } | null {
  for (let index = 0; index < set.validators.length; index++) {
    const validator = set.validators[index]!;
    if (bytesEqual(validator.address, address)) return { index, validator };
  }
  return null;
}

/**
 * A set from a list that carries priorities, as the RPC of a chain shows it. Which validator proposed last is not in
 * the list: it is guessed as CometBFT does, by the lowest priority, ties to the highest address.
 * @throws ChainError `VALIDATORS` when the list is empty, not sound, or not in order after sorting.
 */
export function validatorSetFromList(list: readonly Validator[]): ValidatorSet {
  const validators = [...list].sort(compareValidators);
  const fault = validatorListFault(validators);
  if (fault !== null) throw refuse("malformed", fault);
  let proposer = validators[0]!;
  for (const candidate of validators) {
    const lower = candidate.priority < proposer.priority;
    const tied = candidate.priority === proposer.priority;
    if (lower || (tied && compareBytes(candidate.address, proposer.address) > 0)) proposer = candidate;
  }
  return { validators, proposer, totalPower: totalPowerOf(validators) };
}

/** What is wrong with one entry, or null. */
export function validatorFault(validator: Validator): string | null {
  if (validator.pubKey.length !== PUBLIC_KEY_SIZE) return `key has ${validator.pubKey.length} bytes, not 32`;
  if (!bytesEqual(validator.address, addressOf(validator.pubKey))) return "address is not that of the key";
  return validator.power > 0n ? null : `power ${validator.power} is not positive`;
}

/** What is wrong with a list that is to be a set: size, entries, order, total. Null when nothing is. */
export function validatorListFault(validators: readonly Validator[]): string | null {
  if (validators.length > MAX_VALIDATORS) return `${validators.length} validators, at most ${MAX_VALIDATORS}`;
  for (const [i, validator] of validators.entries()) {
    const fault = validatorFault(validator);
    if (fault !== null) return `entry ${i}: ${fault}`;
  }
  return arrangementFault(validators);
}

/**
 * What is wrong with a list whose entries are sound each for itself: size, order, total. Whoever has checked the
 * entries does not pay for their addresses again: an address is a hash.
 */
export function arrangementFault(validators: readonly Validator[]): string | null {
  if (validators.length === 0) return "a set has at least one validator";
  if (validators.length > MAX_VALIDATORS) return `${validators.length} validators, at most ${MAX_VALIDATORS}`;
  let total = 0n;
  const seen = new Set<string>();
  for (const [i, validator] of validators.entries()) {
    if (i > 0 && compareValidators(validators[i - 1]!, validator) >= 0) return `entry ${i} is out of order`;
    const key = addressKey(validator.address);
    if (seen.has(key)) return `entry ${i} is there twice`;
    seen.add(key);
    total += validator.power;
  }
  return total > MAX_TOTAL_POWER ? `total power ${total} is above ${MAX_TOTAL_POWER}` : null;
}

/** Smallest power that is strictly more than two thirds of the total. */
export function quorum(total: Power): Power {
  return (total * 2n) / 3n + 1n;
}

/** Smallest power that is strictly more than one third of the total. */
export function oneThird(total: Power): Power {
  return total / 3n + 1n;
}
