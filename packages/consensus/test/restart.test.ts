/** Restarting a height: replay gives the same state, a snapshot restores one, what is outstanding is carried out. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { VoteType } from "@quorate/chain";
import {
  decodeInput,
  decodeSnapshot,
  type Effect,
  encodeInput,
  encodeSnapshot,
  type Input,
  initialState,
  outstanding,
  step,
} from "../src/index.ts";
import { Core, name, of, valueText } from "./harness/core.ts";
import { blockId, HEIGHT, prevote, startHeight, TIME } from "./harness/fixtures.ts";

const A = blockId("a");
const B = blockId("b");
const kinds = (effects: readonly Effect[]): readonly string[] => effects.map(({ kind }) => kind);

test("a fresh core ignores everything before its first height", () => {
  const input: Input = { kind: "timeout", timeout: { kind: "propose", height: HEIGHT, round: 0 } };
  assert.deepEqual(step(initialState(), input), { state: initialState(), effects: [] });
});

test("what is outstanding at each step is what a restart has to do again", () => {
  const core = new Core(0);
  assert.deepEqual(kinds(outstanding(core.state)), ["schedule_timeout"]);
  core.timeout("new_height", 0);
  assert.deepEqual(kinds(outstanding(core.state)), ["schedule_timeout", "build"]);
  assert.deepEqual(outstanding(core.state).at(-1), core.last("build"));
  core.feed({ kind: "built", height: HEIGHT, round: 0, value: { blockId: A, time: TIME } });
  assert.deepEqual(kinds(outstanding(core.state)), ["schedule_timeout", "sign_proposal"]);
  const { proposal } = core.last("sign_proposal");
  const signed = { ...proposal, signature: new Uint8Array(64) };
  core.feed({ kind: "signed_proposal", height: HEIGHT, round: 0, proposal: signed });
  assert.deepEqual(kinds(outstanding(core.state)), ["sign_vote"]);
  core.sign();
  assert.deepEqual(kinds(outstanding(core.state)), []);
});

test("an open verdict and a wanted body are outstanding until they are answered", () => {
  const core = Core.inRound0(3);
  core.body(A, 0);
  core.proposal(0, A);
  core.precommits(0, B, [0, 1]);
  core.precommits(0, B, [2]);
  const open = outstanding(core.state).filter(({ kind }) => kind !== "schedule_timeout");
  assert.deepEqual(kinds(open), ["validate", "want_body"]);
  core.verdict(A);
  assert.deepEqual(of(outstanding(core.state), "validate"), []);
});

test("a snapshot restores round, step, lock, valid value and votes, and asks for the precommit it was written for", () => {
  const core = lockedInRound1();
  const snapshot = decodeSnapshot(encodeSnapshot(core.last("snapshot").snapshot));
  assert.deepEqual(snapshot, core.last("snapshot").snapshot);

  const restored = new Core(3);
  const effects = restored.feed({ kind: "restore", snapshot });
  assert.deepEqual([restored.round, restored.step], [1, "Precommit"]);
  assert.equal(valueText(restored.state.machine.locked), `1 ${name(A)}`);
  assert.equal(valueText(restored.state.machine.valid), `1 ${name(A)}`);
  assert.deepEqual(restored.asked, [`precommit 1 ${name(A)}`]);
  assert.equal(name(of(effects, "want_body")[0]!.blockId), name(A));
  restored.body(A, 1);
  restored.precommits(1, A, [0, 1, 2]);
  assert.equal(restored.all("decide").length, 1);
});

test("a restored node can prove its polka to the others in the next round it proposes", () => {
  const restored = new Core(3);
  restored.feed({ kind: "restore", snapshot: lockedInRound1().last("snapshot").snapshot });
  restored.sign();
  restored.body(A, 1);
  restored.nextRound();
  restored.nextRound();
  const { proposal } = restored.last("sign_proposal");
  const signed = { ...proposal, signature: new Uint8Array(64) };
  const effects = restored.feed({ kind: "signed_proposal", height: HEIGHT, round: 3, proposal: signed });
  const { certificate } = of(effects, "broadcast_certificate")[0]!;
  assert.deepEqual(
    [certificate.round, certificate.type, certificate.signatures.length],
    [1, VoteType.prevote, 3],
  );
});

test("a snapshot does not lower a lock that the sign state holds", () => {
  const restored = new Core(3, { lock: { round: 4, blockId: B }, watermark: { round: 4, step: 2 } });
  restored.feed({ kind: "restore", snapshot: lockedInRound1().last("snapshot").snapshot });
  assert.equal(valueText(restored.state.machine.locked), `4 ${name(B)}`);
});

test("a snapshot is refused once the height has begun", () => {
  const core = Core.inRound0(3);
  const before = core.state;
  core.feed({ kind: "restore", snapshot: lockedInRound1().last("snapshot").snapshot });
  assert.deepEqual(core.state, before);
});

test("messages for the next height that come early are kept for it, within bounds", () => {
  const core = Core.inRound0(3);
  const next = HEIGHT + 1;
  for (let round = 0; round < 50; round++) {
    core.votes([
      prevote(core.set, 0, round, A, { height: next }),
      prevote(core.set, 0, round, B, { height: next }),
    ]);
  }
  assert.equal(core.state.ahead.length, 4);
  core.votes([prevote(core.set, 1, 0, A, { height: next })]);
  core.proposal(0, A, { height: next });
  core.votes([prevote(core.set, 0, 0, A, { height: next + 1 })]);
  assert.equal(core.state.ahead.length, 6);
  const effects = core.feed(startHeight(core.set, 3, { height: next }));
  assert.deepEqual(core.state.ahead, []);
  assert.ok(of(effects, "duplicate_vote").length > 0, "kept votes went through the keeper");
  assert.notEqual(core.step, "NewHeight", "two of four have begun");
});

test("a replay of the decoded log gives the same state, at every step", () => {
  const log: Uint8Array[] = [];
  let live = initialState();
  const feed = (input: Input): readonly Effect[] => {
    log.push(encodeInput(input));
    const result = step(live, input);
    live = result.state;
    return result.effects;
  };
  const recorder = Core.inRound0(3);
  const { set } = recorder;
  feed(startHeight(set, 3));
  feed({ kind: "timeout", timeout: { kind: "new_height", height: HEIGHT, round: 0 } });
  for (const index of [0, 1, 2]) {
    feed({ kind: "vote", vote: prevote(set, index, index === 2 ? 1 : 0, A) });
    const replayed = log.reduce((state, bytes) => step(state, decodeInput(bytes)).state, initialState());
    assert.deepEqual(replayed, live);
  }
});

/** Validator 3, which locked A in round 1 and waits for its precommit's signature. */
function lockedInRound1(): Core {
  const core = Core.inRound0(3);
  core.timeout("propose", 0);
  core.sign();
  core.nextRound();
  core.good(1, A);
  core.sign();
  core.prevotes(1, A, [0, 1]);
  assert.equal(core.step, "Precommit");
  return core;
}
