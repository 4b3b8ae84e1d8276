/** The queue of changes acting on powers, in order, within the bound of one height (docs/protocol.md §3; DESIGN §8). */
import { MAX_TOTAL_POWER } from "../limits.ts";
import { ChangeKind, type Power, type QueuedChange, type Registry } from "../types.ts";
import { MAX_CHANGES_PER_HEIGHT } from "./bounds.ts";
import { heldPayout } from "./payouts.ts";
import { registryEntry } from "./registry.ts";
import { stakeTurn } from "./stake.ts";
import { dropped, isFull, isLast, newEntry, stays, type Turn, withChanged } from "./turn.ts";

/** The registry after the head of its queue acted, moving at most `bound` of power. */
export function applyQueue(registry: Registry, bound: Power): Registry {
  const turnOf = registry.policy === 0 ? powerTurn : stakeTurn;
  let left = bound;
  let next = registry;
  for (let done = 0; done < registry.changes.length; done++) {
    if (done === MAX_CHANGES_PER_HEIGHT) return { ...next, changes: registry.changes.slice(done) };
    const { registry: after, moved, rest } = turnOf(next, registry.changes[done]!, left);
    next = after;
    left -= moved;
    if (rest !== null) return { ...next, changes: [rest, ...registry.changes.slice(done + 1)] };
  }
  return { ...next, changes: [] };
}

/** Permissioned: the change names the absolute power that the key is to have. */
function powerTurn(registry: Registry, change: QueuedChange, left: Power): Turn {
  const entry = registryEntry(registry, change.pubKey);
  if (entry?.status === 2) return dropped(registry);
  const current = entry?.power ?? 0n;
  const wanted = change.kind === ChangeKind.power ? change.value : 0n;
  if (wanted === 0n && isLast(registry, current)) return dropped(stays(registry, entry));
  if (current === 0n && wanted > 0n && isFull(registry)) return dropped(registry);
  const target = wanted > current ? wanted - overflow(registry, wanted - current) : wanted;
  const distance = target > current ? target - current : current - target;
  const moved = distance < left ? distance : left;
  const rest = moved === distance ? null : change;
  if (moved === 0n) return { registry, moved, rest };
  const from = entry ?? newEntry(change);
  const power = target > current ? current + moved : current - moved;
  if (power === 0n) {
    const held = heldPayout(change.pubKey, from.owner, 0n);
    return { registry: withChanged(registry, { ...from, power, status: 1 }, held), moved, rest };
  }
  const status = target > current ? 0 : from.status;
  return { registry: withChanged(registry, { ...from, power, status, unlockHeight: 0 }), moved, rest };
}

/** How much of a rise is above what a set may have in all. */
function overflow(registry: Registry, rise: Power): Power {
  let total = rise;
  for (const entry of registry.entries) total += entry.power;
  return total > MAX_TOTAL_POWER ? total - MAX_TOTAL_POWER : 0n;
}
