import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  changeBound,
  DEFAULT_PARAMS,
  duePayouts,
  GWEI_PER_POWER,
  MAX_ACTIVE_VALIDATORS,
  MAX_PAYOUTS,
  MAX_STAKE_GWEI,
  MIN_STAKE_GWEI,
  makeValidatorSet,
  powerChanges,
  type Registry,
  type RegistryEntry,
  registryEntry,
  STANDARD_DEPOSIT_CONTRACT,
  stateFromGenesis,
  updateValidatorSet,
} from "@quorate/chain";
import fc from "fast-check";
import {
  applyAt,
  type DepositFields,
  depositRequest,
  padTo,
  person,
  registration,
  registryOf,
  SECOND,
  totalPower,
  withdrawalRequest,
} from "./registry-fixture.ts";
import { makeFixture } from "./state-fixture.ts";

const ETH = GWEI_PER_POWER;
const PARAMS = { ...DEFAULT_PARAMS, evidenceMaxAgeBlocks: 3, evidenceMaxAgeMs: 2500 };

function staked(powers: readonly bigint[]): Registry {
  const { entries, ...rest } = registryOf(powers);
  return {
    ...rest,
    policy: 1,
    entries: entries.map((entry) => ({ ...entry, stakeGwei: entry.power * ETH })),
  };
}

const entryOf = (registry: Registry, n: number): RegistryEntry | null =>
  registryEntry(registry, person(n).pubKey);
const deposit = (n: number, gwei: bigint, index: bigint): DepositFields =>
  registration(person(n), gwei, index);
const withdrawing = (n: number, gwei: bigint, as = n): Uint8Array =>
  withdrawalRequest({ source: person(as).owner, pubKey: person(n).pubKey, amount: gwei });
const at = (registry: Registry, height: number, ...requests: readonly Uint8Array[]): Registry =>
  applyAt(registry, height, requests, { params: PARAMS });
const owed = (registry: Registry): bigint => registry.payouts.reduce((sum, payout) => sum + payout.gwei, 0n);

const four = staked([100n, 100n, 100n, 100n]);

describe("stake mode", () => {
  it("is chosen by the address of the standard deposit contract; genesis powers count as staked", () => {
    const { genesis } = makeFixture("engine", { powers: [40n, 50n] });
    const chosen = stateFromGenesis({ ...genesis, depositContractAddress: STANDARD_DEPOSIT_CONTRACT });
    assert.equal(chosen.registry.policy, 1);
    assert.deepEqual(
      chosen.registry.entries.map((entry) => entry.stakeGwei),
      chosen.registry.entries.map((entry) => entry.power * ETH),
    );
    assert.equal(stateFromGenesis(genesis).registry.policy, 0);
  });

  it("gives one power per whole ether, to whoever deposits enough with a proof of possession", () => {
    const registry = at(four, 5, depositRequest(deposit(9, 40n * ETH + 7n, 0n)));
    assert.deepEqual([entryOf(registry, 9)?.power, entryOf(registry, 9)?.stakeGwei], [40n, 40n * ETH + 7n]);
    assert.deepEqual(entryOf(registry, 9)?.owner, person(9).owner);
  });

  it("adds what anybody deposits for a known key, without proof", () => {
    const topUp = {
      ...deposit(1, 3n * ETH, 0n),
      signature: new Uint8Array(96),
      credentials: new Uint8Array(32),
    };
    const registry = at(four, 5, depositRequest(topUp));
    assert.deepEqual([entryOf(registry, 1)?.power, entryOf(registry, 1)?.owner], [103n, person(1).owner]);
  });

  const lost: readonly (readonly [what: string, fields: Partial<DepositFields>])[] = [
    ["is dust for a new key", { amount: MIN_STAKE_GWEI - 1n }],
    ["is more than one validator may stake", { amount: MAX_STAKE_GWEI + 1n }],
    ["has no proof of possession", { signature: new Uint8Array(96) }],
    ["has a byte behind the key", { keyField: padTo(Uint8Array.of(...person(9).pubKey, 1), 48) }],
    [
      "names a param: nobody owns the standard contract",
      { keyField: padTo(new TextEncoder().encode("QUORATE-PARAM-1"), 48) },
    ],
  ];
  for (const [what, fields] of lost) {
    it(`ignores a deposit that ${what}`, () => {
      const registry = at(four, 5, depositRequest({ ...deposit(9, 40n * ETH, 0n), ...fields }));
      assert.deepEqual(registry, { ...four, nextDepositIndex: 1n });
    });
  }

  it("pays a partial withdrawal after the evidence age, to the owner alone, and leaves the least stake", () => {
    assert.equal(at(four, 5, withdrawing(1, ETH, 2)), four);
    let registry = at(four, 5, withdrawing(1, 1000n * ETH));
    assert.deepEqual([entryOf(registry, 1)?.power, entryOf(registry, 1)?.stakeGwei], [32n, MIN_STAKE_GWEI]);
    assert.equal(owed(registry), 68n * ETH);
    // Taken in block 5, it was at stake for the last time at height 6.
    for (let height = 6; height <= 10; height++) registry = at(registry, height);
    assert.equal(duePayouts(registry, 11, 9 * SECOND).items, 1);
    const { withdrawals } = duePayouts(registry, 11, 10 * SECOND);
    assert.deepEqual(withdrawals, [
      { index: 0n, validatorIndex: 0n, address: person(1).owner, amountGwei: 68n * ETH },
    ]);
    const paid = at(registry, 11);
    assert.deepEqual([paid.payouts.length, paid.nextWithdrawalIndex], [0, 1n]);
    assert.equal(entryOf(paid, 1)?.status, 0);
  });

  it("pays the whole stake of a validator that leaves, in parts where the bound asks for it, then forgets it", () => {
    let registry = at(staked([300n, 40n]), 5, withdrawing(0, 0n));
    assert.deepEqual([entryOf(registry, 0)?.power, owed(registry)], [187n, 113n * ETH]);
    let paid = 0n;
    for (let height = 6; height <= 30; height++) {
      for (const { amountGwei } of duePayouts(registry, height, (height - 1) * SECOND).withdrawals)
        paid += amountGwei;
      registry = at(registry, height);
    }
    assert.equal(paid, 300n * ETH);
    assert.equal(entryOf(registry, 0), null);
  });

  it("burns a share of what is staked and of what is still owed when the validator equivocates", () => {
    const withdrawn = at(four, 5, withdrawing(1, 20n * ETH));
    const punished = applyAt(withdrawn, 6, [], { params: PARAMS, offenders: [person(1).pubKey] });
    assert.equal(owed(punished), 95n * ETH);
    assert.deepEqual([entryOf(punished, 1)?.status, entryOf(punished, 1)?.stakeGwei], [2, 0n]);
  });

  it("gives back a deposit that waited in vain: for a key that left, or a full set", () => {
    const left = at(four, 5, withdrawing(1, 0n));
    const back = at(left, 6, depositRequest(deposit(1, 5n * ETH, 0n)));
    assert.deepEqual([entryOf(back, 1)?.power, owed(back)], [0n, 105n * ETH]);
    const full = staked(Array.from({ length: MAX_ACTIVE_VALIDATORS }, () => 40n));
    const refused = at(full, 5, depositRequest(deposit(MAX_ACTIVE_VALIDATORS + 1, 40n * ETH, 0n)));
    assert.deepEqual([refused.entries.length, owed(refused)], [MAX_ACTIVE_VALIDATORS, 40n * ETH]);
  });

  it("ignores requests while too many payouts wait: an exit can be asked for again", () => {
    const [payout] = at(four, 5, withdrawing(1, ETH)).payouts;
    const busy: Registry = {
      ...four,
      payouts: Array.from({ length: MAX_PAYOUTS }, () => ({ ...payout!, unlockHeight: 99 })),
    };
    assert.equal(at(busy, 6, withdrawing(1, 0n)), busy);
  });

  it("never pays more than 16 in a block, and those in order", () => {
    const payouts = Array.from({ length: 20 }, (_, i) => ({
      pubKey: person(1).pubKey,
      address: person(1).owner,
      gwei: BigInt(i),
      unlockHeight: 3,
      unlockTimeMs: 0,
    }));
    const { withdrawals, items } = duePayouts({ ...four, payouts, nextWithdrawalIndex: 7n }, 5, 1);
    assert.equal(items, 17);
    assert.deepEqual(
      withdrawals.map(({ index, amountGwei }) => [index, amountGwei]),
      Array.from({ length: 16 }, (_, i) => [BigInt(7 + i), BigInt(i + 1)]),
    );
  });
});

type Act =
  | { readonly do: "deposit"; readonly who: number; readonly gwei: bigint }
  | { readonly do: "withdraw"; readonly who: number; readonly gwei: bigint }
  | { readonly do: "punish"; readonly who: number };

const who = fc.nat({ max: 5 });
const act: fc.Arbitrary<Act> = fc.oneof(
  fc.record({
    do: fc.constant("deposit" as const),
    who,
    gwei: fc.oneof(
      fc.bigInt({ min: MIN_STAKE_GWEI, max: 200n * ETH }),
      fc.bigInt({ min: 1n, max: 3n * ETH }),
      fc.constantFrom(MAX_STAKE_GWEI, MAX_STAKE_GWEI + 1n),
    ),
  }),
  fc.record({
    do: fc.constant("withdraw" as const),
    who,
    gwei: fc.oneof(fc.constant(0n), fc.bigInt({ min: 1n, max: 100n * ETH })),
  }),
  fc.record({ do: fc.constant("punish" as const), who }),
);

describe("stake mode under any history", () => {
  it("makes and loses no gwei: staked, waiting, owed, paid and burnt are what came in", () => {
    const blocks = fc.array(fc.array(act, { maxLength: 4 }), { minLength: 1, maxLength: 14 });
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 4 }),
        blocks,
        (powers, list) => {
          let registry = staked(powers.map(BigInt));
          let set = makeValidatorSet(registry.entries);
          let held = holdings(registry);
          list.forEach((acts, i) => {
            const height = i + 1;
            const paid = duePayouts(registry, height, i * SECOND).withdrawals.reduce(
              (sum, w) => sum + w.amountGwei,
              0n,
            );
            const before = registry;
            // In blocks of their own: what punishment burns is counted alone, and what requests bring too.
            const offenders = acts.flatMap((each) => (each.do === "punish" ? [person(each.who).pubKey] : []));
            registry = applyAt(registry, height, offenders.length > 0 ? [] : requestsOf(acts, registry), {
              params: PARAMS,
              offenders,
            });
            const now = holdings(registry);
            if (offenders.length > 0)
              assert.ok(now <= held - paid && now >= ((held - paid) * 19n) / 20n - 100n);
            else assert.equal(now, held - paid + broughtBy(acts, before, height));
            held = now;
            const changes = powerChanges(before, registry);
            set = updateValidatorSet(set, changes);
            assert.ok(set.totalPower > 0n && set.totalPower === totalPower(registry));
            if (offenders.length > 0) return;
            const tombstoned = new Set(
              before.entries.filter((e) => e.status === 2).map((e) => e.pubKey.join()),
            );
            const moved = changes
              .filter(({ pubKey }) => !tombstoned.has(pubKey.join()))
              .map(({ pubKey, power }) => power - (registryEntry(before, pubKey)?.power ?? 0n))
              .reduce((sum, change) => sum + (change < 0n ? -change : change), 0n);
            assert.ok(moved <= changeBound(totalPower(before)), `${moved} moved`);
            for (const entry of registry.entries) {
              if (entry.status !== 2) assert.equal(entry.power, entry.stakeGwei / ETH);
            }
          });
        },
      ),
      { numRuns: 150 },
    );
  });
});

/** Everything that the registry keeps for somebody. */
function holdings(registry: Registry): bigint {
  const inQueue = registry.changes
    .filter(({ kind }) => kind === 1)
    .reduce((sum, { value }) => sum + value, 0n);
  return registry.entries.reduce((sum, { stakeGwei }) => sum + stakeGwei, 0n) + inQueue + owed(registry);
}

function requestsOf(acts: readonly Act[], { nextDepositIndex }: Registry): Uint8Array[] {
  const deposits = acts.flatMap((each) => (each.do === "deposit" ? [each] : []));
  const withdrawals = acts.flatMap((each) =>
    each.do === "withdraw"
      ? [{ source: person(each.who).owner, pubKey: person(each.who).pubKey, amount: each.gwei }]
      : [],
  );
  return [
    ...(deposits.length > 0
      ? [
          depositRequest(
            ...deposits.map(({ who: n, gwei }, i) => deposit(n, gwei, nextDepositIndex + BigInt(i))),
          ),
        ]
      : []),
    ...(withdrawals.length > 0 ? [withdrawalRequest(...withdrawals)] : []),
  ];
}

/** Gwei of the deposits that a rule takes; the others are lost in the contract. */
function broughtBy(acts: readonly Act[], before: Registry, height: number): bigint {
  // Who is forgotten in this very block is unknown to its requests.
  const { entries } = at(before, height);
  const known = new Set([...entries, ...before.changes].map(({ pubKey }) => pubKey.join()));
  const tombstoned = new Set(before.entries.filter((e) => e.status === 2).map((e) => e.pubKey.join()));
  let sum = 0n;
  for (const each of acts) {
    if (each.do !== "deposit" || each.gwei > MAX_STAKE_GWEI) continue;
    const key = person(each.who).pubKey.join();
    if (tombstoned.has(key) || (!known.has(key) && each.gwei < MIN_STAKE_GWEI)) continue;
    known.add(key);
    sum += each.gwei;
  }
  return sum;
}
