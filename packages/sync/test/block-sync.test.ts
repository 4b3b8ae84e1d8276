import assert from "node:assert/strict";
import { test } from "node:test";
import { type Commit, decodeCommit, encodeCommit, makeValidatorSet } from "@quorate/chain";
import { ed25519PublicKey } from "@quorate/crypto";
import { ForkFound, SyncError } from "../src/errors.ts";
import { doubleVote, nextBlock, type Served, testChain } from "./support/chain.ts";
import { honest, never, peer, TestNode, VirtualClock } from "./support/network.ts";

const LENGTH = 60;
const chain = testChain(LENGTH);
const other = testChain(LENGTH, "another-chain");
const SMALL = { batch: 8, window: 32 };

function node(peers: (clock: VirtualClock) => ReturnType<typeof peer>[], limits = {}): TestNode {
  const clock = new VirtualClock();
  return new TestNode(chain.genesis, peers(clock), clock, { ...SMALL, ...limits });
}

function slice(from: number, count: number): readonly Served[] {
  return chain.blocks.slice(from - 1, from - 1 + count);
}

/** Serves the chain with heights changed. */
function tampering(
  id: string,
  at: (height: number) => boolean,
  change: (item: Served) => Served,
): ReturnType<typeof peer> {
  return peer(id, LENGTH, async (from, count) =>
    slice(from, count).map((i) => (at(i.height) ? change(i) : i)),
  );
}

test("a late node reaches the tip of one honest peer and applies every height once, in order", async () => {
  const late = node(() => [honest("a", chain)]);
  assert.equal(await late.drive(), LENGTH);
  assert.deepEqual(
    late.applied,
    chain.blocks.map(({ height }) => height),
  );
  assert.deepEqual(late.state, chain.states[LENGTH]);
});

test("ranges go to several peers at once", async () => {
  const late = node((clock) => ["a", "b", "c"].map((id) => honest(id, chain, 50, clock)));
  assert.equal(await late.drive(), LENGTH);
  for (const { asked } of late.peers) assert.ok(asked.length > 1);
});

test("signatures of several heights are verified as one batch, each once", async () => {
  const late = node(() => [honest("a", chain)], { batch: 32, window: 64 });
  await late.drive();
  assert.ok(late.batches.length < LENGTH / 4, `${late.batches.length} batches`);
  const total = late.batches.reduce((sum, size) => sum + size, 0);
  // One commit per height, and the last commit again where a batch begins.
  assert.ok(total <= LENGTH * 4 + late.batches.length * 4, `${total} checks`);
});

test("the next run is verified while the one before it is applied", async () => {
  const late = node(() => [honest("a", chain), honest("b", chain)]);
  const ahead: number[] = [];
  late.onApply = (height) => {
    const checks = late.batches.reduce((sum, size) => sum + size, 0);
    // Four of each commit, and of the last commit again where a batch begins.
    ahead.push(checks / 4 - (late.batches.length - 1) - height);
  };
  assert.equal(await late.drive(), LENGTH);
  const inBetween = ahead.slice(16, LENGTH - 16);
  assert.ok(
    inBetween.every((heights) => heights > 0),
    inBetween.join(" "),
  );
});

test("heights that were verified together are stored as one group, of bounded heights and bytes", async () => {
  const late = node(() => [honest("a", chain)], { batch: 32, window: 64 });
  await late.drive();
  assert.ok(late.groups.length <= 4 && Math.max(...late.groups) <= 32, late.groups.join(" "));
  const size = Math.max(...chain.blocks.map(({ block, commit }) => block.length + commit.length));
  const few = node(() => [honest("a", chain)], { verifyBytes: 3 * size });
  await few.drive();
  assert.ok(Math.max(...few.groups) <= 4, few.groups.join(" "));
  const large = node(() => [honest("a", chain)], { verifyBytes: 1 });
  await large.drive();
  assert.deepEqual(new Set(large.groups), new Set([1]));
});

test("regression: evidence may be of a height that is still being stored when its block is verified", async () => {
  const accusing = testChain(24, "sync-test", (height, states) =>
    height === 17 ? [doubleVote(states[15]!, states[16]!.lastTime)] : [],
  );
  const clock = new VirtualClock();
  const peers = ["a", "b", "c"].map((id) => honest(id, accusing));
  const late = new TestNode(accusing.genesis, peers, clock, { ...SMALL, verifyHeights: 8 });
  assert.equal(await late.drive(), 24);
  assert.deepEqual(late.groups, [8, 8, 8]);
});

test("a node at the tip asks nobody", async () => {
  const late = node(() => [honest("a", chain)]);
  late.state = chain.states[LENGTH]!;
  assert.equal(await late.drive(), LENGTH);
  assert.equal(late.peers[0]?.asked.length, 0);
});

test("without peers it ends at once, and the target is 0", async () => {
  const late = node(() => []);
  assert.equal(await late.drive(), 0);
  assert.equal(late.sync.target, 0);
});

test("it starts from the height the node has", async () => {
  const late = node(() => [honest("a", chain)]);
  late.state = chain.states[25]!;
  assert.equal(await late.drive(), LENGTH);
  assert.equal(late.applied[0], 26);
});

test("abort ends the run with the height that the group under way reached, and a later run goes on", async () => {
  const late = node(() => [honest("a", chain)]);
  const stop = new AbortController();
  late.onApply = (height) => {
    if (height === 10) stop.abort();
  };
  const reached = await late.drive(stop.signal);
  assert.ok(reached >= 10 && reached < LENGTH);
  assert.equal(late.applied.at(-1), reached);
  assert.equal(await late.drive(), LENGTH);
  assert.equal(late.applied.length, LENGTH);
});

test("a height decided by the node itself meanwhile is not applied again", async () => {
  const late = node(() => [honest("a", chain)]);
  late.onVerify = () => {
    if (late.state.lastHeight === 0) late.state = chain.states[2]!;
  };
  late.onApply = (height) => {
    if (height === 5) queueMicrotask(() => (late.state = chain.states[9]!));
  };
  assert.equal(await late.drive(), LENGTH);
  assert.equal(new Set(late.applied).size, late.applied.length);
  assert.ok(!late.applied.includes(7));
});

test("peers that pruned the next height are passed over", async () => {
  const late = node(() => [peer("pruned", LENGTH, never, 30), honest("a", chain)]);
  assert.equal(await late.drive(), LENGTH);
  const alone = node(() => [peer("pruned", LENGTH, never, 30)]);
  assert.equal(await alone.drive(), 0);
});

test("a block with one changed byte is refused, its peer reported, the range fetched elsewhere", async () => {
  const flip = (item: Served): Served => {
    const block = Uint8Array.from(item.block);
    block[block.length - 40]! ^= 1;
    return { ...item, block };
  };
  const late = node(() => [tampering("liar", (height) => height === 5, flip), honest("a", chain)]);
  assert.equal(await late.drive(), LENGTH);
  assert.equal(late.reports.filter(({ peer: id }) => id === "liar").length, 1);
  assert.deepEqual(
    late.reports.filter(({ peer: id }) => id !== "liar"),
    [],
  );
});

test("every signature that is not absent is verified, also beyond two thirds", async () => {
  const spoil = (item: Served): Served => {
    const commit = decodeCommit(item.commit);
    const signatures = commit.signatures.map((sig, index) =>
      index === 3 ? { ...sig, signature: new Uint8Array(64).fill(7) } : sig,
    );
    return { ...item, commit: encodeCommit({ ...commit, signatures } satisfies Commit) };
  };
  const late = node(() => [tampering("liar", () => true, spoil), honest("a", chain)]);
  assert.equal(await late.drive(), LENGTH);
  assert.deepEqual(late.reports, [{ peer: "liar", offence: "bad_commit" }]);
});

test("a block with the commit of another block is refused", async () => {
  const swap = (item: Served): Served => ({ ...item, commit: chain.blocks[0]!.commit });
  const late = node(() => [tampering("liar", () => true, swap), honest("a", chain)]);
  assert.equal(await late.drive(), LENGTH);
});

test("a bad block amid a good batch leaves the heights before it applied", async () => {
  const garbage = (item: Served): Served => ({ ...item, block: new Uint8Array([1, 2, 3]) });
  const late = node(() => [tampering("liar", (height) => height === 6, garbage)]);
  assert.equal(await late.drive(), 5);
  assert.deepEqual(late.reports, [{ peer: "liar", offence: "malformed" }]);
});

test("another chain's blocks are refused", async () => {
  const late = node(() => [honest("foreign", other), honest("a", chain)]);
  assert.equal(await late.drive(), LENGTH);
  assert.equal(late.reports[0]?.peer, "foreign");
});

test("a block that +2/3 signed against the rules stops the sync as a divergence", async () => {
  const state = chain.states[3]!;
  const lastCommit = decodeCommit(chain.blocks[2]!.commit);
  const forged = nextBlock(state, lastCommit, [], (block) => {
    return { ...block, header: { ...block.header, appHash: new Uint8Array(32).fill(9) } };
  });
  const late = node(() => [
    peer("majority", 4, async (from, count) =>
      [...slice(1, 3), { height: 4, block: forged.bytes, commit: encodeCommit(forged.commit) }].slice(
        from - 1,
        from - 1 + count,
      ),
    ),
  ]);
  await assert.rejects(
    late.drive(),
    (error: unknown) => error instanceof SyncError && error.code === "DIVERGED",
  );
  assert.equal(late.state.lastHeight, 3);
  assert.deepEqual(late.reports, []);
});

/** A peer of the same chain up to height 2 and of another one behind; `change` spoils what it has as the commit of height 3. */
function otherBranch(change: (commit: Commit) => Commit = (commit) => commit): TestNode {
  const theirs = nextBlock(chain.states[2]!, decodeCommit(chain.blocks[1]!.commit), [Uint8Array.of(7)]);
  const next = nextBlock(theirs.state, change(theirs.commit), []);
  const served = [...slice(1, 3), { height: 4, block: next.bytes, commit: encodeCommit(next.commit) }];
  return node(() => [peer("theirs", 4, async (from, count) => served.slice(from - 1, from - 1 + count))]);
}

test("a block that stands on another one of the last height, which +2/3 signed too, shows a fork with its commit", async () => {
  const late = otherBranch();
  await assert.rejects(late.drive(), (error: unknown) => {
    assert.ok(error instanceof ForkFound && error.code === "FORK");
    assert.equal(error.commit.height, 3);
    assert.equal(error.commit.signatures.length, 4);
    assert.notDeepEqual(error.commit.blockId, late.state.lastBlockId);
    return true;
  });
  assert.equal(late.state.lastHeight, 3);
  assert.deepEqual(late.reports, []);
});

test("one that stands on a block nobody proves to be signed by +2/3 is a divergence and no fork", async () => {
  const late = otherBranch(({ signatures: [first, ...rest], ...commit }) => {
    return { ...commit, signatures: [{ ...first!, signature: new Uint8Array(64).fill(7) }, ...rest] };
  });
  await assert.rejects(
    late.drive(),
    (error: unknown) => error instanceof SyncError && error.code === "DIVERGED",
  );
});

test("a block whose last commit holds a forged signature stops the sync, though +2/3 signed it", async () => {
  const [first, ...rest] = decodeCommit(chain.blocks[2]!.commit).signatures;
  const forged = { ...first!, signature: new Uint8Array(64).fill(7) };
  const lastCommit = { ...decodeCommit(chain.blocks[2]!.commit), signatures: [forged, ...rest] };
  const made = nextBlock(chain.states[3]!, lastCommit, []);
  const served = [...slice(1, 3), { height: 4, block: made.bytes, commit: encodeCommit(made.commit) }];
  const late = node(() => [
    peer("majority", 4, async (from, count) => served.slice(from - 1, from - 1 + count)),
  ]);
  await assert.rejects(
    late.drive(),
    (error: unknown) => error instanceof SyncError && error.code === "DIVERGED",
  );
  assert.equal(late.state.lastHeight, 3);
});

test("a height is proved by its own set, not by that of the next height", async () => {
  const newcomer = { pubKey: ed25519PublicKey(new Uint8Array(32).fill(9)), power: 10n };
  const nextValidators = makeValidatorSet([...chain.genesis.validators.validators, newcomer]);
  const genesis = { ...chain.genesis, nextValidators };
  const { bytes, commit } = nextBlock(genesis, null, []);
  const served = { height: 1, block: bytes, commit: encodeCommit(commit) };
  const clock = new VirtualClock();
  const late = new TestNode(genesis, [peer("a", 1, async () => [served])], clock, SMALL);
  assert.equal(await late.drive(), 1);
  assert.deepEqual(late.reports, []);
});

test("an error of apply ends the run", async () => {
  const late = node(() => [honest("a", chain)]);
  const stop = new AbortController();
  let tried = 0;
  late.onApply = () => {
    if (++tried > 1) stop.abort();
    throw new Error("disk full");
  };
  await assert.rejects(late.drive(stop.signal), /disk full/);
  assert.equal(tried, 1);
});
