/** What a decided block does to the registry, in the order of docs/protocol.md §3. */
import type { ChainParams, Hash, Height, Power, Registry, Upgrade } from "../types.ts";
import type { ValidatorPower } from "../validators/set.ts";
import { changeBound } from "./bounds.ts";
import { applyQueue } from "./changes.ts";
import { fixUnlocks, settlePayouts } from "./payouts.ts";
import { dropTombstoned, punish } from "./punish.ts";
import { takeRequests } from "./requested.ts";
import { parseRequests } from "./requests.ts";

/** What of the chain and the block the registry depends on. */
export interface RegistryInput {
  readonly chainId: string;
  readonly elGenesisHash: Hash;
  /** Height of the block. */
  readonly height: Height;
  /** Header times of its parent and of the block, ms since 1970. */
  readonly lastTimeMs: number;
  readonly timeMs: number;
  /** In force at `height`. */
  readonly params: ChainParams;
  readonly appVersion: bigint;
  readonly upgrades: readonly Upgrade[];
  /** Total power of the set of `height + 1`: what changes are bounded by. */
  readonly totalPower: Power;
  /** Keys that the block's evidence convicts. */
  readonly offenders: readonly Uint8Array[];
  /** Execution requests of the payload, type byte first; none without an execution client. */
  readonly requests: readonly Uint8Array[];
}

/**
 * The registry after a block: what was due is paid, offenders lose their power, requests join the queue, and the
 * queue's head acts. Total: no input makes it throw. Answers the same object when nothing changed.
 */
export function applyRegistry(registry: Registry, input: RegistryInput): Registry {
  const { height, timeMs } = input;
  let next = settlePayouts(registry, height, input.lastTimeMs);
  next = fixUnlocks(next, height, timeMs, input.params);
  for (const offender of input.offenders) next = punish(next, offender);
  if (input.requests.length > 0) next = takeRequests(next, parseRequests(input.requests), input);
  if (next.changes.length > 0) next = applyQueue(next, changeBound(input.totalPower));
  return dropTombstoned(next);
}

/** Powers that differ between two registries, as a change of the validator set; 0 removes. */
export function powerChanges(before: Registry, after: Registry): readonly ValidatorPower[] {
  if (before === after) return [];
  const known = new Map(before.entries.map((entry) => [keyText(entry.pubKey), entry.power]));
  return after.entries.flatMap((entry) =>
    (known.get(keyText(entry.pubKey)) ?? 0n) === entry.power
      ? []
      : [{ pubKey: entry.pubKey, power: entry.power }],
  );
}

function keyText(key: Uint8Array): string {
  return String.fromCharCode(...key);
}
