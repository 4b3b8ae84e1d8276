/** Two votes of one validator where one was allowed: kept as evidence that is the same on every node. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeEvidence, type Vote, VoteType, verifyDuplicateVote } from "@quorate/chain";
import { nativeBackend, toHexUpper } from "@quorate/crypto";
import { settled } from "./support/pace.ts";
import { makeRig, type Rig, withRig } from "./support/rig.ts";

const { prevote, precommit } = VoteType;

const kept = (rig: Rig): readonly string[] =>
  rig.store.kept.map((evidence) => toHexUpper(encodeEvidence(evidence)));

/** The two prevotes of the first of the others in round 0, for `block` and for nil. */
function pairOf(rig: Rig, block: ReturnType<Rig["block"]>): readonly [Vote, Vote] {
  const [other = 0] = rig.others;
  return [rig.signers.vote(other, prevote, 0, block.blockId), rig.signers.vote(other, prevote, 0, null)];
}

/** Decides the first height with `block`. */
async function decide(rig: Rig, block: ReturnType<Rig["block"]>): Promise<void> {
  await rig.propose(block);
  await rig.votes(prevote, block.blockId, rig.others);
  await rig.votes(precommit, block.blockId, rig.others);
  await settled();
  assert.equal(rig.runner.chain().lastHeight, 1);
}

test("CVE-2021-21271: evidence is the same to the byte whenever a node saw the votes, in whatever order, from whomever", async () => {
  const ways: Readonly<Record<string, (rig: Rig, block: ReturnType<Rig["block"]>) => Promise<void>>> = {
    async "before the proposal"(rig, block) {
      await rig.votes(prevote, null, rig.others.slice(0, 1));
      await decide(rig, block);
    },
    async "after the other vote, round over"(rig, block) {
      await rig.propose(block);
      await rig.votes(prevote, block.blockId, rig.others);
      await rig.votes(prevote, null, rig.others.slice(0, 1));
      await decide(rig, block);
    },
    async "shown by a peer while the height is decided"(rig, block) {
      const [a, b] = pairOf(rig, block);
      rig.runner.receiveEvidence(b, a);
      await decide(rig, block);
    },
    async "shown by a peer when the block is decided"(rig, block) {
      const [a, b] = pairOf(rig, block);
      await decide(rig, block);
      rig.runner.receiveEvidence(a, b);
    },
  };
  const seen = new Set<string>();
  for (const [way, happens] of Object.entries(ways)) {
    await withRig({}, async (rig) => {
      await rig.begin();
      const block = rig.block();
      const { validators } = rig.runner.chain();
      await happens(rig, block);
      await settled();
      assert.equal(rig.store.kept.length, 1, way);
      const [evidence] = rig.store.kept;
      assert.ok(evidence?.kind === "duplicate_vote");
      assert.equal(evidence.timestamp, block.block.header.time, way);
      verifyDuplicateVote(rig.chain.genesis.chainId, evidence, validators, nativeBackend);
      for (const bytes of kept(rig)) seen.add(bytes);
    });
  }
  assert.equal(seen.size, 1);
});

test("nothing is kept before the height's block is, and each pair once", async () => {
  await withRig({}, async (rig) => {
    await rig.begin();
    const [first = 0] = rig.others;
    const block = rig.block();
    await rig.votes(prevote, null, [first]);
    await rig.votes(prevote, block.blockId, [first]);
    await rig.votes(prevote, block.blockId, [first]);
    assert.deepEqual(kept(rig), []);
    await decide(rig, block);
    assert.equal(kept(rig).length, 1);
  });
});

test("a crash before the block leaves the votes in the log: the evidence is made when the height is decided", async () => {
  const rig = await makeRig();
  await rig.begin();
  const block = rig.block();
  await rig.votes(prevote, null, rig.others.slice(0, 1));
  await rig.propose(block);
  await rig.votes(prevote, block.blockId, rig.others);
  const after = { disk: rig.disk.copy("synced"), store: rig.store.copy() };
  await withRig({ after }, async (again) => {
    assert.equal((await again.recover()).kind, "resumed");
    await again.votes(precommit, block.blockId, again.others);
    await settled();
    assert.equal(again.runner.chain().lastHeight, 1);
    assert.equal(kept(again).length, 1);
  });
  await rig.free();
});

test("votes of heights before the last or after the present are let go, and a flood of pairs is bounded", async () => {
  await withRig({}, async (rig) => {
    await rig.begin();
    const block = rig.block();
    const [a, b] = pairOf(rig, block);
    for (const height of [0, 2, 3, Number.MAX_SAFE_INTEGER]) {
      rig.runner.receiveEvidence({ ...a, height }, { ...b, height });
    }
    for (let round = 0; round < 5000; round++) rig.runner.receiveEvidence({ ...a, round }, { ...b, round });
    await decide(rig, block);
    assert.ok(rig.store.kept.length <= 1024);
    assert.ok(
      rig.store.kept.every((evidence) => evidence.kind === "duplicate_vote" && evidence.voteA.height === 1),
    );
  });
});

test("evidence that cannot be stored is a durability failure, not a bug, and its block is not committed", async () => {
  await withRig({}, async (rig) => {
    await rig.begin();
    const block = rig.block();
    const [a, b] = pairOf(rig, block);
    rig.runner.receiveEvidence(a, b);
    await rig.propose(block);
    await rig.votes(prevote, block.blockId, rig.others);
    rig.store.break();
    await rig.votes(precommit, block.blockId, rig.others);
    await settled();
    assert.deepEqual([...new Set(rig.fatals.map(({ exitCode }) => exitCode))], [6]);
    assert.equal(rig.runner.chain().lastHeight, 0);
  });
});
