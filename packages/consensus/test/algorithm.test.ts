/** The algorithm, line by line (arXiv:1807.04938), seen from outside: inputs in, votes and proposals out. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { VoteType } from "@quorate/chain";
import { Core, name, of, valueText } from "./harness/core.ts";
import { blockId, certificate, HEIGHT, LAST_TIME, PARAMS, precommit, TIME } from "./harness/fixtures.ts";

const A = blockId("a");
const B = blockId("b");

test("L11-13: a round begins with its proposer, its timer and its step", () => {
  const core = new Core(1);
  assert.equal(core.step, "NewHeight");
  assert.deepEqual(
    core.all("schedule_timeout").map(({ timeout, ms }) => [timeout.kind, ms]),
    [["new_height", 100]],
  );
  const effects = core.timeout("new_height", 0);
  assert.deepEqual(of(effects, "schedule_timeout")[0]?.timeout, {
    kind: "propose",
    height: HEIGHT,
    round: 0,
  });
  assert.equal(of(effects, "schedule_timeout")[0]?.ms, PARAMS.timeoutProposeMs);
  assert.deepEqual(of(effects, "new_step")[0], {
    kind: "new_step",
    height: HEIGHT,
    round: 0,
    step: "Propose",
  });
});

test("L14-19: the proposer asks for a value not before the block interval has passed, and proposes it", () => {
  const core = Core.inRound0(0);
  const build = core.last("build");
  assert.equal(build.notBefore, LAST_TIME + BigInt(PARAMS.blockIntervalMs) * 1_000_000n);
  core.feed({ kind: "built", height: HEIGHT, round: 0, value: { blockId: A, time: TIME } });
  const { proposal } = core.last("sign_proposal");
  assert.deepEqual(proposal, { height: HEIGHT, round: 0, polRound: -1, blockId: A, timestamp: TIME });
  const signed = { ...proposal, signature: new Uint8Array(64) };
  const effects = core.feed({ kind: "signed_proposal", height: HEIGHT, round: 0, proposal: signed });
  assert.equal(of(effects, "broadcast_proposal").length, 1);
  assert.deepEqual(core.asked, [`prevote 0 ${name(A)}`], "its own proposal counts once it is signed");
});

test("L16: a proposer with a valid value proposes that with its round, and gives the others its polka", () => {
  const core = Core.inRound0(1);
  core.good(0, A);
  core.prevotes(0, A, [0, 2, 3]);
  core.nextRound();
  const { proposal } = core.last("sign_proposal");
  assert.deepEqual([proposal.round, proposal.polRound, name(proposal.blockId)], [1, 0, name(A)]);
  assert.equal(core.all("build").length, 0);
  const signed = { ...proposal, signature: new Uint8Array(64) };
  const effects = core.feed({ kind: "signed_proposal", height: HEIGHT, round: 1, proposal: signed });
  assert.deepEqual(effects.map(({ kind }) => kind).slice(0, 2), [
    "broadcast_certificate",
    "broadcast_proposal",
  ]);
});

test("L16: a polka that became known after its round is what the next proposer proposes", () => {
  const core = Core.inRound0(1);
  core.good(0, A);
  core.nextRound();
  assert.equal(core.all("build").length, 1);
  const late = Core.inRound0(1);
  late.good(0, A);
  late.prevotes(0, A, [0, 2]);
  late.nextRound();
  for (let round = 1; round < 4; round++) late.nextRound();
  late.certificate(certificate(VoteType.prevote, 0, A, [0, 2, 3]));
  assert.equal(valueText(late.state.machine.valid), "none");
  late.nextRound();
  const { proposal } = late.last("sign_proposal");
  assert.deepEqual([proposal.round, proposal.polRound, name(proposal.blockId)], [5, 0, name(A)]);
});

test("L16: a later polka known to the proposer outranks its valid value", () => {
  const core = Core.inRound0(1);
  core.good(0, A);
  core.prevotes(0, A, [0, 2, 3]);
  core.nextRound();
  core.nextRound();
  core.good(2, B);
  for (let round = 2; round < 4; round++) core.nextRound();
  core.certificate(certificate(VoteType.prevote, 2, B, [0, 2, 3]));
  core.nextRound();
  const { proposal } = core.last("sign_proposal");
  assert.deepEqual([proposal.round, proposal.polRound, name(proposal.blockId)], [5, 2, name(B)]);
});

test("L22-24: a valid fresh proposal is prevoted by a node without a lock", () => {
  const core = Core.inRound0(1);
  core.good(0, A);
  assert.deepEqual(core.asked, [`prevote 0 ${name(A)}`]);
  assert.equal(core.step, "Prevote");
  assert.deepEqual(core.last("cancel_timeout").timeout.kind, "propose");
});

test("L23: a node locked on another value prevotes nil for a fresh proposal, and its lock stays", () => {
  const core = lockedOnA();
  core.good(1, B);
  assert.equal(core.asked.at(-1), "prevote 1 nil");
  assert.equal(valueText(core.state.machine.locked), `0 ${name(A)}`);
});

test("L23: a node prevotes a fresh proposal of the value it is locked on", () => {
  const core = lockedOnA();
  core.body(A, 1);
  core.proposal(1, A);
  assert.equal(core.asked.at(-1), `prevote 1 ${name(A)}`);
});

test("L28-30: a proposal with a polka no older than the lock frees the node to prevote it", () => {
  const core = lockedOnA();
  core.nextRound();
  core.prevotes(1, B, [0, 1, 2]);
  core.good(2, B, { polRound: 1 });
  assert.equal(core.asked.at(-1), `prevote 2 ${name(B)}`);
  assert.equal(valueText(core.state.machine.locked), `0 ${name(A)}`, "only a later polka moves the lock");
});

test("L29: a polka older than the lock does not free the node", () => {
  const core = Core.inRound0(3);
  core.prevotes(0, B, [0, 1, 2]);
  core.nextRound();
  core.good(1, A);
  core.prevotes(1, A, [0, 1, 2]);
  assert.equal(valueText(core.state.machine.locked), `1 ${name(A)}`);
  core.nextRound();
  core.good(2, B, { polRound: 0 });
  assert.equal(core.asked.at(-1), "prevote 2 nil");
});

test("L29: a node prevotes the value it is locked on although the proposal's polka is older", () => {
  const core = Core.inRound0(3);
  core.prevotes(0, A, [0, 1, 2]);
  core.nextRound();
  core.good(1, A);
  core.prevotes(1, A, [0, 1, 2]);
  core.nextRound();
  core.proposal(2, A, { polRound: 0 });
  assert.equal(core.asked.at(-1), `prevote 2 ${name(A)}`);
});

test("L28: a proposal whose polka is unknown is not prevoted until the polka is known", () => {
  const core = Core.inRound0(3);
  core.nextRound();
  core.good(1, B, { polRound: 0 });
  assert.deepEqual(core.asked, []);
  core.certificate(certificate(VoteType.prevote, 0, B, [0, 1, 2]));
  assert.equal(core.asked.at(-1), `prevote 1 ${name(B)}`);
});

test("a proposal whose polka is lost is prevoted once more than 1/3 prevoted it in this round", () => {
  const core = Core.inRound0(3);
  core.nextRound();
  core.good(1, B, { polRound: 0 });
  core.prevotes(1, B, [0]);
  assert.deepEqual(core.asked, []);
  core.prevotes(1, B, [1]);
  assert.equal(core.asked.at(-1), `prevote 1 ${name(B)}`);
});

test("a node locked on another value never prevotes a proposal whose polka it does not know, whoever vouches", () => {
  const core = lockedOnA();
  core.nextRound();
  core.good(2, B, { polRound: 1 });
  core.prevotes(2, B, [0, 1]);
  assert.ok(!core.asked.some((vote) => vote.startsWith("prevote 2")));
});

test("L57-60: without a proposal the timer prevotes nil", () => {
  const core = Core.inRound0(1);
  core.timeout("propose", 0);
  assert.deepEqual(core.asked, ["prevote 0 nil"]);
});

test("L34-35: +2/3 of any prevotes start the prevote timer, once", () => {
  const core = Core.inRound0(3);
  core.timeout("propose", 0);
  core.prevotes(0, A, [0, 1]);
  assert.equal(of(core.prevotes(0, null, [2]), "schedule_timeout")[0]?.timeout.kind, "prevote");
  assert.equal(core.step, "PrevoteWait");
  core.sign();
  assert.equal(core.all("schedule_timeout").filter(({ timeout }) => timeout.kind === "prevote").length, 1);
});

test("L36-41: a polka for a valid block locks it, and the snapshot comes before the precommit", () => {
  const core = Core.inRound0(1);
  core.good(0, A);
  core.sign();
  const effects = core.prevotes(0, A, [0, 2]);
  assert.equal(valueText(core.state.machine.locked), `0 ${name(A)}`);
  assert.equal(valueText(core.state.machine.valid), `0 ${name(A)}`);
  const kinds = effects.map(({ kind }) => kind);
  assert.ok(kinds.indexOf("snapshot") >= 0 && kinds.indexOf("snapshot") < kinds.indexOf("sign_vote"));
  assert.equal(of(effects, "snapshot").length, 1, "lock and valid value change in one step");
  assert.equal(core.asked.at(-1), `precommit 0 ${name(A)}`);
});

test("L36: the precommit cancels the prevote timer", () => {
  const core = Core.inRound0(3);
  core.body(A, 0);
  core.proposal(0, A);
  core.timeout("propose", 0);
  core.prevotes(0, A, [0, 1, 2]);
  assert.equal(core.step, "PrevoteWait");
  const effects = core.verdict(A);
  assert.deepEqual(
    of(effects, "cancel_timeout").map(({ timeout }) => timeout.kind),
    ["prevote"],
  );
});

test("L42-43: a polka after the precommit of nil sets the valid value, not the lock", () => {
  const core = Core.inRound0(1);
  core.good(0, A);
  core.prevotes(0, null, [0]);
  core.prevotes(0, A, [2]);
  core.sign();
  core.timeout("prevote", 0);
  assert.equal(core.asked.at(-1), "precommit 0 nil");
  core.prevotes(0, A, [3]);
  assert.equal(valueText(core.state.machine.locked), "none");
  assert.equal(valueText(core.state.machine.valid), `0 ${name(A)}`);
  assert.equal(core.all("snapshot").length, 1);
});

test("L44-46: a polka for nil precommits nil at once and leaves the lock", () => {
  const core = lockedOnA();
  core.timeout("propose", 1);
  core.prevotes(1, null, [0, 1, 2]);
  assert.equal(core.asked.at(-1), "precommit 1 nil");
  assert.equal(valueText(core.state.machine.locked), `0 ${name(A)}`);
});

test("L61-64: the prevote timer precommits nil", () => {
  const core = Core.inRound0(1);
  core.timeout("propose", 0);
  core.prevotes(0, A, [0]);
  core.prevotes(0, B, [2]);
  core.sign();
  core.timeout("prevote", 0);
  assert.deepEqual(core.asked, ["prevote 0 nil", "precommit 0 nil"]);
});

test("L47-48: +2/3 of any precommits start the precommit timer, in whatever step", () => {
  const core = Core.inRound0(3);
  assert.equal(of(core.precommits(0, A, [0, 1]), "schedule_timeout").length, 0, "half is not enough");
  const effects = core.precommits(0, null, [2]);
  assert.equal(of(effects, "schedule_timeout")[0]?.ms, PARAMS.timeoutPrecommitMs);
  assert.equal(core.step, "Propose");
});

test("+2/3 nil precommits wait 0 ms, also where the full timer runs already", () => {
  const core = Core.inRound0(3);
  core.precommits(0, A, [0]);
  core.precommits(0, null, [1, 2]);
  assert.equal(core.last("schedule_timeout").ms, PARAMS.timeoutPrecommitMs);
  core.timeout("propose", 0);
  core.prevotes(0, null, [0, 1]);
  core.sign();
  core.sign();
  assert.equal(core.asked.at(-1), "precommit 0 nil");
  assert.deepEqual(core.last("schedule_timeout"), {
    kind: "schedule_timeout",
    timeout: { kind: "precommit", height: HEIGHT, round: 0 },
    ms: 0,
  });
});

test("L65-67: the precommit timer begins the next round", () => {
  const core = Core.inRound0(3);
  core.nextRound();
  assert.equal(core.step, "Propose");
  assert.equal(core.last("schedule_timeout").ms, PARAMS.timeoutProposeMs + PARAMS.timeoutProposeDeltaMs);
});

test("L55-56: more than 1/3 in a higher round pulls the node there, 1/3 does not", () => {
  const core = Core.inRound0(3);
  core.prevotes(4, null, [0]);
  assert.equal(core.round, 0);
  core.precommits(4, A, [1]);
  assert.equal(core.round, 4);
});

test("L55: a node is pulled to the highest round that more than 1/3 have reached, each in a round of its own", () => {
  const core = Core.inRound0(3);
  core.prevotes(9, null, [0]);
  core.prevotes(6, null, [1]);
  assert.equal(core.round, 6);
  core.prevotes(10, null, [2]);
  assert.equal(core.round, 9);
});

test("L49-54: +2/3 precommits decide, with nil and late ones in the commit", () => {
  const core = Core.inRound0(3);
  core.good(0, A);
  core.precommits(0, null, [2]);
  core.precommits(0, A, [0, 1]);
  core.prevotes(0, A, [0, 1, 2]);
  core.sign();
  const { commit, round, blockId: decided } = core.last("decide");
  assert.deepEqual([round, name(decided)], [0, name(A)]);
  assert.deepEqual(
    commit.signatures.map(({ flag }) => flag),
    [2, 2, 3, 2],
  );
  assert.equal(core.step, "Commit");
});

test("a precommit for another block stands in no commit", () => {
  const core = Core.inRound0(null);
  core.good(0, A);
  core.precommits(0, B, [3]);
  core.precommits(0, A, [0, 1, 2]);
  assert.deepEqual(
    core.last("decide").commit.signatures.map(({ flag }) => flag),
    [2, 2, 2, 1],
  );
});

test("a decision needs the body, not the verdict", () => {
  const core = Core.inRound0(3);
  core.precommits(0, A, [0, 1]);
  const effects = core.precommits(0, A, [2]);
  assert.deepEqual(
    of(effects, "want_body").map(({ blockId: id }) => name(id)),
    [name(A)],
  );
  assert.equal(core.all("decide").length, 0);
  assert.equal(of(core.body(A, 0), "decide").length, 1);
  assert.deepEqual(core.state.timers, [], "no timer outlives the decision");
});

test("nothing but its own late precommits moves a decided height", () => {
  const core = Core.inRound0(3);
  core.good(0, A);
  core.precommits(0, A, [0, 1, 2]);
  const { machine } = core.state;
  core.timeout("precommit", 0);
  core.prevotes(7, B, [0, 1, 2]);
  core.good(1, B);
  assert.deepEqual(core.state.machine, machine);
  assert.equal(core.all("decide").length, 1);
});

test("a node without a vote follows every step and asks for no signature", () => {
  const core = Core.inRound0(null);
  core.good(0, A);
  core.prevotes(0, A, [0, 1, 2]);
  assert.equal(core.step, "Precommit");
  core.precommits(0, A, [0, 1, 2]);
  assert.equal(core.all("decide").length, 1);
  assert.deepEqual(core.asked, []);
});

test("late precommits extend the last commit in Commit and in NewHeight, once each, and no later", () => {
  const core = Core.inRound0(3);
  core.good(0, A);
  core.precommits(0, A, [0, 1, 2]);
  assert.deepEqual(
    core.last("decide").commit.signatures.map(({ flag }) => flag),
    [2, 2, 2, 1],
  );
  const own = precommit(core.set, 3, 0, A);
  const late = core.feed({ kind: "signed_vote", height: HEIGHT, round: 0, vote: own });
  assert.deepEqual(
    late.map(({ kind }) => kind),
    ["broadcast_vote", "extend_last_commit"],
  );

  const restarted = new Core(3, { height: HEIGHT + 1, lastCommit: core.last("decide").commit });
  assert.equal(of(restarted.votes([own]), "extend_last_commit").length, 1);
  assert.equal(of(restarted.votes([own]), "extend_last_commit").length, 0);
  assert.equal(of(restarted.votes([precommit(core.set, 2, 0, B)]), "extend_last_commit").length, 0);

  const other = new Core(3, { height: HEIGHT + 1, lastCommit: core.last("decide").commit });
  const ofLaterRound = precommit(core.set, 3, 1, A);
  assert.equal(of(other.votes([ofLaterRound]), "extend_last_commit").length, 0, "a commit is of one round");

  const later = new Core(3, { height: HEIGHT + 1, lastCommit: core.last("decide").commit });
  later.timeout("new_height", 0, HEIGHT + 1);
  assert.equal(of(later.votes([own]), "extend_last_commit").length, 0);
});

test("a late precommit that contradicts the last commit is an equivocation, in Commit and in NewHeight", () => {
  const core = Core.inRound0(3);
  core.good(0, A);
  core.precommits(0, A, [0, 1, 2]);
  const { commit } = core.last("decide");
  const contrary = precommit(core.set, 1, 0, null);
  const caught = of(core.votes([contrary]), "duplicate_vote");
  assert.deepEqual(
    caught.map(({ first, second }) => [first.blockId, second.blockId]),
    [[A, null]],
  );

  const next = new Core(3, { height: HEIGHT + 1, lastCommit: commit });
  const [pair, ...more] = of(next.votes([contrary]), "duplicate_vote");
  assert.deepEqual([pair?.first.blockId, pair?.second.blockId, more.length], [A, null, 0]);
  assert.deepEqual(pair?.first.signature, commit.signatures[1]?.signature);
  assert.deepEqual(pair?.first.validatorAddress, contrary.validatorAddress);
  assert.equal(of(next.votes([precommit(core.set, 1, 0, A)]), "duplicate_vote").length, 0, "the same vote");
  assert.equal(of(next.votes([precommit(core.set, 1, 1, B)]), "duplicate_vote").length, 0, "another round");
  assert.equal(of(next.votes([precommit(core.set, 3, 0, null)]), "duplicate_vote").length, 0, "first word");
});

test("a node that still waits for its height to begin collects messages and begins when more than 1/3 have", () => {
  const core = new Core(3);
  core.good(0, A);
  core.prevotes(0, A, [0]);
  assert.equal(core.step, "NewHeight");
  core.prevotes(0, A, [1]);
  assert.notEqual(core.step, "NewHeight");
  assert.deepEqual(core.asked, [`prevote 0 ${name(A)}`]);
});

/** Validator 3, locked on A in round 0, now in round 1. */
function lockedOnA(): Core {
  const core = Core.inRound0(3);
  core.good(0, A);
  core.prevotes(0, A, [0, 1, 2]);
  core.nextRound();
  assert.equal(valueText(core.state.machine.locked), `0 ${name(A)}`);
  return core;
}
