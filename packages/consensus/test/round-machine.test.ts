/** The round machine alone: guards that hold whatever the driver feeds it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { apply, type MachineInput, NEW_HEIGHT, type RoundMachine } from "../src/round-machine.ts";
import { blockId } from "./harness/fixtures.ts";

const id = fc.constantFrom(blockId("a"), blockId("b"));
const round = fc.nat(4);

const anyInput: fc.Arbitrary<MachineInput> = fc.oneof(
  round.map((r): MachineInput => ({ kind: "new_round", round: r })),
  id.map((v): MachineInput => ({ kind: "proposal", blockId: v })),
  fc.constant<MachineInput>({ kind: "invalid_proposal" }),
  fc
    .tuple(id, round)
    .map(([v, r]): MachineInput => ({ kind: "proposal_with_polka", blockId: v, polRound: r })),
  fc.constant<MachineInput>({ kind: "invalid_with_polka" }),
  round.map((r): MachineInput => ({ kind: "timeout_propose", round: r })),
  fc.constant<MachineInput>({ kind: "prevote_any" }),
  id.map((v): MachineInput => ({ kind: "polka", blockId: v })),
  fc.constant<MachineInput>({ kind: "polka_nil" }),
  round.map((r): MachineInput => ({ kind: "timeout_prevote", round: r })),
  fc.boolean().map((nilQuorum): MachineInput => ({ kind: "precommit_any", nilQuorum })),
  round.map((r): MachineInput => ({ kind: "timeout_precommit", round: r })),
);

function walk(
  inputs: readonly MachineInput[],
  visit: (before: RoundMachine, input: MachineInput, after: RoundMachine) => void,
): RoundMachine {
  let machine = NEW_HEIGHT;
  for (const input of inputs) {
    const { machine: after, outputs } = apply(machine, input);
    if (after === machine) assert.deepEqual(outputs, [], "a refused input says nothing");
    visit(machine, input, after);
    machine = after;
  }
  return machine;
}

test("a decided height takes no input at all", () => {
  fc.assert(
    fc.property(
      fc.array(anyInput, { minLength: 10, maxLength: 60, size: "max" }),
      anyInput,
      id,
      round,
      (inputs, last, v, r) => {
        const machine = walk(inputs, () => {});
        const decided = apply(machine, { kind: "precommit_quorum", round: r, blockId: v }).machine;
        assert.equal(decided.step, "Commit");
        assert.deepEqual(apply(decided, last), { machine: decided, outputs: [] });
      },
    ),
  );
});

test("the lock moves by a polka of the current round alone, and never back", () => {
  fc.assert(
    fc.property(fc.array(anyInput, { minLength: 10, maxLength: 120, size: "max" }), (inputs) => {
      walk(inputs, (before, input, after) => {
        if (before.locked === after.locked) return;
        assert.equal(input.kind, "polka");
        assert.equal(after.locked?.round, after.round);
        assert.ok((before.locked?.round ?? -1) < (after.locked?.round ?? -1));
      });
    }),
  );
});

test("the round never falls, and the valid round is never below the lock", () => {
  fc.assert(
    fc.property(fc.array(anyInput, { minLength: 10, maxLength: 120, size: "max" }), (inputs) => {
      walk(inputs, (before, _, after) => {
        assert.ok(after.round >= before.round);
        assert.ok((after.valid?.round ?? -1) >= (after.locked?.round ?? -1));
      });
    }),
  );
});

test("a timer of another round does nothing", () => {
  const propose = apply(apply(NEW_HEIGHT, { kind: "new_round", round: 0 }).machine, {
    kind: "new_round",
    round: 2,
  }).machine;
  assert.equal(apply(propose, { kind: "timeout_propose", round: 1 }).machine, propose);
  assert.equal(apply(propose, { kind: "timeout_precommit", round: 1 }).machine, propose);
  const prevote = apply(propose, { kind: "timeout_propose", round: 2 }).machine;
  assert.equal(apply(prevote, { kind: "timeout_prevote", round: 1 }).machine, prevote);
});

test("L28: only a polka of an earlier round justifies a proposal", () => {
  const propose = inRound(2);
  for (const polRound of [2, 3]) {
    const input: MachineInput = { kind: "proposal_with_polka", blockId: blockId("a"), polRound };
    assert.equal(apply(propose, input).machine, propose);
  }
});

test("L29: a polka of the lock's own round, or of a later one, frees the node; an earlier one does not", () => {
  const locked = { round: 1, blockId: blockId("a") };
  const propose: RoundMachine = { ...inRound(3), locked, valid: locked };
  const voted = (polRound: number): unknown =>
    apply(propose, { kind: "proposal_with_polka", blockId: blockId("b"), polRound }).outputs;
  assert.deepEqual(voted(0), [{ kind: "prevote", blockId: null }]);
  for (const polRound of [1, 2])
    assert.deepEqual(voted(polRound), [{ kind: "prevote", blockId: blockId("b") }]);
});

test("L34, L47: each timer starts once in a round", () => {
  const prevote = apply(inRound(0), { kind: "invalid_proposal" }).machine;
  const waiting = apply(prevote, { kind: "prevote_any" }).machine;
  assert.equal(waiting.step, "PrevoteWait");
  assert.equal(apply(waiting, { kind: "prevote_any" }).machine, waiting);
  const ending = apply(waiting, { kind: "precommit_any", nilQuorum: false }).machine;
  assert.equal(apply(ending, { kind: "precommit_any", nilQuorum: false }).machine, ending);
});

/** In Propose of this round, nothing locked. */
function inRound(r: number): RoundMachine {
  return apply(NEW_HEIGHT, { kind: "new_round", round: r }).machine;
}
