import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { afterEach, beforeEach, describe, it } from "node:test";
import { multiaddr } from "@multiformats/multiaddr";
import { VoteType } from "@quorate/chain";
import { BODY_PROTOCOL } from "../src/bodies/exchange.ts";
import { encodeBodyHeader } from "../src/bodies/wire.ts";
import { PEER_PROTOCOL } from "../src/host/connections.ts";
import { BLOCKS_PROTOCOL } from "../src/layer.ts";
import { LIMITS } from "../src/limits.ts";
import { goodbyeFrame, statusFrame } from "../src/roundstate/messages.ts";
import { GOODBYE_CODES } from "../src/roundstate/status.ts";
import { encodeItem, joinPack } from "../src/topics/items.ts";
import { topicName } from "../src/topics/names.ts";
import { frame } from "../src/wire/frames.ts";
import { type RawClient, rawClient } from "./raw.ts";
import {
  CHAIN_ID,
  makeBody,
  makeCommittee,
  StoppableClock,
  seedOf,
  signVote,
  startNode,
  stopAll,
  systemClock,
  type TestNode,
} from "./support.ts";

const GOSSIP_PROTOCOL = "/meshsub/1.1.0";
const committee = makeCommittee(4);
const status = {
  protocolVersion: 1,
  chainId: CHAIN_ID,
  genesisHash: seedOf("genesis"),
  upgradesHash: seedOf("upgrades"),
  elGenesisHash: seedOf("el genesis"),
  height: 5,
  earliestHeight: 1,
  moniker: "stranger",
};

function garbage(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i += 32)
    bytes.set(seedOf(`garbage ${i}`).subarray(0, Math.min(32, length - i)), i);
  return bytes;
}

function closed(socket: Socket): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (socket.closed) resolve();
  socket.on("close", () => resolve());
  socket.resume();
  return promise;
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)];
}

/** The field of a gossipsub RPC that publishes one message. */
function publishMessage(topic: string, data: Uint8Array): Uint8Array {
  const name = new TextEncoder().encode(topic);
  const message = [0x12, ...varint(data.length), ...data, 0x22, ...varint(name.length), ...name];
  return Uint8Array.from([0x12, ...varint(message.length), ...message]);
}

/** A gossipsub RPC that publishes one message, with its length in front. */
function publishRpc(topic: string, data: Uint8Array): Uint8Array {
  const rpc = publishMessage(topic, data);
  return Uint8Array.from([...varint(rpc.length), ...rpc]);
}

describe("a node among strangers", () => {
  let node: TestNode;
  let friend: TestNode;
  let client: RawClient;
  let clock: StoppableClock;
  let count = 0;

  beforeEach(async () => {
    count++;
    clock = new StoppableClock();
    node = await startNode({ name: `victim ${count}`, set: committee.set, clock });
    friend = await startNode({
      name: `friend ${count}`,
      set: committee.set,
      options: { persistentPeers: [node.gossip.addresses[0]!] },
    });
    await friend.until("topics", () => friend.gossip.peers[0]?.topics?.length === 5);
    client = await rawClient(`stranger ${count}`, node.gossip.addresses[0]!, [GOSSIP_PROTOCOL]);
  });
  afterEach(async () => {
    await client.stop();
    await stopAll([friend, node]);
  });

  /** The stranger is gone, and the friend still gets its votes through. */
  async function unharmed(offence: string): Promise<void> {
    await client.disconnected();
    assert.ok(node.seen.offences.includes(offence as never), `${offence} among ${node.seen.offences.join()}`);
    await friend.until("the link", () => friend.gossip.peers.length === 1);
    const vote = signVote(committee.signers[2]!, {
      type: VoteType.prevote,
      height: 5,
      round: 9,
      blockId: null,
    });
    friend.gossip.publishVote(vote);
    await node.until("the friend's vote", () => node.seen.votes.some((seen) => seen.round === 9));
    assert.equal(node.gossip.peers.length, 1);
  }

  const malformed: readonly {
    readonly what: string;
    readonly protocol: string;
    readonly bytes: Uint8Array[];
  }[] = [
    { what: "random bytes on the peer stream", protocol: PEER_PROTOCOL, bytes: [frame(garbage(300))] },
    {
      what: "a status with trailing bytes",
      protocol: PEER_PROTOCOL,
      bytes: [frame(Uint8Array.of(0), garbage(500))],
    },
    {
      what: "a message before the status",
      protocol: PEER_PROTOCOL,
      bytes: [frame(Uint8Array.of(3), encodeItem({ kind: "tx", raw: garbage(10) }))],
    },
    {
      what: "random bytes after a good status",
      protocol: PEER_PROTOCOL,
      bytes: [statusFrame(status), frame(garbage(99))],
    },
    {
      what: "a pack of an unknown kind after a good status",
      protocol: PEER_PROTOCOL,
      bytes: [statusFrame(status), frame(Uint8Array.of(3, 99, 0, 0, 0, 0))],
    },
    { what: "random bytes on the body stream", protocol: BODY_PROTOCOL, bytes: [garbage(4000)] },
    { what: "random bytes on the gossip stream", protocol: GOSSIP_PROTOCOL, bytes: [garbage(4000)] },
    {
      what: "a well-framed RPC whose protobuf is broken",
      protocol: GOSSIP_PROTOCOL,
      bytes: [Uint8Array.of(4, 0x12, 0x7f, 1, 2)],
    },
    {
      what: "a gossip message that is no pack",
      protocol: GOSSIP_PROTOCOL,
      bytes: [publishRpc(topicName(seedOf("genesis"), "votes"), garbage(200))],
    },
    {
      what: "a pack of votes in the topic of proposals",
      protocol: GOSSIP_PROTOCOL,
      bytes: [
        publishRpc(
          topicName(seedOf("genesis"), "proposals"),
          encodeItem({
            kind: "vote",
            vote: signVote(committee.signers[0]!, {
              type: VoteType.prevote,
              height: 5,
              round: 0,
              blockId: null,
            }),
          }),
        ),
      ],
    },
  ];
  for (const { what, protocol, bytes } of malformed) {
    it(`drops the sender of ${what}`, async () => {
      await client.write(protocol, ...bytes);
      await unharmed("malformed");
    });
  }

  it("drops the sender of an oversized frame on the peer stream, at its length", async () => {
    await client.write(PEER_PROTOCOL, Uint8Array.of(0x7f, 0xff, 0xff, 0xff));
    await unharmed("oversized");
  });

  it("drops the sender of an oversized gossip frame, at its length", async () => {
    await client.write(GOSSIP_PROTOCOL, Uint8Array.of(0xff, 0xff, 0xff, 0x7f));
    await unharmed("oversized");
  });

  it("drops the sender of an oversized body, at its announcement", async () => {
    const { blockId } = makeBody("huge", 100);
    await client.write(
      BODY_PROTOCOL,
      encodeBodyHeader({ height: 5, blockId, proposal: null, length: 2 ** 31 }),
    );
    await unharmed("oversized");
  });

  it("takes no body that nobody wanted, and holds no memory for it", async () => {
    const { blockId } = makeBody("unwanted", 100_000);
    await client.write(PEER_PROTOCOL, statusFrame(status));
    await node.until("the stranger's status", () => node.gossip.peers.length === 2);
    await client.write(
      BODY_PROTOCOL,
      encodeBodyHeader({ height: 5, blockId, proposal: null, length: 100_000 }),
      garbage(100_000),
      Uint8Array.of(255, 255, 255, 255),
    );
    await unharmed("malformed");
    assert.equal(node.seen.bodies.length, 0);
  });

  it("drops the sender of a malformed block request", async () => {
    await client.write(PEER_PROTOCOL, statusFrame(status));
    await node.until("the stranger's status", () => node.gossip.peers.length === 2);
    await client.write(BLOCKS_PROTOCOL, frame(garbage(40)));
    await unharmed("malformed");
  });

  it("drops who never says a status", async () => {
    const hasty = await startNode({ name: `hasty ${count}`, set: committee.set, clock: systemClock });
    const silent = await rawClient(`silent ${count}`, hasty.gossip.addresses[0]!);
    try {
      await silent.disconnected();
      assert.deepEqual(hasty.seen.offences, ["timeout"]);
    } finally {
      await silent.stop();
      await stopAll([hasty]);
    }
  });

  it("drops the sender of forged votes after three, having verified no more", async () => {
    const topic = topicName(seedOf("genesis"), "votes");
    const stream = await client.connection.newStream(GOSSIP_PROTOCOL);
    for (let i = 0; i < 200; i++) {
      const vote = signVote(committee.signers[1]!, {
        type: VoteType.prevote,
        height: 5,
        round: 0,
        blockId: null,
      });
      const forged = { ...vote, round: 0, signature: vote.signature.slice() };
      forged.signature[i % 32]! ^= 1 + (i >> 5);
      if (stream.writeStatus !== "writable") break;
      stream.send(publishRpc(topic, encodeItem({ kind: "vote", vote: forged })));
    }
    await unharmed("bad_signature");
    assert.ok(node.seen.offences.filter((offence) => offence === "bad_signature").length <= 3);
    assert.ok(node.checks() <= 4, `${node.checks()} checks`);
  });

  it("verifies a vote once, however often and in whatever packs it is replayed", async () => {
    const topic = topicName(seedOf("genesis"), "votes");
    const stream = await client.connection.newStream(GOSSIP_PROTOCOL);
    const items = committee.signers
      .slice(0, 2)
      .map((signer) => signVote(signer, { type: VoteType.prevote, height: 5, round: 0, blockId: null }))
      .map((vote) => encodeItem({ kind: "vote", vote }));
    for (let i = 1; i < 64; i++) {
      const pack = joinPack(Array.from({ length: i }, (_, at) => items[at % 2]!));
      stream.send(publishRpc(topic, pack));
    }
    await node.until("a verdict on each", () => node.seen.verdicts.length === 63);
    assert.equal(node.checks(), 2);
    assert.equal(node.seen.votes.length, 2);
    assert.deepEqual(node.seen.offences, []);
  });

  it("drops votes outside the window without a look at their signature", async () => {
    const topic = topicName(seedOf("genesis"), "votes");
    const stream = await client.connection.newStream(GOSSIP_PROTOCOL);
    const [signer] = committee.signers;
    for (const [height, round] of [
      [3, 0],
      [7, 0],
      [2 ** 50, 0],
      [5, 2 ** 31 - 1],
    ] as const) {
      const vote = signVote(signer!, { type: VoteType.precommit, height, round, blockId: null });
      stream.send(publishRpc(topic, encodeItem({ kind: "vote", vote })));
    }
    await node.until("a verdict on each", () => node.seen.verdicts.length === 4);
    assert.equal(node.checks(), 0);
    assert.deepEqual(node.seen.offences, []);
  });

  it("counts the good votes of a pack with a bad one, and rejects the pack", async () => {
    const topic = topicName(seedOf("genesis"), "votes");
    const stream = await client.connection.newStream(GOSSIP_PROTOCOL);
    const votes = committee.signers.map((signer) =>
      signVote(signer, { type: VoteType.prevote, height: 5, round: 0, blockId: null }),
    );
    const bad = { ...votes[3]!, signature: votes[2]!.signature };
    const pack = joinPack([...votes.slice(0, 3), bad].map((vote) => encodeItem({ kind: "vote", vote })));
    stream.send(publishRpc(topic, pack));
    await node.until("the verdict", () => node.seen.verdicts.length === 1);
    assert.deepEqual(node.seen.verdicts, [{ topic: "votes", verdict: "reject" }]);
    assert.equal(node.seen.votes.length, 3);
    assert.deepEqual(node.seen.offences, ["bad_signature"]);
  });

  it("regression: drops who floods it with messages at the first beyond the rate, and nothing of that gets through", async () => {
    const topic = topicName(seedOf("genesis"), "votes");
    await client.write(PEER_PROTOCOL, statusFrame(status));
    await node.until("the stranger's status", () => node.gossip.peers.length === 2);
    const stream = await client.connection.newStream(GOSSIP_PROTOCOL);
    const [signer] = committee.signers;
    const vote = signVote(signer!, { type: VoteType.prevote, height: 3, round: 0, blockId: null });
    const item = encodeItem({ kind: "vote", vote });
    // Each RPC carries 1,000 distinct messages: an old vote, which costs no verification, with ever other last bytes.
    const rpcs = Array.from({ length: 40 }, (_, batch) => {
      const messages = Array.from({ length: 1_000 }, (_, i) => {
        const one = item.slice();
        new DataView(one.buffer).setUint32(one.length - 4, batch * 1_000 + i);
        return publishMessage(topic, one);
      });
      const rpc = joinPack(messages);
      return Uint8Array.from([...varint(rpc.length), ...rpc]);
    });
    // A busy machine may take longer to read them than the rate gives for them.
    clock.stop();
    for (const rpc of rpcs) {
      if (stream.writeStatus !== "writable") break;
      if (!stream.send(rpc)) await stream.onDrain().catch(() => undefined);
    }
    await unharmed("flood");
    assert.equal(node.checks(), 1);
    assert.deepEqual(node.seen.offences, ["flood"]);
    const { length: verdicts } = node.seen.verdicts;
    assert.ok(verdicts <= LIMITS.gossipBurst, `${verdicts} verdicts`);
  });

  it("verifies only a bounded number of one validator's votes for rounds far ahead", async () => {
    const topic = topicName(seedOf("genesis"), "votes");
    const stream = await client.connection.newStream(GOSSIP_PROTOCOL);
    for (let round = 100; round < 400; round++) {
      const vote = signVote(committee.signers[0]!, {
        type: VoteType.prevote,
        height: 5,
        round,
        blockId: null,
      });
      stream.send(publishRpc(topic, encodeItem({ kind: "vote", vote })));
    }
    await node.until("a verdict on each", () => node.seen.verdicts.length === 300);
    assert.ok(node.checks() >= 64 && node.checks() < 250, `${node.checks()} checks`);
    assert.deepEqual(node.seen.offences, []);
  });

  it("lets a banned peer not come back while its ban lasts", async () => {
    await client.write(PEER_PROTOCOL, frame(garbage(300)));
    await client.disconnected();
    // Its address is shut for a moment, and open to others before its own ban is over.
    const other = await rawClient(`newcomer ${count}`, node.gossip.addresses[0]!);
    const ended = Promise.withResolvers<string>();
    client.node.addEventListener("connection:close", () => ended.resolve("cut off"));
    client.node.dial(multiaddr(node.gossip.addresses[0]!)).catch(() => ended.resolve("refused"));
    assert.match(await ended.promise, /cut off|refused/);
    assert.equal(other.connection.status, "open");
    await other.stop();
    assert.equal(node.gossip.peers.length, 1);
  });

  // Its round state followed its status in one segment and counted as a message before the status: the peer was banned.
  it("holds nothing against a peer that it turns away, and lets the goodbye arrive", async () => {
    const full = await startNode({ name: `full ${count}`, set: committee.set, options: { maxPeers: 0 } });
    const guest = await rawClient(`guest ${count}`, full.gossip.addresses[0]!);
    try {
      await guest.write(
        PEER_PROTOCOL,
        Buffer.concat([
          statusFrame(status),
          frame(Uint8Array.of(3), encodeItem({ kind: "tx", raw: garbage(10) })),
        ]),
      );
      await guest.disconnected();
      assert.deepEqual(full.seen.offences, []);
      assert.ok(Buffer.concat(guest.heard).includes(Buffer.from(goodbyeFrame(GOODBYE_CODES.too_many_peers))));
    } finally {
      await guest.stop();
      await stopAll([full]);
    }
  });

  it("survives raw TCP garbage and half-open handshakes", async () => {
    const port = Number(node.gossip.addresses[0]!.split("/")[4]);
    const sockets = Array.from({ length: 20 }, (_, i) => {
      const socket = connect(port, "127.0.0.1");
      socket.on("error", () => undefined);
      if (i % 2 === 0) socket.write(garbage(5000));
      return socket;
    });
    const garbled = sockets.filter((_, i) => i % 2 === 0);
    await Promise.all(garbled.map(closed));
    const vote = signVote(committee.signers[2]!, {
      type: VoteType.prevote,
      height: 5,
      round: 9,
      blockId: null,
    });
    friend.gossip.publishVote(vote);
    await node.until("the friend's vote", () => node.seen.votes.length === 1);
    for (const socket of sockets) socket.destroy();
  });
});
