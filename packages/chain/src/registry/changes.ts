/** The queue of changes acting on powers, in order, within the bound of one height (docs/protocol.md §3; DESIGN §8). */
import { MAX_TOTAL_POWER } from "../limits.ts";
import { ChangeKind, type Power, type QueuedChange, type Registry, type RegistryEntry } from "../types.ts";
import { MAX_ACTIVE_VALIDATORS, MAX_CHANGES_PER_HEIGHT } from "./bounds.ts";
import { heldPayout } from "./payouts.ts";
import { registryEntry, withEntry } from "./registry.ts";

/** What one queued change does to the registry. */
interface Turn {
  readonly registry: Registry;
  /** Power that it moved. */
  readonly moved: Power;
  /** False: the rest of it stays at the head. */
  readonly complete: boolean;
}

/** The registry after the head of its queue acted, moving at most `bound` of power. */
export function applyQueue(registry: Registry, bound: Power): Registry {
  let left = bound;
  let next = registry;
  let done = 0;
  while (done < registry.changes.length && done < MAX_CHANGES_PER_HEIGHT) {
    const turn = applyChange(next, registry.changes[done]!, left);
    next = turn.registry;
    left -= turn.moved;
    if (!turn.complete) break;
    done++;
  }
  return done === 0 ? next : { ...next, changes: next.changes.slice(done) };
}

function applyChange(registry: Registry, change: QueuedChange, left: Power): Turn {
  const entry = registryEntry(registry, change.pubKey);
  if (entry?.status === 2) return dropped(registry);
  const current = entry?.power ?? 0n;
  const wanted = change.kind === ChangeKind.power ? change.value : 0n;
  if (wanted === 0n && isLast(registry, current)) return dropped(stays(registry, entry));
  if (current === 0n && wanted > 0n && isFull(registry)) return dropped(registry);
  const target = wanted > current ? wanted - overflow(registry, wanted - current) : wanted;
  const distance = target > current ? target - current : current - target;
  const moved = distance < left ? distance : left;
  const power = target > current ? current + moved : current - moved;
  const complete = moved === distance;
  if (moved === 0n) return { registry, moved, complete };
  return { registry: withPower(registry, entry ?? newEntry(change), power), moved, complete };
}

function dropped(registry: Registry): Turn {
  return { registry, moved: 0n, complete: true };
}

/** The last validator with power is never removed. */
function isLast(registry: Registry, current: Power): boolean {
  return current > 0n && registry.entries.filter((entry) => entry.power > 0n).length === 1;
}

/** A validator whose leaving is dropped is active again, and may ask again. */
function stays(registry: Registry, entry: RegistryEntry | null): Registry {
  if (entry === null || entry.status !== 1) return registry;
  return { ...registry, entries: withEntry(registry.entries, { ...entry, status: 0 }) };
}

function isFull(registry: Registry): boolean {
  return registry.entries.filter((entry) => entry.power > 0n).length >= MAX_ACTIVE_VALIDATORS;
}

/** How much of a rise is above what a set may have in all. */
function overflow(registry: Registry, rise: Power): Power {
  let total = rise;
  for (const entry of registry.entries) total += entry.power;
  return total > MAX_TOTAL_POWER ? total - MAX_TOTAL_POWER : 0n;
}

function newEntry(change: QueuedChange): RegistryEntry {
  return {
    pubKey: change.pubKey,
    owner: change.owner,
    power: 0n,
    status: 0,
    stakeGwei: 0n,
    unlockHeight: 0,
  };
}

function withPower(registry: Registry, entry: RegistryEntry, power: Power): Registry {
  if (power === 0n) {
    const left: RegistryEntry = { ...entry, power, status: 1 };
    return {
      ...registry,
      entries: withEntry(registry.entries, left),
      payouts: [...registry.payouts, heldPayout(entry.pubKey, entry.owner, 0n)],
    };
  }
  const rises = power > entry.power;
  const changed: RegistryEntry = {
    ...entry,
    power,
    status: rises ? 0 : entry.status,
    unlockHeight: 0,
  };
  return { ...registry, entries: withEntry(registry.entries, changed) };
}
