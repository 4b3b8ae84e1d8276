import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ABSENT_SIG,
  type Commit,
  decodeBlock,
  decodeCommit,
  encodeBlock,
  encodeCommit,
} from "@quorate/chain";
import { DEFAULT_LIMITS } from "../src/options.ts";
import { testChain } from "./support/chain.ts";
import { honest, never, peer, TestNode, type TestPeer, VirtualClock } from "./support/network.ts";

const LENGTH = 96;
const LATENCY_MS = 100;
const chain = testChain(LENGTH);
const LIMITS = { batch: 8, window: 32 };

interface Outcome {
  readonly node: TestNode;
  readonly ms: number;
}

async function sync(peers: (clock: VirtualClock) => TestPeer[], limits = {}): Promise<Outcome> {
  const clock = new VirtualClock();
  const node = new TestNode(chain.genesis, peers(clock), clock, { ...LIMITS, ...limits });
  await node.drive();
  return { node, ms: clock.now };
}

const aloneMs = (await sync((clock) => [honest("a", chain, LATENCY_MS, clock)])).ms;

const served = (from: number, count: number): typeof chain.blocks =>
  chain.blocks.slice(from - 1, from - 1 + count);
const junk = { height: 0, block: new Uint8Array([0]), commit: new Uint8Array([0]) };

/** Each liar with what it does; one honest peer serves beside five of its kind. */
const LIARS: Readonly<Record<string, (id: string, clock: VirtualClock) => TestPeer>> = {
  "claims 2^53-1 and serves nothing": (id) => peer(id, Number.MAX_SAFE_INTEGER, async () => []),
  "claims 2^53-1 and refuses every request": (id) =>
    peer(id, Number.MAX_SAFE_INTEGER, async () => Promise.reject(new Error("refused"))),
  "serves blocks of other heights": (id) => peer(id, LENGTH, async (from, count) => served(from + 1, count)),
  "serves more than it was asked for": (id) =>
    peer(id, LENGTH, async (from, count) => served(from, count + 1)),
  "serves heights with a hole": (id) =>
    peer(id, LENGTH, async (from, count) => served(from, count).filter((_, index) => index !== 1)),
  "serves junk": (id) => peer(id, LENGTH, async (from) => [{ ...junk, height: from }]),
  "serves a bad block in the middle of a range": (id) =>
    peer(id, LENGTH, async (from, count) =>
      served(from, count).map((item, index) => (index === 3 ? { ...item, block: junk.block } : item)),
    ),
  "serves headers without validators, which have no hash": (id) =>
    peer(id, LENGTH, async (from, count) =>
      served(from, count).map((item) => {
        const block = decodeBlock(item.block);
        const header = { ...block.header, validatorsHash: new Uint8Array(0) };
        return { ...item, block: encodeBlock({ ...block, header }) };
      }),
    ),
  "serves bad commits": (id) =>
    peer(id, LENGTH, async (from, count) =>
      served(from, count).map((item) => ({ ...item, commit: junk.commit })),
    ),
  "serves truncated ranges": (id) => peer(id, LENGTH, async (from) => served(from, 1)),
  "claims less and less": (id) => {
    const liar: TestPeer = peer(id, LENGTH, async () => {
      liar.height = Math.max(0, liar.height - 7);
      return [];
    });
    return liar;
  },
  "claims more and more": (id) => {
    const liar: TestPeer = peer(id, LENGTH, async () => {
      liar.height += 1_000;
      return [];
    });
    return liar;
  },
};

for (const [what, liar] of Object.entries(LIARS)) {
  test(`five peers that each ${what} do not keep a node from the tip`, async () => {
    const { node, ms } = await sync((clock) => [
      ...["l1", "l2", "l3", "l4", "l5"].map((id) => liar(id, clock)),
      honest("a", chain, LATENCY_MS, clock),
    ]);
    assert.equal(node.state.lastHeight, LENGTH);
    assert.ok(!node.reports.some(({ peer: id }) => id === "a"), "the honest peer was reported");
    // Ending takes as long as a claim to be further ahead is believed: three strikes with their pauses.
    const disbelief = 250 + 500 + 250;
    assert.ok(ms <= 2 * aloneMs + disbelief, `${ms} ms, alone ${aloneMs} ms`);
  });
}

test("ASA-2024-008: one peer of every kind that lies, all at once beside one that does not: the node reaches the tip and is done", async () => {
  const { node, ms } = await sync(
    (clock) => [
      ...Object.entries(LIARS).map(([what, liar]) => liar(what, clock)),
      peer("stalls", LENGTH, never),
      honest("a", chain, LATENCY_MS, clock),
    ],
    { requests: 4 },
  );
  assert.equal(node.state.lastHeight, LENGTH);
  assert.deepEqual(
    node.applied,
    Array.from({ length: LENGTH }, (_, i) => i + 1),
  );
  assert.ok(!node.reports.some(({ peer: id }) => id === "a"), "the honest peer was reported");
  assert.ok(ms <= 20 * aloneMs, `${ms} ms, alone ${aloneMs} ms`);
});

test("ASA-2025-001: a peer that claims a height and then a lower one takes its claim back with it", async () => {
  const clock = new VirtualClock();
  const liar = peer("liar", 1_000_000, never);
  const node = new TestNode(chain.genesis, [liar, honest("a", chain, LATENCY_MS, clock)], clock, LIMITS);
  assert.equal(node.sync.target, 1_000_000);
  const running = node.drive();
  liar.height = 5;
  assert.equal(node.sync.target, LENGTH);
  assert.equal(await running, LENGTH);
  assert.equal(node.state.lastHeight, LENGTH);
  assert.ok(node.sync.target <= LENGTH);
});

test("cometbft#5801: one claim of the highest height of all is over when its peer is: gone, banned or struck out", async () => {
  for (const end of ["gone", "banned", "struck out"] as const) {
    const clock = new VirtualClock();
    const serve =
      end === "banned"
        ? async (from: number): Promise<typeof chain.blocks> => [{ ...junk, height: from }]
        : async (): Promise<typeof chain.blocks> => [];
    const liar = peer("liar", Number.MAX_SAFE_INTEGER, serve);
    const node = new TestNode(chain.genesis, [liar, honest("a", chain, LATENCY_MS, clock)], clock, LIMITS);
    assert.equal(node.sync.target, Number.MAX_SAFE_INTEGER);
    if (end === "gone") node.peers = node.peers.filter(({ id }) => id !== "liar");
    assert.equal(await node.drive(), LENGTH, end);
    assert.equal(node.sync.target, LENGTH, end);
  }
});

test("cometbft#5860: a commit with another number of signatures than the set has validators costs its sender the ban", async () => {
  const changed = (change: (commit: Commit) => Commit) => (id: string) =>
    peer(id, LENGTH, async (from, count) =>
      served(from, count).map((item) => ({
        ...item,
        commit: encodeCommit(change(decodeCommit(item.commit))),
      })),
    );
  const liars: readonly ((id: string) => TestPeer)[] = [
    changed((commit) => ({ ...commit, signatures: commit.signatures.slice(1) })),
    changed((commit) => ({ ...commit, signatures: [...commit.signatures, ABSENT_SIG] })),
    changed((commit) => ({ ...commit, signatures: [...commit.signatures, ...commit.signatures] })),
  ];
  for (const liar of liars) {
    const { node } = await sync((clock) => [liar("liar"), honest("a", chain, LATENCY_MS, clock)]);
    assert.equal(node.state.lastHeight, LENGTH);
    assert.deepEqual([...new Set(node.reports.map(({ peer: id }) => id))], ["liar"]);
  }
});

test("peers that stall are worked around after the hedge time, and believed no longer than three time-outs", async () => {
  const { node, ms } = await sync((clock) => [
    peer("stall", LENGTH, never),
    honest("a", chain, LATENCY_MS, clock),
  ]);
  assert.equal(node.state.lastHeight, LENGTH);
  assert.ok(ms <= 2 * aloneMs + 1_500, `${ms} ms, alone ${aloneMs} ms`);
});

test("regression: peers that stall one range after the other cost the hedge time, not their time-outs", async () => {
  const { node, ms } = await sync((clock) => [
    ...["b", "c", "d"].map((id) => peer(id, LENGTH, never)),
    honest("a", chain, LATENCY_MS, clock),
  ]);
  assert.equal(node.state.lastHeight, LENGTH);
  assert.ok(ms < DEFAULT_LIMITS.requestTimeoutMs / 2, `${ms} ms, alone ${aloneMs} ms`);
});

test("a lone peer that stalls for ever is reported and given up after three time-outs", async () => {
  const { node } = await sync(() => [peer("stall", LENGTH, never)]);
  assert.equal(node.state.lastHeight, 0);
  assert.deepEqual(
    node.reports.map(({ offence }) => offence),
    ["timeout", "timeout", "timeout"],
  );
});

test("a peer that failed in between is asked again and serves the rest", async () => {
  let failures = 0;
  const flapping = peer("flapping", LENGTH, async (from, count) => {
    if (from > 1 && failures++ % 2 === 0) throw new Error("connection lost");
    return served(from, count);
  });
  const { node } = await sync(() => [flapping]);
  assert.equal(node.state.lastHeight, LENGTH);
  assert.deepEqual(node.reports, []);
});

test("a peer that struck out is believed again after a while", async () => {
  const clock = new VirtualClock();
  const server = peer("a", LENGTH, async () => []);
  const node = new TestNode(chain.genesis, [server], clock, LIMITS);
  assert.equal(await node.drive(), 0);
  assert.equal(node.sync.target, 0);
  server.serve = async (from, count) => served(from, count);
  clock.now += 60_000;
  assert.equal(node.sync.target, LENGTH);
  assert.equal(await node.drive(), LENGTH);
});

test("a banned peer is not asked again, whatever it claims later", async () => {
  const clock = new VirtualClock();
  const liar = peer("liar", LENGTH, async (from) => [{ ...junk, height: from }]);
  const node = new TestNode(chain.genesis, [liar], clock, LIMITS);
  await node.drive();
  const before = liar.asked.length;
  liar.height = 10 * LENGTH;
  clock.now += 3_600_000;
  assert.equal(await node.drive(), 0);
  assert.equal(liar.asked.length, before);
});

test("regression: a liar far ahead of the tip is asked for little before the tip gets there and finds it out", async () => {
  const clock = new VirtualClock();
  const liar = peer("liar", LENGTH, async (from, count) =>
    served(from, count).map((item) => ({ ...item, commit: junk.commit })),
  );
  const node = new TestNode(chain.genesis, [honest("a", chain, LATENCY_MS, clock), liar], clock, {
    ...LIMITS,
    window: LENGTH,
  });
  assert.equal(await node.drive(), LENGTH);
  assert.ok(liar.asked.length <= 3, `${liar.asked.length} requests`);
});

test("a peer that vanishes in the middle of its request leaves the range to the others", async () => {
  const clock = new VirtualClock();
  const leaver = peer("leaver", LENGTH, (_from, _count, signal) => {
    node.peers = node.peers.filter(({ id }) => id !== "leaver");
    return new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("gone"))));
  });
  const node = new TestNode(chain.genesis, [leaver, honest("a", chain, LATENCY_MS, clock)], clock, LIMITS);
  assert.equal(await node.drive(), LENGTH);
});

test("a slow link with large blocks never holds more than the buffer and the window allow", async () => {
  let most = 0;
  const watched = peer("a", LENGTH, async (from, count) => {
    most = Math.max(most, from + count - 1 - node.state.lastHeight);
    return served(from, count);
  });
  const clock = new VirtualClock();
  const node = new TestNode(chain.genesis, [watched], clock, { batch: 8, window: 16, bufferedBytes: 1_000 });
  assert.equal(await node.drive(), LENGTH);
  assert.ok(most <= 16, `${most} heights ahead`);
});
