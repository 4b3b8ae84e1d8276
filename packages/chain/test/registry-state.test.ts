import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  ChainError,
  incrementProposerPriority,
  proposerOf,
  updateValidatorSet,
  validateBlock,
  validatorByAddress,
} from "@quorate/chain";
import { addressOf, inlineVerifier, toHex } from "@quorate/crypto";
import { depositRequest, padTo, person, proof, registration, withdrawalRequest } from "./registry-fixture.ts";
import { advance, chainOf, type Fixture, makeFixture, nextBlock, type Tip } from "./state-fixture.ts";

const base = makeFixture("engine", { powers: [10n, 10n, 10n, 10n] });
const fixture: Fixture = {
  ...base,
  seeds: new Map([...base.seeds, [toHex(addressOf(person(9).pubKey)), person(9).seed]]),
};
const { genesis } = fixture;
const join = depositRequest({
  ...registration(person(9), 5n, 0n),
  signature: padTo(proof(person(9), { chainId: genesis.chainId, elGenesisHash: genesis.elGenesisHash }), 96),
});
const leave = withdrawalRequest({
  source: genesis.validators[0]!.owner,
  pubKey: genesis.validators[0]!.pubKey,
  amount: 0n,
});

function step(tip: Tip, ...executionRequests: readonly Uint8Array[]): Tip {
  const block = nextBlock(tip.state, tip.commit, { envelope: { executionRequests } });
  const verifier = inlineVerifier();
  assert.ok(validateBlock(tip.state, block).every((check) => verifier.verifyNow(check)));
  return advance(fixture, tip, block);
}

describe("a validator set that execution requests change", () => {
  it("is that of H+2, with the priorities of CometBFT's update and one increment", () => {
    const tip = chainOf(fixture, 3);
    const after = step(tip, join);
    assert.deepEqual(after.state.validators, tip.state.nextValidators);
    const expected = incrementProposerPriority(
      updateValidatorSet(tip.state.nextValidators, [{ pubKey: person(9).pubKey, power: 5n }]),
      1,
    );
    assert.deepEqual(after.state.nextValidators, expected);
    assert.notEqual(validatorByAddress(after.state.nextValidators, addressOf(person(9).pubKey)), null);
  });

  it("goes on through joins and leaves, each block valid on the state before it", () => {
    let tip = step(chainOf(fixture, 1), join, leave);
    const proposers = new Set<string>();
    for (let i = 0; i < 12; i++) {
      proposers.add(toHex(proposerOf(tip.state.validators, 0).address));
      tip = step(tip);
    }
    assert.equal(tip.state.validators.validators.length, 4);
    assert.ok(proposers.has(toHex(addressOf(person(9).pubKey))));
  });

  it("pays the fees of its last block to a validator that is already out of the next set", () => {
    let tip = chainOf(fixture, 1);
    const address = addressOf(genesis.validators[0]!.pubKey);
    const proposesNext = (): boolean =>
      toHex(proposerOf(tip.state.nextValidators, 0).address) === toHex(address);
    while (!proposesNext()) tip = step(tip);
    tip = step(tip, leave);
    const block = nextBlock(tip.state, tip.commit);
    assert.deepEqual(block.header.proposerAddress, address);
    step(tip);
  });

  it("takes a payload without the withdrawals that are due for invalid, and so one with others", () => {
    const { state, commit } = chainOf(fixture, 2);
    const owed = {
      ...state,
      registry: {
        ...state.registry,
        payouts: [
          { pubKey: person(9).pubKey, address: person(9).owner, gwei: 7n, unlockHeight: 2, unlockTimeMs: 5 },
        ],
      },
    };
    const good = nextBlock(owed, commit);
    const withdrawals = [{ index: 0n, validatorIndex: 0n, address: person(9).owner, amountGwei: 7n }];
    assert.doesNotThrow(() => validateBlock({ ...owed, appHash: state.appHash }, good));
    for (const wrong of [[], [{ ...withdrawals[0]!, amountGwei: 8n }], [...withdrawals, ...withdrawals]]) {
      const block = nextBlock(owed, commit, { envelope: { withdrawals: wrong } });
      assert.throws(
        () => validateBlock(owed, block),
        (error) => error instanceof ChainError && error.code === "ENVELOPE_WITHDRAWALS",
      );
    }
  });
});
