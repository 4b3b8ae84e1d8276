/** From what is on disk back into the height: replay, sign state, snapshots, lost bodies, a store below its log. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type BlockId,
  blockIdKey,
  proposalSignBytes,
  type Vote,
  VoteType,
  voteSignBytes,
} from "@quorate/chain";
import { CORE_VERSION, summary } from "@quorate/consensus";
import type { Wal } from "@quorate/wal";
import fc from "fast-check";
import { replayHeight } from "../src/lifecycle/replay.ts";
import {
  decodeEndHeight,
  decodeSignIntent,
  encodeEndHeight,
  encodeSignIntent,
  type SignIntent,
  WalRecordType,
} from "../src/wal-records.ts";
import { makeChain } from "./support/chain.ts";
import { silent } from "./support/homes.ts";
import { MemoryStore } from "./support/memory-store.ts";
import { Gate, settled } from "./support/pace.ts";
import {
  makeRig,
  nameOf,
  type Published,
  type Rig,
  type RigOptions,
  shortId,
  withRig,
} from "./support/rig.ts";

const { prevote, precommit } = VoteType;

/** Restarts with what the disks of `rig` hold; the old process is abandoned as it stands. */
function crashed(
  rig: Rig,
  what: "written" | "synced" = "synced",
): RigOptions & Required<Pick<RigOptions, "after">> {
  return { after: { disk: rig.disk.copy(what), store: rig.store.copy() } };
}

async function lockedRig(): Promise<{ readonly rig: Rig; readonly blockId: BlockId }> {
  const rig = await makeRig();
  await rig.begin();
  const block = rig.block();
  await rig.propose(block);
  await rig.votes(prevote, block.blockId, rig.others);
  assert.equal(rig.privval?.state.lock?.round, 0);
  return { rig, blockId: block.blockId };
}

/** Round 1 brings another block. */
async function offerAnother(rig: Rig): Promise<BlockId> {
  await rig.votes(precommit, null, rig.others);
  await rig.pass(60_000);
  const other = rig.block({ round: 1, txs: [Uint8Array.of(99)] });
  await rig.propose(other, 1);
  await rig.pass(0);
  return other.blockId;
}

const votesOf = (rig: Rig): readonly string[] => rig.published.votes.map(nameOf);

test("a replayed height is the height as it was, timers and questions included", async () => {
  await withRig({}, async (rig) => {
    await rig.begin();
    await rig.propose(rig.block());
    await rig.votes(prevote, null, rig.others.slice(0, 2));
    await rig.votes(precommit, null, rig.others.slice(0, 1), 2);
    await withRig(crashed(rig, "written"), async (again) => {
      // What was appended and not synced may or may not survive; here all of it did.
      await rig.wal.sync();
      const replay = await replayHeight(rig.runner.chain(), {
        wal: rig.wal,
        store: rig.store,
        lastCommit: null,
        own: null,
        log: silent("test"),
      });
      assert.equal(replay.kind, "resumed");
      if (replay.kind === "resumed") assert.deepEqual(replay.core, rig.runner.core());
      assert.equal((await again.recover()).kind, "resumed");
      assert.equal(again.runner.bodies.at(1).length, 1, "its block is held again, for itself and for others");
    });
  });
});

test("a restarted node sets the timers of its height again: nobody else keeps it from waiting for ever", async () => {
  const rig = await makeRig();
  await rig.begin();
  await rig.wal.sync();
  await withRig(crashed(rig, "written"), async (again) => {
    assert.equal((await again.recover()).kind, "resumed");
    await again.pass(60_000);
    assert.deepEqual(votesOf(again), ["prevote 0 nil"]);
  });
  await rig.free();
});

test("regression: a body that comes while a height is being taken up again is told to the core", async () => {
  const rig = await makeRig();
  await rig.begin();
  const block = rig.block();
  rig.runner.submit({
    kind: "proposal",
    proposal: rig.signers.proposal(block),
    receivedAtMs: rig.clock.wallMs(),
  });
  await rig.wal.sync();
  await withRig(crashed(rig, "written"), async (again) => {
    again.runner.receiveBody(1, block.blockId, block.bytes);
    assert.equal((await again.recover()).kind, "resumed");
    assert.deepEqual(votesOf(again), [`prevote 0 ${shortId(block.blockId)}`]);
  });
  await rig.free();
});

test("regression: messages that came early for the next height are part of its replay", async () => {
  await withRig({}, async (rig) => {
    await rig.begin();
    const block = rig.block();
    await rig.propose(block);
    await rig.votes(prevote, block.blockId, rig.others);
    const early = rig.signers;
    for (const index of rig.others) {
      const vote = { ...early.vote(index, prevote, 0, null), height: 2 };
      rig.runner.submit({ kind: "vote", vote });
    }
    await rig.votes(precommit, block.blockId, rig.others);
    assert.equal(rig.runner.chain().lastHeight, 1);
    const replay = await replayHeight(rig.runner.chain(), {
      wal: rig.wal,
      store: rig.store,
      lastCommit: rig.runner.lastCommit().commit,
      own: null,
      log: silent("test"),
    });
    assert.equal(summary(rig.runner.core()).prevotesPower, 30n);
    assert.equal(replay.kind === "resumed" && summary(replay.core).prevotesPower, 30n);
  });
});

test("a crash after the lock: the restarted node never prevotes another value, with its log or without", async () => {
  for (const log of ["kept", "removed"]) {
    const { rig, blockId } = await lockedRig();
    const options = crashed(rig);
    if (log === "removed") {
      for (const name of options.after.disk.names())
        if (name.includes("/wal/")) await options.after.disk.remove(name);
    }
    await withRig(options, async (again) => {
      assert.equal(again.wal.condition.kind, log === "kept" ? "clean" : "damaged");
      const replay = await again.recover();
      assert.equal(replay.kind, log === "kept" ? "resumed" : "fresh");
      await again.pass(0);
      assert.deepEqual(summary(again.runner.core()).locked, { round: 0, blockId });
      const other = await offerAnother(again);
      assert.notEqual(blockIdKey(other), blockIdKey(blockId));
      assert.equal(votesOf(again).includes("prevote 1 nil"), true, votesOf(again).join());
      assert.equal(
        votesOf(again).some((vote) => vote.endsWith(shortId(other))),
        false,
      );
      assert.deepEqual(again.fatals, []);
    });
    await rig.free();
  }
});

test("after any loss of power no two signatures of the key contradict each other", async () => {
  const rig = await makeRig({ checkpoints: true });
  await rig.begin();
  const first = rig.block();
  await rig.propose(first);
  await rig.votes(prevote, first.blockId, rig.others);
  await offerAnother(rig);
  await rig.votes(prevote, null, rig.others, 1);
  await rig.votes(precommit, null, rig.others, 1);
  await rig.pass(2000);
  assert.equal(rig.checkpoints.length >= 4, true);
  for (const { disk, store, sent } of rig.checkpoints) {
    await withRig({ after: { disk, store } }, async (again) => {
      await again.recover();
      await again.pass(0);
      // The others show it something else than before the crash.
      const second = again.block({ txs: [Uint8Array.of(7)] });
      await again.propose(second);
      await again.votes(prevote, second.blockId, again.others);
      await offerAnother(again);
      await again.pass(60_000);
      assertNoConflict([sent, again.published]);
      assert.deepEqual(again.fatals, []);
    });
  }
  await rig.free();
});

function assertNoConflict(runs: readonly Pick<Published, "votes" | "proposals">[]): void {
  const seen = new Map<string, string>();
  const check = (key: string, bytes: Uint8Array): void => {
    const text = Buffer.from(bytes).toString("hex");
    assert.equal(seen.get(key) ?? text, text, `two different signatures for ${key}`);
    seen.set(key, text);
  };
  const plain = (vote: Vote): Uint8Array => voteSignBytes("any", { ...vote, timestamp: 0n });
  for (const { votes, proposals } of runs) {
    for (const vote of votes) check(`${vote.height}/${vote.round}/${vote.type}`, plain(vote));
    for (const { proposal } of proposals)
      check(`${proposal.height}/${proposal.round}/proposal`, proposalSignBytes("any", proposal));
  }
}

test("a crash between the decision and the batch: the block is committed at the restart", async () => {
  const rig = await makeRig();
  await rig.begin();
  const block = rig.block();
  await rig.propose(block);
  await rig.votes(prevote, block.blockId, rig.others);
  const store = rig.store.copy();
  await rig.votes(precommit, block.blockId, rig.others);
  // The batch and everything behind it are lost; the votes were synced by the last signature or not at all.
  const disk = await cutBeforeEndHeight(rig);
  await withRig({ after: { disk, store } }, async (again) => {
    await again.recover();
    assert.equal(again.runner.chain().lastHeight, 1);
    assert.deepEqual(
      again.commits.map(({ height }) => height),
      [1],
    );
  });
  await rig.free();
});

/** The log as it was when the decision fell. */
async function cutBeforeEndHeight(rig: Rig): Promise<ReturnType<Rig["disk"]["copy"]>> {
  const kept: { type: number; payload: Uint8Array }[] = [];
  for await (const { type, payload } of rig.wal.replay(1n)) {
    if (type === WalRecordType.endHeight) break;
    kept.push({ type, payload });
  }
  const fresh = await makeRig();
  for (const { type, payload } of kept) fresh.wal.append(type, payload);
  await fresh.wal.sync();
  const disk = fresh.disk.copy();
  await fresh.free();
  return disk;
}

test("a crash between the batch and EndHeight: the next height begins", async () => {
  const rig = await makeRig();
  await rig.begin();
  const block = rig.block();
  await rig.propose(block);
  await rig.votes(prevote, block.blockId, rig.others);
  await rig.votes(precommit, block.blockId, rig.others);
  const disk = await cutBeforeEndHeight(rig);
  await withRig({ after: { disk, store: rig.store.copy() } }, async (again) => {
    const replay = await again.recover();
    assert.equal(replay.kind, "fresh");
    assert.equal(summary(again.runner.core()).height, 2);
    assert.equal(again.runner.chain().lastHeight, 1);
  });
  await rig.free();
});

test("regression: a store below its log's EndHeight (its index was rebuilt) takes the height from the log again", async () => {
  const rig = await makeRig();
  await rig.begin();
  for (let height = 1; height <= 3; height++) {
    const block = rig.block();
    await rig.propose(block);
    await rig.votes(prevote, block.blockId, rig.others);
    await rig.votes(precommit, block.blockId, rig.others);
    await rig.pass(0);
  }
  assert.equal(rig.runner.chain().lastHeight, 3);
  await rig.wal.sync();
  const hash = rig.runner.chain().lastBlockId;
  const after = { disk: rig.disk.copy("written"), store: rig.store.copy(2) };
  await withRig({ after }, async (again) => {
    assert.equal(again.runner.chain().lastHeight, 2);
    await again.recover();
    assert.equal(again.runner.chain().lastHeight, 3);
    assert.deepEqual(again.runner.chain().lastBlockId, hash);
    assert.deepEqual(again.fatals, []);
  });
  await rig.free();
});

test("regression: a value built here whose body did not survive was never built: no crash loop", async () => {
  const rig = await makeRig({ own: "proposer" });
  await rig.begin();
  assert.equal(rig.published.proposals.length, 1);
  await rig.wal.sync();
  const store = rig.store.copy();
  store.bodies.clear();
  await withRig({ own: "proposer", after: { disk: rig.disk.copy(), store } }, async (again) => {
    await again.recover();
    const blockId = rig.published.proposals[0]?.proposal.blockId ?? null;
    await again.votes(prevote, blockId, again.others);
    await again.votes(precommit, blockId, again.others);
    assert.deepEqual(again.fatals, []);
    assert.deepEqual(again.published.wanted.map(shortId).slice(0, 1), [shortId(blockId)]);
    // A peer brings it.
    const body = rig.published.proposals[0]?.body;
    assert.ok(body !== undefined && blockId !== null);
    again.runner.receiveBody(1, blockId, body);
    await settled();
    assert.equal(again.runner.chain().lastHeight, 1);
  });
  await rig.free();
});

test("a log of another core version: its last snapshot is restored, even when its inputs cannot be read", async () => {
  const { rig, blockId } = await lockedRig();
  await rig.wal.sync();
  const records: { type: number; payload: Uint8Array; coreVersion: number; sequence: bigint; crc: number }[] =
    [];
  for await (const record of rig.wal.replay(1n)) records.push(record);
  for (const readable of [true, false]) {
    const wal = listWal(
      records.map((record) => ({
        ...record,
        coreVersion: CORE_VERSION + 1,
        payload: readable || record.type === WalRecordType.snapshot ? record.payload : Uint8Array.of(255),
      })),
    );
    const replay = await replayHeight(rig.runner.chain(), {
      wal,
      store: rig.store,
      lastCommit: null,
      own: rig.privval?.address ?? null,
      log: silent("test"),
    });
    assert.equal(replay.kind, "snapshot");
    if (replay.kind !== "snapshot") continue;
    assert.deepEqual(replay.snapshot.locked, { round: 0, blockId });
    assert.equal(replay.signed.length > 0, true, "own votes of the snapshot raise the watermark");
    await withRig({}, async (again) => {
      again.runner.start();
      again.runner.submit({ kind: "restore", snapshot: replay.snapshot });
      assert.deepEqual(summary(again.runner.core()).locked, { round: 0, blockId });
      // The lock's height goes on from a log of two versions: only what the height's last start wrote counts.
      await again.wal.sync();
    });
  }
  await rig.free();
});

test("regression: old records before the height's last start do not keep its new ones from being replayed", async () => {
  const { rig } = await lockedRig();
  await rig.wal.sync();
  const records: Parameters<typeof listWal>[0][number][] = [];
  for await (const record of rig.wal.replay(1n)) records.push(record);
  const old = records.map((record) => ({ ...record, coreVersion: CORE_VERSION + 1 }));
  const replay = await replayHeight(rig.runner.chain(), {
    wal: listWal([...old, ...records]),
    store: rig.store,
    lastCommit: null,
    own: null,
    log: silent("test"),
  });
  assert.equal(replay.kind, "resumed");
  await rig.free();
});

test("regression: a log that began the height on another chain is not replayed", async () => {
  const rig = await makeRig();
  await rig.begin();
  const other = makeChain(4, { timeoutProposeMs: 1234 });
  const replay = await replayHeight(other.start, {
    wal: rig.wal,
    store: rig.store,
    lastCommit: null,
    own: null,
    log: silent("test"),
  });
  assert.equal(replay.kind, "fresh");
  await rig.free();
});

test("the log tells what the key signed, also at heights that the store does not hold", async () => {
  const { rig, blockId } = await lockedRig();
  await rig.wal.sync();
  const replay = await replayHeight(
    { ...rig.runner.chain(), lastHeight: -1 },
    { wal: rig.wal, store: rig.store, lastCommit: null, own: null, log: silent("test") },
  );
  assert.equal(replay.kind, "fresh");
  assert.deepEqual(
    replay.signed.map(({ height, round, step, lock }) => ({ height, round, step, lock })).at(-1),
    { height: 1, round: 0, step: 2, lock: { round: 0, blockId } },
  );
  await rig.free();
});

test("a rotten newest slot: what the log holds raises the sign state again", async () => {
  const { rig, blockId } = await lockedRig();
  await rig.wal.sync();
  const disk = rig.disk.copy("written");
  const generation = rig.privval?.state.generation ?? 0n;
  const file = "home/priv_validator_state.bin";
  const bytes = disk.bytes(file);
  bytes.fill(0xaa, Number(generation & 1n) * 4096, Number(generation & 1n) * 4096 + 64);
  disk.put(file, bytes);
  await withRig({ after: { disk, store: rig.store.copy() } }, async (again) => {
    assert.equal(again.privval?.state.lock, null, "the older slot knows no lock");
    await again.recover();
    assert.deepEqual(again.privval?.state.lock, { height: 1, round: 0, blockId });
    assert.equal(again.privval?.state.lastSigned?.step, 2);
    await offerAnother(again);
    assert.equal(votesOf(again).includes("prevote 1 nil"), true);
  });
  await rig.free();
});

/** Both copies of the disk of `rig` with the newest slot of its sign state made unreadable. */
function rotten(rig: Rig, what: "written" | "synced"): ReturnType<typeof crashed> {
  const { after } = crashed(rig, what);
  const file = "home/priv_validator_state.bin";
  const bytes = after.disk.bytes(file);
  const at = Number((rig.privval?.state.generation ?? 0n) & 1n) * 4096;
  bytes.fill(0xaa, at, at + 64);
  after.disk.put(file, bytes);
  return { after };
}

test("regression: a rotten newest slot behind a loss of power: its vote comes back to the byte, and is not taken for another instance's", async () => {
  const { rig, blockId } = await lockedRig();
  const sent = rig.published.votes.at(-1);
  assert.ok(sent !== undefined && sent.type === precommit);
  await rig.pass(10);
  await withRig(rotten(rig, "synced"), async (again) => {
    assert.equal(again.privval?.state.lock, null, "the older slot knows no lock");
    await again.pass(1_000);
    await again.recover();
    assert.deepEqual(again.privval?.state.lock, { height: 1, round: 0, blockId });
    assert.deepEqual(again.published.votes.at(-1), sent, "signed at another time, with the time of then");
    again.runner.submit({ kind: "vote", vote: sent });
    await again.votes(precommit, blockId, again.others.slice(0, 2));
    assert.deepEqual(again.fatals, []);
    assert.equal(again.runner.chain().lastHeight, 1);
  });
  await rig.free();
});

test("regression: one rotten slot of the sign state, at whatever step a single validator ended, does not stop its chain", async () => {
  for (const held of ["body.sync", "wal.sync", "slot.sync", "store.commit"] as const) {
    for (const what of ["written", "synced"] as const) {
      const gate = new Gate();
      const rig = await makeRig({ validators: 1, own: "proposer", gate });
      gate.hold(held);
      await rig.begin();
      await withRig({ validators: 1, own: "proposer", ...rotten(rig, what) }, async (again) => {
        await again.recover();
        await again.pass(3_000);
        assert.equal(again.runner.chain().lastHeight > 1, true, `${held} ${what}`);
        assert.deepEqual(again.fatals, []);
        for (const vote of [...rig.published.votes, ...again.published.votes]) {
          const others = again.published.votes.filter(
            (each) => each.height === vote.height && each.round === vote.round && each.type === vote.type,
          );
          for (const other of others) assert.deepEqual(other.signature, vote.signature);
        }
      });
      await rig.free();
    }
  }
});

test("regression: a prevote whose block did not survive the loss of power, nor its slot the rot, is not followed by another", async () => {
  const gate = new Gate();
  const rig = await makeRig({ gate });
  await rig.begin();
  gate.hold("body.sync");
  const block = rig.block();
  await rig.propose(block);
  const [sent] = rig.published.votes;
  assert.ok(sent !== undefined && sent.type === prevote && sent.blockId !== null);
  const { after } = rotten(rig, "synced");
  await withRig({ after: { ...after, store: new MemoryStore() } }, async (again) => {
    await again.recover();
    await again.pass(60_000);
    const prevotes = again.published.votes.filter(({ type, round }) => type === prevote && round === 0);
    for (const vote of prevotes) assert.deepEqual(vote.signature, sent.signature);
    assert.deepEqual(again.fatals, []);
  });
  await rig.free();
});

test("regression: a single validator that lost its log in the middle of a height goes on, with the value it is locked on", async () => {
  for (const signed of ["prevote", "precommit"]) {
    const gate = new Gate();
    const rig = await makeRig({ validators: 1, own: "proposer", gate });
    gate.hold(signed === "prevote" ? "body.sync" : "store.commit");
    await rig.begin();
    const disk = rig.disk.copy();
    for (const name of disk.names()) if (name.includes("/wal/")) await disk.remove(name);
    const after = { disk, store: rig.store.copy() };
    await withRig({ validators: 1, own: "proposer", after }, async (again) => {
      const lock = again.privval?.state.lock ?? null;
      assert.equal(lock !== null, signed === "precommit");
      assert.equal((await again.recover()).kind, "fresh");
      await again.pass(3000);
      assert.equal(again.runner.chain().lastHeight > 1, true, signed);
      // A precommit that the sign state holds decides by itself; after a prevote the next round begins.
      assert.equal(again.commits[0]?.round, signed === "precommit" ? 0 : 1);
      if (lock !== null) assert.deepEqual(again.commits[0]?.blockId, lock.blockId);
      assert.deepEqual(again.fatals, []);
    });
    await rig.free();
  }
});

test("regression: validators that lost their logs in one round decide in that round: each one's last vote counts again", async () => {
  for (const type of [prevote, precommit]) {
    const rig = await makeRig();
    await rig.begin();
    const block = rig.block();
    await rig.propose(block);
    if (type === precommit) await rig.votes(prevote, block.blockId, rig.others);
    const { after } = crashed(rig);
    for (const name of after.disk.names()) if (name.includes("/wal/")) await after.disk.remove(name);
    await withRig({ after }, async (again) => {
      assert.equal((await again.recover()).kind, "fresh");
      // Two more come back, with nothing but the vote that each signed last.
      await again.votes(type, block.blockId, again.others.slice(0, 2));
      await again.pass(1_000);
      if (type === prevote) {
        assert.deepEqual(votesOf(again), [`precommit 0 ${shortId(block.blockId)}`]);
        await again.votes(precommit, block.blockId, again.others.slice(0, 2));
      }
      await again.pass(0);
      assert.equal(again.runner.chain().lastHeight, 1);
      assert.equal(again.commits[0]?.round, 0);
      assert.deepEqual(again.fatals, []);
    });
    await rig.free();
  }
});

test("a full node replays too, and signs nothing", async () => {
  const rig = await makeRig({ own: null });
  await rig.begin();
  await rig.propose(rig.block());
  await rig.wal.sync();
  await withRig({ own: null, after: { disk: rig.disk.copy(), store: rig.store.copy() } }, async (again) => {
    assert.equal((await again.recover()).kind, "resumed");
    assert.deepEqual(again.published.votes, []);
  });
  await rig.free();
});

test("an EndHeight record gives back height and beginning; anything else gives nothing", () => {
  for (const height of [1, 2 ** 40]) {
    const record = { height, began: 123n };
    assert.deepEqual(decodeEndHeight(encodeEndHeight(record)), record);
  }
  assert.equal(decodeEndHeight(new Uint8Array(15)), null);
  assert.equal(decodeEndHeight(new Uint8Array(16).fill(0xff)), null);
});

test("a sign intent gives back what it was; anything else gives nothing", () => {
  const hash = fc.uint8Array({ minLength: 32, maxLength: 32 });
  const plain = { noNullPrototype: true };
  const block = fc.record({ hash, parts: fc.record({ total: fc.nat(), hash }, plain) }, plain);
  const place = {
    height: fc.maxSafeNat(),
    round: fc.nat(),
    timestamp: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  };
  const intent: fc.Arbitrary<SignIntent> = fc.oneof(
    fc.record(
      { ...place, step: fc.constant(0 as const), polRound: fc.integer({ min: -1 }), blockId: block },
      plain,
    ),
    fc.record(
      {
        ...place,
        step: fc.constantFrom(1 as const, 2 as const),
        polRound: fc.constant(-1),
        blockId: fc.option(block),
      },
      plain,
    ),
  );
  fc.assert(
    fc.property(intent, fc.nat(), (each, cut) => {
      const bytes = encodeSignIntent(each);
      assert.deepEqual(decodeSignIntent(bytes), each);
      assert.equal(decodeSignIntent(bytes.subarray(0, cut % bytes.length)), null);
      assert.equal(decodeSignIntent(Uint8Array.of(...bytes, 0)), null);
    }),
  );
  const nil = encodeSignIntent({ height: 1, round: 0, step: 1, polRound: -1, blockId: null, timestamp: 5n });
  assert.equal(decodeSignIntent(nil.with(12, 3)), null, "no such step");
  assert.equal(decodeSignIntent(nil.with(12, 0)), null, "a proposal of nothing");
});

test("a record that nobody understands does not keep the node from starting", async () => {
  const wal = listWal([
    { type: 77, payload: new Uint8Array(3), coreVersion: CORE_VERSION, sequence: 1n, crc: 0 },
    {
      type: WalRecordType.input,
      payload: new Uint8Array(3),
      coreVersion: CORE_VERSION,
      sequence: 2n,
      crc: 0,
    },
    {
      type: WalRecordType.snapshot,
      payload: new Uint8Array(3),
      coreVersion: CORE_VERSION,
      sequence: 3n,
      crc: 0,
    },
    {
      type: WalRecordType.endHeight,
      payload: new Uint8Array(3),
      coreVersion: CORE_VERSION,
      sequence: 4n,
      crc: 0,
    },
  ]);
  const { start } = makeChain();
  const store = { getBody: () => Promise.resolve(null) };
  const replay = await replayHeight(start, { wal, store, lastCommit: null, own: null, log: silent("test") });
  assert.deepEqual(replay, { kind: "fresh", signed: [], intents: [] });
});

function listWal(
  records: readonly {
    readonly type: number;
    readonly payload: Uint8Array;
    readonly coreVersion: number;
    readonly sequence: bigint;
    readonly crc: number;
  }[],
): Pick<Wal, "replay" | "lastOfType"> {
  return {
    async *replay(from) {
      yield* records.filter(({ sequence }) => sequence >= from);
    },
    async lastOfType(type) {
      return records.findLast((record) => record.type === type) ?? null;
    },
  };
}
