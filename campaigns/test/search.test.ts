/** Every state of small instances of the core, and proof that the search sees all and notices what is wrong. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { VoteType } from "@quorate/chain";
import { type Effect, step } from "@quorate/consensus";
import { type SearchOptions, search } from "../search/explore.ts";

const ONE_ROUND: SearchOptions = {
  byzantine: 0,
  rounds: 1,
  makers: [0],
  certificates: false,
  restarts: 0,
  states: 200_000,
  symmetry: true,
  lazy: true,
};

test("with a Byzantine proposer every state of a round is safe", () => {
  const report = search(ONE_ROUND);
  assert.deepEqual(report.violations, []);
  assert.equal(report.exhausted, true);
  assert.ok(report.decided > 1_000);
});

test("with a correct proposer and two blocks every state of a round is safe, and names alone are left out", () => {
  const two = { ...ONE_ROUND, byzantine: 1, makers: [0, 0], states: 300_000 };
  const report = search(two);
  assert.deepEqual(report.violations, []);
  assert.equal(report.exhausted, true);
  assert.ok(report.decided > 1_000);
  // Its maker builds the first of the two blocks: they are not alike, though they have one maker.
  assert.equal(report.unreduced, search({ ...two, symmetry: false }).states);
});

/** Nothing is proposed, nothing but nil can be voted for: small enough to look at in every way. */
const NIL_ONLY: SearchOptions = { ...ONE_ROUND, makers: [], byzantine: 1, states: 2_000_000 };

test("states alike up to names stand for exactly the states that there are without that", () => {
  for (const byzantine of [0, 1]) {
    const reduced = search({ ...NIL_ONLY, byzantine });
    const complete = search({ ...NIL_ONLY, byzantine, symmetry: false });
    assert.equal(reduced.exhausted && complete.exhausted, true);
    assert.ok(reduced.states < complete.states);
    assert.equal(reduced.unreduced, complete.states);
  }
});

test("steps that nobody notices can be left out: the same signatures come about", () => {
  const lazy = search({ ...NIL_ONLY, symmetry: false });
  const everyStep = search({ ...NIL_ONLY, symmetry: false, lazy: false });
  assert.equal(lazy.exhausted && everyStep.exhausted, true);
  assert.ok(lazy.states < everyStep.states);
  assert.equal(lazy.combinations, everyStep.combinations);
});

test("a search that runs out of room says so", () => {
  const report = search({ ...ONE_ROUND, states: 1_000 });
  assert.equal(report.states, 1_000);
  assert.equal(report.exhausted, false);
});

test("a core that precommits what it prevoted, polka or not, is found, with the way there", () => {
  const core: typeof step = (state, input) => {
    const result = step(state, input);
    const prevoted = result.state.own.votes.find(({ type }) => type === VoteType.prevote)?.blockId;
    const eager = (effect: Effect): Effect =>
      effect.kind === "sign_vote" && effect.vote.type === VoteType.precommit && prevoted
        ? { ...effect, vote: { ...effect.vote, blockId: prevoted } }
        : effect;
    return { state: result.state, effects: result.effects.map(eager) };
  };
  const { violations } = search({ ...ONE_ROUND, core });
  assert.match(violations[0]?.what ?? "", /^precommit without a polka/);
  assert.match(violations[0]?.path.at(-1) ?? "", /^validator \d: /);
});

test("two blocks can be committed once two precommits are a quorum to the core", () => {
  const core: typeof step = (state, input) => {
    const { context } = state;
    return step(context === null ? state : { ...state, context: { ...context, quorum: 2n } }, input);
  };
  const { violations } = search({ ...ONE_ROUND, makers: [0, 0], core });
  assert.ok(violations.length > 0);
});
