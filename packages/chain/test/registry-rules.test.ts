import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  ChangeKind,
  changeBound,
  DEFAULT_PARAMS,
  MAX_ACTIVE_VALIDATORS,
  MAX_DEPOSITS_PER_HEIGHT,
  MAX_QUEUED_CHANGES,
  MAX_TOTAL_POWER,
  possessionBytes,
  powerChanges,
  type Registry,
  registryEntry,
} from "@quorate/chain";
import { concatBytes, toHex } from "@quorate/crypto";
import {
  applyAt,
  credentialsOf,
  type DepositFields,
  depositRequest,
  padTo,
  person,
  proof,
  registration,
  registryOf,
  withdrawalRequest,
} from "./registry-fixture.ts";

const powerOf = (registry: Registry, n: number): bigint | null =>
  registryEntry(registry, person(n).pubKey)?.power ?? null;

/** Four validators of power 100, and what one block with `requests` makes of them. */
const four = registryOf([100n, 100n, 100n, 100n]);
const after = (...requests: readonly Uint8Array[]): Registry => applyAt(four, 5, requests);
const joining = (changes: Partial<DepositFields> = {}): Uint8Array =>
  depositRequest({ ...registration(person(9), 50n, 0n), ...changes });
const setPower = (n: number, power: bigint, index: bigint): DepositFields => ({
  ...registration(person(n), power, index),
  credentials: new Uint8Array(32),
  signature: new Uint8Array(96),
});
const leaving = (n: number): Uint8Array =>
  withdrawalRequest({ source: person(n).owner, pubKey: person(n).pubKey, amount: 0n });

it("a proof of possession is made over domain, chain id, genesis of the execution client, key and owner", () => {
  const bytes = possessionBytes({
    chainId: "q-1",
    elGenesisHash: new Uint8Array(32).fill(0x11),
    pubKey: new Uint8Array(32).fill(0x22),
    owner: new Uint8Array(20).fill(0x33),
  });
  const domain = "51554f524154452d504f502d31";
  assert.equal(toHex(bytes), `${domain}0003712d31${"11".repeat(32)}${"22".repeat(32)}${"33".repeat(20)}`);
});

describe("a request of the registry's owner", () => {
  it("registers a key that proves its possession, with the owner that it names", () => {
    const registry = after(joining());
    assert.deepEqual(registryEntry(registry, person(9).pubKey), {
      pubKey: person(9).pubKey,
      owner: person(9).owner,
      power: 50n,
      status: 0,
      stakeGwei: 0n,
      unlockHeight: 0,
    });
    assert.equal(registry.nextDepositIndex, 1n);
    assert.deepEqual(powerChanges(four, registry), [{ pubKey: person(9).pubKey, power: 50n }]);
  });

  it("sets the absolute power of a registered key, without proof, and leaves its owner", () => {
    const registry = after(depositRequest(setPower(1, 130n, 0n), setPower(2, 40n, 1n)));
    assert.equal(powerOf(registry, 1), 130n);
    assert.equal(powerOf(registry, 2), 40n);
    assert.deepEqual(registryEntry(registry, person(1).pubKey)?.owner, person(1).owner);
  });

  it("removes with power 0; the entry stays for as long as evidence may come", () => {
    const registry = after(depositRequest(setPower(1, 0n, 0n)));
    const left = registryEntry(registry, person(1).pubKey);
    assert.equal(left?.power, 0n);
    assert.equal(left?.status, 1);
    assert.deepEqual(powerChanges(four, registry), [{ pubKey: person(1).pubKey, power: 0n }]);
  });

  it("takes a key back that left, without a new proof", () => {
    const gone = after(depositRequest(setPower(1, 0n, 0n)));
    const back = applyAt(gone, 6, [depositRequest(setPower(1, 20n, 1n))]);
    assert.equal(powerOf(back, 1), 20n);
    assert.equal(registryEntry(back, person(1).pubKey)?.status, 0);
  });
});

describe("a request that is ignored, and takes no more than its index", () => {
  const nine = person(9);
  const smallOrder = new Uint8Array(32);
  smallOrder[0] = 1;
  const nonCanonical = new Uint8Array(32).fill(0xff);
  nonCanonical[0] = 0xee;
  nonCanonical[31] = 0x7f;
  const flipped = (bytes: Uint8Array, at: number): Uint8Array => {
    const copy = bytes.slice();
    copy[at]! ^= 1;
    return copy;
  };
  const otherOwner = { ...nine, owner: new Uint8Array(20).fill(0x77) };
  const ignored: readonly (readonly [what: string, request: Uint8Array])[] = [
    ["a key field with a byte behind the key", joining({ keyField: flipped(padTo(nine.pubKey, 48), 47) })],
    [
      "a signature field with a byte behind the proof",
      joining({ signature: flipped(padTo(proof(nine), 96), 95) }),
    ],
    ["a wrong proof of possession", joining({ signature: flipped(padTo(proof(nine), 96), 3) })],
    ["no proof", joining({ signature: new Uint8Array(96) })],
    ["a proof for another owner", joining({ credentials: credentialsOf(otherOwner.owner) })],
    [
      "a proof for another chain id",
      joining({
        signature: padTo(proof(nine, { chainId: "other", elGenesisHash: new Uint8Array(32).fill(0x9e) }), 96),
      }),
    ],
    [
      "a proof for another genesis",
      joining({
        signature: padTo(proof(nine, { chainId: "registry-fixture", elGenesisHash: new Uint8Array(32) }), 96),
      }),
    ],
    ["a small-order key", joining({ keyField: padTo(smallOrder, 48), signature: new Uint8Array(96) })],
    ["a key that is no canonical point", joining({ keyField: padTo(nonCanonical, 48) })],
    ["credentials of another kind", joining({ credentials: flipped(credentialsOf(nine.owner), 0) })],
    [
      "credentials with a byte before the address",
      joining({ credentials: flipped(credentialsOf(nine.owner), 5) }),
    ],
    ["the zero address as owner", joining({ credentials: credentialsOf(new Uint8Array(20)) })],
    ["power 0 for an unknown key", joining({ amount: 0n })],
    ["a power above what a set may have", joining({ amount: MAX_TOTAL_POWER + 1n })],
    ["the largest power that the field can hold", joining({ amount: 2n ** 64n - 1n })],
  ];
  for (const [what, request] of ignored) {
    it(`has ${what}`, () => {
      assert.deepEqual(after(request), { ...four, nextDepositIndex: 1n });
    });
  }

  it("has a replayed or skipped index: not even the next index changes", () => {
    assert.equal(after(joining({ index: 1n })), four);
    const joined = after(joining());
    assert.equal(applyAt(joined, 6, [joining()]), joined);
    const last = { ...four, nextDepositIndex: 2n ** 64n - 1n };
    assert.equal(applyAt(last, 5, [joining({ index: 2n ** 64n - 1n })]), last);
  });

  it("does not keep those behind it in the block from acting", () => {
    const bad = { ...registration(person(8), 10n, 0n), signature: new Uint8Array(96) };
    const registry = after(
      depositRequest(bad, registration(person(9), 10n, 1n), registration(person(7), 10n, 7n)),
    );
    assert.equal(powerOf(registry, 8), null);
    assert.equal(powerOf(registry, 9), 10n);
    assert.equal(powerOf(registry, 7), null);
    assert.equal(registry.nextDepositIndex, 2n);
  });

  it("comes as data that is no whole number of items, or as a type that nobody knows", () => {
    const whole = joining();
    for (const request of [
      whole.slice(0, whole.length - 1),
      concatBytes(whole, Uint8Array.of(0)),
      Uint8Array.of(0, 1, 2, 3),
      concatBytes(Uint8Array.of(2), new Uint8Array(116).fill(7)),
      concatBytes(Uint8Array.of(9), whole.slice(1)),
      leaving(1).slice(0, 76),
    ]) {
      assert.equal(after(request), four);
    }
  });

  it("is for a tombstoned key: registered, set or leaving, it stays without power", () => {
    const punished = applyAt(four, 4, [], { offenders: [person(1).pubKey] });
    const tried = applyAt(punished, 5, [
      depositRequest(registration(person(1), 100n, 0n), setPower(1, 10n, 1n)),
      leaving(1),
    ]);
    assert.deepEqual(tried, { ...punished, nextDepositIndex: 2n });
  });

  it("is one of too many of a height, which are counted but not looked at", () => {
    const many = Array.from({ length: MAX_DEPOSITS_PER_HEIGHT + 2 }, (_, i) => setPower(1, 100n, BigInt(i)));
    const registry = after(depositRequest(...many.slice(0, -1), setPower(2, 1n, BigInt(many.length - 1))));
    assert.equal(registry.nextDepositIndex, BigInt(many.length));
    assert.ok(registry.changes.every((change) => change.value === 100n));
  });

  it("finds the queue full", () => {
    const [change] = applyAt(registryOf([1n, 1n]), 5, [depositRequest(setPower(0, 50n, 0n))]).changes;
    const full = { ...four, changes: Array.from({ length: MAX_QUEUED_CHANGES }, () => change!) };
    const registry = applyAt(full, 6, [joining(), leaving(1)]);
    assert.equal(registryEntry(registry, person(1).pubKey)?.status, 0);
    assert.ok(registry.changes.every((queued) => queued === change));
  });
});

describe("a validator's owner", () => {
  it("leaves by a withdrawal request of amount 0, within the bound of each height", () => {
    const asked = after(leaving(1));
    assert.equal(powerOf(asked, 1), 0n);
    const small = applyAt(registryOf([100n, 10n]), 5, [leaving(0)]);
    assert.equal(powerOf(small, 0), 64n);
    assert.equal(registryEntry(small, person(0).pubKey)?.status, 1);
  });

  it("is the only one who may: a stranger, an unknown key, padding and an amount are ignored", () => {
    const one = person(1);
    for (const request of [
      withdrawalRequest({ source: person(2).owner, pubKey: one.pubKey, amount: 0n }),
      withdrawalRequest({ source: person(9).owner, pubKey: person(9).pubKey, amount: 0n }),
      withdrawalRequest({ source: one.owner, pubKey: concatBytes(one.pubKey, Uint8Array.of(1)), amount: 0n }),
      withdrawalRequest({ source: one.owner, pubKey: one.pubKey, amount: 1n }),
    ]) {
      assert.equal(after(request), four);
    }
  });

  it("asks once: a second request while it is leaving adds nothing", () => {
    const first = applyAt(registryOf([100n, 10n]), 5, [leaving(0)]);
    const second = applyAt(first, 6, [leaving(0)]);
    assert.equal(second.changes.length, 1);
  });
});

describe("the queue of changes", () => {
  it("moves at most a third of the total in a height, and never less than 1", () => {
    assert.deepEqual([0n, 1n, 2n, 3n, 5n, 6n, 400n].map(changeBound), [1n, 1n, 1n, 1n, 1n, 2n, 133n]);
  });

  it("lets a new key in with the part that fits, and completes it height by height", () => {
    let registry = after(depositRequest(registration(person(9), 1000n, 0n)));
    const seen: (bigint | null)[] = [powerOf(registry, 9)];
    for (let height = 6; registry.changes.length > 0; height++) {
      registry = applyAt(registry, height, []);
      seen.push(powerOf(registry, 9));
    }
    assert.deepEqual(seen, [133n, 310n, 546n, 861n, 1000n]);
  });

  it("is first in, first out: what does not fit holds back what came later", () => {
    const registry = after(depositRequest(setPower(0, 300n, 0n), setPower(1, 99n, 1n)));
    assert.equal(powerOf(registry, 0), 233n);
    assert.equal(powerOf(registry, 1), 100n);
    assert.deepEqual(
      registry.changes.map((change) => [change.kind, change.value, change.height]),
      [
        [ChangeKind.power, 300n, 5],
        [ChangeKind.power, 99n, 5],
      ],
    );
    const next = applyAt(registry, 6, []);
    assert.deepEqual([powerOf(next, 0), powerOf(next, 1), next.changes.length], [300n, 99n, 0]);
  });

  it("completes on chains of one and of two validators of power 1", () => {
    const one = applyAt(registryOf([1n]), 5, [depositRequest(registration(person(9), 3n, 0n))]);
    assert.equal(powerOf(one, 9), 1n);
    const two = applyAt(applyAt(one, 6, []), 7, []);
    assert.equal(powerOf(two, 9), 3n);
    const swapped = applyAt(registryOf([1n, 1n]), 5, [leaving(0)]);
    assert.equal(powerOf(swapped, 0), 0n);
  });

  it("never removes the last validator, nor lowers it on the way; it may ask again", () => {
    const alone = registryOf([100n]);
    const asked = applyAt(alone, 5, [leaving(0), depositRequest(setPower(0, 0n, 0n))].toReversed());
    assert.deepEqual(asked, { ...alone, nextDepositIndex: 1n });
    const both = applyAt(registryOf([1n, 1n]), 5, [
      withdrawalRequest(
        ...[0, 1].map((n) => ({ source: person(n).owner, pubKey: person(n).pubKey, amount: 0n })),
      ),
    ]);
    const settled = applyAt(both, 6, []);
    assert.deepEqual([powerOf(settled, 0), powerOf(settled, 1)], [0n, 1n]);
    assert.equal(registryEntry(settled, person(1).pubKey)?.status, 0);
  });

  it("cuts a rise to what the total may be", () => {
    const near = registryOf([MAX_TOTAL_POWER - 10n, 5n]);
    const raised = applyAt(near, 5, [
      depositRequest(setPower(1, 1000n, 0n), registration(person(9), 7n, 1n)),
    ]);
    assert.equal(powerOf(raised, 1), 10n);
    assert.equal(powerOf(raised, 9), null);
    assert.equal(raised.changes.length, 0);
  });

  it("drops a new key that finds the set full, and takes those behind it", () => {
    const full = registryOf(Array.from({ length: MAX_ACTIVE_VALIDATORS }, () => 3n));
    const newcomer = person(MAX_ACTIVE_VALIDATORS + 1);
    const registry = applyAt(full, 5, [
      depositRequest(
        { ...registration(newcomer, 3n, 0n), credentials: credentialsOf(newcomer.owner) },
        setPower(1, 4n, 1n),
      ),
    ]);
    assert.equal(registryEntry(registry, newcomer.pubKey), null);
    assert.equal(powerOf(registry, 1), 4n);
  });

  it("does not bound punishment, which acts before it", () => {
    const registry = applyAt(four, 5, [depositRequest(setPower(0, 233n, 0n))], {
      offenders: [person(1).pubKey, person(2).pubKey],
    });
    assert.deepEqual(
      [0, 1, 2, 3].map((n) => powerOf(registry, n)),
      [233n, 0n, 0n, 100n],
    );
  });
});

describe("a validator that left", () => {
  const params = { ...DEFAULT_PARAMS, evidenceMaxAgeBlocks: 10, evidenceMaxAgeMs: 20_000 };
  const walk = (registry: Registry, from: number, to: number): Registry => {
    let next = registry;
    for (let height = from; height <= to; height++) next = applyAt(next, height, [], { params });
    return next;
  };

  it("is held for evidence until it is too old by blocks and by time, counted from its last vote, then forgotten", () => {
    const left = applyAt(four, 5, [leaving(1)], { params });
    // It votes for the last time at height 6, whose time is 6 s: too old after height 16 and after 26 s.
    const held = walk(left, 6, 27);
    assert.equal(registryEntry(held, person(1).pubKey)?.unlockHeight, 18);
    const forgotten = walk(held, 28, 28);
    assert.equal(registryEntry(forgotten, person(1).pubKey), null);
    assert.equal(forgotten.payouts.length, 0);
    assert.equal(forgotten.nextWithdrawalIndex, 0n);
  });

  it("can be punished in that time, and is then remembered for ever", () => {
    const left = walk(applyAt(four, 5, [leaving(1)], { params }), 6, 10);
    const punished = applyAt(left, 11, [], { params, offenders: [person(1).pubKey] });
    assert.equal(registryEntry(walk(punished, 12, 60), person(1).pubKey)?.status, 2);
  });

  it("that came back is not forgotten when its first leave would have been", () => {
    const left = applyAt(four, 5, [leaving(1)], { params });
    const back = applyAt(left, 6, [depositRequest(setPower(1, 30n, 0n))], { params });
    assert.equal(powerOf(walk(back, 7, 40), 1), 30n);
  });
});
