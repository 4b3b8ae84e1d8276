/** A proposer whose blocks the others do not decide hears of it from its own node. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type BlockId, makeValidatorSet, type Proposal, proposerOf } from "@quorate/chain";
import { passedOver, tellPassedOver } from "../src/runner/passed-over.ts";

const validators = makeValidatorSet(
  [1, 2, 3].map((tag) => ({ pubKey: new Uint8Array(32).fill(tag), power: 10n })),
);
const id = (tag: number): BlockId => {
  const hash = new Uint8Array(32).fill(tag);
  return { hash, parts: { total: 1, hash } };
};
const proposal = (round: number, tag: number): Proposal => ({
  ...{ height: 5, round, polRound: -1, blockId: id(tag), timestamp: 0n },
  signature: new Uint8Array(64),
});
const proposed = [proposal(0, 1), proposal(1, 2), proposal(2, 3)];
const ofRound = (round: number): readonly Proposal[] => proposed.filter((each) => each.round === round);
const own = (round: number): Uint8Array => proposerOf(validators, round).address;

test("a block of round 0 is passed over when another one is decided later", () => {
  const found = passedOver(ofRound, validators, own(0), { round: 2, blockId: id(3) });
  assert.deepEqual(found, [proposed[0]]);
});

test("a block that is decided in a later round, its own or another's, is not passed over", () => {
  assert.deepEqual(passedOver(ofRound, validators, own(0), { round: 2, blockId: id(1) }), []);
  assert.deepEqual(passedOver(ofRound, validators, own(2), { round: 2, blockId: id(3) }), []);
});

test("nothing of other proposers is told, nor of rounds that decided nothing yet", () => {
  assert.deepEqual(passedOver(ofRound, validators, own(1), { round: 1, blockId: id(2) }), []);
  assert.deepEqual(passedOver(ofRound, validators, new Uint8Array(20), { round: 2, blockId: id(3) }), []);
});

test("the operator is told the height and round, and what to look at; a body that is gone hides nothing", () => {
  const said: { readonly message: string; readonly facts: Readonly<Record<string, unknown>> }[] = [];
  const silent = (): void => undefined;
  const log = {
    ...{ debug: silent, info: silent, error: silent },
    warn: (message: string, facts: Readonly<Record<string, unknown>> = {}) =>
      void said.push({ message, facts }),
  };
  tellPassedOver(log, { get: () => null }, [proposal(0, 1)]);
  const [one] = said;
  assert.equal(said.length, 1);
  assert.match(one?.message ?? "", /not decided in its round/);
  assert.deepEqual([one?.facts["height"], one?.facts["round"], one?.facts["block"]], [5, 0, id(1).hash]);
  assert.match(String(one?.facts["do"]), /timeout_propose/);
});
