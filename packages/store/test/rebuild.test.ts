import assert from "node:assert/strict";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { openStore, rebuildIndex, StoreError } from "../src/index.ts";
import { chain, decide, genesisState, store, withDir } from "./fixture.ts";

const SMALL = { segmentBytes: 16 * 1024, stepBytes: 4096 };

function isCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof StoreError && error.code === code;
}

test("a damaged index is reported, set aside, and rebuilt from the bodies up to the last proven height", async () => {
  await withDir(async (dir) => {
    const blocks = chain(150, { payload: 300 });
    const used = await openStore({ dir, ...SMALL });
    for (const decided of blocks) await store(used, decided);
    await used.close();
    for (const name of await readdir(join(dir, "db"))) {
      if (/^(MANIFEST|CURRENT)/.test(name)) await writeFile(join(dir, "db", name), "garbage");
    }
    await assert.rejects(openStore({ dir, ...SMALL }), isCode("STORE_CORRUPT"));

    const result = await rebuildIndex({ dir, ...SMALL }, genesisState());
    assert.deepEqual(result, { height: 149, movedTo: join(dir, "db.damaged-1") });
    const again = await openStore({ dir, ...SMALL });
    assert.deepEqual([again.base, again.height], [1, 149]);
    for (const [i, decided] of blocks.slice(0, 149).entries()) {
      assert.deepEqual(await again.blockBytes(i + 1), decided.bytes);
      assert.deepEqual(await again.stateAt(i + 1), decided.state);
      assert.deepEqual(await again.commitOf(i + 1), blocks[i + 1]?.block.lastCommit);
    }
    const tip = blocks[149];
    assert.ok(tip);
    assert.deepEqual(
      await again.getBody(tip.blockId),
      tip.bytes,
      "the body of the unproven height is still there",
    );
    await store(again, tip);
    await again.close();
  });
});

test("only bodies that a valid commit stands for are taken: rivals and forged successors are passed over", async () => {
  await withDir(async (dir) => {
    const [one, two, three] = chain(3);
    assert.ok(one && two && three);
    const rival = decide(genesisState(), null, { payload: 700 });
    const signatures = rival.seenCommit.signatures.map((sig) => ({ ...sig, signature: new Uint8Array(64) }));
    const forged = decide(rival.state, { ...rival.seenCommit, signatures });
    const used = await openStore({ dir });
    for (const { blockId, bytes } of [rival, forged, two, one, three]) await used.putBody(blockId, bytes);
    await used.close();
    const result = await rebuildIndex({ dir }, genesisState());
    assert.equal(result.height, 2);
    const again = await openStore({ dir });
    assert.deepEqual((await again.meta(1))?.blockId, one.blockId);
    assert.deepEqual((await again.meta(2))?.blockId, two.blockId);
    await again.close();
  });
});

test("bodies whose beginning was pruned cannot be rebuilt from, and the old index stays where it is", async () => {
  await withDir(async (dir) => {
    const used = await openStore({ dir, ...SMALL });
    for (const decided of chain(100, { payload: 400 })) await store(used, decided);
    await used.prune(90);
    await used.close();
    const before = await readFile(join(dir, "db", "CURRENT"), "utf8");
    await assert.rejects(rebuildIndex({ dir, ...SMALL }, genesisState()), isCode("STORE_CORRUPT"));
    assert.equal(await readFile(join(dir, "db", "CURRENT"), "utf8"), before);
  });
});

test("without any body the rebuilt index is empty", async () => {
  await withDir(async (dir) => {
    assert.deepEqual(await rebuildIndex({ dir }, genesisState()), { height: 0, movedTo: null });
    const empty = await openStore({ dir });
    assert.equal(empty.height, 0);
    await empty.close();
  });
});
