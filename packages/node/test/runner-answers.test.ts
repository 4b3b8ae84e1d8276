/** What answers, refusals and faults of the ports lead to. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type Block,
  type BlockId,
  type Commit,
  CommitFlag,
  commitHash,
  encodeBlock,
  makePartSet,
  timeToMs,
  VoteType,
} from "@quorate/chain";
import { summary } from "@quorate/consensus";
import { toHexUpper } from "@quorate/crypto";
import { forkProof } from "../src/runner/fatal.ts";
import { Signers, syncedBlock } from "./support/chain.ts";
import { Gate, settled } from "./support/pace.ts";
import { nameOf, type Rig, shortId, withRig } from "./support/rig.ts";

const { prevote, precommit } = VoteType;

/** Decides `block` by the votes of the others. */
async function decide(rig: Rig, block: { readonly blockId: BlockId }, round = 0): Promise<void> {
  await rig.votes(prevote, block.blockId, rig.others, round);
  await rig.votes(precommit, block.blockId, rig.others, round);
}

test("a refused signature is an abstention: nothing is sent, the round goes on", async () => {
  await withRig({}, async (rig) => {
    await rig.begin();
    await rig.privval?.raise(1, 0, 1);
    const block = rig.block();
    await rig.propose(block);
    assert.equal(rig.published.votes.length, 0);
    assert.match(await rig.metrics.text(), /sign_refused\w*{[^}]*code="REGRESSION"[^}]*} 1/);
    await rig.votes(prevote, block.blockId, rig.others);
    assert.deepEqual(rig.published.votes.map(nameOf), [`precommit 0 ${shortId(block.blockId)}`]);
    assert.deepEqual(rig.fatals, []);
  });
});

test("a verdict that comes when its height is over changes nothing", async () => {
  const gate = new Gate();
  await withRig({ gate }, async (rig) => {
    await rig.begin();
    gate.hold("validate");
    const block = rig.block();
    await rig.propose(block);
    await decide(rig, block);
    assert.equal(rig.runner.chain().lastHeight, 1);
    const before = rig.runner.core();
    const { position } = rig.wal;
    gate.release("validate");
    await settled();
    assert.equal(rig.runner.core(), before);
    assert.deepEqual(rig.wal.position, position, "it is not even logged");
  });
});

test("a built value that comes when its height is over is not proposed", async () => {
  const gate = new Gate();
  await withRig({ gate, own: "proposer" }, async (rig) => {
    gate.hold("build");
    await rig.begin();
    assert.deepEqual(gate.blocked, ["build"]);
    // The others go on without it and decide in round 1.
    await rig.votes(prevote, null, rig.others);
    await rig.votes(precommit, null, rig.others);
    const block = rig.block({ round: 1 });
    await rig.propose(block, 1);
    await decide(rig, block, 1);
    assert.equal(rig.runner.chain().lastHeight, 1);
    gate.release("build");
    await rig.advance(0);
    assert.deepEqual(rig.published.proposals, []);
    assert.deepEqual(rig.fatals, []);
  });
});

test("a built value that comes in a later round of its height is not proposed", async () => {
  const gate = new Gate();
  await withRig({ gate, own: "proposer" }, async (rig) => {
    gate.hold("build");
    await rig.begin();
    await rig.votes(prevote, null, rig.others);
    await rig.votes(precommit, null, rig.others);
    await rig.advance(0);
    assert.equal(summary(rig.runner.core()).round, 1);
    gate.release("build");
    await rig.advance(0);
    assert.deepEqual(rig.published.proposals, []);
  });
});

test("each of two builds is answered for the round it was asked for: the value of the first is not the second's", async () => {
  const gate = new Gate();
  await withRig({ gate, own: "proposer" }, async (rig) => {
    gate.hold("build");
    await rig.begin();
    await rig.advance(5_000);
    const later = rig.clock.wallMs();
    // The validator whose turn round 0 is has it again in round 4.
    await rig.votes(prevote, null, rig.others, 4);
    assert.equal(summary(rig.runner.core()).round, 4);
    await rig.advance(0);
    assert.deepEqual(gate.blocked, ["build", "build"]);
    gate.release("build");
    await rig.pass(0);
    const [sent, ...more] = rig.published.proposals.map(({ proposal }) => proposal);
    assert.deepEqual([sent?.round, more.length], [4, 0]);
    assert.ok(timeToMs(sent?.timestamp ?? 0n) >= later, "built for round 4");
  });
});

test("UNKNOWN is no verdict: the prevote waits, and is nil only when timeoutPropose fires", async () => {
  await withRig({}, async (rig) => {
    rig.execution.verdict = () => ({ kind: "unknown", reason: "SYNCING" });
    await rig.begin();
    await rig.propose(rig.block());
    assert.deepEqual(rig.published.votes, []);
    await rig.advance(rig.chain.genesis.params.timeoutProposeMs - 1);
    assert.deepEqual(rig.published.votes, []);
    await rig.advance(1);
    assert.deepEqual(rig.published.votes.map(nameOf), ["prevote 0 nil"]);
  });
});

test("regression: what peers send before the height begins here is not lost: gossip brings it once", async () => {
  await withRig({}, async (rig) => {
    const block = rig.block();
    await rig.propose(block);
    await rig.votes(prevote, block.blockId, rig.others);
    assert.deepEqual(rig.published.votes, []);
    await rig.begin();
    assert.deepEqual(rig.published.votes.map(nameOf), [
      `prevote 0 ${shortId(block.blockId)}`,
      `precommit 0 ${shortId(block.blockId)}`,
    ]);
    assert.deepEqual(rig.published.wanted, []);
  });
});

test("regression: an error while a block is judged leaves the question open: it is asked again until it is answered", async () => {
  await withRig({}, async (rig) => {
    let failures = 2;
    rig.execution.verdict = () => {
      if (failures-- > 0) throw new Error("the worker is gone");
      return { kind: "valid" };
    };
    await rig.begin();
    const block = rig.block();
    await rig.propose(block);
    assert.deepEqual(rig.published.votes, []);
    await rig.advance(199);
    assert.equal(rig.execution.validated, 1, "not at once");
    await rig.advance(1);
    await rig.advance(400);
    assert.deepEqual(rig.published.votes.map(nameOf), [`prevote 0 ${shortId(block.blockId)}`]);
    await rig.advance(60_000);
    assert.equal(rig.execution.validated, 3, "an answer ends it");
    assert.deepEqual(rig.fatals, []);
  });
});

test("regression: a body that is lost before its block is judged is fetched again", async () => {
  await withRig({}, async (rig) => {
    let failures = 1;
    rig.execution.verdict = () => {
      if (failures-- > 0) throw new Error("the worker is gone");
      return { kind: "valid" };
    };
    await rig.begin();
    const block = rig.block();
    await rig.propose(block);
    rig.runner.bodies.startHeight(2, null);
    rig.store.bodies.clear();
    await rig.advance(200);
    assert.deepEqual(rig.published.wanted.map(shortId), [shortId(block.blockId)]);
    rig.runner.receiveBody(1, block.blockId, block.bytes);
    await rig.advance(400);
    assert.deepEqual(rig.published.votes.map(nameOf), [`prevote 0 ${shortId(block.blockId)}`]);
  });
});

test("INVALID by the execution client earns nil at once", async () => {
  await withRig({}, async (rig) => {
    rig.execution.verdict = () => ({ kind: "invalid", reason: "bad state root" });
    await rig.begin();
    await rig.propose(rig.block());
    assert.deepEqual(rig.published.votes.map(nameOf), ["prevote 0 nil"]);
  });
});

test("a body that breaks a chain rule earns nil and is never shown to the execution client", async () => {
  await withRig({}, async (rig) => {
    await rig.begin();
    const change = (block: Block): Block => ({
      ...block,
      header: { ...block.header, appHash: new Uint8Array(32).fill(7) },
    });
    await rig.propose(rig.block({ change }));
    assert.deepEqual(rig.published.votes.map(nameOf), ["prevote 0 nil"]);
    assert.equal(rig.execution.validated, 0);
  });
});

for (const [what, header] of [
  ["at the end of the year 9999", { time: 253_402_300_799_999_000_000n }],
  ["in the year 1", { time: -62_135_596_800_000_000_000n }],
  ["one nanosecond beyond what the log can hold", { time: 2n ** 63n }],
] as const) {
  test(`regression: a proposal for a block ${what} stopped every node; it earns nil`, async () => {
    await withRig({}, async (rig) => {
      await rig.begin();
      await rig.propose(
        rig.block({ change: (block) => ({ ...block, header: { ...block.header, ...header } }) }),
      );
      assert.deepEqual(rig.fatals, []);
      assert.deepEqual(rig.published.votes.map(nameOf), ["prevote 0 nil"]);
    });
  });
}

test("regression: a body whose header names no validators has no hash and threw; it earns nil", async () => {
  await withRig({}, async (rig) => {
    await rig.begin();
    const { block } = rig.block();
    const bytes = encodeBlock({ ...block, header: { ...block.header, validatorsHash: new Uint8Array(0) } });
    const blockId = { hash: new Uint8Array(32).fill(9), parts: makePartSet(bytes).header };
    await rig.propose({ block, bytes, blockId });
    assert.deepEqual(rig.fatals, []);
    assert.deepEqual(rig.published.votes.map(nameOf), ["prevote 0 nil"]);
  });
});

test("a block whose last commit holds one forged signature among good ones earns nil and is never shown to the execution client", async () => {
  await withRig({}, async (rig) => {
    await rig.begin();
    const first = rig.block();
    await rig.propose(first);
    const { own } = rig;
    const one = rig.others[0] ?? 0;
    // The same vote with another time: good, and not known here, so that it is asked for beside the forged one.
    const good = rig.signers.vote(one, precommit, 0, first.blockId, 77);
    await decide(rig, first);
    await rig.advance(2_000);
    const validated = rig.execution.validated;
    const forge = ({ signatures, ...commit }: Commit): Commit => {
      const forged = signatures[own];
      assert.ok(forged?.flag === CommitFlag.commit, "the own precommit is in the commit");
      const { validatorAddress, timestamp, signature } = good;
      return {
        ...commit,
        signatures: signatures
          .with(one, { flag: CommitFlag.commit, validatorAddress, timestamp, signature })
          .with(own, { ...forged, signature: forged.signature.with(0, (forged.signature[0] ?? 0) ^ 1) }),
      };
    };
    const change = (block: Block): Block => {
      const lastCommit = forge(block.lastCommit);
      return { ...block, lastCommit, header: { ...block.header, lastCommitHash: commitHash(lastCommit) } };
    };
    await rig.propose(rig.block({ change }));
    assert.equal(rig.published.votes.map(nameOf).at(-1), "prevote 0 nil");
    assert.equal(rig.execution.validated, validated);
  });
});

test("a body whose header is not the one that its id names earns nil, however right its parts are", async () => {
  await withRig({}, async (rig) => {
    await rig.begin();
    const [one, two] = [rig.block({ txs: [Uint8Array.of(1)] }), rig.block({ txs: [Uint8Array.of(2)] })];
    const blockId = { hash: one.blockId.hash, parts: two.blockId.parts };
    const proposal = rig.signers.proposal({ ...two, blockId });
    rig.runner.submit({ kind: "proposal", proposal, receivedAtMs: rig.clock.wallMs() });
    assert.equal(rig.runner.receiveBody(1, blockId, two.bytes), false);
    await settled();
    assert.deepEqual(rig.published.votes.map(nameOf), ["prevote 0 nil"]);
  });
});

test("bytes that are no block earn nil, and their sender is told apart", async () => {
  await withRig({}, async (rig) => {
    await rig.begin();
    const bytes = new Uint8Array(100).fill(0xff);
    const blockId = { hash: new Uint8Array(32).fill(9), parts: makePartSet(bytes).header };
    const proposal = rig.signers.proposal({ ...rig.block(), blockId });
    rig.runner.submit({ kind: "proposal", proposal, receivedAtMs: rig.clock.wallMs() });
    assert.equal(rig.runner.receiveBody(1, blockId, bytes), false);
    await settled();
    assert.deepEqual(rig.published.votes.map(nameOf), ["prevote 0 nil"]);
  });
});

test("a failed sync ends the process with 6 in the same turn, and nothing is published after", async () => {
  await withRig({}, async (rig) => {
    await rig.begin();
    rig.disk.break();
    const block = rig.block();
    await rig.propose(block);
    assert.deepEqual(
      rig.fatals.map(({ exitCode }) => exitCode),
      [6],
    );
    rig.journal.length = 0;
    await decide(rig, block);
    await rig.advance(120_000);
    assert.deepEqual(rig.published.votes, []);
    assert.deepEqual(rig.journal, []);
    assert.equal(rig.clock.pending, 0, "no timer is left");
  });
});

test("a full disk is a durability failure too", async () => {
  await withRig({}, async (rig) => {
    await rig.begin();
    rig.disk.break("ENOSPC");
    await rig.propose(rig.block());
    assert.deepEqual(
      rig.fatals.map(({ exitCode }) => exitCode),
      [6],
    );
    assert.match(rig.fatals[0]?.what ?? "", /no space left/);
  });
});

test("a body or a batch that cannot be stored ends the process with 6 before the next height", async () => {
  for (const held of ["body.sync", "store.commit"]) {
    const gate = new Gate();
    await withRig({ gate }, async (rig) => {
      await rig.begin();
      gate.hold(held);
      const block = rig.block();
      await rig.propose(block);
      await decide(rig, block);
      rig.store.break();
      gate.release(held);
      await settled();
      assert.deepEqual([...new Set(rig.fatals.map(({ exitCode }) => exitCode))], [6], held);
      assert.equal(rig.runner.chain().lastHeight, 0);
      assert.equal(
        rig.published.votes.some((vote) => vote.type === precommit && vote.blockId !== null),
        held !== "body.sync",
      );
    });
  }
});

test("a vote of the own key that this node did not sign ends the process with 5; no later effect is carried out", async () => {
  await withRig({}, async (rig) => {
    await rig.begin();
    await rig.votes(precommit, null, [rig.own], 3);
    assert.deepEqual(
      rig.fatals.map(({ exitCode }) => exitCode),
      [5],
    );
    await rig.propose(rig.block());
    assert.deepEqual(rig.published.votes, []);
  });
});

test("a proposal of the own key that this node did not sign ends the process with 5", async () => {
  await withRig({ own: "proposer" }, async (rig) => {
    rig.execution.payload = null;
    await rig.begin();
    const proposal = rig.signers.proposal(rig.block());
    rig.runner.submit({ kind: "proposal", proposal, receivedAtMs: rig.clock.wallMs() });
    assert.deepEqual(
      rig.fatals.map(({ exitCode }) => exitCode),
      [5],
    );
  });
});

test("a second block with a valid commit at a decided height ends the process with 7 and both certificates", async () => {
  await withRig({}, async (rig) => {
    await rig.begin();
    const signers = rig.signers;
    const [one, two] = [rig.block({ txs: [Uint8Array.of(1)] }), rig.block({ txs: [Uint8Array.of(2)] })];
    await rig.propose(one);
    await decide(rig, one);
    const commit = signers.commit(0, two.blockId, [0, 1, 2, 3]);
    await rig.runner.commitSynced([syncedBlock(rig.chain.start, two, commit)]);
    assert.deepEqual(
      rig.fatals.map(({ exitCode, code }) => [exitCode, code]),
      [[7, "FORK"]],
    );
    const facts = rig.fatals[0]?.facts as { ours: { blockId: BlockId }; theirs: { blockId: BlockId } };
    assert.deepEqual([facts.ours.blockId, facts.theirs.blockId], [one.blockId, two.blockId]);
  });
});

test("a commit certificate for another block at the last height is a fork; one for the same block, nil, or prevotes are not", async () => {
  await withRig({}, async (rig) => {
    await rig.begin();
    const signers = new Signers(rig.chain, rig.runner.chain());
    const [one, two] = [rig.block({ txs: [Uint8Array.of(1)] }), rig.block({ txs: [Uint8Array.of(2)] })];
    await rig.propose(one);
    await decide(rig, one);
    const { commit } = rig.runner.lastCommit();
    const proof = (type: VoteType, blockId: BlockId | null): number | undefined =>
      forkProof(rig.runner.chain(), commit, signers.certificate(type, 0, blockId, [0, 1, 2]))?.exitCode;
    assert.equal(proof(precommit, two.blockId), 7);
    assert.equal(proof(precommit, one.blockId), undefined);
    assert.equal(proof(precommit, null), undefined);
    assert.equal(proof(prevote, two.blockId), undefined);
    const sameRound = forkProof(
      rig.runner.chain(),
      commit,
      signers.certificate(precommit, 0, two.blockId, [0, 1, 2]),
    );
    const facts = sameRound?.facts as { signed_both: string[]; evidence: object[] };
    const inBoth = [0, 1, 2].filter((index) => commit.signatures[index]?.flag === 2);
    assert.ok(inBoth.length >= 2, "two commits share more than a third");
    assert.deepEqual(
      facts.signed_both,
      inBoth.map((index) => toHexUpper(rig.chain.keys.addresses[index] ?? new Uint8Array(0))),
    );
    assert.equal(facts.evidence.length, inBoth.length);
    const later = forkProof(
      rig.runner.chain(),
      commit,
      signers.certificate(precommit, 1, two.blockId, [0, 1, 2]),
    );
    const suspects = later?.facts as { signed_both: string[]; evidence: object[] };
    assert.deepEqual([suspects.signed_both, suspects.evidence], [facts.signed_both, []]);
  });
});

test("a decided block that breaks a chain rule ends the process with 7", async () => {
  await withRig({}, async (rig) => {
    await rig.begin();
    const change = (block: Block): Block => ({
      ...block,
      header: { ...block.header, appHash: new Uint8Array(32).fill(7) },
    });
    const block = rig.block({ change });
    await rig.propose(block);
    await decide(rig, block);
    assert.deepEqual(
      rig.fatals.map(({ exitCode }) => exitCode),
      [7],
    );
    assert.match(rig.fatals[0]?.what ?? "", /app hash/);
    assert.equal(rig.store.height, 0);
  });
});

test("block sync takes over: the round is left, nothing is signed, the node comes back at the next height", async () => {
  await withRig({}, async (rig) => {
    await rig.begin();
    const [one, two] = [rig.block({ txs: [Uint8Array.of(1)] }), rig.block({ txs: [Uint8Array.of(2)] })];
    await rig.propose(one);
    const sent = rig.published.votes.length;
    rig.runner.pause();
    await rig.votes(prevote, one.blockId, rig.others);
    await rig.advance(60_000);
    assert.equal(rig.published.votes.length, sent);
    const commit = rig.signers.commit(0, two.blockId, [0, 1, 2, 3]);
    await rig.runner.commitSynced([syncedBlock(rig.chain.start, two, commit)]);
    assert.equal(rig.runner.chain().lastHeight, 1);
    rig.runner.start();
    await rig.advance(0);
    assert.equal(summary(rig.runner.core()).height, 2);
    assert.deepEqual(rig.fatals, []);
  });
});

test("sync and consensus may bring the same block at once: it is committed once", async () => {
  const gate = new Gate();
  await withRig({ gate }, async (rig) => {
    await rig.begin();
    gate.hold("store.commit");
    const block = rig.block();
    await rig.propose(block);
    const commit = rig.signers.commit(0, block.blockId, [0, 1, 2, 3]);
    await decide(rig, block);
    rig.runner.pause();
    const synced = rig.runner.commitSynced([syncedBlock(rig.chain.start, block, commit)]);
    gate.release("store.commit");
    await synced;
    assert.deepEqual(
      rig.commits.map(({ height, source }) => [height, source]),
      [[1, "consensus"]],
    );
    assert.deepEqual(rig.fatals, []);
  });
});

test("consensus may decide what block sync is storing just now: it is committed once", async () => {
  const gate = new Gate();
  await withRig({ gate }, async (rig) => {
    await rig.begin();
    gate.hold("store.commit");
    const block = rig.block();
    const commit = rig.signers.commit(0, block.blockId, [0, 1, 2, 3]);
    const synced = rig.runner.commitSynced([syncedBlock(rig.chain.start, block, commit)]);
    await rig.propose(block);
    await decide(rig, block);
    gate.release("store.commit");
    await synced;
    await settled();
    assert.deepEqual(
      rig.commits.map(({ height, source }) => [height, source]),
      [[1, "sync"]],
    );
    assert.deepEqual(rig.fatals, []);
  });
});

test("consensus decides another block than the one that block sync is storing just now: the process ends with 7", async () => {
  const gate = new Gate();
  await withRig({ gate }, async (rig) => {
    await rig.begin();
    gate.hold("store.commit");
    const [one, two] = [rig.block({ txs: [Uint8Array.of(1)] }), rig.block({ txs: [Uint8Array.of(2)] })];
    const commit = rig.signers.commit(0, one.blockId, [0, 1, 2, 3]);
    const synced = rig.runner.commitSynced([syncedBlock(rig.chain.start, one, commit)]);
    await rig.propose(two);
    await decide(rig, two);
    gate.release("store.commit");
    await synced;
    await settled();
    assert.deepEqual(
      rig.fatals.map(({ exitCode, code }) => [exitCode, code]),
      [[7, "FORK"]],
    );
  });
});

test("a signature under way when the node halts is not sent", async () => {
  const gate = new Gate();
  await withRig({ gate }, async (rig) => {
    await rig.begin();
    gate.hold("slot.sync");
    await rig.propose(rig.block());
    rig.runner.halt();
    gate.release("slot.sync");
    await rig.runner.stop();
    assert.deepEqual(rig.published.votes, []);
  });
});

test("regression: a body that came before the height began here is told when it begins", async () => {
  await withRig({}, async (rig) => {
    const block = rig.block();
    assert.equal(rig.runner.receiveBody(1, block.blockId, block.bytes), true);
    await rig.begin();
    const proposal = rig.signers.proposal(block);
    rig.runner.submit({ kind: "proposal", proposal, receivedAtMs: rig.clock.wallMs() });
    await settled();
    assert.deepEqual(rig.published.votes.map(nameOf), [`prevote 0 ${shortId(block.blockId)}`]);
  });
});

test("regression: a valid block proposed again is sent with its body although memory let the body go", async () => {
  await withRig({ own: "proposer" }, async (rig) => {
    await rig.begin();
    const [first] = rig.published.proposals;
    assert.ok(first !== undefined);
    const { blockId } = first.proposal;
    await rig.votes(prevote, blockId, rig.others.slice(0, 2));
    for (let n = 0; n < 20; n++) {
      const { bytes, blockId: id } = rig.block({ round: 1, txs: [Uint8Array.of(n)] });
      rig.runner.receiveBody(1, id, bytes);
    }
    await settled();
    assert.equal(rig.runner.bodies.get(blockId), null);
    for (let round = 0; round < 4; round++) await rig.votes(precommit, null, rig.others, round);
    await rig.pass(0);
    const [, again] = rig.published.proposals;
    assert.deepEqual(again?.proposal.round, 4);
    assert.deepEqual(again?.proposal.polRound, 0);
    assert.deepEqual(again?.body, first.body);
  });
});

test("an empty chain waits for the empty-block interval; a pending transaction ends the wait", async () => {
  const params = { blockIntervalMs: 1000, emptyBlockIntervalMs: 30_000 };
  await withRig({ validators: 1, own: "proposer", params }, async (rig) => {
    await rig.begin();
    await rig.pass(4000);
    assert.equal(rig.runner.chain().lastHeight, 1);
    await rig.pass(20_000);
    assert.equal(rig.runner.chain().lastHeight, 1, "idle");
    rig.execution.payload = [Uint8Array.of(1)];
    rig.runner.wakeEmptyHeight();
    await rig.pass(0);
    assert.equal(rig.runner.chain().lastHeight, 2, "awake");
    assert.equal(rig.commits.at(-1)?.txs, 1);
    rig.execution.payload = [];
    await rig.pass(4000);
    assert.equal(rig.runner.chain().lastHeight, 3, "one more right after a block with transactions");
    await rig.pass(10_000);
    assert.equal(rig.runner.chain().lastHeight, 3, "idle again");
    await rig.pass(20_000);
    assert.equal(rig.runner.chain().lastHeight, 4, "the interval is over");
  });
});

test("a full node follows: it signs nothing and commits what the others decide", async () => {
  await withRig({ own: null }, async (rig) => {
    await rig.begin();
    const block = rig.block();
    await rig.propose(block);
    await decide(rig, block);
    assert.equal(rig.runner.chain().lastHeight, 1);
    assert.deepEqual(rig.published.votes, []);
  });
});

test("a single validator decides alone, height after height", async () => {
  await withRig({ validators: 1, own: "proposer" }, async (rig) => {
    await rig.begin();
    await rig.pass(2000);
    assert.equal(rig.runner.chain().lastHeight >= 3, true);
    assert.deepEqual(rig.fatals, []);
    const { header } = rig.block().block;
    assert.equal(header.height, rig.runner.chain().lastHeight + 1);
  });
});

test("an execution client that builds nothing costs a round, not the node", async () => {
  await withRig({ own: "proposer" }, async (rig) => {
    rig.execution.payload = null;
    await rig.begin();
    await rig.advance(rig.chain.genesis.params.timeoutProposeMs);
    assert.deepEqual(rig.published.proposals, []);
    assert.deepEqual(rig.published.votes.map(nameOf), ["prevote 0 nil"]);
    assert.deepEqual(rig.fatals, []);
  });
});

test("a payload that its client is still judging is proposed, and prevoted here when the client says VALID", async () => {
  const gate = new Gate();
  await withRig({ gate, own: "proposer" }, async (rig) => {
    rig.execution.validationMs = null;
    gate.hold("validate");
    await rig.begin();
    assert.equal(rig.published.proposals.length, 1);
    assert.equal(rig.execution.validated, 1);
    assert.deepEqual(rig.published.votes, []);
    gate.release("validate");
    await rig.advance(0);
    const [sent] = rig.published.proposals;
    assert.deepEqual(rig.published.votes.map(nameOf), [`prevote 0 ${shortId(sent!.proposal.blockId)}`]);
  });
});

test("a proposer whose execution client is behind stays silent", async () => {
  await withRig({ own: "proposer" }, async (rig) => {
    rig.execution.status = { kind: "offline", reason: "refused", action: "start it" };
    await rig.begin();
    await rig.advance(rig.chain.genesis.params.timeoutProposeMs);
    assert.deepEqual(rig.published.proposals, []);
  });
});
