/** A thousand Twins scenarios and as many small-scope mutations of messages, on bare cores; and proof that the judge sees. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type BlockId, type Vote, VoteType } from "@quorate/chain";
import { byzzfuzz } from "../byzzfuzz/scenario.ts";
import { runSeeds } from "../cores/command.ts";
import { Judge } from "../cores/judge.ts";
import { CoreNetwork } from "../cores/network.ts";
import { judgeOutcome } from "../cores/outcome.ts";
import { BLOCK_TIME, blockIdOf, signature, validatorSet } from "../cores/world.ts";
import { SCENARIOS, scenarioOf, twins } from "../twins/scenario.ts";

const SEED = Number(process.env["QUORATE_SEED"] ?? Date.now() % 2 ** 31);

test("a thousand Twins scenarios: agreement, locks and progress hold whatever the two do", (t) => {
  t.diagnostic(`QUORATE_SEED=${SEED}`);
  const report = runSeeds(twins, { seed: SEED, count: 1_000 });
  assert.deepEqual(report.failures, []);
  for (const name of ["duplicate votes", "duplicate proposals", "round 1", "round 2", "round 3"]) {
    assert.ok((report.seen.get(name) ?? 0) >= 5, `hardly any scenario showed ${name}`);
  }
});

test("small lies of one validator and a few cuts break neither agreement nor locks nor progress", (t) => {
  t.diagnostic(`QUORATE_SEED=${SEED}`);
  const report = runSeeds(byzzfuzz, { seed: SEED, count: 500 });
  assert.deepEqual(report.failures, []);
  for (const name of ["lies told", "duplicate votes", "duplicate proposals", "round 1", "round 2"]) {
    assert.ok((report.seen.get(name) ?? 0) > 0, `no run showed ${name}`);
  }
});

test("every seed of a Twins run is another scenario until all have been seen", () => {
  const scenarios = new Set(
    Array.from({ length: 5_000 }, (_, i) => JSON.stringify(scenarioOf(SCENARIOS - 2_500 + i))),
  );
  assert.equal(scenarios.size, 5_000);
  assert.deepEqual(scenarioOf(0), scenarioOf(SCENARIOS));
});

test("the same seed gives the same run", () => {
  assert.deepEqual(twins.run(SEED), twins.run(SEED));
  assert.deepEqual(byzzfuzz.run(SEED), byzzfuzz.run(SEED));
});

test("a network in which two of four are silent is found to stall", () => {
  const network = new CoreNetwork({
    validators: [0, 1, 2, 3],
    size: 4,
    first: 0,
    byzantine: -1,
    route: (_, from, to, message) => (from.validator < 2 && to.validator < 2 ? [message] : []),
  });
  const { violations } = judgeOutcome(network, 1_000);
  assert.match(violations[0] ?? "", /^stall: no height/);
});

test("the judge tells double signs, votes against a lock, precommits without a polka and forks", () => {
  const set = validatorSet(4);
  const vote = (index: number, type: 1 | 2, round: number, name: string | null) => ({
    type,
    height: 1,
    round,
    blockId: name === null ? null : blockIdOf(name),
    timestamp: BLOCK_TIME,
    validatorAddress: set.validators[index]!.address,
    validatorIndex: index,
    signature: signature(index),
  });
  const block = (name: string, valid = true) => ({
    blockId: blockIdOf(name),
    height: 1,
    time: BLOCK_TIME,
    maker: 0,
    valid,
  });
  const judge = new Judge(4, 3);
  for (const index of [0, 1]) judge.vote(vote(index, VoteType.prevote, 0, "a"));
  judge.vote(vote(0, VoteType.precommit, 0, "a"));
  judge.decision(0, 1, block("a"));
  assert.deepEqual(judge.violations, [], "two prevotes and the Byzantine one make a polka");
  judge.vote(vote(0, VoteType.precommit, 0, null));
  assert.match(judge.violations.at(-1) ?? "", /^double sign/);
  judge.vote(vote(0, VoteType.prevote, 1, "b"));
  assert.match(judge.violations.at(-1) ?? "", /^lock/);
  judge.vote(vote(1, VoteType.precommit, 1, "b"));
  assert.match(judge.violations.at(-1) ?? "", /^precommit without a polka/);
  judge.decision(1, 1, block("b"));
  assert.match(judge.violations.at(-1) ?? "", /^agreement/);
  const other = new Judge(4, 3);
  other.decision(0, 1, block("x", false));
  assert.match(other.violations.at(-1) ?? "", /^validity/);
  const said = (blockId: BlockId | null): Vote => ({ ...vote(3, VoteType.prevote, 0, null), blockId });
  other.hears(0, said(null));
  other.hears(1, said(block("x").blockId));
  assert.equal(other.equivocations(), 0, "each heard one");
  other.hears(1, said(null));
  assert.equal(other.equivocations(), 1);
  assert.match(other.violations.pop() ?? "", /left no evidence/);
  other.evidence(said(null), said(block("x").blockId));
  assert.equal(other.equivocations(), 1);
  other.accusation(3);
  other.accusation(2);
  assert.equal(other.violations.length, 2);
});
