/**
 * Bugs that other implementations of the algorithm had, each as a test. In brackets where it was found: M = Malachite,
 * MS = Mainsail, C = CometBFT.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { VoteType } from "@quorate/chain";
import { certificateOf, proposalsOfRound, summary, voteOf } from "../src/index.ts";
import { Core, name, of, valueText } from "./harness/core.ts";
import {
  blockId,
  certificate,
  HEIGHT,
  precommit,
  prevote,
  startHeight,
  TIME,
  validatorSet,
} from "./harness/fixtures.ts";

const A = blockId("a");
const B = blockId("b");
const C = blockId("c");

test("[M 1480] +2/3 precommits of a future round decide, they do not only skip there", () => {
  const core = Core.inRound0(3);
  core.good(0, A);
  core.certificate(certificate(VoteType.precommit, 3, A, [0, 1, 2]));
  assert.deepEqual([core.last("decide").round, core.step], [3, "Commit"]);
});

test("[M 1480] a round that is decided already is not begun: its proposer neither builds nor waits there", () => {
  const core = Core.inRound0(3);
  core.good(0, A);
  const effects = core.certificate(certificate(VoteType.precommit, 3, A, [0, 1, 2]));
  assert.equal(of(effects, "build").length, 0);
  assert.deepEqual(
    of(effects, "new_step").map(({ step }) => step),
    ["Commit"],
  );
});

test("[M 1480] +2/3 precommits of a future round for an unknown block skip there, fetch the body and then decide", () => {
  const core = Core.inRound0(3);
  const effects = core.certificate(certificate(VoteType.precommit, 3, A, [0, 1, 2]));
  assert.equal(core.round, 3);
  assert.equal(of(effects, "want_body").length, 1);
  core.body(A, 0);
  assert.equal(core.last("decide").round, 3);
});

test("[M d1aae817] +2/3 of any precommits do not hide a polka for nil that the step change makes count", () => {
  const core = Core.inRound0(3);
  core.prevotes(0, null, [0, 1, 2]);
  core.precommits(0, null, [0, 1]);
  core.precommits(0, A, [2]);
  core.timeout("propose", 0);
  assert.deepEqual(core.asked, ["prevote 0 nil", "precommit 0 nil"]);
});

test("[M 7e2f7c6e] a polka certificate that came before the step counts at the step change", () => {
  const core = Core.inRound0(3);
  core.certificate(certificate(VoteType.prevote, 0, A, [0, 1, 2]));
  assert.deepEqual(core.asked, []);
  core.good(0, A);
  assert.deepEqual(core.asked, [`prevote 0 ${name(A)}`, `precommit 0 ${name(A)}`]);
});

test("[M 3c9d5e97] a polka certificate counts for its own block only, not for whatever was proposed", () => {
  const core = Core.inRound0(3);
  core.good(0, A);
  core.certificate(certificate(VoteType.prevote, 0, B, [0, 1, 2]));
  assert.equal(valueText(core.state.machine.locked), "none");
  assert.equal(core.step, "PrevoteWait");
});

test("[M 3c9d5e97] a polka for one block justifies no other that is proposed with its round, locked or not", () => {
  for (const locked of [true, false]) {
    const core = Core.inRound0(3);
    if (locked) core.good(0, A);
    core.prevotes(0, A, [0, 1, 2]);
    core.nextRound();
    assert.equal(valueText(core.state.machine.locked), locked ? `0 ${name(A)}` : "none");
    core.good(1, B, { polRound: 0 });
    assert.ok(!core.asked.includes(`prevote 1 ${name(B)}`));
  }
});

test("[M 71af668e] a polka certificate and an invalid value still come to a vote", () => {
  const core = Core.inRound0(3);
  core.nextRound();
  core.certificate(certificate(VoteType.prevote, 0, A, [0, 1, 2]));
  core.body(A, 1);
  core.proposal(1, A, { polRound: 0 });
  core.verdict(A, "invalid");
  assert.deepEqual(core.asked, ["prevote 1 nil"]);
});

test("[M 39a3ad0b] no timer is scheduled twice", () => {
  const core = Core.inRound0(3);
  core.timeout("propose", 0);
  core.prevotes(0, A, [0, 1]);
  core.prevotes(0, B, [2]);
  core.sign();
  core.precommits(0, A, [0, 1]);
  core.precommits(0, B, [2]);
  core.timeout("prevote", 0);
  core.sign();
  const scheduled = core.all("schedule_timeout").map(({ timeout }) => timeout.kind);
  assert.deepEqual(scheduled, ["new_height", "propose", "prevote", "precommit"]);
});

test("[M 9aa00970] a round skip cancels every timer of the round left", () => {
  const core = Core.inRound0(3);
  core.timeout("propose", 0);
  core.prevotes(0, A, [0, 1, 2]);
  core.precommits(0, null, [0]);
  core.precommits(0, A, [1, 2]);
  const effects = core.prevotes(2, null, [0, 1]);
  assert.deepEqual(
    of(effects, "cancel_timeout")
      .map(({ timeout }) => timeout.kind)
      .sort(),
    ["precommit", "prevote"],
  );
  assert.deepEqual(
    core.state.timers.map(({ timeout }) => timeout),
    [{ kind: "propose", height: HEIGHT, round: 2 }],
  );
});

test("[M e8196772] a commit certificate for a block said INVALID decides it: +2/3 outvote this node's EL", () => {
  const core = Core.inRound0(3);
  core.body(A, 0);
  core.proposal(0, A);
  core.verdict(A, "invalid");
  core.certificate(certificate(VoteType.precommit, 0, A, [0, 1, 2]));
  assert.equal(core.all("decide").length, 1);
});

test("[M 67806306] nothing of an old height acts in the next", () => {
  const core = Core.inRound0(3);
  core.prevotes(0, A, [0, 1, 2]);
  core.proposal(0, A);
  core.feed(startHeight(core.set, 3, { height: HEIGHT + 1 }));
  core.body(A, 0);
  core.verdict(A);
  core.timeout("propose", 0);
  core.votes([prevote(core.set, 0, 0, A), precommit(core.set, 1, 0, A)]);
  assert.equal(core.step, "NewHeight");
  assert.deepEqual(core.state.values, []);
  assert.deepEqual(core.state.votes.rounds, []);
  assert.deepEqual(
    core.state.timers.map(({ timeout }) => timeout.height),
    [HEIGHT + 1],
  );
});

test("[M 6f23c046, MS 286] a height with another number of validators starts clean", () => {
  const core = Core.inRound0(3);
  core.prevotes(0, A, [0, 1, 2]);
  const set = validatorSet([1n, 1n, 1n, 1n, 1n, 1n, 1n]);
  core.feed(startHeight(set, 6, { height: HEIGHT + 1 }));
  core.timeout("new_height", 0, HEIGHT + 1);
  core.votes([0, 1, 2, 3, 4].map((index) => prevote(set, index, 0, null, { height: HEIGHT + 1 })));
  assert.equal(summary(core.state).prevotesPower, 5n);
});

test("[M 59c2be84] a verdict may turn from INVALID to VALID and then serves the polka of the round", () => {
  const core = Core.inRound0(3);
  core.body(A, 0);
  core.proposal(0, A);
  core.verdict(A, "invalid");
  core.prevotes(0, A, [0, 1, 2]);
  core.verdict(A, "valid");
  assert.equal(core.asked.at(-1), `precommit 0 ${name(A)}`);
});

test("[M 1018, C double proposals] an equivocating proposer is reported once, and either of its blocks can be decided", () => {
  for (const winner of [A, B]) {
    const core = Core.inRound0(3);
    core.good(0, A);
    core.good(0, B);
    core.good(0, C);
    assert.equal(core.all("duplicate_proposal").length, 1);
    assert.deepEqual(
      proposalsOfRound(core.state, 0).map(({ blockId: id }) => name(id)),
      [name(A), name(B)],
    );
    core.prevotes(0, winner, [0, 1, 2]);
    assert.equal(core.asked.at(-1), `precommit 0 ${name(winner)}`);
    core.precommits(0, winner, [0, 1, 2]);
    assert.equal(name(core.last("decide").blockId), name(winner));
  }
});

test("[M 103] the first vote of an equivocator counts, but a certificate with its other vote makes the polka", () => {
  // Its own vote, which would make the third for A, is not signed yet: only the certificate can make the polka.
  const core = Core.inRound0(3);
  core.good(0, A);
  core.prevotes(0, B, [0]);
  core.prevotes(0, A, [1]);
  core.prevotes(0, A, [0]);
  assert.equal(valueText(core.state.machine.locked), "none");
  core.certificate(certificate(VoteType.prevote, 0, A, [0, 1, 2]));
  assert.equal(valueText(core.state.machine.locked), `0 ${name(A)}`);
  assert.deepEqual(
    certificateOf(core.state, 0, VoteType.prevote)?.signatures.length,
    3,
    "and it is passed on",
  );
});

test("[M 103] equivocation is reported once per validator, round and type", () => {
  const core = Core.inRound0(3);
  core.prevotes(0, A, [0]);
  core.prevotes(0, B, [0]);
  core.prevotes(0, null, [0]);
  core.prevotes(0, B, [0]);
  assert.equal(core.all("duplicate_vote").length, 1);
  core.precommits(0, A, [0]);
  core.precommits(0, B, [0]);
  assert.equal(core.all("duplicate_vote").length, 2);
  core.certificate(certificate(VoteType.prevote, 0, C, [0, 1, 2]));
  assert.equal(core.all("duplicate_vote").length, 2);
});

test("[M 961fa4e0] a certificate with too little power, an unknown or a doubled signer changes nothing", () => {
  for (const signers of [
    [0, 1],
    [0, 1, 7],
    [0, 1, 1],
  ]) {
    const core = Core.inRound0(3);
    const before = core.state.votes;
    core.certificate(certificate(VoteType.prevote, 0, A, signers));
    assert.deepEqual(core.state.votes, before);
  }
});

test("[M 4794a193] powers near the limit of 64 bits add up exactly", () => {
  const huge = (2n ** 63n - 1n) / 32n;
  const set = validatorSet([huge, huge, huge, huge]);
  const core = new Core(3, {}, set);
  core.timeout("new_height", 0);
  core.prevotes(0, null, [0, 1]);
  core.timeout("propose", 0);
  assert.equal(core.step, "Prevote");
  core.prevotes(0, null, [2]);
  assert.equal(core.step, "Precommit");
});

test("[M 1ae1a993] a body known from an earlier round serves the same block proposed in a later one", () => {
  const core = Core.inRound0(3);
  core.good(0, A);
  core.prevotes(0, A, [0, 1, 2]);
  core.nextRound();
  core.proposal(1, A, { polRound: 0 });
  assert.equal(core.asked.at(-1), `prevote 1 ${name(A)}`);
});

test("[M a233b8ce] a vote that comes again changes nothing", () => {
  const core = Core.inRound0(3);
  core.prevotes(0, A, [0]);
  const before = core.state;
  assert.deepEqual(core.prevotes(0, A, [0]), []);
  assert.deepEqual(core.state, before);
});

test("[M aeb7e736] a validator that votes in ever higher rounds holds two of them, and pulls nobody along", () => {
  const core = Core.inRound0(3);
  for (let round = 1; round < 500; round++) {
    core.prevotes(round, blockId(`${round}`), [0]);
    core.precommits(round, null, [0]);
  }
  assert.deepEqual(
    core.state.votes.rounds.map(({ round }) => round),
    [498, 499],
  );
  core.prevotes(7, null, [0]);
  assert.deepEqual(
    core.state.votes.rounds.map(({ round }) => round),
    [498, 499],
    "lower ones find no room",
  );
  assert.equal(core.round, 0);
});

test("a vote of a decided later round is not given up for votes of rounds after it: the decision can still be proved", () => {
  const core = Core.inRound0(3);
  core.good(0, A);
  core.certificate(certificate(VoteType.precommit, 3, A, [0, 1, 2]));
  assert.deepEqual([core.step, core.round], ["Commit", 0]);
  for (const round of [4, 5, 6]) core.prevotes(round, null, [1]);
  assert.equal(certificateOf(core.state, 3, VoteType.precommit)?.signatures.length, 3);
});

test("a future round with +2/3 takes no room among a sender's two and loses no vote to a later one", () => {
  const core = Core.inRound0(3);
  core.body(A, 0);
  core.prevotes(3, null, [1]);
  core.prevotes(4, null, [1]);
  core.precommits(1, A, [0, 1, 2]);
  core.prevotes(2, null, [1]);
  const rounds = core.state.votes.rounds.map(({ round }) => round);
  assert.deepEqual(rounds, [1, 3, 4]);
  assert.equal(core.state.votes.rounds[0]?.precommits.votes.filter((vote) => vote !== null).length, 3);
});

test("[M future rounds] proposals far ahead and far behind are not kept", () => {
  const core = Core.inRound0(3);
  core.proposal(17, A);
  assert.deepEqual(core.state.proposals, []);
  core.proposal(16, A);
  assert.equal(core.state.proposals.length, 1);
});

test("[M 956] a hidden lock is found: a polka learnt after its round is proposed again, and frees the others", () => {
  const others = Core.inRound0(1);
  others.good(0, A);
  others.nextRound();
  others.nextRound();
  others.certificate(certificate(VoteType.prevote, 0, A, [0, 2, 3]));
  for (let round = 2; round < 5; round++) others.nextRound();
  assert.equal(others.last("sign_proposal").proposal.polRound, 0);
});

test("[MS 1491] a proposal whose POL round is not below its round is ignored", () => {
  const core = Core.inRound0(3);
  core.body(A, 0);
  core.verdict(A);
  core.proposal(0, A, { polRound: 0 });
  core.proposal(0, A, { polRound: -2 });
  assert.deepEqual([core.state.proposals, core.asked], [[], []]);
});

test("[MS 1482] +2/3 precommits for a block without a proposal are not ignored: the body is fetched and decides", () => {
  const core = Core.inRound0(3);
  assert.equal(of(core.precommits(0, A, [0, 1, 2]), "want_body").length, 1);
  core.body(A, 0);
  assert.equal(core.all("decide").length, 1);
});

test("[MS 1482] late precommits of an older round still decide", () => {
  const core = Core.inRound0(3);
  core.good(0, A);
  core.precommits(0, A, [0, 1]);
  core.precommits(0, null, [2]);
  core.timeout("propose", 0);
  core.timeout("precommit", 0);
  assert.equal(core.round, 1);
  core.sign();
  const own = precommit(core.set, 3, 0, A);
  core.feed({ kind: "signed_vote", height: HEIGHT, round: 0, vote: own });
  assert.equal(core.last("decide").round, 0);
});

test("[MS 1450] a node prevotes its own locked value again although the proposal's POL is older than its lock", () => {
  const core = Core.inRound0(3);
  core.prevotes(0, A, [0, 1, 2]);
  core.nextRound();
  core.good(1, A);
  core.prevotes(1, A, [0, 1, 2]);
  core.nextRound();
  core.proposal(2, A, { polRound: 0 });
  assert.equal(core.asked.at(-1), `prevote 2 ${name(A)}`);
});

test("[MS 1014] the proposer of a round does not depend on the path through the rounds", () => {
  const walked = Core.inRound0(3);
  for (let round = 0; round < 5; round++) walked.nextRound();
  const jumped = Core.inRound0(3);
  jumped.prevotes(5, null, [0, 1]);
  assert.deepEqual(jumped.state.proposer, walked.state.proposer);
});

test("[MS snapshot] +2/3 prevotes for an unknown block start a fetch, and the body then locks it", () => {
  const core = Core.inRound0(3);
  core.timeout("propose", 0);
  assert.equal(of(core.prevotes(0, A, [0, 1, 2]), "want_body").length, 1);
  core.body(A, 0);
  assert.equal(name(core.last("validate").blockId), name(A));
  core.verdict(A);
  assert.equal(core.asked.at(-1), `precommit 0 ${name(A)}`);
});

test("[MS 1314] a block that is not known to be valid is not prevoted, however complete it is", () => {
  const core = Core.inRound0(3);
  core.body(A, 0);
  core.proposal(0, A);
  core.verdict(B, "valid");
  assert.deepEqual(core.asked, []);
});

test("[C lock] a locked node does not prevote its value without a proposal for it", () => {
  const core = Core.inRound0(3);
  core.good(0, A);
  core.prevotes(0, A, [0, 1, 2]);
  core.nextRound();
  core.timeout("propose", 1);
  assert.equal(core.asked.at(-1), "prevote 1 nil");
});

test("[C unlock] neither a polka for nil nor one for an unknown block unlocks", () => {
  const core = Core.inRound0(3);
  core.good(0, A);
  core.prevotes(0, A, [0, 1, 2]);
  core.nextRound();
  core.timeout("propose", 1);
  core.prevotes(1, null, [0, 1, 2]);
  core.nextRound();
  core.timeout("propose", 2);
  core.prevotes(2, B, [0, 1, 2]);
  core.timeout("prevote", 2);
  assert.equal(valueText(core.state.machine.locked), `0 ${name(A)}`);
});

test("[C panic] +2/3 for a block said INVALID neither throws nor locks", () => {
  const core = Core.inRound0(3);
  core.body(A, 0);
  core.proposal(0, A);
  core.verdict(A, "invalid");
  core.prevotes(0, A, [0, 1, 2]);
  assert.equal(valueText(core.state.machine.locked), "none");
  core.timeout("prevote", 0);
  assert.equal(core.asked.at(-1), "precommit 0 nil");
});

test("[C evidence] equivocation is seen by a node without a key", () => {
  const core = Core.inRound0(null);
  core.prevotes(0, A, [0]);
  assert.equal(of(core.prevotes(0, B, [0]), "duplicate_vote").length, 1);
});

test("[C tolerance] a decision never looks at the clock", () => {
  const core = Core.inRound0(3);
  core.body(A, 0, TIME + 3_600_000_000_000n);
  core.precommits(0, A, [0, 1, 2]);
  assert.equal(core.all("decide").length, 1);
});

test("[C 7642] validators spread over rounds 6, 9 and 10 come together without each other's old votes", () => {
  const core = Core.inRound0(3);
  core.prevotes(6, null, [0]);
  core.prevotes(9, null, [1]);
  core.prevotes(10, null, [2]);
  assert.equal(core.round, 9);
});

test("a round does not hang on a message that is lost for good: who went on has passed it", () => {
  const core = Core.inRound0(3);
  core.timeout("propose", 0);
  core.prevotes(0, null, [0]);
  core.sign();
  core.precommits(0, null, [1]);
  assert.equal(
    core.step,
    "PrevoteWait",
    "the precommit of one whose prevote never came counts for the timer",
  );
});

test("a vote whose address is not that of its index is ignored", () => {
  const core = Core.inRound0(3);
  core.votes([
    prevote(core.set, 0, 0, A, { validatorIndex: 1 }),
    prevote(core.set, 0, 0, A, { validatorIndex: 9 }),
  ]);
  assert.equal(voteOf(core.state, 0, VoteType.prevote, 1), null);
});

test("a polka of a round below the sign state's lock does not replace it: the lock of a lost log is never left", () => {
  const core = Core.inRound0(3);
  core.good(0, A);
  // The sign state knows more than the log gave back.
  core.feed({
    kind: "sign_state",
    height: HEIGHT,
    lock: { round: 3, blockId: B },
    watermark: { round: 3, step: 2 },
  });
  core.prevotes(0, A, [0, 1, 2]);
  assert.equal(valueText(core.state.machine.locked), `3 ${name(B)}`);
  assert.equal(valueText(core.state.machine.valid), `3 ${name(B)}`);
  core.timeout("prevote", 0);
  assert.equal(valueText(core.state.machine.valid), `3 ${name(B)}`);
});

test("a height begun again with a lock enters no round below it, however old the votes are that come first", () => {
  const lock = { round: 3, blockId: B };
  const core = new Core(3, { lock, watermark: { round: 3, step: 2 } });
  core.prevotes(1, A, [0, 1]);
  assert.equal(core.round, 3);
  core.prevotes(1, A, [2]);
  core.body(A, 1);
  core.verdict(A);
  assert.equal(valueText(core.state.machine.locked), `3 ${name(B)}`);
  assert.deepEqual(core.asked, []);
});
