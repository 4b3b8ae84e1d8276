/** Faults that other peer-to-peer stacks had, by the names under which they were published. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { VoteType } from "@quorate/chain";
import { inlineVerifier } from "@quorate/crypto";
import { BodyCollector } from "../src/bodies/collector.ts";
import { BodySender } from "../src/bodies/sender.ts";
import type { GossipClock } from "../src/clock.ts";
import { DepartedPeers } from "../src/host/departed.ts";
import { GossipBudget, GossipStreamScanner } from "../src/host/gossip-scanner.ts";
import type { ByteStream, Connection, Network, StreamClose, StreamMessage } from "../src/host/network.ts";
import { assembleGossip } from "../src/layer.ts";
import { LIMITS } from "../src/limits.ts";
import { planRepair } from "../src/roundstate/plan.ts";
import { Scorer } from "../src/scoring/scorer.ts";
import { topicName } from "../src/topics/names.ts";
import type { BitArray, RoundState } from "../src/types.ts";
import { frame } from "../src/wire/frames.ts";
import { rawClient } from "./raw.ts";
import {
  CHAIN_ID,
  FakeView,
  makeBody,
  makeCommittee,
  seedOf,
  signVote,
  startNode,
  stopAll,
  systemClock,
} from "./support.ts";

const GOSSIP_PROTOCOL = "/meshsub/1.1.0";
const PEER_PROTOCOL = "/quorate/peer/1";
const committee = makeCommittee(4);
const quiet = (): void => undefined;

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

function heapBytes(): number {
  collect();
  return process.memoryUsage().heapUsed;
}

/** Time that stands still, and counts the timers that live. */
class StoppedClock implements GossipClock {
  readonly live = new Set<object>();
  wallMs(): number {
    return 0;
  }
  monotonicMs(): number {
    return 0;
  }
  timer(): () => void {
    const timer = {};
    this.live.add(timer);
    return () => void this.live.delete(timer);
  }
}

describe("CVE-2020-5303: peers without end", () => {
  it("CVE-2020-5303: 100,000 peers that come and go, some in the middle of a frame, leave nothing behind", async () => {
    const clock = new StoppedClock();
    let opened: (connection: Connection) => void = quiet;
    let closed: (connection: Connection) => void = quiet;
    let accept: (stream: ByteStream, connection: Connection) => void | Promise<void> = quiet;
    const network: Network = {
      peerId: "self",
      addresses: [],
      topics: {
        subscribe: quiet,
        unsubscribe: quiet,
        publish: async () => undefined,
        consume: quiet,
        onSubscriptions: quiet,
      },
      start: async () => undefined,
      stop: async () => undefined,
      dial: async () => undefined,
      connectionsTo: () => [],
      handle: async (protocol, handler) => {
        if (protocol === PEER_PROTOCOL) accept = handler;
      },
      onConnection(listeners) {
        opened = listeners.opened;
        closed = listeners.closed;
      },
      protect: async () => undefined,
      unprotect: async () => undefined,
    };
    const { gossip } = await assembleGossip(
      { self: "self", persistentPeers: [], maxPeers: 16, random: () => 0 },
      {
        verifier: inlineVerifier(),
        view: new FakeView(committee.set),
        events: {
          proposal: quiet,
          body: quiet,
          vote: quiet,
          certificate: quiet,
          evidence: quiet,
          tx: quiet,
          peer: quiet,
        },
        serve: async () => ({ blocks: [] }),
        status: () => ({
          protocolVersion: 1,
          chainId: CHAIN_ID,
          genesisHash: seedOf("genesis"),
          upgradesHash: seedOf("upgrades"),
          elGenesisHash: seedOf("el genesis"),
          height: 5,
          earliestHeight: 1,
          moniker: "self",
        }),
        log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
        metrics: null,
        clock,
      },
      async () => network,
    );
    await gossip.start();
    const come = (i: number): void => {
      const stream = new SilentStream();
      const connection: Connection = {
        remotePeer: { toString: () => `peer ${i}` },
        remoteAddr: { toString: () => "/ip4/10.0.0.1/tcp/1" },
        direction: "inbound",
        status: "open",
        streams: [],
        newStream: async () => stream,
        close: async () => undefined,
        abort: quiet,
      };
      opened(connection);
      if (i % 2 === 0) {
        void accept(stream, connection);
        stream.receive(i % 4 === 0 ? Uint8Array.of(0, 0, 1) : frame(seedOf(`${i}`)));
      }
      if (i % 8 === 1) gossip.report(`peer ${i}`, "timeout");
      stream.end();
      closed(connection);
    };
    for (let i = 0; i < 10_000; i++) come(i);
    await new Promise(setImmediate);
    const [timers, heap] = [clock.live.size, heapBytes()];
    for (let i = 10_000; i < 110_000; i++) {
      come(i);
      // The ends of connections take turns of their own.
      if (i % 1000 === 999) await new Promise(setImmediate);
    }
    assert.equal(clock.live.size, timers);
    assert.deepEqual(gossip.peers, []);
    const grown = heapBytes() - heap;
    assert.ok(grown < 2_000_000, `${grown} bytes more after 100,000 peers`);
    await gossip.stop();
  });

  it("regression: offences are counted and bans hold while the table is full of running bans", () => {
    const scorer = new Scorer(() => 0);
    for (let i = 0; i < 5000; i++) scorer.report(`peer ${i}`, "malformed");
    let banned = 0;
    for (let i = 0; i < 5000; i++) if (scorer.banned(`peer ${i}`)) banned++;
    assert.equal(banned, LIMITS.scoredPeers);
    assert.ok(scorer.banned("peer 4999"));
    const verdicts = [1, 2, 3].map(() => scorer.report("forger", "bad_signature"));
    assert.deepEqual(verdicts, ["keep", "keep", "disconnect"]);
    assert.ok(scorer.banned("forger"));
  });

  it("CVE-2023-40583: what the network knows of peers that left is forgotten, oldest first, validators excepted", () => {
    const departed = new DepartedPeers();
    departed.protect("validator");
    const known = new Set<string>();
    for (let i = 0; i < 100_000; i++) {
      for (const peer of ["validator", `peer ${i}`]) {
        known.add(peer);
        const forgotten = departed.left(peer);
        if (forgotten !== null) known.delete(forgotten);
      }
    }
    assert.equal(known.size, LIMITS.departedPeers + 1);
    assert.ok(known.has("validator") && known.has("peer 99999"));
    // One that comes again counts by when it left last; one that is bound meanwhile is never forgotten.
    departed.left(`peer ${100_000 - LIMITS.departedPeers}`);
    departed.protect(`peer ${100_001 - LIMITS.departedPeers}`);
    assert.equal(departed.left("new 1"), null);
    assert.equal(departed.left("new 2"), `peer ${100_002 - LIMITS.departedPeers}`);
  });
});

/** A stream of which only the receiving side is used. */
class SilentStream implements ByteStream {
  readonly #messages = new Set<(event: StreamMessage) => void>();
  readonly #ends = new Set<(event: StreamClose) => void>();
  readonly protocol = PEER_PROTOCOL;
  readonly direction = "inbound";
  status = "open";
  readStatus = "readable";
  writeStatus = "writable";
  readonly writableNeedsDrain: boolean = false;
  send(_bytes: Uint8Array): boolean {
    return true;
  }
  pause(): void {
    this.readStatus = "paused";
  }
  resume(): void {
    this.readStatus = "readable";
  }
  async close(): Promise<void> {}
  abort(): void {
    this.end();
  }
  receive(data: Uint8Array): void {
    for (const listener of [...this.#messages]) listener({ data });
  }
  end(): void {
    if (this.status !== "open") return;
    this.status = this.readStatus = this.writeStatus = "closed";
    for (const listener of [...this.#ends]) listener({});
  }
  addEventListener(type: "message", listener: (event: StreamMessage) => void): void;
  addEventListener(type: "close", listener: (event: StreamClose) => void): void;
  addEventListener(type: "remoteCloseWrite", listener: () => void): void;
  addEventListener(type: string, listener: (event: StreamMessage & StreamClose) => void): void {
    if (type === "message") this.#messages.add(listener as (event: StreamMessage) => void);
    if (type === "close") this.#ends.add(listener as (event: StreamClose) => void);
  }
  removeEventListener(type: "message", listener: (event: StreamMessage) => void): void;
  removeEventListener(type: "close", listener: (event: StreamClose) => void): void;
  removeEventListener(type: "remoteCloseWrite", listener: () => void): void;
  removeEventListener(_type: string, listener: (event: StreamMessage & StreamClose) => void): void {
    this.#messages.delete(listener as (event: StreamMessage) => void);
    this.#ends.delete(listener as (event: StreamClose) => void);
  }
}

const varint = (value: bigint): number[] =>
  value < 128n ? [Number(value)] : [Number(value & 127n) | 128, ...varint(value >> 7n)];
const field = (number: number, content: readonly number[]): number[] => [
  number * 8 + 2,
  ...varint(BigInt(content.length)),
  ...content,
];

/** A gossipsub RPC that prunes the sender from the votes topic and asks to be left alone for so long. */
function pruneRpc(seconds: bigint): Uint8Array {
  const topic = [...new TextEncoder().encode(topicName(seedOf("genesis"), "votes"))];
  const rpc = field(3, field(4, [...field(1, topic), 0x18, ...varint(seconds)]));
  return Uint8Array.from([...varint(BigInt(rpc.length)), ...rpc]);
}

describe("CVE-2026-33040, CVE-2026-34219: a PRUNE whose backoff is beyond every clock", () => {
  it("CVE-2026-33040: is named malformed at its frame, whatever it is cut into; honest ones pass", () => {
    const faulty = [3601n, 2n ** 32n, 2n ** 53n - 1n, 2n ** 63n, 2n ** 64n - 1n];
    for (const seconds of [0n, 10n, 60n, 3600n, ...faulty]) {
      const expected = faulty.includes(seconds) ? "malformed" : null;
      const rpc = pruneRpc(seconds);
      const scanner = (): GossipStreamScanner =>
        new GossipStreamScanner(LIMITS.frameBytes, new GossipBudget(() => 0));
      assert.equal(scanner().push(rpc), expected ?? rpc.length, `${seconds} s`);
      const bytewise = scanner();
      const found = [...rpc].map((byte) => bytewise.push(Uint8Array.of(byte)));
      const fault = found.find((one) => typeof one === "string") ?? null;
      assert.equal(fault, expected, `${seconds} s, byte by byte`);
    }
  });

  it("CVE-2026-34219: costs its sender the connection; the node goes on with its other peers", async () => {
    const node = await startNode({ name: "pruned", set: committee.set });
    const friend = await startNode({
      name: "friend of the pruned",
      set: committee.set,
      options: { persistentPeers: [node.gossip.addresses[0]!] },
    });
    await friend.until("topics", () => friend.gossip.peers[0]?.topics?.length === 5);
    for (const seconds of [2n ** 53n - 1n, 2n ** 64n - 1n]) {
      const client = await rawClient(`pruner ${seconds}`, node.gossip.addresses[0]!, [GOSSIP_PROTOCOL]);
      await client.write(GOSSIP_PROTOCOL, pruneRpc(seconds));
      await client.disconnected();
      await client.stop();
    }
    assert.deepEqual(node.seen.offences, ["malformed", "malformed"]);
    const vote = signVote(committee.signers[1]!, {
      type: VoteType.prevote,
      height: 5,
      round: 0,
      blockId: null,
    });
    friend.gossip.publishVote(vote);
    await node.until("the friend's vote", () => node.seen.votes.length === 1);
    await stopAll([friend, node]);
  });
});

describe("a stranger at a node's door", () => {
  let node: Awaited<ReturnType<typeof startNode>>;
  before(async () => {
    // Whom it cannot know it lets go when its patience ends, as it does with all who never say who they are.
    node = await startNode({ name: "door", set: committee.set, clock: systemClock });
  });
  after(() => stopAll([node]));

  it("CVE-2022-23492, CVE-2022-23486: opens no more streams than there are places, and costs others nothing", async () => {
    const client = await rawClient("opener", node.gossip.addresses[0]!);
    let refused = 0;
    const streams: { readonly status: string }[] = [];
    for (let i = 0; i < 4 * LIMITS.streamsPerPeer; i++) {
      await client.connection.newStream(i % 2 === 0 ? "/ipfs/ping/1.0.0" : "/quorate/blocks/1").then(
        (stream) => streams.push(stream),
        () => refused++,
      );
      if (client.connection.status !== "open") break;
    }
    const open = streams.filter((stream) => stream.status === "open").length;
    assert.ok(open <= LIMITS.streamsPerPeer, `${open} open streams`);
    assert.ok(refused > 0 || client.connection.status !== "open");
    const other = await rawClient("other", node.gossip.addresses[0]!);
    assert.equal(other.connection.status, "open");
    await Promise.all([client.stop(), other.stop()]);
  });

  it("CVE-2023-39533: cannot make it verify RSA keys of any size: its identity is Ed25519 or it is no peer", async () => {
    const { generateKeyPair } = await import("@libp2p/crypto/keys");
    const { createLibp2p } = await import("libp2p");
    const { noise } = await import("@chainsafe/libp2p-noise");
    const { yamux } = await import("@chainsafe/libp2p-yamux");
    const { tcp } = await import("@libp2p/tcp");
    const { multiaddr } = await import("@multiformats/multiaddr");
    for (const type of ["RSA", "secp256k1"] as const) {
      const privateKey = type === "RSA" ? await generateKeyPair(type, 2048) : await generateKeyPair(type);
      const stranger = await createLibp2p({
        privateKey,
        addresses: { listen: [] },
        transports: [tcp()],
        connectionEncrypters: [noise()],
        streamMuxers: [yamux()],
        connectionManager: { reconnectRetries: 0 },
      });
      const ended = Promise.withResolvers<void>();
      stranger.addEventListener("connection:close", () => ended.resolve());
      await stranger.dial(multiaddr(node.gossip.addresses[0]!)).then(
        () => ended.promise,
        () => undefined,
      );
      assert.equal(node.gossip.peers.length, 0, type);
      await stranger.stop();
    }
  });
});

/** A gossipsub RPC that subscribes to so many topics at once. */
function subscribeRpc(count: number, batch: number): Uint8Array {
  const text = new TextEncoder();
  const rpc = Buffer.concat(
    Array.from({ length: count }, (_, i) => {
      const topic = [...text.encode(`${batch}-${i}-`.padEnd(64, "x"))];
      return Uint8Array.from(field(1, [0x08, 0x01, ...field(2, topic)]));
    }),
  );
  return Uint8Array.from([...varint(BigInt(rpc.length)), ...rpc]);
}

describe("CVE-2026-46679: subscriptions without end", () => {
  it("CVE-2026-46679: topics that nobody knows are not kept, however many a peer subscribes to, and frames have a bound", async () => {
    const node = await startNode({ name: "subscribed", set: committee.set });
    const friend = await startNode({
      name: "friend of the subscribed",
      set: committee.set,
      options: { persistentPeers: [node.gossip.addresses[0]!] },
    });
    await friend.until("topics", () => friend.gossip.peers[0]?.topics?.length === 5);
    // One frame beyond the bound, as the script of the advisory sends it: gone at its length.
    const large = await rawClient("large subscriber", node.gossip.addresses[0]!, [GOSSIP_PROTOCOL]);
    await large.write(GOSSIP_PROTOCOL, subscribeRpc(60_000, 0));
    await large.disconnected();
    await large.stop();
    assert.ok(subscribeRpc(60_000, 0).length > LIMITS.frameBytes);
    assert.deepEqual(node.seen.offences, ["oversized"]);
    // Within it, and yet more topics than gossipsub reads; then as few as it reads, again and again.
    const before = heapBytes();
    const many = await rawClient("many subscriber", node.gossip.addresses[0]!, [GOSSIP_PROTOCOL]);
    await many.write(GOSSIP_PROTOCOL, subscribeRpc(5_000, 1));
    await many.disconnected();
    await many.stop();
    assert.deepEqual(node.seen.offences, ["oversized", "oversized"]);
    const few = await rawClient("few subscriber", node.gossip.addresses[0]!, [GOSSIP_PROTOCOL]);
    const stream = await few.connection.newStream(GOSSIP_PROTOCOL);
    for (let batch = 0; batch < 3; batch++) stream.send(subscribeRpc(LIMITS.membershipChanges, batch));
    const vote = signVote(committee.signers[1]!, {
      type: VoteType.prevote,
      height: 5,
      round: 0,
      blockId: null,
    });
    friend.gossip.publishVote(vote);
    await node.until("the friend's vote", () => node.seen.votes.length === 1);
    for (const peer of node.gossip.peers) assert.ok((peer.topics?.length ?? 0) <= 5);
    const grown = heapBytes() - before;
    assert.ok(grown < 16 * 1024 * 1024, `${grown} bytes for as many topics`);
    assert.equal(few.connection.status, "open");
    await few.stop();
    await stopAll([friend, node]);
  });
});

describe("a peer that takes nothing", () => {
  it("cometbft#5931: holds up nobody else's bodies, and no more than two of its own", async () => {
    let written = 0;
    const stalled = new (class extends SilentStream {
      override readonly writableNeedsDrain: boolean = true;
      override send(bytes: Uint8Array): boolean {
        written += bytes.length;
        return false;
      }
    })();
    const flowing = new SilentStream();
    const sent: string[] = [];
    const senderOf = (name: string, stream: SilentStream): BodySender =>
      new BodySender({
        open: async () => stream,
        sent: () => void sent.push(name),
        failed: assert.ifError,
      });
    const slow = senderOf("slow", stalled);
    const quick = senderOf("quick", flowing);
    const bodies = Array.from({ length: 30 }, (_, i) => makeBody(`body ${i}`, 600_000));
    for (const { blockId, bytes } of bodies) {
      const body = { height: 5, blockId, proposal: null, bytes };
      slow.send(body);
      quick.send(body);
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.deepEqual(
      sent,
      bodies.map(() => "quick"),
    );
    assert.ok(written < 600_000, `${written} bytes went to the one that takes nothing`);
    slow.close();
    quick.close();
  });
});

describe("a proposal for more than a block may hold", () => {
  it("cometbft#5324: is collected for nobody: neither its parts nor its body find a place", () => {
    const delivered: Uint8Array[] = [];
    const bodies = new BodyCollector({
      now: () => 0,
      height: () => 5,
      deliver: (_height, _id, bytes) => delivered.push(bytes),
    });
    for (const total of [LIMITS.parts + 1, 0xffff, 0xffff_ffff, 0]) {
      const blockId = { hash: seedOf(`large ${total}`), parts: { total, hash: seedOf("parts") } };
      bodies.expect(5, 0, blockId, 0);
      assert.equal(bodies.wants(blockId), false, `${total} parts`);
      assert.equal(bodies.addWhole(5, blockId, new Uint8Array(100), "p"), "unwanted");
    }
    // Of an honest number of parts, but longer than they can be, or shorter.
    const { bytes, blockId } = makeBody("honest", 100_000);
    bodies.expect(5, 0, blockId, 0);
    assert.equal(bodies.addWhole(5, blockId, new Uint8Array(blockId.parts.total * 65_536 + 1), "p"), "bad");
    assert.equal(bodies.addWhole(5, blockId, bytes.subarray(0, 65_536), "p"), "bad");
    assert.equal(bodies.addWhole(5, blockId, bytes, "p"), "fresh");
    assert.equal(delivered.length, 1);
  });
});

describe("length and content that disagree", () => {
  const bits = (size: number, bytes: number, fill = 0xff): BitArray => ({
    size,
    bits: new Uint8Array(bytes).fill(fill),
  });
  const state = (have: BitArray, parts: BitArray, direct: BitArray): RoundState => ({
    height: 5,
    round: 0,
    step: 4,
    proposal: { hash: seedOf("a"), parts: { total: 3, hash: seedOf("b") } },
    parts,
    votes: [{ round: 0, type: VoteType.prevote, have }],
    maj23: [],
    direct,
    elReady: true,
    leaving: false,
  });

  it("ASA-2025-003: bit arrays of another size than the set or the body ask for nothing that does not exist", () => {
    const never = { at: () => undefined };
    const own = state(bits(4, 1, 0x0f), bits(3, 1, 0x07), bits(4, 1, 0x0f));
    const sizes = [bits(0, 0), bits(1, 1, 0), bits(3, 1, 0), bits(4, 1, 0), bits(9, 2, 0), bits(512, 64, 0)];
    for (const theirs of [...sizes, bits(512, 1, 0), bits(4, 64, 0), bits(512, 0)]) {
      for (const parts of [...sizes, bits(256, 1, 0), bits(3, 32, 0)]) {
        const plan = planRepair(own, state(theirs, parts, theirs), never, 0).items;
        for (const item of plan) {
          if (item.kind === "vote") assert.ok(item.index < 4);
          if (item.kind === "part") assert.ok(item.index < 3);
        }
      }
    }
  });
});

describe("what is not there cannot be attacked", () => {
  it("CVE-2026-35405, CVE-2026-45783: no rendezvous, no DHT, no relay, no second gossip protocol is installed", () => {
    const lock: unknown = JSON.parse(
      readFileSync(new URL("../../../package-lock.json", import.meta.url), "utf8"),
    );
    assert.ok(lock !== null && typeof lock === "object" && "packages" in lock);
    const names = Object.keys(lock.packages as object).map((path) => path.replace(/^.*node_modules\//, ""));
    const foreign =
      /kad-dht|rendezvous|circuit-relay|floodsub|mdns|delegated|bootstrap|webrtc|websockets|libp2p-gossipsub/;
    assert.deepEqual(
      names.filter((name) => /libp2p/.test(name) && foreign.test(name)),
      [],
    );
    assert.ok(names.includes("@libp2p/gossipsub"));
  });
});
