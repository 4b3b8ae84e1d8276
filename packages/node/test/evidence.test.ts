/** Two votes of one validator where one was allowed: kept as evidence that is the same on every node. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type Block,
  blockIdOf,
  CommitFlag,
  type DuplicateVoteEvidence,
  decodeBlock,
  type Evidence,
  encodeBlock,
  encodeEvidence,
  makeDuplicateVoteEvidence,
  proposerOf,
  registryEntryByAddress,
  type Vote,
  VoteType,
  verifyDuplicateVote,
} from "@quorate/chain";
import { nativeBackend, toHexUpper } from "@quorate/crypto";
import { nextBlock, Signers, syncedBlock } from "./support/chain.ts";
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

/** Height 1 with a double prevote of the first of the others, decided. */
async function caughtAtHeight1(rig: Rig): Promise<DuplicateVoteEvidence> {
  await rig.begin();
  const block = rig.block();
  const [a, b] = pairOf(rig, block);
  rig.runner.receiveEvidence(a, b);
  await decide(rig, block);
  const [evidence] = rig.runner.evidence.forBlock(rig.runner.chain());
  assert.ok(evidence !== undefined);
  return evidence;
}

async function decideNext(rig: Rig, block: ReturnType<Rig["block"]>): Promise<void> {
  const { height } = block.block.header;
  await rig.pass(50);
  await rig.propose(block);
  await rig.votes(prevote, block.blockId, rig.others);
  await rig.votes(precommit, block.blockId, rig.others);
  await settled();
  assert.equal(rig.runner.chain().lastHeight, height);
}

test("evidence is told to the others once, and a block that carries it convicts: committed once, restarts or not", async () => {
  const rig = await makeRig();
  const evidence = await caughtAtHeight1(rig);
  assert.equal(rig.published.evidence.length, 1);
  const events = rig.journal.filter((event) => event.includes("evidence"));
  assert.deepEqual(events, ["evidence kept", "publish evidence"], "durable before it is told");
  const before = { disk: rig.disk.copy("synced"), store: rig.store.copy() };
  await decideNext(rig, rig.block({ evidence: [evidence] }));
  const offender = evidence.voteA.validatorAddress;
  assert.equal(registryEntryByAddress(rig.runner.chain().registry, offender)?.status, 2);
  assert.deepEqual(rig.store.kept, []);
  assert.deepEqual(await rig.store.committedEvidence(), [{ height: 2, evidence }]);
  assert.deepEqual(rig.runner.evidence.forBlock(rig.runner.chain()), []);
  const after = { disk: rig.disk.copy("synced"), store: rig.store.copy() };

  await withRig({ after: before }, async (again) => {
    await again.recover();
    assert.deepEqual(
      again.runner.evidence.forBlock(again.runner.chain()),
      [evidence],
      "still to be proposed",
    );
  });
  await withRig({ after }, async (again) => {
    // A put that the crash brought back, or a peer that has not heard of the block.
    await again.store.putEvidence(evidence);
    await again.recover();
    again.runner.receiveEvidence(evidence.voteA, evidence.voteB);
    again.runner.submitEvidence(evidence, () => undefined);
    await settled();
    assert.deepEqual(again.runner.evidence.forBlock(again.runner.chain()), []);
    assert.deepEqual(again.store.kept, []);
  });
  await rig.free();
});

/** The first block after height 1 that this node proposes itself, holding evidence from height 1. */
async function ownBlockWithEvidence(rig: Rig): Promise<{ readonly block: Block; readonly bytes: number }> {
  await rig.begin();
  const [own] = rig.published.proposals;
  assert.ok(own !== undefined);
  const [other = 0] = rig.others;
  const [a, b] = [
    rig.signers.vote(other, prevote, 0, own.proposal.blockId),
    rig.signers.vote(other, prevote, 0, null),
  ];
  rig.runner.receiveEvidence(a, b);
  await rig.votes(prevote, own.proposal.blockId, rig.others);
  await rig.votes(precommit, own.proposal.blockId, rig.others);
  await settled();
  for (let height = 2; height <= 6; height++) {
    assert.equal(rig.runner.chain().lastHeight, height - 1);
    for (let turn = 0; turn < 5; turn++) await rig.pass(10);
    const mine = rig.published.proposals.find(({ proposal }) => proposal.height === height);
    if (mine !== undefined) return { block: decodeBlock(mine.body), bytes: mine.body.length };
    await decideNext(rig, rig.block());
  }
  return assert.fail("its turn never came");
}

test("the proposer puts what it holds into its block, and takes its own block", async () => {
  await withRig({ own: "proposer" }, async (rig) => {
    assert.equal((await ownBlockWithEvidence(rig)).block.evidence.length, 1);
  });
});

test("regression: evidence waits for a block with room for it; a payload at the limit is proposed without it", async () => {
  const params = { maxBlockBytes: 65_536, maxEvidenceBytes: 65_536 };
  for (const [payload, evidence] of [
    [60_900, 1],
    [64_400, 0],
  ] as const) {
    await withRig({ own: "proposer", params }, async (rig) => {
      rig.execution.payload = [new Uint8Array(payload).fill(2)];
      const { block, bytes } = await ownBlockWithEvidence(rig);
      assert.equal(block.evidence.length, evidence, `beside ${payload} bytes`);
      assert.ok(bytes > payload && bytes <= params.maxBlockBytes, `${bytes} bytes`);
    });
  }
});

test("a proposal with evidence that proves nothing, or that was committed before, is prevoted nil", async () => {
  await withRig({}, async (rig) => {
    const evidence = await caughtAtHeight1(rig);
    const signature = evidence.voteB.signature.with(0, (evidence.voteB.signature[0] ?? 0) ^ 1);
    const bad = rig.block({ evidence: [{ ...evidence, voteB: { ...evidence.voteB, signature } }] });
    await rig.pass(50);
    await rig.propose(bad);
    await rig.pass(50);
    const mine = (height: number): readonly (string | null)[] =>
      rig.published.votes
        .filter((vote) => vote.height === height && vote.type === prevote)
        .map((vote) => (vote.blockId === null ? null : "block"));
    assert.deepEqual(mine(2), [null]);
  });
  await withRig({}, async (rig) => {
    const evidence = await caughtAtHeight1(rig);
    await decideNext(rig, rig.block({ evidence: [evidence] }));
    await rig.pass(50);
    await rig.propose(rig.block({ evidence: [evidence] }));
    await rig.pass(50);
    const [vote] = rig.published.votes.filter((each) => each.height === 3 && each.type === prevote);
    assert.equal(vote?.blockId, null);
  });
});

test("evidence that nobody verified yet is judged against the stored past: bogus costs one signature, and its sender is told from the unlucky", async () => {
  await withRig({}, async (rig) => {
    const evidence = await caughtAtHeight1(rig);
    for (let i = 0; i < 2; i++) await decideNext(rig, rig.block());
    const [, other = 0] = rig.others;
    const state = rig.runner.chain();
    const first = new Signers(rig.chain, rig.chain.start);
    const pair = [
      first.vote(other, precommit, 3, null),
      first.vote(other, precommit, 3, evidence.voteB.blockId ?? evidence.voteA.blockId),
    ] as const;
    const good = makeDuplicateVoteEvidence(pair[0], pair[1], rig.chain.start.validators, evidence.timestamp);
    const submit = (given: Evidence): Promise<string> =>
      new Promise((resolve) => rig.runner.submitEvidence(given, ({ kind }) => resolve(kind)));
    const forged = (vote: Vote): Vote => ({ ...vote, signature: new Uint8Array(64).fill(5) });
    const future = { ...good, voteA: { ...good.voteA, height: 99 }, voteB: { ...good.voteB, height: 99 } };
    const both = { voteA: forged(good.voteA), voteB: forged(good.voteB) };
    const given: readonly (readonly [Evidence, reception: string, checks: number])[] = [
      [{ ...good, ...both }, "bad", 1],
      [{ ...good, voteA: both.voteA }, "bad", 1],
      [{ ...good, voteB: both.voteB }, "bad", 2],
      [{ ...good, timestamp: good.timestamp + 1n }, "bad", 0],
      [future, "refused", 0],
      [good, "taken", 2],
      [good, "known", 0],
    ];
    for (const [index, [item, reception, checks]] of given.entries()) {
      const before = rig.checked.length;
      assert.equal(await submit(item), reception, `item ${index}`);
      assert.equal(rig.checked.length - before, checks, `signatures looked at for item ${index}`);
    }
    assert.equal(rig.runner.evidence.forBlock(state).length, 2);
    assert.ok(rig.store.kept.length === 2);
  });
});

/** The next block, in whose commit `other` precommits nil where it precommitted the block before. */
function contradicting(rig: Rig, block: ReturnType<Rig["block"]>, other: number): ReturnType<Rig["block"]> {
  const signers = new Signers(rig.chain, rig.chain.start);
  const nil = signers.vote(other, precommit, 0, null);
  const all = signers.commit(
    0,
    block.blockId,
    rig.chain.keys.seeds.map((_, i) => i),
  );
  return nextBlock(rig.runner.chain(), {
    ...all,
    signatures: all.signatures.with(other, {
      flag: CommitFlag.nil,
      validatorAddress: nil.validatorAddress,
      timestamp: nil.timestamp,
      signature: nil.signature,
    }),
  });
}

test("a precommit in the next block that contradicts the one seen here is caught, in consensus and in sync", async () => {
  await withRig({}, async (rig) => {
    await rig.begin();
    const block = rig.block();
    await decide(rig, block);
    const [other = 0] = rig.others;
    await rig.pass(50);
    const next = contradicting(rig, block, other);
    await rig.propose(next);
    await rig.votes(prevote, next.blockId, rig.others);
    await rig.votes(precommit, next.blockId, rig.others);
    await settled();
    assert.equal(rig.runner.chain().lastHeight, 2);
    const [evidence] = rig.runner.evidence.forBlock(rig.runner.chain());
    assert.equal(evidence?.voteA.validatorIndex, other);
  });
});

test("a full node, outside the votes, catches who precommitted otherwise in the next block's commit, and tells the others", async () => {
  await withRig({ own: null }, async (rig) => {
    await rig.begin();
    rig.runner.pause();
    const sync = async (made: ReturnType<Rig["block"]>): Promise<void> => {
      const everybody = rig.chain.keys.seeds.map((_, i) => i);
      const commit = rig.signers.commit(0, made.blockId, everybody);
      await rig.runner.commitSynced([syncedBlock(rig.runner.chain(), made, commit)]);
      await settled();
    };
    const block = rig.block();
    await sync(block);
    await sync(contradicting(rig, block, 2));
    assert.equal(rig.runner.chain().lastHeight, 2);
    assert.deepEqual(
      rig.published.evidence.map((each) => each.kind === "duplicate_vote" && each.voteA.validatorIndex),
      [2],
    );
    assert.equal(kept(rig).length, 1);
  });
});

test("a full node that is shown two votes of one validator keeps them, and tells the others", async () => {
  await withRig({ own: null }, async (rig) => {
    await rig.begin();
    const [first = 0] = rig.others;
    const block = rig.block();
    await rig.votes(prevote, null, [first]);
    await rig.votes(prevote, block.blockId, [first]);
    await decide(rig, block);
    assert.equal(kept(rig).length, 1);
    assert.equal(rig.published.evidence.length, 1);
  });
});

test("two proposals for one round are counted once and told with their proposer's name; no block can carry them", async () => {
  await withRig({}, async (rig) => {
    await rig.begin();
    const proposer = proposerOf(rig.runner.chain().validators, 0);
    const block = rig.block();
    const other = rig.block({ time: block.block.header.time + 1_000_000n });
    await rig.propose(block);
    await rig.propose(other);
    await rig.propose(other);
    assert.deepEqual(rig.twoProposals, [proposer.address]);
    const counted = await rig.metrics.own.equivocations.get();
    assert.equal(counted.values.find(({ labels }) => labels.type === "proposal")?.value, 1);
    await rig.votes(prevote, block.blockId, rig.others);
    await rig.votes(precommit, block.blockId, rig.others);
    await settled();
    assert.equal(rig.runner.chain().lastHeight, 1);
    assert.deepEqual(kept(rig), []);
  });
});

test("an attack on light clients is verified against the stored chain, kept over a restart and shown, but goes into no block", async () => {
  const rig = await makeRig();
  await rig.begin();
  const genuine: ReturnType<Rig["block"]>[] = [];
  for (let height = 1; height <= 3; height++) {
    const block = rig.block();
    genuine.push(block);
    await decideNext(rig, block);
  }
  const [, second, third] = genuine;
  assert.ok(second && third);
  const before = await rig.store.stateAt(1);
  assert.ok(before);
  // The same validators sign another block of height 2: of its own round, so all of them stand in both.
  const conflicting = nextBlock(before, second.block.lastCommit, { txs: [Uint8Array.of(9)] });
  const committed = third.block.lastCommit;
  const signed = new Signers(rig.chain, before);
  const header = { ...conflicting.block.header, time: second.block.header.time };
  const forgedBlock = { ...conflicting.block, header };
  const blockId = blockIdOf(forgedBlock, encodeBlock(forgedBlock));
  const everybody = before.validators.validators.map((_, index) => index);
  const commit = signed.commit(0, blockId, everybody);
  const inBoth = everybody.filter((index) => committed.signatures[index]?.flag === CommitFlag.commit);
  const attack: Evidence = {
    kind: "light_client_attack",
    conflictingBlock: { signedHeader: { header, commit }, validators: before.validators },
    commonHeight: 2,
    byzantineValidators: before.validators.validators.filter((_, index) => inBoth.includes(index)),
    totalVotingPower: before.validators.totalPower,
    timestamp: second.block.header.time,
  };
  const submit = (given: Evidence): Promise<string> =>
    new Promise((resolve) =>
      rig.runner.submitEvidence(given, (what) => resolve("reason" in what ? what.reason : what.kind)),
    );
  assert.match(await submit({ ...attack, byzantineValidators: [] }), /0 validators are named/);
  const forgedCommit = {
    ...commit,
    signatures: commit.signatures.with(0, {
      ...commit.signatures[0]!,
      signature: new Uint8Array(64).fill(1),
    }),
  };
  const badly = { ...attack.conflictingBlock, signedHeader: { header, commit: forgedCommit } };
  assert.equal(await submit({ ...attack, conflictingBlock: badly }), "a signature does not hold");
  assert.equal(await submit(attack), "taken");
  assert.equal(await submit(attack), "known");
  assert.deepEqual(rig.runner.evidence.pending(), [attack]);
  assert.deepEqual(rig.runner.evidence.forBlock(rig.runner.chain()), []);
  assert.deepEqual(rig.published.evidence, [attack], "the others are told");
  const after = { disk: rig.disk.copy("synced"), store: rig.store.copy() };
  await withRig({ after }, async (again) => {
    await again.recover();
    assert.deepEqual(again.runner.evidence.pending(), [attack]);
  });
  await rig.free();
});
