import assert from "node:assert/strict";
import { describe, it, mock } from "node:test";
import { makePartSet } from "@quorate/chain";
import { RecentKeys, toHex } from "@quorate/crypto";
import fc from "fast-check";
import { HeldMessages } from "../src/admission/held.ts";
import { HeightSeen, SeenCache } from "../src/admission/slots.ts";
import { BodyCollector } from "../src/bodies/collector.ts";
import { PersistentDialler, redialDelayMs } from "../src/host/dialler.ts";
import { Links } from "../src/host/links.ts";
import type { Connection } from "../src/host/network.ts";
import { createNodeKey, peerIdOf } from "../src/host/node-key.ts";
import { Peer, type PeerTable } from "../src/host/peers.ts";
import { LIMITS } from "../src/limits.ts";
import { bitsOf, emptyBits } from "../src/roundstate/bits.ts";
import { pushIntervalMs } from "../src/roundstate/exchange.ts";
import { Scorer } from "../src/scoring/scorer.ts";
import { OFFENCES } from "../src/scoring/table.ts";
import { TokenBucket } from "../src/scoring/token-bucket.ts";
import { type TopicKind, topicName } from "../src/topics/names.ts";
import { Outbox } from "../src/topics/outbox.ts";
import type { ConsensusView } from "../src/types.ts";
import { makeBody, makeCommittee, seedOf, systemClock } from "./support.ts";

describe("scores", () => {
  it("disconnect at 100 points, ban for a while, and halve every minute", () => {
    let now = 0;
    const scorer = new Scorer(() => now);
    assert.equal(scorer.report("p", "bad_signature"), "keep");
    assert.equal(scorer.report("p", "bad_signature"), "keep");
    now = 60_000;
    assert.equal(scorer.score("p"), -34);
    assert.equal(scorer.report("p", "bad_signature"), "keep");
    assert.equal(scorer.report("p", "bad_signature"), "disconnect");
    assert.equal(scorer.banned("p"), true);
    now += LIMITS.banMs;
    assert.equal(scorer.banned("p"), false);
  });

  it("cost nothing for what honest nodes do, and a connection at once for what none does", () => {
    const scorer = new Scorer(() => 0);
    for (let i = 0; i < 1000; i++) assert.equal(scorer.report("p", "out_of_window"), "keep");
    for (const offence of ["malformed", "oversized", "bad_block", "bad_commit", "wrong_chain"] as const) {
      assert.equal(scorer.report(offence, offence), "disconnect");
    }
  });

  it("are remembered of a bounded number of peers, running bans longest", () => {
    const scorer = new Scorer(() => 0);
    scorer.report("banned", "malformed");
    for (let i = 0; i < 2 * LIMITS.scoredPeers; i++) scorer.report(`p${i}`, "flood");
    assert.equal(scorer.banned("banned"), true);
    assert.equal(scorer.score("p0"), 0);
  });

  it("reject every message whose sender is penalised heavily", () => {
    for (const [offence, rule] of Object.entries(OFFENCES)) {
      if (rule.points >= 34) assert.equal(rule.verdict, "reject", offence);
    }
  });
});

const connection: Connection = {
  remotePeer: { toString: () => "peer" },
  remoteAddr: { toString: () => "/memory/peer" },
  direction: "inbound",
  status: "open",
  streams: [],
  newStream: () => Promise.reject(new Error("no streams here")),
  close: () => Promise.resolve(),
  abort: () => undefined,
};

describe("what is known of a peer", () => {
  it("is one object until something of it changes, and then another", () => {
    const peer = new Peer(connection, null, 0, 0);
    const told = [peer.info()];
    const now = (): void => {
      assert.equal(peer.info(), peer.info());
      assert.notEqual(peer.info(), told.at(-1));
      told.push(peer.info());
    };
    peer.subscribed.add("votes");
    now();
    peer.subscribed.delete("votes");
    peer.subscribed.add("txs");
    now();
    peer.toldAtMs = 5;
    now();
    assert.deepEqual(
      told.map(({ topics, toldAtMs }) => [topics, toldAtMs]),
      [
        [[], Number.NEGATIVE_INFINITY],
        [["votes"], Number.NEGATIVE_INFINITY],
        [["txs"], Number.NEGATIVE_INFINITY],
        [["txs"], 5],
      ],
    );
  });
});

describe("links to validators", () => {
  it("are bits by set index, the own one included", () => {
    const { set } = makeCommittee(4);
    const address = (index: number): Uint8Array => set.validators[index]!.address;
    const view: Pick<ConsensusView, "height" | "validators"> = { height: 5, validators: () => set };
    const linked = new Peer(connection, address(2), 0, 0);
    linked.ready = true;
    const dialled = new Peer(connection, address(1), 0, 0);
    const stranger = new Peer(connection, null, 0, 0);
    stranger.ready = true;
    const peers = new Map([linked, dialled, stranger].map((peer, i) => [`peer${i}`, peer]));
    const bitsOfLinks = (known: PeerTable, self: string | null): number | undefined =>
      new Links(view, known, self).direct(5).bits[0];
    assert.equal(bitsOfLinks(peers, toHex(address(0))), 0b101);
    assert.equal(bitsOfLinks(peers, null), 0b100);
    assert.equal(bitsOfLinks(new Map(), null), 0);
  });
});

describe("a node that is no validator", () => {
  const { set } = makeCommittee(4);
  const view: Pick<ConsensusView, "height" | "validators"> = { height: 5, validators: () => set };
  /** A peer that is this validator, or none, and has links to these. */
  const told = (
    validator: number | null,
    links: readonly number[],
    topics: readonly TopicKind[] = [],
  ): Peer => {
    const peer = new Peer(connection, validator === null ? null : set.validators[validator]!.address, 0, 0);
    peer.ready = true;
    peer.roundState = {
      ...{ height: 5, round: 0, step: 1, proposal: null, parts: emptyBits(0), votes: [], maj23: [] },
      ...{ direct: bitsOf(4, links), elReady: true, leaving: false },
    };
    for (const topic of topics) peer.subscribed.add(topic);
    return peer;
  };
  const relays = (...peers: readonly Peer[]): boolean =>
    new Links(view, new Map(peers.map((peer, i) => [`peer${i}`, peer])), null).relays();

  it("relays between validators that have links to it and not to each other", () => {
    assert.equal(relays(told(0, [0]), told(1, [1])), true);
    assert.equal(relays(told(0, [0, 1]), told(1, [0, 1, 2])), true, "the third is behind the second");
    assert.equal(relays(told(0, [0, 1]), told(1, [0, 1])), false);
  });

  it("relays between a validator and another relay, on either side of whom there are validators", () => {
    assert.equal(relays(told(0, [0]), told(null, [1], ["votes"])), true);
    assert.equal(relays(told(0, [0]), told(null, [1])), true, "the other one may not know yet");
    assert.equal(relays(told(null, [0], ["votes"]), told(null, [1], ["votes"])), true);
  });

  it("relays nothing where validators have links to each other, to one that is away, or where none is near", () => {
    const mesh = [0, 1, 2].map((validator) => told(validator, [0, 1, 2]));
    assert.equal(relays(...mesh), false, "the fourth is away");
    assert.equal(relays(...mesh, told(null, [0]), told(null, [1])), false, "so do other full nodes");
    assert.equal(relays(told(0, [0])), false, "it alone knows nobody else");
    assert.equal(relays(), false);
  });
});

describe("pushes of the round state", () => {
  it("come every 50 ms to each of few peers, and to each of a crowd as often as the processor allows", () => {
    for (const few of [0, 1, 7, 25]) assert.equal(pushIntervalMs(few), 50);
    assert.equal(pushIntervalMs(50), 100);
    assert.equal(pushIntervalMs(100), 200);
    assert.equal(pushIntervalMs(512), 250);
    for (let peers = 1; peers <= 125; peers++) {
      assert.ok((peers * 1000) / pushIntervalMs(peers) <= 500 + 1e-9, `${peers} peers`);
    }
  });
});

describe("a token bucket", () => {
  it("allows its burst at once and its rate afterwards", () => {
    const bucket = new TokenBucket(10, 5, 0);
    for (let i = 0; i < 10; i++) assert.equal(bucket.take(1, 0), true);
    assert.equal(bucket.take(1, 0), false);
    assert.equal(bucket.take(5, 1000), true);
    assert.equal(bucket.take(1, 1000), false);
  });
});

describe("seen messages", () => {
  it("are two ids per slot, the second being evidence", () => {
    const seen = new HeightSeen();
    assert.equal(seen.vote(0, 1, 3, "a"), "new");
    seen.addVote(0, 1, 3, "a");
    assert.equal(seen.vote(0, 1, 3, "a"), "duplicate");
    assert.equal(seen.vote(0, 1, 3, "b"), "new");
    seen.addVote(0, 1, 3, "b");
    assert.equal(seen.vote(0, 1, 3, "b"), "duplicate");
    assert.equal(seen.vote(0, 1, 3, "c"), "full");
    assert.equal(seen.vote(0, 2, 3, "a"), "new");
    assert.equal(seen.vote(1, 1, 3, "a"), "new");
    assert.equal(seen.vote(0, 1, 4, "a"), "new");
  });

  it("are kept of the last, the present and the next height", () => {
    const cache = new SeenCache();
    cache.of(5).addVote(0, 1, 0, "a");
    cache.roll(6);
    assert.equal(cache.of(5).vote(0, 1, 0, "a"), "duplicate");
    cache.roll(7);
    assert.equal(cache.of(5).vote(0, 1, 0, "a"), "new");
  });

  it("of unbounded kinds are the newest so many", () => {
    const keys = new RecentKeys(3);
    for (const key of ["a", "b", "c", "d"]) assert.equal(keys.add(key), true);
    assert.equal(keys.add("d"), false);
    assert.equal(keys.has("a"), false);
  });
});

describe("held messages", () => {
  it("are bounded per peer, so that one peer cannot crowd out the others", () => {
    const held = new HeldMessages();
    let taken = 0;
    for (let i = 0; i < 10_000; i++) held.hold(8, "greedy", 100, () => taken++);
    assert.equal(held.length, LIMITS.heldPerPeer);
    assert.equal(
      held.hold(8, "modest", 100, () => taken++),
      true,
    );
    for (const offer of held.take(8)) offer();
    assert.equal(taken, LIMITS.heldPerPeer + 1);
    assert.equal(held.length, 0);
  });

  it("are dropped when their height has passed", () => {
    const held = new HeldMessages();
    held.hold(8, "p", 1, () => assert.fail("must not be offered"));
    assert.deepEqual(held.take(9), []);
    assert.equal(held.length, 0);
  });
});

describe("the collector of bodies", () => {
  function collector(): {
    readonly bodies: BodyCollector;
    readonly delivered: Uint8Array[];
    readonly at: { now: number; height: number };
  } {
    const delivered: Uint8Array[] = [];
    const at = { now: 0, height: 5 };
    const bodies = new BodyCollector({
      now: () => at.now,
      height: () => at.height,
      deliver: (_height, _id, bytes) => delivered.push(bytes),
    });
    return { bodies, delivered, at };
  }

  it("takes only what is wanted, whole and right, and delivers it once", () => {
    const { bodies, delivered } = collector();
    const { bytes, blockId } = makeBody("b", 100_000);
    assert.equal(bodies.addWhole(5, blockId, bytes, "p"), "unwanted");
    bodies.expect(5, 0, blockId, 2);
    assert.equal(bodies.addWhole(5, blockId, bytes.subarray(1), "p"), "bad");
    const wrong = bytes.slice();
    wrong[70_000]! ^= 1;
    assert.equal(bodies.addWhole(5, blockId, wrong, "p"), "bad");
    assert.equal(bodies.addWhole(5, blockId, bytes, "p"), "fresh");
    assert.equal(bodies.addWhole(5, blockId, bytes, "p"), "duplicate");
    assert.deepEqual(delivered, [bytes]);
    assert.equal(bodies.origin(blockId), 2);
  });

  it("puts parts together in any order, and refuses a part of another body", () => {
    const { bytes, blockId } = makeBody("parts", 250_000);
    const { parts } = makePartSet(bytes);
    const foreign = makePartSet(makeBody("foreign", 250_000).bytes).parts;
    fc.assert(
      fc.property(fc.shuffledSubarray([...parts], { minLength: parts.length }), (order) => {
        const { bodies, delivered } = collector();
        bodies.expect(5, 0, blockId, 0);
        assert.equal(bodies.addPart(5, blockId, foreign[1]!, "p"), "bad");
        for (const part of order) assert.equal(bodies.addPart(5, blockId, part, "p"), "fresh");
        assert.equal(bodies.addPart(5, blockId, order[0]!, "p"), "duplicate");
        assert.deepEqual(delivered, [bytes]);
      }),
      { numRuns: 10 },
    );
  });

  it("has each part forwarded once though the whole was faster, for others get nothing but the parts", () => {
    const { bodies, delivered } = collector();
    const { bytes, blockId } = makeBody("parts", 250_000);
    const { parts } = makePartSet(bytes);
    const foreign = makePartSet(makeBody("foreign", 250_000).bytes).parts;
    bodies.expect(5, 0, blockId, 0);
    assert.equal(bodies.addPart(5, blockId, parts[0]!, "p"), "fresh");
    assert.equal(bodies.addWhole(5, blockId, bytes, "p"), "fresh");
    assert.equal(bodies.bytes, 0);
    assert.equal(bodies.addPart(5, blockId, parts[0]!, "q"), "duplicate");
    assert.equal(bodies.addPart(5, blockId, foreign[1]!, "q"), "bad");
    assert.equal(bodies.addPart(5, blockId, parts[1]!, "p"), "fresh");
    assert.equal(bodies.addPart(5, blockId, parts[1]!, "q"), "duplicate");
    assert.equal(bodies.bytes, 0);
    assert.equal(delivered.length, 1);
  });

  it("takes all parts again when a body that was delivered is wanted again", () => {
    const { bodies, delivered } = collector();
    const { bytes, blockId } = makeBody("parts", 250_000);
    const { parts } = makePartSet(bytes);
    bodies.expect(5, 0, blockId, 0);
    for (const _ of [1, 2]) {
      for (const part of parts) assert.equal(bodies.addPart(5, blockId, part, "p"), "fresh");
      bodies.reopen(5, 0, blockId);
    }
    assert.deepEqual(delivered, [bytes, bytes]);
  });

  it("takes a part that it asked for before its height went on for no offence", () => {
    const { bodies, at } = collector();
    const { bytes, blockId } = makeBody("late", 250_000);
    bodies.expect(5, 0, blockId, 0);
    at.height = 6;
    bodies.roll(6);
    assert.equal(bodies.addPart(5, blockId, makePartSet(bytes).parts[0]!, "p"), "unwanted");
  });

  it("keeps an early body until its height comes", () => {
    const { bodies, delivered, at } = collector();
    const { bytes, blockId } = makeBody("early", 100);
    bodies.expect(6, 0, blockId, 0);
    assert.equal(bodies.addWhole(6, blockId, bytes, "p"), "fresh");
    assert.equal(delivered.length, 0);
    at.height = 6;
    bodies.roll(6);
    assert.deepEqual(delivered, [bytes]);
  });

  it("says which body is overdue: nothing came of it for so long", () => {
    const { bodies, at } = collector();
    const { bytes, blockId } = makeBody("overdue", 100);
    bodies.expect(5, 3, blockId, 0);
    assert.equal(bodies.overdueAt(5, 250), 250);
    at.now = 200;
    bodies.progress(blockId);
    at.now = 300;
    assert.deepEqual(bodies.overdue(5, 250), []);
    at.now = 450;
    assert.equal(bodies.overdue(5, 250)[0]?.round, 3);
    bodies.addWhole(5, blockId, bytes, "p");
    assert.equal(bodies.overdueAt(5, 250), null);
  });

  it("delivers a body again when the node says that it wants it", () => {
    const { bodies, delivered } = collector();
    const { bytes, blockId } = makeBody("again", 100);
    bodies.expect(5, 0, blockId, 0);
    bodies.addWhole(5, blockId, bytes, "p");
    bodies.reopen(5, 0, blockId);
    assert.equal(bodies.wants(blockId), true);
    assert.equal(bodies.addWhole(5, blockId, bytes, "p"), "fresh");
    assert.equal(delivered.length, 2);
  });

  it("collects a bounded number of bodies, the newest rounds", () => {
    const { bodies } = collector();
    const ids = Array.from({ length: LIMITS.wantedBodies + 5 }, (_, i) => makeBody(`many ${i}`, 10).blockId);
    for (const [round, blockId] of ids.entries()) bodies.expect(5, round, blockId, 0);
    assert.equal(bodies.wants(ids[0]!), false);
    assert.equal(bodies.wants(ids.at(-1)!), true);
    assert.equal(ids.filter((id) => bodies.wants(id)).length, LIMITS.wantedBodies);
  });
});

describe("an outbox", () => {
  it("makes one pack of all that was added in one turn of the event loop", async () => {
    const packs: Uint8Array[] = [];
    const bounds = { packItems: 64, packBytes: 1000, maxItems: 100, maxBytes: 10_000 };
    const outbox = new Outbox(bounds, systemClock, (pack) => {
      packs.push(pack);
    });
    outbox.add(Uint8Array.of(1));
    await Promise.resolve();
    outbox.add(Uint8Array.of(2));
    assert.equal(packs.length, 0);
    const turn = Promise.withResolvers<void>();
    setImmediate(turn.resolve);
    await turn.promise;
    assert.deepEqual(packs, [Uint8Array.of(1, 2)]);
  });

  it("refuses what exceeds its bounds", () => {
    const outbox = new Outbox(
      { packItems: 1, packBytes: 1, maxItems: 2, maxBytes: 100 },
      systemClock,
      () => undefined,
    );
    assert.equal(outbox.add(new Uint8Array(10)), true);
    assert.equal(outbox.add(new Uint8Array(91)), false);
    assert.equal(outbox.add(new Uint8Array(10)), true);
    assert.equal(outbox.add(new Uint8Array(10)), false);
    outbox.close();
  });
});

describe("the persistent dialler", () => {
  it("waits 250 ms doubling to 5 s, less by chance, never more", () => {
    assert.deepEqual(
      [1, 2, 3, 4, 5, 6, 100].map((attempt) => redialDelayMs(attempt, 0)),
      [250, 500, 1000, 2000, 4000, 5000, 5000],
    );
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1000 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (attempt, chance) => {
          const delay = redialDelayMs(attempt, chance);
          assert.ok(delay >= 187 && delay <= LIMITS.redialMaxMs);
        },
      ),
    );
  });

  it("backs off on dials that resolve without being accepted, and starts anew once accepted", async (context) => {
    context.mock.timers.enable({ apis: ["setTimeout"] });
    const dial = mock.fn(async () => undefined);
    const dialler = new PersistentDialler({
      dial,
      connected: () => false,
      clock: {
        wallMs: () => 0,
        monotonicMs: () => 0,
        timer(ms, callback) {
          const timer = setTimeout(callback, ms);
          return () => clearTimeout(timer);
        },
      },
      random: () => 0,
      failed: () => undefined,
    });
    const settle = async (): Promise<void> => {
      for (let i = 0; i < 10; i++) await Promise.resolve();
    };
    dialler.add({ peer: "p", address: null });
    context.mock.timers.tick(0);
    await settle();
    assert.equal(dial.mock.callCount(), 1);
    context.mock.timers.tick(250);
    await settle();
    assert.equal(dial.mock.callCount(), 2);
    context.mock.timers.tick(250);
    await settle();
    assert.equal(dial.mock.callCount(), 2);
    context.mock.timers.tick(250);
    await settle();
    assert.equal(dial.mock.callCount(), 3);
    dialler.accepted("p");
    context.mock.timers.tick(1000);
    await settle();
    assert.equal(dial.mock.callCount(), 4);
    context.mock.timers.tick(250);
    await settle();
    assert.equal(dial.mock.callCount(), 5);
    dialler.stop();
  });
});

describe("names", () => {
  it("of topics carry eight hex digits of the genesis hash", () => {
    assert.equal(
      topicName(Uint8Array.of(0xab, 0xcd, 0xef, 0x01, 2, 3), "votes"),
      "/quorate/abcdef01/votes/1",
    );
    assert.notEqual(topicName(seedOf("a"), "txs"), topicName(seedOf("b"), "txs"));
  });

  it("of nodes come from their keys", () => {
    const key = createNodeKey();
    assert.match(peerIdOf(key), /^12D3KooW/);
    assert.equal(peerIdOf(key), peerIdOf(key));
    assert.notEqual(peerIdOf(key), peerIdOf(createNodeKey()));
    assert.throws(() => peerIdOf(new Uint8Array(7)), { code: "CONFIG" });
  });
});
