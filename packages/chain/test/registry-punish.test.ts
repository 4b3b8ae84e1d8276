import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type Payout,
  punish,
  type Registry,
  type RegistryEntry,
  registryEntry,
  registryEntryByAddress,
  registryRoot,
} from "@quorate/chain";
import { addressOf } from "@quorate/crypto";

const key = (tag: number): Uint8Array => new Uint8Array(32).fill(tag);
const owner = (tag: number): Uint8Array => new Uint8Array(20).fill(tag);

function entry(tag: number, changes: Partial<RegistryEntry> = {}): RegistryEntry {
  return {
    pubKey: key(tag),
    owner: owner(tag),
    power: 10n,
    status: 0,
    stakeGwei: 0n,
    unlockHeight: 0,
    ...changes,
  };
}

function registryOf(
  entries: readonly RegistryEntry[],
  policy: 0 | 1 = 0,
  payouts: readonly Payout[] = [],
): Registry {
  return {
    policy,
    nextDepositIndex: 0n,
    nextWithdrawalIndex: 0n,
    entries,
    changes: [],
    payouts,
    scheduled: [],
  };
}

const payout = (tag: number, gwei: bigint): Payout => ({
  pubKey: key(tag),
  address: owner(tag),
  gwei,
  unlockHeight: 9,
  unlockTimeMs: 9_000,
});

describe("punishing an equivocation", () => {
  it("takes all power and tombstones the key, and leaves every other entry as it was", () => {
    const before = registryOf([entry(1), entry(2), entry(3)]);
    const after = punish(before, key(2));
    assert.deepEqual(registryEntry(after, key(2)), entry(2, { power: 0n, status: 2 }));
    assert.equal(after.entries[0], before.entries[0]);
    assert.equal(after.entries[2], before.entries[2]);
    assert.notDeepEqual(registryRoot(after), registryRoot(before));
  });

  it("changes nothing for a key that is tombstoned already, or unknown", () => {
    const once = punish(registryOf([entry(1), entry(2)]), key(2));
    assert.equal(punish(once, key(2)), once);
    assert.equal(punish(once, key(7)), once);
  });

  it("tombstones a validator that is leaving or has left already", () => {
    const left = entry(2, { power: 0n, status: 1, unlockHeight: 40 });
    const after = punish(registryOf([entry(1), left]), key(2));
    assert.equal(registryEntry(after, key(2))?.status, 2);
  });

  it("burns a twentieth of the stake and of what is still owed, rounded up, and holds the rest", () => {
    const staked = entry(2, { stakeGwei: 32_000_000_001n, power: 32n });
    const before = registryOf([entry(1), staked], 1, [payout(2, 100n), payout(1, 100n), payout(2, 1n)]);
    const after = punish(before, key(2));
    assert.equal(registryEntry(after, key(2))?.stakeGwei, 0n);
    assert.deepEqual(
      after.payouts.map((p) => [p.pubKey[0], p.gwei, p.unlockHeight]),
      [
        [2, 95n, 9],
        [1, 100n, 9],
        [2, 0n, 9],
        [2, 30_400_000_000n, 0],
      ],
    );
    assert.deepEqual(after.payouts.at(-1)?.address, owner(2));
  });

  it("never takes the last validator's power, until another validator has some", () => {
    const alone = punish(registryOf([entry(1), entry(2, { power: 0n, status: 1 })]), key(1));
    assert.deepEqual(registryEntry(alone, key(1)), entry(1, { status: 2 }));
    const joined = { ...alone, entries: [...alone.entries, entry(3)] };
    const settled = punish(joined, key(2));
    assert.equal(registryEntry(settled, key(1))?.power, 0n);
    assert.equal(registryEntry(settled, key(3))?.power, 10n);
  });

  it("leaves one of a set that equivocates as a whole, whatever the order of the reports", () => {
    for (const order of [
      [1, 2, 3],
      [3, 1, 2],
    ]) {
      let registry = registryOf([entry(1), entry(2), entry(3)]);
      for (const tag of order) registry = punish(registry, key(tag));
      assert.equal(registry.entries.filter((e) => e.power > 0n).length, 1);
      assert.ok(registry.entries.every((e) => e.status === 2));
    }
  });

  it("finds the entry of an address, also of a validator without power", () => {
    const registry = registryOf([entry(1), entry(2, { power: 0n, status: 1 })]);
    assert.equal(registryEntryByAddress(registry, addressOf(key(2))), registry.entries[1]);
    assert.equal(registryEntryByAddress(registry, addressOf(key(5))), null);
  });
});
