import assert from "node:assert/strict";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import {
  type BlockId,
  type DuplicateVoteEvidence,
  encodeCommit,
  makeDuplicateVoteEvidence,
  type Vote,
  VoteType,
} from "@quorate/chain";
import { toHex } from "@quorate/crypto";
import fc from "fast-check";
import { SegmentedBlockStore } from "../src/block-store.ts";
import { BodyLog } from "../src/body-log.ts";
import { openStore, rebuildIndex, StoreError, type StoreOptions } from "../src/index.ts";
import { type Index, IndexDb } from "../src/index-db.ts";
import { BodyFaultDisk } from "./body-fault-disk.ts";
import { chain, commitFor, type Decided, decide, genesisState, store, storeRun, withDir } from "./fixture.ts";

const SMALL: Partial<StoreOptions> = { segmentBytes: 16 * 1024, stepBytes: 4096 };

function isCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof StoreError && error.code === code;
}

test("an empty store answers with nothing", async () => {
  await withDir(async (dir) => {
    const empty = await openStore({ dir });
    assert.deepEqual([empty.base, empty.height], [0, 0]);
    assert.equal(await empty.state(), null);
    assert.equal(await empty.block(1), null);
    assert.equal(await empty.commitOf(1), null);
    assert.equal(await empty.validators(1), null);
    assert.equal(await empty.executedHeight(), 0);
    await empty.close();
  });
});

test("what was committed is there again after reopening: bodies, commits, states and sets of every height", async () => {
  await withDir(async (dir) => {
    const blocks = chain(150, { payload: 300 });
    const first = await openStore({ dir, ...SMALL });
    for (const decided of blocks) await store(first, decided);
    await first.close();
    assert.ok((await readdir(join(dir, "blocks"))).length > 3, "several body segments");

    const again = await openStore({ dir, ...SMALL });
    assert.deepEqual([again.base, again.height], [1, 150]);
    assert.deepEqual(await again.state(), blocks[149]?.state);
    for (const [i, decided] of blocks.entries()) {
      const height = i + 1;
      assert.deepEqual(await again.blockBytes(height), decided.bytes);
      assert.deepEqual(await again.stateAt(height), decided.state, `state ${height}`);
      assert.deepEqual(await again.validators(height), decided.state.lastValidators, `set ${height}`);
      const next = blocks[i + 1];
      assert.deepEqual(await again.commitOf(height), next?.block.lastCommit ?? decided.seenCommit);
      assert.equal(await again.heightOf(decided.blockId.hash), height);
      const meta = await again.meta(height);
      assert.deepEqual(meta?.blockId, decided.blockId);
      assert.equal(meta?.numTxs, 1);
      assert.equal(meta?.blockBytes, decided.bytes.length);
    }
    assert.deepEqual(await again.validators(151), blocks[149]?.state.validators);
    assert.deepEqual(await again.validators(152), blocks[149]?.state.nextValidators);
    assert.equal(await again.validators(153), null);
    assert.deepEqual(await again.block(77), blocks[76]?.block);
    await again.close();
  });
});

test("a decided block goes into the index in one write, which is synced; the cursor of the execution client needs no sync", async () => {
  await withDir(async (dir) => {
    const db = await IndexDb.open(join(dir, "index"));
    const written: { readonly operations: number; readonly sync: boolean }[] = [];
    const write = db.write.bind(db);
    db.write = (operations, options) => {
      written.push({ operations: operations.length, sync: options.sync });
      return write(operations, options);
    };
    const options = { dir: join(dir, "blocks"), segmentBytes: 16 * 1024, stepBytes: 4096 };
    const bodies = await BodyLog.open(new BodyFaultDisk(), options, null, 0);
    const opened = new SegmentedBlockStore(db, bodies, { tip: null, base: 0, executed: 0 });
    for (const decided of chain(2)) await store(opened, decided);
    await opened.setExecutedHeight(2);
    assert.deepEqual(
      written.map(({ sync }) => sync),
      [true, true, false],
    );
    assert.ok(written.slice(0, 2).every(({ operations }) => operations >= 4));
    await opened.close();
  });
});

/** Everything in the index of a store below `dir`, as text. */
async function indexOf(dir: string): Promise<readonly string[]> {
  const db = await IndexDb.open(join(dir, "db"));
  const all = await db.entries({ gte: new Uint8Array(0), lt: new Uint8Array(16).fill(255) });
  await db.close();
  return all.map(([key, value]) => `${toHex(key)} ${toHex(value)}`);
}

test("heights that are committed together leave the same index as one after the other, whatever the groups", async () => {
  const blocks = chain(140);
  await withDir(async (single) => {
    const one = await openStore({ dir: single });
    for (const decided of blocks) await store(one, decided);
    await one.close();
    const expected = await indexOf(single);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 50 }), { maxLength: 20 }), (sizes) =>
        withDir(async (dir) => {
          const used = await openStore({ dir });
          let at = 0;
          for (const size of [...sizes, blocks.length]) {
            await storeRun(used, blocks.slice(at, at + size));
            at = Math.min(blocks.length, at + size);
          }
          await used.close();
          assert.deepEqual(await indexOf(dir), expected);
        }),
      ),
      { numRuns: 6 },
    );
  });
});

test("a group of heights is one synced write, after all of its bodies; lost, it leaves the tip below, and the group is taken again", async () => {
  await withDir(async (dir) => {
    const blocks = chain(9);
    const db = await IndexDb.open(join(dir, "index"));
    const disk = new BodyFaultDisk();
    const writes: boolean[] = [];
    const power = { off: false };
    const index: Index = {
      get: (key) => db.get(key),
      entries: (range) => db.entries(range),
      write: async (operations, { sync }) => {
        if (power.off) throw new StoreError("STORE_IO", "EIO: injected");
        writes.push(sync);
        await db.write(operations, { sync });
      },
      close: async () => undefined,
    };
    const first = await openStore({ dir, ...SMALL, disk, index });
    await storeRun(first, blocks.slice(0, 4));
    assert.deepEqual(writes, [true]);
    power.off = true;
    await assert.rejects(storeRun(first, blocks.slice(4, 8)), isCode("STORE_IO"));
    assert.equal(first.height, 4);
    power.off = false;
    const again = await openStore({ dir, ...SMALL, disk: disk.afterPowerLoss(() => false), index });
    assert.equal(again.height, 4);
    for (const { blockId, bytes } of blocks.slice(4, 8))
      assert.deepEqual(await again.getBody(blockId), bytes);
    await storeRun(again, blocks.slice(3, 9));
    assert.equal(again.height, 9);
    for (const [i, { bytes, state }] of blocks.entries()) {
      assert.deepEqual(await again.blockBytes(i + 1), bytes);
      assert.deepEqual(await again.stateAt(i + 1), state);
    }
    await again.close();
    await db.close();
  });
});

test("a chain may begin at any height", async () => {
  await withDir(async (dir) => {
    const blocks = chain(3, { initialHeight: 1000 });
    const first = await openStore({ dir });
    for (const decided of blocks) await store(first, decided);
    await first.close();
    const again = await openStore({ dir });
    assert.deepEqual([again.base, again.height], [1000, 1002]);
    assert.equal(await again.block(999), null);
    assert.deepEqual(await again.validators(1000), blocks[0]?.state.lastValidators);
    await again.close();
  });
});

test("a change of the validator set is stored where it happens", async () => {
  await withDir(async (dir) => {
    const blocks = chain(6);
    // From the fourth height on the next set is not the one that rotation alone gives.
    const changed = blocks.map((decided, i) => {
      const { nextValidators } = decided.state;
      if (i < 3) return decided;
      const validators = nextValidators.validators.map((v) => ({
        ...v,
        priority: v.priority - BigInt(100 * i),
      }));
      const proposer = validators.find((v) => v.pubKey === nextValidators.proposer.pubKey);
      assert.ok(proposer);
      return {
        ...decided,
        state: { ...decided.state, nextValidators: { ...nextValidators, validators, proposer } },
      };
    });
    const first = await openStore({ dir });
    for (const decided of changed) await store(first, decided);
    await first.close();
    const again = await openStore({ dir });
    for (const [i, decided] of changed.entries()) assert.deepEqual(await again.stateAt(i + 1), decided.state);
    await again.close();
  });
});

test("bodies of the height being decided survive a restart, decided or not", async () => {
  await withDir(async (dir) => {
    const [one, two] = chain(2);
    assert.ok(one && two);
    const rival = decide(one.state, one.seenCommit, { payload: 5000 });
    const first = await openStore({ dir });
    await store(first, one);
    const ref = await first.putBody(two.blockId, two.bytes);
    await first.putBody(rival.blockId, rival.bytes);
    await first.close();
    const again = await openStore({ dir });
    assert.deepEqual(await again.getBody(two.blockId), two.bytes);
    assert.deepEqual(await again.getBody(rival.blockId), rival.bytes);
    assert.deepEqual(await again.getBody(one.blockId), one.bytes);
    assert.deepEqual(await again.putBody(two.blockId, two.bytes), ref, "the same body is not written twice");
    await again.commit({ ...two, height: 2, body: ref });
    assert.equal(again.height, 2);
    await again.close();
  });
});

test("a body of a height long decided is no longer found by its id", async () => {
  await withDir(async (dir) => {
    const blocks = chain(4);
    const rival = decide(genesisState(), null, { payload: 999 });
    const used = await openStore({ dir });
    await used.putBody(rival.blockId, rival.bytes);
    for (const decided of blocks) await store(used, decided);
    assert.equal(await used.getBody(rival.blockId), null);
    assert.deepEqual(await used.getBody(blocks[0]!.blockId), blocks[0]!.bytes);
    await used.close();
  });
});

test("committing the tip again changes nothing, another block there is a conflict, a gap is refused", async () => {
  await withDir(async (dir) => {
    const blocks = chain(3);
    const [one, two, three] = blocks;
    assert.ok(one && two && three);
    const used = await openStore({ dir });
    const batch = await store(used, one);
    await used.commit(batch);
    assert.equal(used.height, 1);
    const rival = decide(genesisState(), null, { payload: 7 });
    await assert.rejects(store(used, rival), isCode("STORE_CONFLICT"));
    await assert.rejects(store(used, three), isCode("STORE_ORDER"));
    await assert.rejects(
      used.commit({ ...two, height: 2, body: { segment: 1, offset: 0, length: 1 } }),
      isCode("STORE_ORDER"),
      "its body was never put",
    );
    await store(used, two);
    await used.close();
  });
});

test("the tip's commit can be extended by late precommits until the next block decides it", async () => {
  await withDir(async (dir) => {
    const [one, two] = chain(2);
    assert.ok(one && two);
    const used = await openStore({ dir });
    await store(used, one);
    const whole = commitFor(genesisState(), one.blockId, 1);
    await used.extendSeenCommit(whole);
    assert.deepEqual(await used.commitOf(1), whole);
    await store(used, two);
    assert.deepEqual(await used.commitOf(1), two.block.lastCommit);
    await used.extendSeenCommit(whole);
    assert.deepEqual(await used.commitOf(2), two.seenCommit);
    const foreign = { ...two.seenCommit, blockId: one.blockId };
    await assert.rejects(used.extendSeenCommit(foreign), isCode("STORE_CONFLICT"));
    await used.close();
  });
});

/** Two precommits at height 1; the store verifies no signatures. */
function doubleVote(one: Decided, other: BlockId | null = null): DuplicateVoteEvidence {
  const set = genesisState().validators;
  const sig = one.seenCommit.signatures.find((s) => s.signature.length > 0);
  assert.ok(sig);
  const vote = (blockId: Vote["blockId"]): Vote => ({
    type: VoteType.precommit,
    height: 1,
    round: 0,
    blockId,
    timestamp: sig.timestamp,
    validatorAddress: sig.validatorAddress,
    validatorIndex: set.validators.findIndex((v) => Buffer.compare(v.address, sig.validatorAddress) === 0),
    signature: sig.signature,
  });
  return makeDuplicateVoteEvidence(vote(one.blockId), vote(other), set, one.block.header.time);
}

test("the execution cursor and evidence are kept", async () => {
  await withDir(async (dir) => {
    const [one, two] = chain(2);
    assert.ok(one && two);
    const evidence = doubleVote(one, two.blockId);
    const used = await openStore({ dir });
    await used.setExecutedHeight(41);
    await used.putEvidence(evidence);
    await used.putEvidence(evidence);
    await used.close();
    const again = await openStore({ dir });
    assert.equal(await again.executedHeight(), 41);
    assert.deepEqual(await again.evidence(), [evidence]);
    await again.dropEvidence([evidence]);
    assert.deepEqual(await again.evidence(), []);
    await again.close();
  });
});

test("cometbft#6030: evidence leaves the pending ones in the very write that its block is in, also in a rebuilt index", async () => {
  await withDir(async (dir) => {
    const one = decide(genesisState(), null);
    const evidence = doubleVote(one);
    const two = decide(one.state, one.seenCommit, { evidence: [evidence] });
    const used = await openStore({ dir });
    await store(used, one);
    await used.putEvidence(evidence);
    assert.deepEqual([await used.evidence(), await used.committedEvidence()], [[evidence], []]);
    await store(used, two);
    assert.deepEqual(await used.evidence(), []);
    assert.deepEqual(await used.committedEvidence(), [{ height: 2, evidence }]);
    await store(used, decide(two.state, two.seenCommit));
    await used.close();
    await rebuildIndex({ dir }, genesisState());
    const again = await openStore({ dir });
    assert.deepEqual(await again.committedEvidence(), [{ height: 2, evidence }]);
    assert.deepEqual(await again.evidence(), []);
    await again.close();
  });
});

test("pruning forgets low heights, deletes their segments and keeps every state above whole", async () => {
  await withDir(async (dir) => {
    const blocks = chain(200, { payload: 400 });
    const used = await openStore({ dir, ...SMALL });
    for (const decided of blocks) await store(used, decided);
    const segments = (await readdir(join(dir, "blocks"))).length;
    assert.equal(await used.prune(170), 169);
    assert.equal(await used.prune(100), 0);
    assert.ok((await readdir(join(dir, "blocks"))).length < segments / 2);
    await used.close();
    const again = await openStore({ dir, ...SMALL });
    assert.deepEqual([again.base, again.height], [170, 200]);
    for (let height = 170; height <= 200; height++) {
      assert.deepEqual(await again.stateAt(height), blocks[height - 1]?.state, `state ${height}`);
      assert.deepEqual(await again.validators(height), blocks[height - 1]?.state.lastValidators);
      assert.deepEqual(await again.blockBytes(height), blocks[height - 1]?.bytes);
    }
    assert.equal(await again.block(169), null);
    assert.equal(await again.heightOf(blocks[100]!.blockId.hash), null);
    assert.equal(await again.prune(10_000), 30, "the tip stays");
    assert.deepEqual(await again.state(), blocks[199]?.state);
    const next = decide(blocks[199]!.state, blocks[199]!.seenCommit);
    await store(again, next);
    await again.close();
  });
});

test("a second opening is refused at once as locked", async () => {
  await withDir(async (dir) => {
    const used = await openStore({ dir });
    await assert.rejects(openStore({ dir }), isCode("STORE_LOCKED"));
    await used.close();
  });
});

test("a body segment that is missing, or a tip's body that has changed, is found at opening and named", async () => {
  for (const damage of ["missing", "changed"] as const) {
    await withDir(async (dir) => {
      const disk = new BodyFaultDisk();
      const used = await openStore({ dir, ...SMALL, disk });
      for (const decided of chain(60, { payload: 400 })) await store(used, decided);
      const meta = await used.meta(60);
      await used.close();
      const [first] = [...disk.files.keys()];
      const last = [...disk.files.entries()].at(-1);
      assert.ok(first && last && meta);
      if (damage === "missing") disk.files.delete(first);
      else last[1].visible[meta.body.offset + 200] = 0xee;
      await assert.rejects(openStore({ dir, ...SMALL, disk }), (error: unknown) => {
        assert.ok(isCode("STORE_CORRUPT")(error), String(error));
        assert.match(String(error), damage === "missing" ? /segment 1 is missing/ : /is damaged/);
        return true;
      });
    });
  }
});

test("blocks are served in a row with a commit for each, within count and bytes, the first one always", async () => {
  await withDir(async (dir) => {
    const used = await openStore({ dir, ...SMALL });
    assert.deepEqual(await used.blocks(1, 8, 1e9), []);
    const all = chain(40, { payload: 900 });
    await storeRun(used, all.slice(0, 17));
    for (const decided of all.slice(17)) await store(used, decided);
    const heights = async (from: number, count: number, bytes = 1e9): Promise<readonly number[]> =>
      (await used.blocks(from, count, bytes)).map(({ height }) => height);
    assert.deepEqual(await heights(1, 3), [1, 2, 3]);
    assert.deepEqual(await heights(38, 10), [38, 39, 40]);
    assert.deepEqual(await heights(40, 1), [40]);
    assert.deepEqual(await heights(41, 10), []);
    assert.deepEqual(await heights(0, 3), [], "below the base");
    assert.deepEqual(await heights(2, 5, 1), [2]);
    const served = await used.blocks(1, 40, 1e9);
    assert.equal(served.length, 40, "over several segments");
    for (const { height, block, commit } of served) {
      assert.deepEqual(block, all[height - 1]?.bytes);
      const expected = await used.commitOf(height);
      assert.ok(expected !== null);
      assert.deepEqual(commit, encodeCommit(expected));
    }
    const two = served.slice(4, 6).reduce((sum, { block, commit }) => sum + block.length + commit.length, 0);
    assert.deepEqual(await heights(5, 9, two), [5, 6]);
    assert.deepEqual(await heights(5, 9, two - 1), [5]);
    await used.prune(30);
    assert.deepEqual(await heights(29, 3), []);
    assert.deepEqual(await heights(30, 3), [30, 31, 32]);
    await used.close();
  });
});

test("the blocks committed last, as one group, are answered without the disk", async () => {
  await withDir(async (dir) => {
    const disk = new BodyFaultDisk();
    const used = await openStore({ dir, disk });
    const all = chain(6);
    await storeRun(used, all.slice(0, 2));
    await storeRun(used, all.slice(2, 6));
    for (const height of [3, 4, 5, 6]) assert.equal(await used.block(height), all[height - 1]?.block);
    assert.deepEqual(await used.block(2), all[1]?.block);
    assert.equal(await used.block(7), null);
    assert.equal(await used.block(0), null);
    await used.close();
  });
});

test("a body that has changed is never handed out", async () => {
  await withDir(async (dir) => {
    const disk = new BodyFaultDisk();
    const used = await openStore({ dir, disk });
    for (const decided of chain(3)) await store(used, decided);
    const meta = await used.meta(2);
    const [file] = [...disk.files.values()];
    assert.ok(meta && file);
    file.visible[meta.body.offset + 150] = 0xee;
    await assert.rejects(used.blockBytes(2), isCode("STORE_CORRUPT"));
    assert.ok(await used.blockBytes(3));
    await used.close();
  });
});

test("once a body could not be written nothing is stored any more", async () => {
  for (const [code, expected] of [
    ["EIO", "STORE_IO"],
    ["ENOSPC", "STORE_FULL"],
  ] as const) {
    for (const operation of [0, 1]) {
      await withDir(async (dir) => {
        const disk = new BodyFaultDisk();
        const used = await openStore({ dir, disk });
        const [one, two] = chain(2);
        assert.ok(one && two);
        disk.failAt = { operation, code };
        await assert.rejects(used.putBody(one.blockId, one.bytes), isCode(expected));
        await assert.rejects(used.putBody(two.blockId, two.bytes), isCode(expected));
        await used.close();
      });
    }
  }
});

test("bodies put at once share a sync and stay apart", async () => {
  await withDir(async (dir) => {
    const disk = new BodyFaultDisk();
    const used = await openStore({ dir, disk });
    const blocks = chain(20);
    const before = disk.operations;
    await Promise.all(blocks.map(({ blockId, bytes }) => used.putBody(blockId, bytes)));
    assert.equal(disk.operations - before, 2);
    for (const { blockId, bytes } of blocks) assert.deepEqual(await used.getBody(blockId), bytes);
    await used.close();
  });
});

test("after a power loss every body that was acknowledged is there and new ones destroy none", async () => {
  const blocks = chain(12, { payload: 700 });
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 10 }),
      fc.array(fc.boolean(), { minLength: 3, maxLength: 30 }),
      async (acknowledged, sectors) => {
        await withDir(async (dir) => {
          const disk = new BodyFaultDisk();
          const used = await openStore({ dir, ...SMALL, disk });
          for (const { blockId, bytes } of blocks.slice(0, acknowledged)) await used.putBody(blockId, bytes);
          disk.failAt = { operation: disk.operations + 1, code: "EIO" };
          const cut = blocks[acknowledged];
          assert.ok(cut);
          await used.putBody(cut.blockId, cut.bytes).catch(() => undefined);
          await used.close();
          let next = 0;
          const after = disk.afterPowerLoss(() => sectors[next++ % sectors.length] ?? false);
          const again = await openStore({ dir, ...SMALL, disk: after });
          const extra = blocks[acknowledged + 1];
          assert.ok(extra);
          await again.putBody(extra.blockId, extra.bytes);
          for (const { blockId, bytes } of [...blocks.slice(0, acknowledged), extra]) {
            assert.deepEqual(await again.getBody(blockId), bytes);
          }
          await again.close();
        });
      },
    ),
    { numRuns: 25 },
  );
});

test("regression: a failure behind the last body is told at once, not only to the next body", async () => {
  await withDir(async (dir) => {
    const disk = new BodyFaultDisk();
    disk.failExtend = "EIO";
    const told: StoreError[] = [];
    const [one, two] = chain(2);
    assert.ok(one && two);
    const used = await openStore({ dir, ...SMALL, disk, onFailure: (error) => told.push(error) });
    await used.putBody(one.blockId, one.bytes);
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(
      told.map(({ code }) => code),
      ["STORE_IO"],
    );
    await assert.rejects(used.putBody(two.blockId, two.bytes), isCode("STORE_IO"));
    await used.close();
  });
});

test("zeros are kept ready behind a small body, and none are written behind one that is a good part of them", async () => {
  await withDir(async (dir) => {
    const disk = new BodyFaultDisk();
    const [one, two, three] = chain(3);
    assert.ok(one && two && three);
    const used = await openStore({ dir, segmentBytes: 64 * 1024, stepBytes: 4096, disk });
    const file = join(dir, "blocks", "00000001.blk");
    await used.putBody(one.blockId, new Uint8Array(1024));
    const large = await disk.size(file);
    assert.ok(large < 1024 + 128, "its header and itself");
    await used.putBody(two.blockId, new Uint8Array(100));
    await new Promise((resolve) => setImmediate(resolve));
    const small = await disk.size(file);
    assert.ok(small > large + 4096);
    await used.putBody(three.blockId, new Uint8Array(5000));
    assert.ok((await disk.size(file)) > small, "written over the zeros and beyond");
    await used.close();

    const again = await openStore({ dir, segmentBytes: 64 * 1024, stepBytes: 4096, disk });
    assert.deepEqual(await again.getBody(one.blockId), new Uint8Array(1024));
    assert.deepEqual(await again.getBody(three.blockId), new Uint8Array(5000));
    await again.close();
  });
});

test("a body that ends in zeros is not written over after a restart", async () => {
  await withDir(async (dir) => {
    const zeros = new Uint8Array(600);
    const [one, two] = chain(2);
    assert.ok(one && two);
    const first = await openStore({ dir });
    await first.putBody(one.blockId, zeros);
    await first.close();
    const again = await openStore({ dir });
    await again.putBody(two.blockId, two.bytes);
    assert.deepEqual(await again.getBody(one.blockId), zeros);
    await again.close();
  });
});

test("an index that was removed beside its bodies starts an empty store", async () => {
  await withDir(async (dir) => {
    const used = await openStore({ dir });
    for (const decided of chain(3)) await store(used, decided);
    await used.close();
    await rm(join(dir, "db"), { recursive: true });
    const again = await openStore({ dir });
    assert.equal(again.height, 0);
    for (const decided of chain(3)) await store(again, decided);
    assert.equal(again.height, 3);
    await again.close();
  });
});

test("a closed store finishes what was asked before and refuses the rest", async () => {
  await withDir(async (dir) => {
    const [one] = chain(1);
    assert.ok(one);
    const used = await openStore({ dir });
    const body = await used.putBody(one.blockId, one.bytes);
    const committing = used.commit({ ...one, height: 1, body });
    await used.close();
    await committing;
    await assert.rejects(used.setExecutedHeight(1), isCode("STORE_CLOSED"));
    const again = await openStore({ dir });
    assert.equal(again.height, 1);
    await again.close();
  });
});

test("regression: bodies not decided yet are written and synced anew at opening, as their sync may have failed", async () => {
  await withDir(async (dir) => {
    const disk = new BodyFaultDisk();
    const used = await openStore({ dir, disk });
    const [one, two] = chain(2);
    assert.ok(one && two);
    await store(used, one);
    await used.putBody(two.blockId, two.bytes);
    await used.close();
    const written: number[] = [];
    const write = disk.write.bind(disk);
    disk.write = (file, offset, bytes) => {
      written.push(bytes.length);
      return write(file, offset, bytes);
    };
    const again = await openStore({ dir, disk });
    assert.equal(written.length, 1);
    assert.ok((written[0] ?? 0) >= two.bytes.length);
    assert.deepEqual(await again.getBody(two.blockId), two.bytes);
    await again.close();
  });
});
