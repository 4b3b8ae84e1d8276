/** The core does what the model does, step by step; and a core that does not is found out. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Effect, step } from "@quorate/consensus";
import { readFixture } from "../fixture.ts";
import { modelDigest } from "../model.ts";
import { type CoreUnderTest, replay } from "../replay/replay.ts";

const { model, directed, random } = readFixture();
const traces = [...directed, ...random];

/** Fields and outputs in which a core differs from the model, over all traces. */
function divergences(core: CoreUnderTest): ReadonlySet<string> {
  const found = new Set<string>();
  for (const trace of traces) {
    const { divergence } = replay(trace, core);
    if (divergence) found.add(divergence.field);
  }
  return found;
}

test("the checked-in traces are of this model: `npm run spec -- --traces` makes them anew", () => {
  assert.equal(model, modelDigest());
});

test("the core takes every trace of the model to the same state with the same outputs, step by step", () => {
  assert.ok(directed.length >= 60, `${directed.length} directed runs`);
  assert.ok(random.length >= 30, `${random.length} random traces`);
  for (const trace of traces) assert.equal(replay(trace).divergence, null);
});

test("a core that never locks is caught", () => {
  const forgets: CoreUnderTest = {
    step: (state, input) => {
      const { state: next, effects } = step(state, input);
      return { state: { ...next, machine: { ...next.machine, locked: null } }, effects };
    },
  };
  assert.ok(divergences(forgets).has("locked"));
});

test("a core that prevotes what it should answer with nil is caught", () => {
  const eager: CoreUnderTest = {
    step: (state, input) => {
      const result = step(state, input);
      const proposed = result.state.proposals[0]?.proposal.blockId;
      const changed = (effect: Effect): Effect =>
        effect.kind === "sign_vote" && effect.vote.blockId === null && proposed
          ? { ...effect, vote: { ...effect.vote, blockId: proposed } }
          : effect;
      return { state: result.state, effects: result.effects.map(changed) };
    },
  };
  assert.ok(divergences(eager).has("outputs"));
});

test("a core that misses certificates is caught", () => {
  const deaf: CoreUnderTest = {
    step: (state, input) => (input.kind === "certificate" ? { state, effects: [] } : step(state, input)),
  };
  assert.ok(divergences(deaf).size > 0);
});
