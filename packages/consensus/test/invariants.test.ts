/** Each invariant, broken by hand: the step is refused, named, and nothing else is blamed first. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { ConsensusError, type ConsensusState, type Effect, step } from "../src/index.ts";
import { checkStep, INVARIANTS, type Judged } from "../src/invariants.ts";
import { LIMITS } from "../src/limits.ts";
import type { RoundMachine } from "../src/round-machine.ts";
import { Core } from "./harness/core.ts";
import { blockId, HEIGHT, prevote } from "./harness/fixtures.ts";

const A = blockId("a");
const B = blockId("b");

/** A node locked on A in round 1, with what the last input did. */
function locked(): Judged {
  const core = Core.inRound0(3);
  core.nextRound();
  core.good(1, A);
  core.sign();
  core.prevotes(1, A, [0]);
  const before = core.state;
  const effects = core.prevotes(1, A, [1]);
  return { before, after: core.state, input: "vote", effects };
}

/** The same node deciding A. */
function decided(): Judged {
  const core = Core.inRound0(3);
  core.good(0, A);
  core.sign();
  core.prevotes(0, A, [0, 1]);
  core.sign();
  core.precommits(0, A, [0]);
  const before = core.state;
  const effects = core.precommits(0, A, [1]);
  return { before, after: core.state, input: "vote", effects };
}

const withMachine = (judged: Judged, fields: Partial<RoundMachine>): Judged => ({
  ...judged,
  after: { ...judged.after, machine: { ...judged.after.machine, ...fields } },
});

const withAfter = (judged: Judged, fields: Partial<ConsensusState>): Judged => ({
  ...judged,
  after: { ...judged.after, ...fields },
});

/** Changes the vote that the step asks for. */
function withVote(judged: Judged, fields: Partial<Extract<Effect, { kind: "sign_vote" }>["vote"]>): Judged {
  const effects = judged.effects.map((effect) =>
    effect.kind === "sign_vote" ? { ...effect, vote: { ...effect.vote, ...fields } } : effect,
  );
  return { ...judged, effects };
}

function asked(judged: Judged): Effect {
  const found = judged.effects.find(({ kind }) => kind === "sign_vote");
  assert.ok(found);
  return found;
}

const BROKEN: Readonly<Record<string, () => Judged>> = {
  "height stays": () => {
    const good = locked();
    assert.ok(good.after.context);
    return withAfter(good, { context: { ...good.after.context, height: HEIGHT + 1 } });
  },
  "round never falls": () => withMachine(locked(), { round: 0 }),
  "step never goes back in a round": () => withMachine(locked(), { step: "Propose" }),
  "lock never falls": () => {
    const good = locked();
    return {
      ...good,
      before: good.after,
      after: { ...good.after, machine: { ...good.after.machine, locked: null } },
    };
  },
  "valid value never falls": () => {
    const good = locked();
    const valid = { round: 1, blockId: B };
    return {
      ...good,
      before: good.after,
      after: { ...good.after, machine: { ...good.after.machine, valid } },
    };
  },
  "valid value is no older than lock": () => withMachine(locked(), { valid: null }),
  "new lock has a polka and a valid body": () => {
    const value = { round: 1, blockId: B };
    return withMachine(locked(), { locked: value, valid: value });
  },
  "decision stands": () => {
    const good = decided();
    return {
      ...good,
      before: good.after,
      after: withMachine(good, { decision: { round: 0, blockId: B } }).after,
    };
  },
  "decided exactly in Commit": () => withMachine(decided(), { decision: null }),
  "new decision has +2/3 precommits and a body": () =>
    withMachine(decided(), { decision: { round: 0, blockId: B } }),
  "what is decided is said once, as it is": () => {
    const good = decided();
    return { ...good, effects: good.effects.filter(({ kind }) => kind !== "decide") };
  },
  "watermark never falls": () => {
    const good = locked();
    return withAfter(good, { own: { ...good.after.own, watermark: { round: 0, step: 1 } } });
  },
  "nothing is asked to be signed twice or below the watermark": () => {
    const good = locked();
    return { ...good, effects: [...good.effects, asked(good)] };
  },
  "votes are asked for this height and its own key": () => withVote(locked(), { height: HEIGHT + 1 }),
  "precommit of a block is the lock": () => withVote(locked(), { blockId: B }),
  "prevote respects the lock": () => {
    const core = Core.inRound0(3);
    core.good(0, A);
    core.sign();
    core.prevotes(0, A, [0, 1]);
    core.sign();
    core.nextRound();
    const before = core.state;
    const effects = core.good(1, B);
    return withVote({ before, after: core.state, input: "verdict", effects }, { blockId: B });
  },
  "one own vote per round and type": () => {
    const good = locked();
    const { own } = good.after;
    const again = prevote(Core.inRound0(3).set, 3, 1, B);
    return withAfter(good, { own: { ...own, votes: [...own.votes, again] } });
  },
  "timers are of this height": () => {
    const timeout = { kind: "prevote" as const, height: HEIGHT + 1, round: 0 };
    return withAfter(locked(), { timers: [{ timeout, ms: 1 }] });
  },
  "rounds of votes ascend within their bound": () => {
    const good = locked();
    const { votes } = good.after;
    return withAfter(good, { votes: { ...votes, rounds: [...votes.rounds, ...votes.rounds] } });
  },
  "a quorum is more than 2/3 of the power": () => {
    const good = locked();
    const { votes } = good.after;
    const rounds = votes.rounds.map((each) => ({
      ...each,
      precommits: { ...each.precommits, quorum: each.precommits.quorum ?? { key: "B", blockId: B } },
    }));
    return withAfter(good, { votes: { ...votes, rounds } });
  },
  "a quorum stands": () => {
    const good = locked();
    const { votes } = good.after;
    const rounds = votes.rounds.map((each) => ({
      ...each,
      precommits: { ...each.precommits, quorum: null },
      prevotes: each.prevotes,
    }));
    return {
      ...good,
      before: good.after,
      after: { ...good.after, votes: { ...votes, rounds } },
      effects: [],
    };
  },
  "queues keep their bounds": () =>
    withAfter(locked(), { absent: Array.from({ length: LIMITS.absentRounds + 1 }, (_, round) => round) }),
};

function blamed(judged: Judged): string {
  try {
    checkStep(judged);
    return "nothing";
  } catch (error) {
    assert.ok(error instanceof ConsensusError && error.code === "INVARIANT", String(error));
    return String(error.facts["invariant"]);
  }
}

test("sound steps pass", () => {
  for (const judged of [locked(), decided()]) assert.equal(blamed(judged), "nothing");
});

for (const { name } of INVARIANTS) {
  test(`a step that breaks "${name}" is refused and says so`, () => {
    const make = BROKEN[name];
    assert.ok(make, "no broken step is known for it");
    assert.equal(blamed(make()), name);
  });
}

test("a state that was tampered with is found by the next input, whatever it is", () => {
  const core = Core.inRound0(3);
  core.good(0, A);
  const { state } = core;
  const locked = { round: 5, blockId: B };
  const tampered: ConsensusState = { ...state, machine: { ...state.machine, locked } };
  assert.throws(
    () => step(tampered, { kind: "vote", vote: prevote(core.set, 2, 0, null) }),
    (error) => error instanceof ConsensusError && error.code === "INVARIANT",
  );
});
