import assert from "node:assert/strict";
import { test } from "node:test";
import { StoreError } from "@quorate/store";
import { decidedBlocks } from "../src/compose/execution.ts";
import { effectError } from "../src/runner/fatal.ts";
import { makeChain } from "./support/chain.ts";
import { MemoryStore } from "./support/memory-store.ts";

class DamagedStore extends MemoryStore {
  override async block(): Promise<never> {
    throw new StoreError("STORE_CORRUPT", "the body of block 7 is damaged", { height: 7 });
  }
}

// The follower had no handler for it: an unhandled rejection ended the node with exit code 1 and no word of the store.
test("a decided block that cannot be read ends the node, and is missing to the follower until then", async () => {
  const failures: unknown[] = [];
  const blocks = decidedBlocks(
    new DamagedStore(),
    makeChain(4).genesis,
    (error) => void failures.push(error),
  );
  assert.equal(await blocks.block(7), null);
  assert.equal(failures.length, 1);
  const { exitCode, what } = effectError("a decided block could not be read", failures[0]);
  assert.equal(exitCode, 3);
  assert.match(what, /the body of block 7 is damaged/);
});
