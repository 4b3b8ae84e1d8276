/** Proposer-priority arithmetic of CometBFT types/validator_set.go, exact to the clipped and wrapped int64. */
import { compareBytes } from "@quorate/crypto";
import type { Power, Validator } from "../types.ts";

const MAX_INT64 = 2n ** 63n - 1n;
const MIN_INT64 = -(2n ** 63n);

function clip(value: bigint): bigint {
  if (value > MAX_INT64) return MAX_INT64;
  return value < MIN_INT64 ? MIN_INT64 : value;
}

function wrap(value: bigint): bigint {
  return BigInt.asIntN(64, value);
}

/** Sum of powers; the caller has checked that it stays within the limit. */
export function totalPowerOf(validators: readonly { readonly power: Power }[]): Power {
  let total = 0n;
  for (const validator of validators) total += validator.power;
  return total;
}

/** Divides all priorities so that highest and lowest are at most twice the total power apart. */
export function rescalePriorities(priorities: bigint[], window: bigint): void {
  if (window <= 0n) return;
  let max = MIN_INT64;
  let min = MAX_INT64;
  for (const priority of priorities) {
    if (priority > max) max = priority;
    if (priority < min) min = priority;
  }
  let difference = wrap(max - min);
  if (difference < 0n) difference = wrap(-difference);
  if (difference <= window) return;
  const ratio = wrap(difference + window - 1n) / window;
  // BigInt division truncates towards zero, as Go's does.
  for (let i = 0; i < priorities.length; i++) priorities[i] = wrap(priorities[i]! / ratio);
}

function floorDivide(dividend: bigint, divisor: bigint): bigint {
  const quotient = dividend / divisor;
  return dividend % divisor < 0n ? quotient - 1n : quotient;
}

function shiftByAverage(priorities: bigint[]): void {
  let sum = 0n;
  for (const priority of priorities) sum += priority;
  const average = floorDivide(sum, BigInt(priorities.length));
  for (let i = 0; i < priorities.length; i++) priorities[i] = clip(priorities[i]! - average);
}

/** Priorities rescaled to the window of twice the total power, then centred on zero; once per call of the rotation. */
export function normalisePriorities(validators: readonly Validator[], totalPower: Power): bigint[] {
  const priorities = validators.map((validator) => validator.priority);
  rescalePriorities(priorities, 2n * totalPower);
  shiftByAverage(priorities);
  return priorities;
}

/** Steps from which doubles win back what it takes to make them of a set, and a set of them: a height makes one. */
const DOUBLES_FROM = 8;

/** Whether rotating stays exact in double arithmetic: priorities never leave (n + 2) times the widest value. */
function fitsDouble(priorities: readonly bigint[], totalPower: Power): boolean {
  let widest = totalPower;
  for (const priority of priorities) {
    const size = priority < 0n ? -priority : priority;
    if (size > widest) widest = size;
  }
  return widest * BigInt(2 * priorities.length + 4) < BigInt(Number.MAX_SAFE_INTEGER);
}

/**
 * `times` steps of the rotation on `priorities` in place: everyone gains its power, then the highest (ties: the lowest
 * address) proposes and pays the total. Answers the index of the last proposer.
 */
export function rotate(
  priorities: bigint[],
  validators: readonly Validator[],
  totalPower: Power,
  times: number,
): number {
  return times >= DOUBLES_FROM && fitsDouble(priorities, totalPower)
    ? rotateDoubles(priorities, validators, totalPower, times)
    : rotateBigInts(priorities, validators, totalPower, times);
}

function rotateBigInts(
  priorities: bigint[],
  validators: readonly Validator[],
  totalPower: Power,
  times: number,
): number {
  let proposer = 0;
  for (let step = 0; step < times; step++) {
    proposer = -1;
    for (let i = 0; i < priorities.length; i++) {
      const priority = clip(priorities[i]! + validators[i]!.power);
      priorities[i] = priority;
      if (proposer < 0 || priority > priorities[proposer]!) proposer = i;
      else if (priority === priorities[proposer]! && precedes(validators, i, proposer)) proposer = i;
    }
    priorities[proposer] = clip(priorities[proposer]! - totalPower);
  }
  return proposer;
}

function rotateDoubles(
  priorities: bigint[],
  validators: readonly Validator[],
  totalPower: Power,
  times: number,
): number {
  const values = Float64Array.from(priorities, Number);
  const powers = Float64Array.from(validators, (validator) => Number(validator.power));
  const total = Number(totalPower);
  let proposer = 0;
  for (let step = 0; step < times; step++) {
    proposer = 0;
    for (let i = 0; i < values.length; i++) {
      values[i]! += powers[i]!;
      if (i === 0) continue;
      const difference = values[i]! - values[proposer]!;
      if (difference > 0 || (difference === 0 && precedes(validators, i, proposer))) proposer = i;
    }
    values[proposer]! -= total;
  }
  for (let i = 0; i < values.length; i++) priorities[i] = BigInt(values[i]!);
  return proposer;
}

function precedes(validators: readonly Validator[], a: number, b: number): boolean {
  return compareBytes(validators[a]!.address, validators[b]!.address) < 0;
}
