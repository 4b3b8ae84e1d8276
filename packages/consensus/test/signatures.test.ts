/** Own signatures: a message counts when it is signed; the sign state outranks the log; foreign use of the key stops. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { VoteType } from "@quorate/chain";
import { outstanding, voteOf } from "../src/index.ts";
import { requestVote } from "../src/own.ts";
import { Core, name, of, valueText } from "./harness/core.ts";
import {
  blockId,
  certificate,
  HEIGHT,
  precommit,
  prevote,
  proposal,
  startHeight,
  TIME,
  TIME_MS,
} from "./harness/fixtures.ts";

const A = blockId("a");
const B = blockId("b");

test("an own vote counts, and is sent, only when it is signed", () => {
  const core = Core.inRound0(3);
  core.good(0, A);
  assert.equal(voteOf(core.state, 0, VoteType.prevote, 3), null);
  const effects = core.sign();
  assert.deepEqual(
    effects.map(({ kind }) => kind),
    ["broadcast_vote"],
  );
  assert.ok(voteOf(core.state, 0, VoteType.prevote, 3));
});

test("the vote the signer gives back is the one that counts, also with another time", () => {
  const core = Core.inRound0(3);
  core.good(0, A);
  const vote = prevote(core.set, 3, 0, A, { timestamp: TIME - 5_000_000n });
  core.feed({ kind: "signed_vote", height: HEIGHT, round: 0, vote });
  assert.equal(voteOf(core.state, 0, VoteType.prevote, 3)?.timestamp, TIME - 5_000_000n);
});

test("a refused signature is an abstention: the height goes on without it and nothing is asked twice", () => {
  const core = Core.inRound0(3);
  core.good(0, A);
  core.feed({ kind: "sign_refused", height: HEIGHT, round: 0, what: "prevote" });
  assert.deepEqual(
    outstanding(core.state).filter(({ kind }) => kind === "sign_vote"),
    [],
  );
  core.prevotes(0, A, [0, 1, 2]);
  assert.deepEqual(core.asked, [`prevote 0 ${name(A)}`, `precommit 0 ${name(A)}`]);
});

test("a signature that comes after its round is counted and sent", () => {
  const core = Core.inRound0(3);
  core.timeout("propose", 0);
  core.nextRound();
  const vote = prevote(core.set, 3, 0, null);
  assert.equal(
    of(core.feed({ kind: "signed_vote", height: HEIGHT, round: 0, vote }), "broadcast_vote").length,
    1,
  );
  assert.ok(voteOf(core.state, 0, VoteType.prevote, 3));
});

test("nothing below the watermark is asked for; at it the signer may give back what it holds", () => {
  const core = new Core(3, { watermark: { round: 1, step: 2 } });
  core.timeout("new_height", 0);
  assert.equal(core.round, 1, "the node goes on in the round of its last signature");
  core.timeout("propose", 1);
  assert.deepEqual(core.asked, [], "a prevote lies below a precommit of the round");
  core.prevotes(1, null, [0, 1, 2]);
  assert.deepEqual(core.asked, ["precommit 1 nil"]);
});

test("a proposer builds nothing in a round in which it has signed already", () => {
  const core = new Core(1, { watermark: { round: 1, step: 0 } });
  core.timeout("new_height", 0);
  assert.equal(core.round, 1);
  assert.equal(core.all("build").length, 0);
  core.timeout("propose", 1);
  assert.deepEqual(core.asked, ["prevote 1 nil"]);
});

test("a lock from the sign state binds without any log: no other value is prevoted, and its body is fetched", () => {
  const core = new Core(3, { lock: { round: 0, blockId: A }, watermark: { round: 0, step: 2 } });
  assert.equal(name(core.last("want_body").blockId), name(A));
  core.timeout("new_height", 0);
  core.nextRound();
  core.good(1, B);
  assert.equal(core.asked.at(-1), "prevote 1 nil");
});

test("a node locked by its sign state prevotes its value again although the polka is lost", () => {
  const core = new Core(3, { lock: { round: 0, blockId: A }, watermark: { round: 0, step: 2 } });
  core.timeout("new_height", 0);
  core.nextRound();
  core.good(1, A, { polRound: 0 });
  assert.equal(core.asked.at(-1), `prevote 1 ${name(A)}`);
});

test("the sign state given after a replay raises lock and watermark and never lowers them", () => {
  const core = Core.inRound0(3);
  core.good(0, A);
  core.sign();
  core.prevotes(0, A, [0, 1]);
  core.sign();
  core.feed({ kind: "sign_state", height: HEIGHT, lock: null, watermark: { round: 0, step: 1 } });
  assert.equal(valueText(core.state.machine.locked), `0 ${name(A)}`);
  assert.deepEqual(core.state.own.watermark, { round: 0, step: 2 });
  core.feed({
    kind: "sign_state",
    height: HEIGHT,
    lock: { round: 3, blockId: B },
    watermark: { round: 4, step: 1 },
  });
  assert.equal(valueText(core.state.machine.locked), `3 ${name(B)}`);
  assert.deepEqual(core.state.own.watermark, { round: 4, step: 1 });
});

test("an own vote from outside, at or below the sign state, is recovered and counted", () => {
  const core = new Core(3, { watermark: { round: 2, step: 2 } });
  const vote = prevote(core.set, 3, 1, A);
  assert.deepEqual(of(core.votes([vote]), "foreign_signature"), []);
  assert.equal(voteOf(core.state, 1, VoteType.prevote, 3), vote);
});

test("an own vote from outside that is newer than the sign state stops the node and is not counted", () => {
  const core = Core.inRound0(3);
  const effects = core.votes([prevote(core.set, 3, 0, A)]);
  assert.equal(of(effects, "foreign_signature").length, 1);
  assert.equal(voteOf(core.state, 0, VoteType.prevote, 3), null);
});

test("an own vote from outside above a sign state that holds something stops the node", () => {
  const core = new Core(3, { watermark: { round: 1, step: 1 } });
  const effects = core.votes([precommit(core.set, 3, 1, null)]);
  assert.deepEqual(
    effects.map(({ kind }) => kind),
    ["foreign_signature"],
  );
});

test("no vote is asked for twice or for two values, whatever asks", () => {
  const core = Core.inRound0(3);
  const work = { state: core.state, context: core.state.context!, effects: [] };
  requestVote(work, VoteType.prevote, A);
  requestVote(work, VoteType.prevote, B);
  requestVote(work, VoteType.prevote, A);
  assert.equal(work.effects.length, 1);
});

test("regression: a second signature of the own key for a known vote stops the node, though it is for the same block", () => {
  const core = Core.inRound0(3);
  core.good(0, A);
  core.sign();
  const known = prevote(core.set, 3, 0, A);
  assert.deepEqual(core.votes([known]), []);
  const other = { ...known, signature: new Uint8Array(64).fill(99) };
  assert.equal(of(core.votes([other]), "foreign_signature").length, 1);
  const proof = certificate(VoteType.prevote, 0, A, [0, 1, 3]);
  const forged = proof.signatures.map((each) => ({ ...each, signature: new Uint8Array(64).fill(98) }));
  assert.equal(of(core.certificate({ ...proof, signatures: forged }), "foreign_signature").length, 1);
});

test("an own vote from outside that conflicts with a known one stops the node", () => {
  const core = Core.inRound0(3);
  core.good(0, A);
  core.sign();
  assert.deepEqual(core.votes([prevote(core.set, 3, 0, A, { timestamp: 1n })]), []);
  const effects = core.votes([prevote(core.set, 3, 0, B)]);
  assert.deepEqual(
    effects.map(({ kind }) => kind),
    ["foreign_signature"],
  );
});

test("an own precommit from outside against the lock of the sign state stops the node", () => {
  const core = new Core(3, { lock: { round: 1, blockId: A }, watermark: { round: 2, step: 1 } });
  assert.equal(of(core.votes([precommit(core.set, 3, 1, B)]), "foreign_signature").length, 1);
});

test("regression: a nil precommit of the last round before a lost log is the node's own, also when a polka locked it there since", () => {
  const core = new Core(3, { watermark: { round: 0, step: 2 } });
  core.timeout("new_height", 0);
  core.good(0, A);
  core.prevotes(0, A, [0, 1, 2]);
  assert.equal(valueText(core.state.machine.locked), `0 ${name(A)}`);
  assert.equal(core.asked.at(-1), `precommit 0 ${name(A)}`, "the signer refuses it: it gave nil");
  core.feed({ kind: "sign_refused", height: HEIGHT, round: 0, what: "precommit" });
  assert.deepEqual(of(core.votes([precommit(core.set, 3, 0, null)]), "foreign_signature"), []);
  assert.equal(voteOf(core.state, 0, VoteType.precommit, 3)?.blockId, null);
  // A second one for the block would be another instance's.
  assert.equal(of(core.votes([precommit(core.set, 3, 0, A)]), "foreign_signature").length, 1);
});

test("an own signature inside a certificate is judged like a vote", () => {
  const core = Core.inRound0(3);
  const effects = core.certificate(certificate(VoteType.prevote, 0, A, [0, 1, 3]));
  assert.deepEqual(
    effects.map(({ kind }) => kind),
    ["foreign_signature"],
  );
  const restarted = new Core(3, { watermark: { round: 0, step: 2 } });
  assert.equal(
    of(restarted.certificate(certificate(VoteType.prevote, 0, A, [0, 1, 3])), "foreign_signature").length,
    0,
  );
  assert.ok(voteOf(restarted.state, 0, VoteType.prevote, 3));
});

test("regression: a late precommit of the own key that contradicts the last commit is another instance's", () => {
  const core = Core.inRound0(3);
  core.good(0, A);
  core.sign();
  core.prevotes(0, A, [0, 1]);
  core.sign();
  core.precommits(0, A, [0, 1]);
  const { commit } = core.last("decide");
  const next = new Core(3, { height: HEIGHT + 1, lastCommit: commit });
  assert.deepEqual(next.votes([precommit(core.set, 3, 0, A)]), []);
  assert.deepEqual(
    next.votes([precommit(core.set, 3, 0, B)]).map(({ kind }) => kind),
    ["foreign_signature"],
  );
});

test("an own proposal from outside is taken back below the sign state and stops the node above it", () => {
  const core = Core.inRound0(0);
  const stopped = core.feed({ kind: "proposal", proposal: proposal(0, A), receivedAtMs: TIME_MS });
  assert.deepEqual(
    stopped.map(({ kind }) => kind),
    ["foreign_proposal"],
  );
  const restarted = new Core(0, { watermark: { round: 0, step: 0 } });
  restarted.timeout("new_height", 0);
  restarted.good(0, A);
  assert.deepEqual(restarted.asked, [`prevote 0 ${name(A)}`]);
});

test("own votes of the whole height are kept and served, those of others for the last 16 rounds", () => {
  const core = Core.inRound0(3);
  core.timeout("propose", 0);
  core.sign();
  core.prevotes(0, null, [0]);
  for (let round = 0; round < 20; round++) core.nextRound();
  assert.equal(core.round, 20);
  assert.ok(voteOf(core.state, 0, VoteType.prevote, 3));
  assert.equal(voteOf(core.state, 0, VoteType.prevote, 0), null);
  assert.ok(voteOf(core.state, 4, VoteType.precommit, 0));
});

test("a build or a signature for a round that is over changes nothing", () => {
  const core = Core.inRound0(0);
  core.nextRound();
  const before = core.state;
  core.feed({ kind: "built", height: HEIGHT, round: 0, value: { blockId: A, time: TIME } });
  assert.deepEqual(core.state, before);
  assert.equal(core.all("sign_proposal").length, 0);
});

test("a proposal whose signature comes when its round is over is not sent", () => {
  const core = Core.inRound0(0);
  core.feed({ kind: "built", height: HEIGHT, round: 0, value: { blockId: A, time: TIME } });
  const signed = { ...core.last("sign_proposal").proposal, signature: new Uint8Array(64) };
  core.nextRound();
  core.feed({ kind: "signed_proposal", height: HEIGHT, round: 0, proposal: signed });
  assert.equal(core.all("broadcast_proposal").length, 0);
});

test("a value built for an earlier round is not proposed in a later round of the same proposer", () => {
  const core = Core.inRound0(0);
  core.prevotes(4, null, [1, 2]);
  assert.deepEqual(
    core.all("build").map(({ round }) => round),
    [0, 4],
  );
  core.feed({ kind: "built", height: HEIGHT, round: 0, value: { blockId: A, time: TIME } });
  assert.equal(core.all("sign_proposal").length, 0);
  core.feed({ kind: "built", height: HEIGHT, round: 4, value: { blockId: B, time: TIME } });
  assert.equal(name(core.last("sign_proposal").proposal.blockId), name(B));
});

test("a value built ahead of its verdict is proposed at once and prevoted when the verdict comes", () => {
  for (const verdict of ["valid", "invalid"] as const) {
    const core = Core.inRound0(0);
    core.feed({ kind: "built", height: HEIGHT, round: 0, value: { blockId: A, time: TIME, open: true } });
    const signed = { ...core.last("sign_proposal").proposal, signature: new Uint8Array(64) };
    core.feed({ kind: "signed_proposal", height: HEIGHT, round: 0, proposal: signed });
    assert.equal(core.all("broadcast_proposal").length, 1);
    assert.equal(name(core.last("validate").blockId), name(A));
    assert.deepEqual(core.asked, []);
    core.feed({ kind: "verdict", height: HEIGHT, blockId: A, verdict });
    assert.deepEqual(core.asked, [verdict === "valid" ? `prevote 0 ${name(A)}` : "prevote 0 nil"]);
  }
});

test("a proposer that could build nothing stays silent and prevotes nil with the timer", () => {
  const core = Core.inRound0(0);
  core.feed({ kind: "built", height: HEIGHT, round: 0, value: null });
  core.timeout("propose", 0);
  assert.deepEqual(core.asked, ["prevote 0 nil"]);
});

test("an own precommit signed while the height was decided still goes out and extends the commit in the next", () => {
  const core = Core.inRound0(3);
  core.good(0, A);
  core.precommits(0, A, [0, 1, 2]);
  core.feed(startHeight(core.set, 3, { height: HEIGHT + 1 }));
  const vote = precommit(core.set, 3, 0, A);
  const effects = core.feed({ kind: "signed_vote", height: HEIGHT, round: 0, vote });
  assert.deepEqual(
    effects.map(({ kind }) => kind),
    ["broadcast_vote", "extend_last_commit"],
  );
});
