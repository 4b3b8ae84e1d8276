/** Order of durable events (docs: protocol, order of events): what must be on disk before what may leave. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { VoteType } from "@quorate/chain";
import { decodeInput, type Input } from "@quorate/consensus";
import type { Wal } from "@quorate/wal";
import type { RunnerContext } from "../src/runner/context.ts";
import { signVote } from "../src/runner/sign.ts";
import { WalRecordType } from "../src/wal-records.ts";
import { Gate, settled } from "./support/pace.ts";
import { makeRig, nameOf, shortId, withRig } from "./support/rig.ts";

const { prevote, precommit } = VoteType;

test("a vote leaves only when the log is synced up to its cause and the slot behind it", async () => {
  for (const held of ["wal.sync", "slot.sync"]) {
    const gate = new Gate();
    await withRig({ gate }, async (rig) => {
      await rig.begin();
      gate.hold(held);
      const block = rig.block();
      await rig.propose(block);
      assert.deepEqual(gate.blocked, [held]);
      assert.equal(rig.published.votes.length, 0, `published although ${held} is under way`);
      gate.release(held);
      await settled();
      const sent = rig.journal.indexOf(`publish prevote 0 ${shortId(block.blockId)}`);
      const slot = rig.journal.lastIndexOf("slot.sync");
      assert.equal(sent > slot, true);
      assert.equal(rig.journal.slice(0, slot).includes("wal.sync"), true);
    });
  }
});

test("the log that a signature depends on holds what the signature was given for", async () => {
  await withRig({}, async (rig) => {
    await rig.begin();
    await rig.propose(rig.block());
    assert.equal(rig.published.votes.length, 1);
    let cause = 0n;
    for await (const { type, sequence, payload } of rig.wal.replay(1n)) {
      if (type === WalRecordType.input && decodeInput(payload).kind === "verdict") cause = sequence;
    }
    assert.ok(cause > 0n, "the verdict is logged");
    assert.ok((rig.privval?.state.dependency.sequence ?? 0n) >= cause);
  });
});

test("a signature waits for the log also where the signer has a disk of its own", async () => {
  await withRig({}, async (rig) => {
    const synced = Promise.withResolvers<void>();
    const { runner } = rig;
    const wal: Wal = Object.create(rig.wal, {
      position: { value: rig.wal.position },
      direct: { value: true },
      append: { value: rig.wal.append.bind(rig.wal) },
      sync: { value: () => synced.promise },
    });
    const taken: Input[] = [];
    const context: RunnerContext = {
      modules: { ...runner.modules, wal },
      bodies: runner.bodies,
      timers: runner.timers,
      evidence: runner.evidence,
      core: () => runner.core(),
      chain: () => runner.chain(),
      lastCommit: () => runner.lastCommit(),
      began: () => 0n,
      submit: (input) => void taken.push(input),
      isCurrent: () => true,
      isRecent: () => true,
      heightSignal: () => runner.heightSignal(),
      findBody: (height, blockId) => runner.findBody(height, blockId),
      commitBlock: () => Promise.resolve(),
    };
    const vote = { type: prevote, height: 1, round: 0, blockId: null, validatorIndex: rig.own };
    const done = signVote(context, vote);
    await settled();
    assert.equal(rig.privval?.state.lastSigned?.step, 1, "the slot is written");
    assert.deepEqual(taken, []);
    synced.resolve();
    await done;
    assert.deepEqual(
      taken.map(({ kind }) => kind),
      ["signed_vote"],
    );
  });
});

test("a proposal leaves only when the log and the slot are synced", async () => {
  const gate = new Gate();
  await withRig({ gate, own: "proposer" }, async (rig) => {
    gate.hold("slot.sync");
    await rig.begin();
    assert.deepEqual(gate.blocked, ["slot.sync"]);
    assert.equal(rig.published.proposals.length, 0);
    gate.release("slot.sync");
    await settled();
    assert.equal(rig.published.proposals.length, 1);
    assert.equal(rig.journal.indexOf("slot.sync") < rig.journal.indexOf("publish proposal 0"), true);
  });
});

test("a precommit of a block is not even signed before its body is on disk", async () => {
  const gate = new Gate();
  await withRig({ gate }, async (rig) => {
    await rig.begin();
    gate.hold("body.sync");
    const block = rig.block();
    await rig.propose(block);
    await rig.votes(prevote, block.blockId, rig.others);
    assert.deepEqual(rig.published.votes.map(nameOf), [`prevote 0 ${shortId(block.blockId)}`]);
    assert.equal(rig.privval?.state.lastSigned?.step, 1);
    assert.equal(rig.privval?.state.lock, null);
    gate.release("body.sync");
    await settled();
    assert.deepEqual(rig.published.votes.map(nameOf).slice(1), [`precommit 0 ${shortId(block.blockId)}`]);
    assert.equal(
      rig.journal.indexOf(`body.sync ${shortId(block.blockId)}`) < rig.journal.lastIndexOf("slot.sync"),
      true,
    );
  });
});

test("a precommit of nil waits for no body", async () => {
  const gate = new Gate();
  await withRig({ gate }, async (rig) => {
    await rig.begin();
    gate.hold("body.sync");
    await rig.propose(rig.block());
    await rig.votes(prevote, null, rig.others);
    assert.equal(rig.published.votes.map(nameOf).at(-1), "precommit 0 nil");
    gate.release("body.sync");
  });
});

test("a decided block: body, batch, EndHeight, execution client, next height, announcement", async () => {
  await withRig({}, async (rig) => {
    await rig.begin();
    const block = rig.block();
    await rig.propose(block);
    await rig.votes(prevote, block.blockId, rig.others);
    rig.journal.length = 0;
    const before = rig.wal.position.sequence;
    await rig.votes(precommit, block.blockId, rig.others.slice(0, 2));
    assert.deepEqual(rig.journal, ["store.commit 1", "execution.decided 1", "commit 1", "announce 1"]);
    assert.equal(rig.runner.chain().lastHeight, 1);
    const types: number[] = [];
    for await (const record of rig.wal.replay(before + 1n)) types.push(record.type);
    assert.deepEqual(types, [1, 1, 3, 1], "two votes, EndHeight, start_height");
  });
});

test("the next height does not begin before the batch is synced", async () => {
  const gate = new Gate();
  await withRig({ gate }, async (rig) => {
    await rig.begin();
    gate.hold("store.commit");
    const block = rig.block();
    await rig.propose(block);
    await rig.votes(prevote, block.blockId, rig.others);
    await rig.votes(precommit, block.blockId, rig.others);
    assert.equal(rig.runner.chain().lastHeight, 0);
    assert.equal(rig.execution.executedHeight, 0);
    gate.release("store.commit");
    await settled();
    assert.equal(rig.runner.chain().lastHeight, 1);
  });
});

test("regression: a slot is never on disk before its cause, though segments turn", async () => {
  const rig = await makeRig({ validators: 1, own: "proposer", segmentBytes: 4096, checkpoints: true });
  try {
    await rig.begin();
    for (let i = 0; i < 40 && rig.runner.chain().lastHeight < 12; i++) await rig.advance(50);
    assert.equal(rig.runner.chain().lastHeight >= 12, true);
    assert.equal(
      rig.disk.names().filter((name) => name.includes("/wal/")).length > 2,
      true,
      "segments turned",
    );
    assert.equal(rig.checkpoints.length >= 36, true);
    for (const after of rig.checkpoints) {
      await withRig({ validators: 1, own: "proposer", after }, async (again) => {
        assert.notEqual(again.wal.condition.kind, "damaged");
      });
    }
  } finally {
    await rig.free();
  }
});

test("regression: precommits that come while the block is being stored are in the commit that the next block carries", async () => {
  const gate = new Gate();
  await withRig({ gate }, async (rig) => {
    await rig.begin();
    gate.hold("store.commit");
    const block = rig.block();
    await rig.propose(block);
    await rig.votes(prevote, block.blockId, rig.others);
    const [first, second, third] = rig.others;
    await rig.votes(precommit, block.blockId, [first ?? 0, second ?? 0]);
    await rig.votes(precommit, block.blockId, [third ?? 0]);
    gate.release("store.commit");
    await settled();
    await rig.advance(50);
    const { commit } = rig.runner.lastCommit();
    assert.deepEqual(
      commit.signatures.map(({ flag }) => flag),
      [2, 2, 2, 2],
    );
    assert.deepEqual((await rig.store.seenCommit(1))?.signatures.length, 4);
    assert.deepEqual(await rig.store.seenCommit(1), commit);
  });
});

test("a late precommit in NewHeight extends the stored commit", async () => {
  await withRig({ params: { blockIntervalMs: 1000 } }, async (rig) => {
    await rig.begin();
    await rig.advance(2000);
    const block = rig.block();
    await rig.propose(block);
    await rig.votes(prevote, block.blockId, rig.others);
    const late = rig.signers.vote(rig.others[2] ?? 0, precommit, 0, block.blockId);
    await rig.votes(precommit, block.blockId, rig.others.slice(0, 2));
    assert.equal(rig.runner.chain().lastHeight, 1);
    rig.runner.submit({ kind: "vote", vote: late });
    await rig.advance(50);
    assert.deepEqual(
      (await rig.store.seenCommit(1))?.signatures.map(({ flag }) => flag),
      [2, 2, 2, 2],
    );
  });
});

test("what fails in the background ends the process: a late precommit that cannot be stored, with 6", async () => {
  await withRig({ params: { blockIntervalMs: 1000 } }, async (rig) => {
    await rig.begin();
    await rig.advance(2000);
    const block = rig.block();
    await rig.propose(block);
    await rig.votes(prevote, block.blockId, rig.others);
    const late = rig.signers.vote(rig.others[2] ?? 0, precommit, 0, block.blockId);
    await rig.votes(precommit, block.blockId, rig.others.slice(0, 2));
    assert.deepEqual(rig.fatals, []);
    rig.store.break();
    rig.runner.submit({ kind: "vote", vote: late });
    await rig.advance(50);
    assert.deepEqual(
      rig.fatals.map(({ exitCode }) => exitCode),
      [6],
    );
  });
});

test("regression: an own precommit whose slot was being written when the others decided is sent and counted", async () => {
  const gate = new Gate();
  await withRig({ gate, params: { blockIntervalMs: 1000 } }, async (rig) => {
    await rig.begin();
    await rig.advance(2000);
    const block = rig.block();
    await rig.propose(block);
    gate.hold("slot.sync");
    await rig.votes(prevote, block.blockId, rig.others);
    await rig.votes(precommit, block.blockId, rig.others);
    assert.equal(rig.runner.chain().lastHeight, 1, "decided without this node's precommit");
    gate.release("slot.sync");
    await settled();
    assert.deepEqual(rig.published.votes.map(nameOf).at(-1), `precommit 0 ${shortId(block.blockId)}`);
    assert.equal(rig.runner.lastCommit().commit.signatures[rig.own]?.flag, 2);
  });
});
