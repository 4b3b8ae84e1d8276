/** Whom the votes of one height convict, and whom they must not. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type BlockId, makeValidatorSet, misdeedsOf, type Vote, VoteType } from "@quorate/chain";
import fc from "fast-check";

const { prevote, precommit } = VoteType;
const set = makeValidatorSet(
  Array.from({ length: 4 }, (_, i) => ({ pubKey: new Uint8Array(32).fill(i + 1), power: 10n })),
);
const idOf = (fill: number): BlockId => ({
  hash: new Uint8Array(32).fill(fill),
  parts: { total: 1, hash: new Uint8Array(32).fill(fill) },
});
const [A, B] = [idOf(0xaa), idOf(0xbb)];

const votes = (
  type: VoteType,
  round: number,
  blockId: BlockId | null,
  ...indexes: readonly number[]
): Vote[] =>
  indexes.map((validatorIndex) => ({
    ...{ type, height: 5, round, blockId, timestamp: 7n, validatorIndex },
    validatorAddress: set.validators[validatorIndex]!.address,
    signature: new Uint8Array(64).fill(validatorIndex),
  }));

const convicted = (...given: readonly Vote[][]): string[] =>
  misdeedsOf(set, given.flat()).map(
    ({ validator, misdeed }) => `${set.validators.indexOf(validator)} ${misdeed.kind}`,
  );

describe("the votes of a height", () => {
  it("convict who voted twice in one step, and not who voted in several rounds or types", () => {
    assert.deepEqual(convicted(votes(prevote, 0, A, 0, 1, 2), votes(prevote, 0, null, 2)), [
      "2 equivocation",
    ]);
    assert.deepEqual(
      convicted(votes(prevote, 0, A, 0, 1, 2), votes(precommit, 0, A, 0), votes(prevote, 1, A, 0)),
      [],
    );
  });

  it("name after a fork of two rounds those who forgot their locks, not the honest signer of both certificates", () => {
    // A is decided in round 0 by 0, 1, 2 unseen by 3; 1 and 2 forget it, 3 never knew; 0 follows the polka of round 1.
    const fork = [
      votes(prevote, 0, A, 0, 1, 2),
      votes(precommit, 0, A, 0, 1, 2),
      votes(prevote, 1, B, 1, 2, 3),
      votes(precommit, 1, B, 0, 1, 3),
    ];
    assert.deepEqual(convicted(...fork), ["1 lock_broken", "2 lock_broken"]);
  });

  it("acquit who left a lock for a polka in between", () => {
    const moved = [
      votes(prevote, 0, A, 0, 1, 2),
      votes(precommit, 0, A, 0),
      votes(prevote, 1, B, 1, 2, 3),
      votes(prevote, 2, B, 0),
    ];
    assert.deepEqual(convicted(...moved.filter((_, i) => i !== 2)), ["0 lock_broken"]);
    // Validators 1 and 2 precommitted nothing: they are free to prevote anything.
    assert.deepEqual(convicted(...moved), []);
  });

  it("convict who precommits a block that nobody saw a polka for", () => {
    assert.deepEqual(convicted(votes(prevote, 0, A, 0, 1), votes(precommit, 0, A, 3)), ["3 unfounded"]);
  });

  it("name more than a third whenever there are two decisions, whatever else was voted", () => {
    const three = fc.constantFrom([0, 1, 2], [0, 1, 3], [0, 2, 3], [1, 2, 3], [0, 1, 2, 3]);
    const some = fc.array(
      fc.tuple(
        fc.constantFrom<VoteType>(prevote, precommit),
        fc.nat({ max: 3 }),
        fc.constantFrom(A, B, idOf(0xcc), null),
        fc.nat({ max: 3 }),
      ),
      { maxLength: 30 },
    );
    fc.assert(
      fc.property(three, three, fc.nat({ max: 3 }), fc.nat({ max: 3 }), some, (one, two, r, s, noise) => {
        const others = noise.map(([type, round, blockId, index]) => votes(type, round, blockId, index));
        const named = convicted(votes(precommit, r, A, ...one), votes(precommit, s, B, ...two), ...others);
        assert.ok(named.length >= 2, named.join());
      }),
      { numRuns: 2_000 },
    );
  });
});
