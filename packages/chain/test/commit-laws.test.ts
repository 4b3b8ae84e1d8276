/** What a commit must be to prove a block, one law a test. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type BlockId,
  ChainError,
  type ChainState,
  type Commit,
  CommitFlag,
  commitChecks,
  makeValidatorSet,
  validateBlock,
} from "@quorate/chain";
import { ed25519PublicKey, nativeBackend } from "@quorate/crypto";
import { chainOf, commitFor, idOf, makeFixture, nextBlock } from "./state-fixture.ts";

/** A block at height 3 and the state that it stands on. */
function proposed(powers: readonly bigint[]): {
  readonly state: ChainState;
  readonly blockId: BlockId;
  /** Commit for the block without the entries at these indexes. */
  readonly commit: (...absent: readonly number[]) => Commit;
} {
  const fixture = makeFixture("none", { powers });
  const { state, commit } = chainOf(fixture, 2);
  const block = nextBlock(state, commit);
  const blockId = idOf(block);
  return {
    state,
    blockId,
    commit: (...absent) => commitFor(fixture, state, block, blockId, new Set(absent)),
  };
}

const reason =
  (expected: string) =>
  (error: unknown): boolean =>
    error instanceof ChainError && error.facts["reason"] === expected;

test("exactly two thirds of the power prove nothing, one more vote does", () => {
  const { state, blockId, commit } = proposed([10n, 10n, 10n]);
  const judge = (given: Commit): unknown =>
    commitChecks(state.chainId, state.validators, blockId, 3, given, "all");
  assert.throws(() => judge(commit(2)), reason("not_enough_power"));
  judge(commit());
});

test("a good commit of one block proves no other", () => {
  const { state, blockId, commit } = proposed([10n, 10n, 10n, 10n]);
  const flipped = blockId.hash.map((byte) => byte ^ 1);
  const strangers: readonly BlockId[] = [
    { ...blockId, hash: flipped },
    { ...blockId, parts: { ...blockId.parts, hash: flipped } },
    { ...blockId, parts: { ...blockId.parts, total: blockId.parts.total + 1 } },
  ];
  for (const stranger of strangers) {
    assert.throws(
      () => commitChecks(state.chainId, state.validators, stranger, 3, commit(), "all"),
      reason("wrong_block_id"),
    );
  }
});

test("an entry stands under the address of the validator at its index", () => {
  const { state, blockId, commit } = proposed([10n, 10n, 10n, 10n]);
  const [first, second, ...rest] = commit().signatures;
  const renamed = { ...first!, validatorAddress: second!.validatorAddress };
  const nil = { ...first!, flag: CommitFlag.nil, validatorAddress: second!.validatorAddress };
  for (const entry of [renamed, nil]) {
    const changed: Commit = { ...commit(), signatures: [entry, second!, ...rest] };
    assert.throws(
      () => commitChecks(state.chainId, state.validators, blockId, 3, changed, "all"),
      reason("address_mismatch"),
    );
  }
});

test("a signature for nil in a commit is asked for like any other", () => {
  const { state, blockId, commit } = proposed([10n, 10n, 10n, 10n]);
  const [first, ...rest] = commit().signatures;
  // Made for the block, it cannot hold as one for nil.
  const forged: Commit = { ...commit(), signatures: [{ ...first!, flag: CommitFlag.nil }, ...rest] };
  const checks = commitChecks(state.chainId, state.validators, blockId, 3, forged, "all");
  assert.deepEqual(nativeBackend.verifyBatch(checks), [false, true, true, true]);
});

test("the last commit is judged by the set that signed it, not by the set of the block's own height", () => {
  const fixture = makeFixture("none");
  const { state, commit } = chainOf(fixture, 2);
  const newcomer = { pubKey: ed25519PublicKey(new Uint8Array(32).fill(9)), power: 10n };
  const validators = makeValidatorSet([...state.validators.validators, newcomer]);
  const changed: ChainState = { ...state, validators, nextValidators: validators };
  const checks = validateBlock(changed, nextBlock(changed, commit));
  assert.deepEqual(nativeBackend.verifyBatch(checks), [true, true, true, true]);
});
