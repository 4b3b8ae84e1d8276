/** Laws that hold for every schedule of inputs into one core, however senseless. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type BlockId, blockIdKey, VoteType } from "@quorate/chain";
import fc from "fast-check";
import {
  type ConsensusState,
  decodeInput,
  type Effect,
  encodeInput,
  type Input,
  initialState,
  LIMITS,
  step,
} from "../src/index.ts";
import { addToTally, emptyTally, type Tally } from "../src/tally.ts";
import { freeze } from "./harness/core.ts";
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
  validatorSet,
} from "./harness/fixtures.ts";

const SET = validatorSet([1n, 1n, 1n, 1n]);
const IDS = ["a", "b", "c"].map(blockId);
const OWN = 3;

const round = fc.oneof({ weight: 6, arbitrary: fc.nat(3) }, { weight: 1, arbitrary: fc.nat(40) });
const id = fc.constantFrom<BlockId>(...IDS);
const idOrNil = fc.option(id, { nil: null });
const other = fc.nat(2);

const anyInput: fc.Arbitrary<Input> = fc.oneof(
  fc.tuple(other, round, idOrNil).map(([i, r, v]): Input => ({ kind: "vote", vote: prevote(SET, i, r, v) })),
  fc
    .tuple(other, round, idOrNil)
    .map(([i, r, v]): Input => ({ kind: "vote", vote: precommit(SET, i, r, v) })),
  fc.tuple(round, id, fc.integer({ min: -1, max: 3 }), fc.nat(20_000)).map(
    ([r, v, polRound, ms]): Input => ({
      kind: "proposal",
      proposal: proposal(r, v, { polRound: Math.min(polRound, r - 1) }),
      receivedAtMs: TIME_MS + ms,
    }),
  ),
  fc.tuple(id, fc.nat(3)).map(
    ([v, p]): Input => ({
      kind: "body",
      height: HEIGHT,
      blockId: v,
      time: TIME,
      proposerAddress: SET.validators[p]!.address,
    }),
  ),
  fc.tuple(id, fc.constantFrom("valid", "valid", "invalid")).map(
    ([v, verdict]): Input => ({
      kind: "verdict",
      height: HEIGHT,
      blockId: v,
      verdict: verdict === "valid" ? "valid" : "invalid",
    }),
  ),
  fc.tuple(fc.constantFrom("propose", "prevote", "precommit", "new_height"), round).map(
    ([kind, r]): Input => ({
      kind: "timeout",
      timeout: { kind: kind as "propose", height: HEIGHT, round: r },
    }),
  ),
  fc
    .tuple(fc.constantFrom(VoteType.prevote, VoteType.precommit), round, idOrNil)
    .map(([type, r, v]): Input => ({ kind: "certificate", certificate: certificate(type, r, v, [0, 1, 2]) })),
  fc
    .tuple(round, id)
    .map(([r, v]): Input => ({ kind: "built", height: HEIGHT, round: r, value: { blockId: v, time: TIME } })),
  round.map((r): Input => ({ kind: "proposer_absent", height: HEIGHT, round: r })),
);

interface Run {
  readonly inputs: readonly Input[];
  readonly effects: readonly Effect[];
  readonly state: ConsensusState;
}

/** Runs a schedule; the signer answers every request at once. Every state on the way is frozen. */
function run(schedule: readonly Input[]): Run {
  const inputs: Input[] = [];
  const effects: Effect[] = [];
  let state = freeze(initialState());
  const feed = (input: Input): void => {
    inputs.push(input);
    const result = step(state, freeze(input));
    state = freeze(result.state);
    for (const effect of result.effects) {
      effects.push(effect);
      if (effect.kind === "sign_vote") {
        const { type, round: r, blockId: v } = effect.vote;
        const vote = (type === VoteType.prevote ? prevote : precommit)(SET, OWN, r, v);
        feed({ kind: "signed_vote", height: HEIGHT, round: r, vote });
      }
      if (effect.kind === "sign_proposal") {
        const signed = { ...effect.proposal, signature: new Uint8Array(64) };
        feed({ kind: "signed_proposal", height: HEIGHT, round: signed.round, proposal: signed });
      }
    }
  };
  feed(startHeight(SET, OWN));
  for (const input of schedule) feed(input);
  return { inputs, effects, state };
}

const schedules = fc.array(anyInput, { minLength: 20, maxLength: 120, size: "max" });

function always(law: (outcome: Run) => void): void {
  fc.assert(
    fc.property(schedules, (schedule) => law(run(schedule))),
    { numRuns: 400 },
  );
}

test("a node asks for at most one prevote and one precommit per round, in rising order", () => {
  always(({ effects }) => {
    let last = -1;
    for (const effect of effects) {
      if (effect.kind !== "sign_vote") continue;
      const point = 2 * effect.vote.round + (effect.vote.type === VoteType.precommit ? 1 : 0);
      assert.ok(point > last, `asked for ${point} after ${last}`);
      last = point;
    }
  });
});

test("a precommit for a block has a polka for it in its round, a body and the verdict VALID", () => {
  always(({ inputs, effects }) => {
    for (const effect of effects) {
      if (effect.kind !== "sign_vote" || effect.vote.type !== VoteType.precommit || !effect.vote.blockId)
        continue;
      const { round: r, blockId: v } = effect.vote;
      assert.ok(hasPolka(inputs, effects, r, v), `no polka in round ${r}`);
      const key = blockIdKey(v);
      const saidValid = inputs.some(
        (each) =>
          (each.kind === "verdict" && each.verdict === "valid" && blockIdKey(each.blockId) === key) ||
          (each.kind === "built" && each.value && blockIdKey(each.value.blockId) === key),
      );
      assert.ok(saidValid);
    }
  });
});

test("after a precommit for a block no other is voted for without a polka of that round or later", () => {
  always(({ inputs, effects }) => {
    let lock: { round: number; key: string } | null = null;
    for (const effect of effects) {
      if (effect.kind !== "sign_vote" || !effect.vote.blockId) continue;
      const { round: r, type, blockId: v } = effect.vote;
      const key = blockIdKey(v);
      if (lock && key !== lock.key) {
        const from = lock.round;
        const freed = Array.from({ length: r - from + 1 }, (_, i) => from + i).some((each) =>
          hasPolka(inputs, effects, each, v),
        );
        assert.ok(freed, `voted ${key.slice(0, 8)} in round ${r} against the lock of round ${from}`);
      }
      if (type === VoteType.precommit) lock = { round: r, key };
    }
  });
});

test("a decision is made once, for a block with +2/3 precommits of one round whose body is here", () => {
  always(({ inputs, effects }) => {
    const decisions = effects.filter((effect) => effect.kind === "decide");
    assert.ok(decisions.length <= 1);
    for (const { blockId: v, commit } of decisions) {
      assert.ok(commit.signatures.filter(({ flag }) => flag === 2).length >= 3);
      const here = inputs.some(
        (each) =>
          (each.kind === "body" && blockIdKey(each.blockId) === blockIdKey(v)) ||
          (each.kind === "built" && each.value && blockIdKey(each.value.blockId) === blockIdKey(v)),
      );
      assert.ok(here);
    }
  });
});

test("equivocation is reported once per validator, round and type while the round is kept", () => {
  always(({ effects }) => {
    const seen = new Map<string, number>();
    for (const effect of effects) {
      if (effect.kind === "new_step") {
        // A late decision may bring back a round that was given up, and with it nothing of what was known there.
        for (const [point, r] of seen) if (r < effect.round - LIMITS.keptRounds) seen.delete(point);
      }
      if (effect.kind !== "duplicate_vote") continue;
      const { validatorIndex, round: r, type } = effect.first;
      const point = `${validatorIndex} ${r} ${type}`;
      assert.ok(!seen.has(point), point);
      seen.set(point, r);
      assert.notEqual(blockIdKey(effect.first.blockId), blockIdKey(effect.second.blockId));
    }
  });
});

test("a replay of the encoded inputs gives the same state and the same effects", () => {
  always(({ inputs, effects, state }) => {
    let replayed = initialState();
    const again: Effect[] = [];
    for (const input of inputs) {
      const result = step(replayed, decodeInput(encodeInput(input)));
      replayed = result.state;
      again.push(...result.effects);
    }
    assert.deepEqual(replayed, state);
    // An answer that the signer gave at once stands before the rest of the effects of its request.
    assert.equal(again.length, effects.length);
  });
});

test("memory is bounded whatever arrives", () => {
  always(({ state }) => {
    const ahead = state.votes.rounds.filter(({ round: r }) => r > state.machine.round);
    for (let index = 0; index < 3; index++) {
      const rounds = ahead.filter((each) => each.prevotes.votes[index] ?? each.precommits.votes[index]);
      const certified = rounds.filter((each) => each.prevotes.quorum ?? each.precommits.quorum);
      assert.ok(rounds.length - certified.length <= LIMITS.futureRoundsPerValidator);
    }
    assert.ok(state.values.length <= LIMITS.values);
    assert.ok(state.proposals.length <= 3 * (LIMITS.keptRounds + LIMITS.futureProposalRounds + 3));
  });
});

test("a tally counts each validator once and its sums add up to its power", () => {
  const votes = fc.array(fc.tuple(fc.nat(3), idOrNil), { maxLength: 20, size: "max" });
  fc.assert(
    fc.property(votes, (list) => {
      let tally: Tally = emptyTally(4);
      const first = new Map<number, string>();
      for (const [index, v] of list) {
        tally = addToTally(tally, prevote(SET, index, 0, v), 1n, 3n).tally;
        if (!first.has(index)) first.set(index, blockIdKey(v));
      }
      assert.equal(tally.power, BigInt(first.size));
      assert.equal(
        tally.sums.reduce((sum, { power }) => sum + power, 0n),
        tally.power,
      );
      for (const { key, power } of tally.sums) {
        assert.equal([...first.values()].filter((each) => each === key).length, Number(power));
      }
      assert.equal(
        tally.quorum !== null,
        tally.sums.some(({ power }) => power >= 3n),
      );
    }),
  );
});

/** Whether +2/3 prevotes for the value in the round were ever given to the core or asked of it. */
function hasPolka(inputs: readonly Input[], effects: readonly Effect[], r: number, v: BlockId): boolean {
  const key = blockIdKey(v);
  const senders = new Set<number>();
  for (const input of inputs) {
    if (input.kind === "vote" || input.kind === "signed_vote") {
      const { vote } = input;
      if (vote.type === VoteType.prevote && vote.round === r && blockIdKey(vote.blockId) === key) {
        senders.add(vote.validatorIndex);
      }
    }
    if (input.kind === "certificate") {
      const { certificate: proof } = input;
      if (proof.type === VoteType.prevote && proof.round === r && blockIdKey(proof.blockId) === key) {
        for (const { validatorIndex } of proof.signatures) senders.add(validatorIndex);
      }
    }
  }
  for (const effect of effects) {
    if (effect.kind !== "sign_vote" || effect.vote.type !== VoteType.prevote) continue;
    if (effect.vote.round === r && blockIdKey(effect.vote.blockId) === key) senders.add(OWN);
  }
  return senders.size >= 3;
}
