import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type BlockId, VoteType } from "@quorate/chain";
import fc from "fast-check";
import { LIMITS } from "../src/limits.ts";
import { bitsOf, emptyBits, hasBit } from "../src/roundstate/bits.ts";
import { planRepair, type Repair, regressed, repairKey } from "../src/roundstate/plan.ts";
import { SentItems } from "../src/roundstate/sent.ts";
import { Snapshots } from "../src/roundstate/snapshots.ts";
import type { RoundState } from "../src/types.ts";
import { makeBody } from "./support.ts";

const X = makeBody("x", 10).blockId;
const LARGE: BlockId = makeBody("large", 200_000).blockId;
const NEVER = { at: () => undefined };

function state(part: Partial<RoundState>): RoundState {
  return {
    height: 10,
    round: 0,
    step: 2,
    proposal: null,
    parts: emptyBits(0),
    votes: [],
    maj23: [],
    direct: emptyBits(4),
    elReady: true,
    leaving: false,
    ...part,
  };
}

const prevotes = (round: number, ...indexes: number[]): RoundState["votes"][number] => ({
  round,
  type: VoteType.prevote,
  have: bitsOf(4, indexes),
});

function kinds(plan: readonly Repair[]): string[] {
  return plan.map((item) => (item.kind === "vote" ? `vote ${item.round}/${item.index}` : item.kind));
}

/** What a plan sends. */
function repairs(...given: Parameters<typeof planRepair>): readonly Repair[] {
  return planRepair(...given).items;
}

describe("what a peer is sent", () => {
  it("is nothing when it lacks nothing", () => {
    const same = state({ proposal: X, parts: bitsOf(1, [0]), votes: [prevotes(0, 1, 2)] });
    assert.deepEqual(repairs(same, same, NEVER, 0), []);
  });

  it("are exactly the votes it lacks, of its own round first", () => {
    const own = state({ round: 1, votes: [prevotes(0, 0, 1, 2), prevotes(1, 0, 3)] });
    const peer = state({ round: 1, proposal: X, parts: bitsOf(1, [0]), votes: [prevotes(0, 1)] });
    assert.deepEqual(kinds(repairs(own, peer, NEVER, 0)), ["vote 1/0", "vote 1/3", "vote 0/0", "vote 0/2"]);
  });

  it("are the votes of sixteen rounds below its own, no older ones", () => {
    const own = state({ round: 20, votes: [prevotes(3, 0), prevotes(4, 0)] });
    const peer = state({ round: 20, proposal: X, parts: bitsOf(1, [0]) });
    assert.deepEqual(kinds(repairs(own, peer, NEVER, 0)), ["vote 4/0"]);
  });

  it("is the certificate of a majority it does not know, though it has a vote of everybody", () => {
    const maj23 = [{ round: 0, type: VoteType.prevote, blockId: X }];
    const own = state({ proposal: X, parts: bitsOf(1, [0]), votes: [prevotes(0, 0, 1, 2, 3)], maj23 });
    const peer = state({ proposal: X, parts: bitsOf(1, [0]), votes: [prevotes(0, 0, 1, 2, 3)] });
    assert.deepEqual(kinds(repairs(own, peer, NEVER, 0)), ["certificate"]);
    assert.deepEqual(repairs(own, { ...peer, maj23 }, NEVER, 0), []);
  });

  it("is the proposal of its round, and the parts it lacks once it has some", () => {
    const own = state({ proposal: LARGE, parts: bitsOf(4, [0, 1, 2, 3]) });
    assert.deepEqual(kinds(repairs(own, state({}), NEVER, 0)), ["proposal"]);
    const started = state({ proposal: LARGE, parts: bitsOf(4, [1]) });
    assert.deepEqual(
      repairs(own, started, NEVER, 0).map((item) => (item.kind === "part" ? item.index : item.kind)),
      [0, 2, 3],
    );
  });

  it("is the other proposal of a round, so that both see that their proposer equivocates", () => {
    const [a, b] = [X, makeBody("another", 10).blockId];
    const mine = state({ proposal: a, parts: bitsOf(1, [0]) });
    const theirs = state({ proposal: b, parts: bitsOf(1, [0]) });
    assert.deepEqual(repairs(mine, theirs, NEVER, 0), [{ kind: "proposal", round: 0, withBody: false }]);
    assert.deepEqual(repairs({ ...mine, round: 1 }, theirs, NEVER, 0), [], "of its own round it knows best");
  });

  it("is the last commit when it is one height behind, and nothing when it is further away", () => {
    const own = state({ votes: [prevotes(0, 0)] });
    assert.deepEqual(kinds(repairs(own, state({ height: 9 }), NEVER, 0)), ["last_commit"]);
    assert.deepEqual(repairs(own, state({ height: 8 }), NEVER, 0), []);
    assert.deepEqual(repairs(own, state({ height: 11 }), NEVER, 0), []);
  });

  it("is each item once, again only when its state still lacks it after the long wait", () => {
    const own = state({ votes: [prevotes(0, 0)] });
    const peer = state({ proposal: X, parts: bitsOf(1, [0]) });
    const sent = new SentItems();
    const [item] = repairs(own, peer, sent, 100);
    sent.record(repairKey(item!), 100);
    assert.deepEqual(repairs(own, peer, sent, 200), []);
    assert.equal(repairs(own, peer, sent, 100 + LIMITS.repairAgainMs).length, 1);
  });

  it("is no proposal that we lack ourselves: taken for sent, it would be kept back when it comes", () => {
    const peer = state({ votes: [prevotes(0, 0)] });
    assert.deepEqual(repairs(state({}), peer, NEVER, 0), []);
    assert.deepEqual(kinds(repairs(state({ proposal: LARGE }), peer, NEVER, 0)), ["proposal"]);
    // What we have of earlier rounds our own state does not tell: it is looked for.
    assert.deepEqual(kinds(repairs(state({ round: 1 }), peer, NEVER, 0)), ["proposal"]);
  });

  it("says when what was sent is due again, whatever else it sends: whoever looks too early looks again then", () => {
    const own = state({ votes: [prevotes(0, 0, 1)] });
    const peer = state({ proposal: X, parts: bitsOf(1, [0]) });
    const sent = new SentItems();
    assert.equal(planRepair(own, peer, sent, 50).againAtMs, null);
    sent.record("v0/1/1", 100);
    const plan = planRepair(own, peer, sent, 200);
    assert.deepEqual(kinds(plan.items), ["vote 0/0"]);
    assert.equal(plan.againAtMs, 100 + LIMITS.repairAgainMs);
  });

  it("is due again when its state regressed or its round changed", () => {
    const before = state({ votes: [prevotes(0, 0, 1)] });
    for (const after of [state({ votes: [prevotes(0, 0)] }), state({ round: 1 }), state({ step: 1 })]) {
      const sent = new SentItems();
      sent.record("v0/1/0", 5);
      sent.observe(before, after);
      assert.equal(sent.at("v0/1/0"), undefined);
    }
    const sent = new SentItems();
    sent.record("v0/1/0", 5);
    sent.observe(before, state({ votes: [prevotes(0, 0, 1, 2)] }));
    assert.equal(sent.at("v0/1/0"), 5);
  });

  it("is bounded, never names what the peer has, and closes the gap when sent", () => {
    const votes = fc.array(
      fc.record({
        round: fc.nat(6),
        type: fc.constantFrom(VoteType.prevote, VoteType.precommit),
        have: fc.array(fc.nat(7)).map((indexes) => bitsOf(8, indexes)),
      }),
      { maxLength: 6 },
    );
    const unique = votes.map((list) => [
      ...new Map(list.map((entry) => [`${entry.round}/${entry.type}`, entry])).values(),
    ]);
    fc.assert(
      fc.property(
        unique,
        unique,
        fc.nat(6),
        fc.integer({ min: 1, max: 20 }),
        (ours, theirs, round, items) => {
          const own = state({ round, votes: ours });
          const held = new Map(theirs.map((entry) => [`${entry.round}/${entry.type}`, entry.have]));
          let peer = state({ round, proposal: X, parts: bitsOf(1, [0]), votes: theirs });
          for (let turn = 0; turn < 200; turn++) {
            const plan = repairs(own, peer, NEVER, 0, { items, keptRounds: 16 });
            assert.ok(plan.length <= items);
            if (plan.length === 0) break;
            for (const item of plan) {
              assert.equal(item.kind, "vote");
              if (item.kind !== "vote") continue;
              const key = `${item.round}/${item.type}`;
              const have = held.get(key) ?? emptyBits(8);
              assert.equal(hasBit(have, item.index), false);
              held.set(
                key,
                bitsOf(8, [
                  item.index,
                  ...Array.from({ length: 8 }, (_, i) => i).filter((i) => hasBit(have, i)),
                ]),
              );
            }
            peer = state({
              round,
              proposal: X,
              parts: bitsOf(1, [0]),
              votes: [...held].map(([key, have]) => ({
                round: Number(key.split("/")[0]),
                type: key.endsWith("/1") ? VoteType.prevote : VoteType.precommit,
                have,
              })),
            });
          }
          assert.deepEqual(repairs(own, peer, NEVER, 0, { items, keptRounds: 16 }), []);
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe("a state", () => {
  it("regresses when height, round, step, proposal, parts or votes go back", () => {
    const now = state({ height: 10, round: 2, step: 3, proposal: LARGE, parts: bitsOf(4, [0, 1]) });
    assert.equal(regressed(now, { ...now, height: 9 }), true);
    assert.equal(regressed(now, { ...now, height: 11, round: 0, proposal: null }), false);
    assert.equal(regressed(now, { ...now, round: 1 }), true);
    assert.equal(regressed(now, { ...now, round: 3, step: 0 }), false);
    assert.equal(regressed(now, { ...now, step: 2 }), true);
    assert.equal(regressed(now, { ...now, proposal: null }), true);
    assert.equal(regressed(now, { ...now, parts: bitsOf(4, [0]) }), true);
    assert.equal(regressed(now, { ...now, parts: bitsOf(4, [0, 1, 2]) }), false);
  });
});

describe("snapshots of the own state", () => {
  it("answer with the newest that is old enough", () => {
    const snapshots = new Snapshots();
    assert.equal(snapshots.newest(100), null);
    for (let at = 0; at < 20; at++) snapshots.take(state({ round: at }), 50 + at * 50);
    assert.equal(snapshots.newest(825)?.round, 15);
    assert.equal(snapshots.newest(5000)?.round, 19);
    assert.equal(snapshots.newest(49), null);
    assert.equal(snapshots.latestAt(), 1000);
  });

  it("reach back beyond the longest round trip, however fast states follow each other", () => {
    for (const everyMs of [0.1, 1, 10, 50]) {
      const snapshots = new Snapshots();
      const states = Math.ceil(3000 / everyMs);
      for (let i = 0; i <= states; i++) snapshots.take(state({ round: i }), i * everyMs);
      const end = states * everyMs;
      assert.equal(snapshots.newest(end)?.round, states, "the newest is always there");
      const old = snapshots.newest(end - 1080);
      assert.ok(old !== null, `a state every ${everyMs} ms: none is left from 1080 ms ago`);
      assert.ok(old.round * everyMs <= end - 1080 && old.round * everyMs > end - 1080 - 100);
    }
  });
});
