/** Verdicts, bodies, times: what makes a proposal worth a prevote (PBTS, the EL's answers, the proposer's presence). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Core, name, of, valueText } from "./harness/core.ts";
import { blockId, HEIGHT, PARAMS, TIME, TIME_MS } from "./harness/fixtures.ts";

const A = blockId("a");
const B = blockId("b");

test("no verdict is no vote: the node waits, and prevotes nil only when timeoutPropose fires", () => {
  const core = Core.inRound0(3);
  core.body(A, 0);
  core.proposal(0, A);
  assert.deepEqual(core.asked, []);
  assert.deepEqual(
    core.all("validate").map(({ blockId: id, round }) => [name(id), round]),
    [[name(A), 0]],
  );
  core.timeout("propose", 0);
  assert.deepEqual(core.asked, ["prevote 0 nil"]);
});

test("a verdict that comes after the nil prevote still locks and precommits in the round of the polka", () => {
  const core = Core.inRound0(3);
  core.body(A, 0);
  core.proposal(0, A);
  core.timeout("propose", 0);
  core.prevotes(0, A, [0, 1, 2]);
  assert.equal(valueText(core.state.machine.locked), "none");
  core.verdict(A);
  assert.equal(core.asked.at(-1), `precommit 0 ${name(A)}`);
  assert.equal(valueText(core.state.machine.locked), `0 ${name(A)}`);
});

test("a late verdict serves every later round without asking again", () => {
  const core = Core.inRound0(3);
  core.body(A, 0);
  core.proposal(0, A);
  core.timeout("propose", 0);
  core.nextRound();
  core.verdict(A);
  core.body(A, 1);
  core.proposal(1, A);
  assert.equal(core.asked.at(-1), `prevote 1 ${name(A)}`);
  assert.equal(core.all("validate").length, 1);
});

test("INVALID prevotes nil at once", () => {
  const core = Core.inRound0(3);
  core.body(A, 0);
  core.proposal(0, A);
  core.verdict(A, "invalid");
  assert.deepEqual(core.asked, ["prevote 0 nil"]);
});

test("bytes that are no block are INVALID without ever being a body", () => {
  const core = Core.inRound0(3);
  core.proposal(0, A);
  core.verdict(A, "invalid");
  assert.deepEqual(core.asked, ["prevote 0 nil"]);
});

test("INVALID is asked again once per later round in which the block is proposed, and may turn VALID", () => {
  const core = Core.inRound0(3);
  core.body(A, 0);
  core.proposal(0, A);
  core.verdict(A, "invalid");
  core.prevotes(0, B, [0]);
  assert.equal(core.all("validate").length, 1);
  core.nextRound();
  assert.equal(core.all("validate").length, 1, "only a proposal asks again");
  core.body(A, 1);
  core.proposal(1, A);
  assert.equal(core.all("validate").length, 2);
  core.prevotes(1, B, [0]);
  assert.equal(core.all("validate").length, 2, "once per round");
  core.verdict(A, "valid");
  core.nextRound();
  core.body(A, 2);
  core.proposal(2, A);
  assert.equal(core.asked.at(-1), `prevote 2 ${name(A)}`);
});

test("VALID is final", () => {
  const core = Core.inRound0(3);
  core.body(A, 0);
  core.verdict(A, "valid");
  core.verdict(A, "invalid");
  core.proposal(0, A);
  assert.deepEqual(core.asked, [`prevote 0 ${name(A)}`]);
});

test("an early proposal is checked while the node still waits for the height to begin", () => {
  const core = new Core(3);
  core.body(A, 0);
  core.proposal(0, A);
  assert.equal(core.all("validate").length, 1);
});

test("PBTS: an untimely fresh proposal earns nil at once, before its body", () => {
  const late = TIME_MS + PARAMS.messageDelayMs + PARAMS.precisionMs;
  const tooLate = Core.inRound0(3);
  tooLate.proposal(0, A, {}, late + 1);
  assert.deepEqual(tooLate.asked, ["prevote 0 nil"]);
  const justInTime = Core.inRound0(3);
  justInTime.body(A, 0);
  justInTime.verdict(A);
  justInTime.proposal(0, A, {}, late);
  assert.deepEqual(justInTime.asked, [`prevote 0 ${name(A)}`]);
  const tooEarly = Core.inRound0(3);
  tooEarly.proposal(0, A, {}, TIME_MS - PARAMS.precisionMs - 1);
  assert.deepEqual(tooEarly.asked, ["prevote 0 nil"]);
});

test("PBTS: a proposal with a POL round is never judged by the clock", () => {
  const core = Core.inRound0(3);
  core.prevotes(0, A, [0, 1, 2]);
  core.nextRound();
  core.body(A, 0);
  core.verdict(A);
  core.proposal(1, A, { polRound: 0 }, TIME_MS + 3_600_000);
  assert.equal(core.asked.at(-1), `prevote 1 ${name(A)}`);
});

test("PBTS: an untimely block that the others found timely is locked and decided all the same", () => {
  const core = Core.inRound0(3);
  core.body(A, 0);
  core.proposal(0, A, {}, TIME_MS + 60_000);
  core.verdict(A);
  assert.deepEqual(core.asked, ["prevote 0 nil"]);
  core.prevotes(0, A, [0, 1, 2]);
  assert.equal(core.asked.at(-1), `precommit 0 ${name(A)}`);
  core.precommits(0, A, [0, 1, 2]);
  assert.equal(core.all("decide").length, 1);
});

test("a proposal whose time is not its block's time earns nil, whatever the EL says", () => {
  const core = Core.inRound0(3);
  core.body(A, 0, TIME - 1_000_000n);
  core.verdict(A);
  core.proposal(0, A);
  assert.deepEqual(core.asked, ["prevote 0 nil"]);
});

test("a fresh proposal of a block that names another proposer earns nil; with a POL it does not matter", () => {
  const fresh = Core.inRound0(3);
  fresh.body(A, 2);
  fresh.verdict(A);
  fresh.proposal(0, A);
  assert.deepEqual(fresh.asked, ["prevote 0 nil"]);
  const again = Core.inRound0(3);
  again.prevotes(0, A, [0, 1, 2]);
  again.nextRound();
  again.body(A, 0);
  again.verdict(A);
  again.proposal(1, A, { polRound: 0 });
  assert.equal(again.asked.at(-1), `prevote 1 ${name(A)}`);
});

test("timeoutPropose shrinks for an absent proposer, and grows back when its proposal comes after all", () => {
  const core = Core.inRound0(3);
  const shrunk = core.feed({ kind: "proposer_absent", height: HEIGHT, round: 0 });
  assert.deepEqual(
    of(shrunk, "schedule_timeout").map(({ ms }) => ms),
    [PARAMS.timeoutProposeAbsentMs],
  );
  const grown = core.proposal(0, A);
  assert.deepEqual(
    of(grown, "schedule_timeout").map(({ ms }) => ms),
    [PARAMS.timeoutProposeMs],
  );
  assert.deepEqual(core.feed({ kind: "proposer_absent", height: HEIGHT, round: 0 }), []);
});

test("an absence known before its round shortens that round's timer from the start", () => {
  const core = Core.inRound0(3);
  core.feed({ kind: "proposer_absent", height: HEIGHT, round: 1 });
  core.nextRound();
  assert.equal(core.last("schedule_timeout").ms, PARAMS.timeoutProposeAbsentMs);
  core.nextRound();
  assert.equal(core.last("schedule_timeout").ms, PARAMS.timeoutProposeMs + 2 * PARAMS.timeoutProposeDeltaMs);
});

test("a timer that would run as long as before is left running", () => {
  const core = Core.inRound0(3, { params: { ...PARAMS, timeoutProposeAbsentMs: PARAMS.timeoutProposeMs } });
  assert.deepEqual(core.feed({ kind: "proposer_absent", height: HEIGHT, round: 0 }), []);
});

test("a proposer never shortens its own round", () => {
  const core = Core.inRound0(0);
  assert.deepEqual(
    of(core.feed({ kind: "proposer_absent", height: HEIGHT, round: 0 }), "schedule_timeout"),
    [],
  );
});

test("timeouts grow by round and stop growing at their cap", () => {
  const core = Core.inRound0(3);
  core.precommits(1_000, null, [0, 1]);
  assert.equal(core.round, 1_000);
  assert.equal(core.last("schedule_timeout").ms, PARAMS.timeoutMaxMs);
});

test("a body that a polka wants is asked for once per round", () => {
  const core = Core.inRound0(3);
  core.prevotes(0, A, [0, 1, 2]);
  core.timeout("propose", 0);
  assert.deepEqual(
    core.all("want_body").map(({ round }) => round),
    [0],
  );
  core.precommits(0, A, [0, 1, 2]);
  assert.deepEqual(
    core.all("want_body").map(({ round }) => round),
    [0],
  );
  core.timeout("precommit", 0);
  assert.deepEqual(
    core.all("want_body").map(({ round }) => round),
    [0, 1],
    "and again as rounds pass",
  );
});
