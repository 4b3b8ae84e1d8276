import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { compareBytes } from "@quorate/crypto";
import fc from "fast-check";
import {
  ChainError,
  incrementProposerPriority,
  makeValidatorSet,
  oneThird,
  proposerOf,
  quorum,
  updateValidatorSet,
  validatorByAddress,
} from "../src/index.ts";
import { MAX_TOTAL_POWER } from "../src/limits.ts";
import { normalisePriorities, rotate } from "../src/validators/priority.ts";
import * as arbitrary from "./arbitraries.ts";

const key = (i: number): Uint8Array => new Uint8Array(32).fill(i);
const reason =
  (expected: string) =>
  (error: unknown): boolean =>
    error instanceof ChainError && error.facts["reason"] === expected;

describe("thresholds", () => {
  test("a quorum is strictly more than two thirds, oneThird strictly more than one third, both as small as can be", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 1n, max: 2n ** 60n }), (total) => {
        assert.ok(quorum(total) * 3n > total * 2n && (quorum(total) - 1n) * 3n <= total * 2n);
        assert.ok(oneThird(total) * 3n > total && (oneThird(total) - 1n) * 3n <= total);
      }),
    );
    assert.deepEqual([1n, 2n, 3n, 4n, 6n, 7n].map(quorum), [1n, 2n, 3n, 3n, 5n, 5n]);
    assert.deepEqual([1n, 2n, 3n, 4n, 6n, 7n].map(oneThird), [1n, 1n, 2n, 2n, 3n, 3n]);
  });
});

describe("validator sets", () => {
  test("stand in order of power, then address, with priorities that sum to nearly nothing", () => {
    fc.assert(
      fc.property(arbitrary.validatorSet, fc.integer({ min: 1, max: 30 }), (set, times) => {
        const later = incrementProposerPriority(set, times);
        const sum = later.validators.reduce((total, v) => total + v.priority, 0n);
        assert.ok(sum >= 0n && sum < BigInt(later.validators.length));
        for (const [i, validator] of later.validators.entries()) {
          const previous = later.validators[i - 1];
          if (previous === undefined) continue;
          assert.ok(
            previous.power > validator.power ||
              (previous.power === validator.power && compareBytes(previous.address, validator.address) < 0),
          );
        }
      }),
    );
  });

  test("each proposes in proportion to its power", () => {
    let set = makeValidatorSet([1n, 2n, 5n].map((power, i) => ({ pubKey: key(i), power })));
    const turns = new Map<bigint, number>();
    for (let i = 0; i < 80; i++) {
      turns.set(set.proposer.power, (turns.get(set.proposer.power) ?? 0) + 1);
      set = incrementProposerPriority(set, 1);
    }
    assert.deepEqual(
      [...turns].sort(([a], [b]) => Number(a - b)),
      [
        [1n, 10],
        [2n, 20],
        [5n, 50],
      ],
    );
  });

  test("of equal priorities the lowest address proposes first", () => {
    for (const power of [10n, 2n ** 55n]) {
      let set = makeValidatorSet([0, 1, 2, 3].map((i) => ({ pubKey: key(i), power })));
      const order = [...set.validators].map(({ address }) => address).sort(compareBytes);
      for (const address of order) {
        assert.deepEqual(set.proposer.address, address);
        set = incrementProposerPriority(set, 1);
      }
    }
  });

  test("the fast rotation in doubles gives what exact integers give", () => {
    // Many steps of small powers go in doubles; few, and those of large powers, in integers.
    fc.assert(
      fc.property(arbitrary.validatorSet, fc.integer({ min: 1, max: 50 }), (set, times) => {
        const exact = normalisePriorities(set.validators, set.totalPower);
        const scaled = set.validators.map((v) => ({ ...v, power: v.power << 50n }));
        const wide = exact.map((priority) => priority << 50n);
        const proposer = rotate(exact, set.validators, set.totalPower, times);
        assert.equal(rotate(wide, scaled, set.totalPower << 50n, times), proposer);
        assert.deepEqual(
          wide.map((priority) => priority >> 50n),
          exact,
        );
      }),
    );
  });

  test("the proposer of a round is that of one call with the round's number", () => {
    const set = makeValidatorSet([3n, 2n, 1n].map((power, i) => ({ pubKey: key(i), power })));
    assert.equal(proposerOf(set, 0), set.proposer);
    assert.deepEqual(proposerOf(set, 7), incrementProposerPriority(set, 7).proposer);
    assert.throws(() => proposerOf(set, -1), reason("increments"));
    assert.throws(() => proposerOf(set, 2 ** 31), reason("increments"));
  });

  test("refused changes leave the set as it was; after a change the proposer is stale until the next increment", () => {
    const set = makeValidatorSet([3n, 2n, 1n].map((power, i) => ({ pubKey: key(i), power })));
    assert.equal(updateValidatorSet(set, []), set);
    assert.throws(() => updateValidatorSet(set, [{ pubKey: key(9), power: 0n }]), reason("unknown_removal"));
    assert.throws(() => updateValidatorSet(set, [{ pubKey: key(9), power: -1n }]), reason("negative_power"));
    const twice = [1n, 2n].map((power) => ({ pubKey: key(1), power }));
    assert.throws(() => updateValidatorSet(set, twice), reason("duplicate_validator"));
    const heavy = [{ pubKey: key(9), power: MAX_TOTAL_POWER }];
    assert.throws(() => updateValidatorSet(set, heavy), reason("total_power_overflow"));
    const all = [0, 1, 2].map((i) => ({ pubKey: key(i), power: 0n }));
    assert.throws(() => updateValidatorSet(set, all), reason("empty_result"));
    const changed = updateValidatorSet(set, [{ pubKey: set.proposer.pubKey, power: 0n }]);
    assert.equal(changed.proposer, set.proposer);
    assert.equal(validatorByAddress(changed, set.proposer.address), null);
    assert.notDeepEqual(incrementProposerPriority(changed, 1).proposer.address, set.proposer.address);
  });

  test("a set without validators, or with a key of another length, is refused", () => {
    assert.throws(() => makeValidatorSet([]), reason("empty_set"));
    assert.throws(() => makeValidatorSet([{ pubKey: new Uint8Array(31), power: 1n }]), reason("key_length"));
  });

  test("an address is found at its place", () => {
    fc.assert(
      fc.property(arbitrary.validatorSet, (set) => {
        for (const [index, validator] of set.validators.entries()) {
          assert.deepEqual(validatorByAddress(set, validator.address), { index, validator });
        }
        assert.equal(validatorByAddress(set, new Uint8Array(20)), null);
      }),
      { numRuns: 20 },
    );
  });
});
