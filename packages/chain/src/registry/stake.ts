/** Stake mode: power follows from stake, one for each whole ether; what leaves is owed after the evidence age. */
import { ChangeKind, type Power, type QueuedChange, type Registry, type RegistryEntry } from "../types.ts";
import { GWEI_PER_POWER, MAX_STAKE_GWEI, MIN_STAKE_GWEI } from "./bounds.ts";
import { heldPayout } from "./payouts.ts";
import { registryEntry } from "./registry.ts";
import { dropped, isFull, isLast, newEntry, stays, type Turn, withChanged } from "./turn.ts";

export function powerOfStake(gwei: bigint): Power {
  return gwei / GWEI_PER_POWER;
}

/** What a queued change does to stake and power, moving at most `left` of power. */
export function stakeTurn(registry: Registry, change: QueuedChange, left: Power): Turn {
  const entry = registryEntry(registry, change.pubKey);
  if (change.kind === ChangeKind.deposit) return depositTurn(registry, entry, change, left);
  if (entry === null || entry.status === 2) return dropped(registry);
  if (change.kind === ChangeKind.withdraw) return withdrawTurn(registry, entry, change, left);
  if (isLast(registry, entry.power)) return dropped(stays(registry, entry));
  if (entry.power > left) return lowered(registry, entry, change, left * GWEI_PER_POWER, left, change);
  const owed = heldPayout(entry.pubKey, entry.owner, entry.stakeGwei);
  const gone: RegistryEntry = { ...entry, power: 0n, status: 1, stakeGwei: 0n };
  return { registry: withChanged(registry, gone, owed), moved: entry.power, rest: null };
}

/** A deposit that cannot be taken in its turn goes back to the owner. */
function depositTurn(
  registry: Registry,
  entry: RegistryEntry | null,
  change: QueuedChange,
  left: Power,
): Turn {
  const from = entry ?? newEntry(change);
  const whole = from.stakeGwei + change.value;
  if (from.status !== 0 || whole > MAX_STAKE_GWEI || (from.power === 0n && isFull(registry))) {
    const back = heldPayout(change.pubKey, from.owner, change.value);
    return dropped({ ...registry, payouts: [...registry.payouts, back] });
  }
  const rise = powerOfStake(whole) - from.power;
  if (rise <= left) {
    const raised: RegistryEntry = { ...from, stakeGwei: whole, power: from.power + rise, unlockHeight: 0 };
    return { registry: withChanged(registry, raised), moved: rise, rest: null };
  }
  if (left === 0n) return { registry, moved: 0n, rest: change };
  const part = left * GWEI_PER_POWER;
  const raised: RegistryEntry = {
    ...from,
    stakeGwei: from.stakeGwei + part,
    power: from.power + left,
    unlockHeight: 0,
  };
  return {
    registry: withChanged(registry, raised),
    moved: left,
    rest: { ...change, value: change.value - part },
  };
}

/** Takes what is above the least stake, and no more than was asked for. */
function withdrawTurn(registry: Registry, entry: RegistryEntry, change: QueuedChange, left: Power): Turn {
  const free = entry.stakeGwei - MIN_STAKE_GWEI;
  if (entry.status !== 0 || free <= 0n) return dropped(registry);
  const gwei = least(change.value, free);
  const fall = entry.power - powerOfStake(entry.stakeGwei - gwei);
  if (fall <= left) return lowered(registry, entry, change, gwei, fall, null);
  const part = left * GWEI_PER_POWER;
  return lowered(registry, entry, change, part, left, { ...change, value: gwei - part });
}

function lowered(
  registry: Registry,
  entry: RegistryEntry,
  change: QueuedChange,
  gwei: bigint,
  moved: Power,
  rest: QueuedChange | null,
): Turn {
  if (gwei === 0n) return { registry, moved: 0n, rest };
  const owed = heldPayout(change.pubKey, entry.owner, gwei);
  const next: RegistryEntry = {
    ...entry,
    stakeGwei: entry.stakeGwei - gwei,
    power: entry.power - moved,
  };
  return { registry: withChanged(registry, next, owed), moved, rest };
}

/** `Math.min` of amounts. */
function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
