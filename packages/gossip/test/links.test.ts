import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { makeValidatorSet, peerBindingBytes, VoteType } from "@quorate/chain";
import { bytesEqual, ed25519Sign } from "@quorate/crypto";
import { PEER_PROTOCOL } from "../src/host/connections.ts";
import { duplicateRule } from "../src/host/gater.ts";
import { roundStateFrame, statusFrame } from "../src/roundstate/messages.ts";
import { PROTOCOL_VERSION } from "../src/roundstate/status.ts";
import { freePort, rawClient } from "./raw.ts";
import {
  CHAIN_ID,
  makeCommittee,
  type NodeSetup,
  nodeIdOf,
  seedOf,
  signVote,
  startMesh,
  startNode,
  stopAll,
  type TestNode,
} from "./support.ts";

const committee = makeCommittee(4);

describe("connections", () => {
  let nodes: TestNode[] = [];
  afterEach(async () => {
    await stopAll(nodes);
    nodes = [];
  });

  const mismatches: readonly { readonly reason: string; readonly status: NodeSetup["status"] & object }[] = [
    { reason: "protocol_version", status: { protocolVersion: 999 } },
    { reason: "chain_id", status: { chainId: "another" } },
    { reason: "upgrades_hash", status: { upgradesHash: seedOf("other upgrades") } },
    { reason: "el_genesis_hash", status: { elGenesisHash: seedOf("other el") } },
    { reason: "genesis_hash", status: { genesisHash: seedOf("other genesis") } },
  ];
  for (const { reason, status } of mismatches) {
    it(`to a node with another ${reason} end with that code`, async () => {
      const one = await startNode({ name: "one", set: committee.set });
      nodes.push(one);
      const other = await startNode({
        name: "other",
        set: committee.set,
        status,
        options: { persistentPeers: [one.gossip.addresses[0]!] },
      });
      nodes.push(other);
      const refused = (node: TestNode): boolean =>
        node.seen.logs.some((log) => log.facts["reason"] === reason);
      await one.until("a refusal", () => refused(one));
      await other.until("a refusal", () => refused(other));
      assert.equal(one.gossip.peers.length, 0);
      assert.equal(other.gossip.peers.length, 0);
    });
  }

  it("to a persistent peer are made as soon as it is there, and again after every restart", async () => {
    const port = await freePort();
    const address = `/ip4/127.0.0.1/tcp/${port}`;
    const dialling = await startNode({
      name: "dialling",
      set: committee.set,
      options: { persistentPeers: [`${address}/p2p/${nodeIdOf("listening")}`] },
    });
    nodes.push(dialling);
    await dialling.until("a failed dial", () =>
      dialling.seen.logs.some((log) => log.message.startsWith("dial failed")),
    );
    for (let life = 1; life <= 2; life++) {
      const listening = await startNode({
        name: "listening",
        set: committee.set,
        options: { listen: [address] },
      });
      await dialling.until("the peer", () => dialling.gossip.peers.length === 1);
      await listening.gossip.stop();
      await dialling.until("its end", () => dialling.gossip.peers.length === 0);
    }
  });

  it("dialled from both sides at once end as exactly one link that carries gossip", async () => {
    const [portA, portB] = [await freePort(), await freePort()];
    const at = (name: string, port: number, peer: string, peerPort: number): Promise<TestNode> =>
      startNode({
        name,
        set: committee.set,
        options: {
          listen: [`/ip4/127.0.0.1/tcp/${port}`],
          persistentPeers: [`/ip4/127.0.0.1/tcp/${peerPort}/p2p/${nodeIdOf(peer)}`],
        },
      });
    const [a, b] = await Promise.all([at("A", portA, "B", portB), at("B", portB, "A", portA)]);
    nodes.push(a, b);
    const whole = (node: TestNode): boolean =>
      node.gossip.peers.length === 1 && node.gossip.peers[0]!.topics?.length === 5;
    await Promise.all([a.until("one link", () => whole(a)), b.until("one link", () => whole(b))]);
    const vote = signVote(committee.signers[0]!, {
      type: VoteType.prevote,
      height: 5,
      round: 0,
      blockId: null,
    });
    a.gossip.publishVote(vote);
    await b.until("the vote", () => b.seen.votes.length === 1);
    const echo = signVote(committee.signers[1]!, {
      type: VoteType.prevote,
      height: 5,
      round: 0,
      blockId: null,
    });
    b.gossip.publishVote(echo);
    await a.until("the vote", () => a.seen.votes.some((seen) => seen.validatorIndex === 1));
    assert.equal(a.gossip.peers[0]!.inbound, !b.gossip.peers[0]!.inbound);
  });

  it("are made anew when a gossip stream was reset under them", async () => {
    nodes = await startMesh(["p", "q"], committee);
    const [p, q] = nodes as [TestNode, TestNode];
    const connectedAt = p.gossip.peers[0]!.connectedAtMs;
    q.resetGossipStreams();
    await p.until(
      "a new link with topics",
      () =>
        p.gossip.peers.length === 1 &&
        p.gossip.peers[0]!.connectedAtMs !== connectedAt &&
        p.gossip.peers[0]!.topics?.length === 5,
    );
    await q.until("topics", () => q.gossip.peers[0]?.topics?.length === 5);
    const vote = signVote(committee.signers[0]!, {
      type: VoteType.prevote,
      height: 5,
      round: 0,
      blockId: null,
    });
    p.gossip.publishVote(vote);
    await q.until("the vote", () => q.seen.votes.length === 1);
  });

  it("are refused to peers that are not on the list of a permissioned node", async () => {
    const guarded = await startNode({
      name: "guarded",
      set: committee.set,
      options: { allow: [nodeIdOf("friend")] },
    });
    nodes.push(guarded);
    const persistentPeers = [guarded.gossip.addresses[0]!];
    const stranger = await startNode({ name: "stranger", set: committee.set, options: { persistentPeers } });
    nodes.push(stranger);
    const friend = await startNode({ name: "friend", set: committee.set, options: { persistentPeers } });
    nodes.push(friend);
    await guarded.until("the friend", () => guarded.gossip.peers.length === 1);
    assert.equal(guarded.gossip.peers[0]!.id, friend.peerId);
    assert.equal(stranger.gossip.peers.length, 0);
  });

  it("beyond the limit are turned away, those of bound validators are not", async () => {
    const full = await startNode({
      name: "full",
      set: committee.set,
      options: {
        maxPeers: 1,
        validatorPeers: { [Buffer.from(committee.signers[0]!.address).toString("hex")]: nodeIdOf("bound") },
      },
    });
    nodes.push(full);
    const persistentPeers = [full.gossip.addresses[0]!];
    nodes.push(await startNode({ name: "first", set: committee.set, options: { persistentPeers } }));
    await full.until("the first", () => full.gossip.peers.length === 1);
    const second = await startNode({ name: "second", set: committee.set, options: { persistentPeers } });
    nodes.push(second);
    await second.until("a goodbye", () =>
      second.seen.logs.some((log) => log.facts["reason"] === "too_many_peers"),
    );
    const bound = await startNode({ name: "bound", set: committee.set, options: { persistentPeers } });
    nodes.push(bound);
    await full.until("the bound validator", () => full.gossip.peers.some((peer) => peer.id === bound.peerId));
    assert.equal(full.gossip.peers.length, 2);
  });
});

describe("the word of a consensus key for its peer id", () => {
  const [signer, other] = committee.signers;
  const bindingOf = (name: string, key = signer!) => ({
    binding: {
      pubKey: key.publicKey,
      signature: ed25519Sign(key.seed, peerBindingBytes(nodeIdOf(name))),
    },
  });
  let nodes: TestNode[] = [];
  const start = async (setup: Partial<NodeSetup> & { readonly name: string }): Promise<TestNode> => {
    const node = await startNode({ set: committee.set, ...setup });
    nodes.push(node);
    return node;
  };
  afterEach(async () => {
    await stopAll(nodes);
    nodes = [];
  });

  it("makes its validator known, and its link the last to be refused, as long as its key is in the set", async () => {
    // No room for anybody but the validators of the set.
    const full = await start({ name: "full", options: { maxPeers: 0 } });
    const options = { persistentPeers: [full.gossip.addresses[0]!] };
    const leaver = await start({ name: "leaver", status: bindingOf("leaver"), options });
    await full.until("the validator", () => full.gossip.peers.length === 1);
    const [peer] = full.gossip.peers;
    assert.deepEqual([peer?.id, peer?.validator], [leaver.peerId, signer!.address]);
    const others = full.view.set.validators.filter(({ pubKey }) => !bytesEqual(pubKey, signer!.publicKey));
    full.view.set = makeValidatorSet(others);
    full.gossip.heightDecided(full.view.height);
    assert.equal(full.gossip.peers.length, 1, "a link that is there stays");
    await leaver.gossip.stop();
    await full.until("its end", () => full.gossip.peers.length === 0);
    const back = await start({ name: "leaver", status: bindingOf("leaver"), options });
    const turnedAway = (): boolean =>
      back.seen.logs.some(({ facts }) => facts["reason"] === "too_many_peers");
    await back.until("it is one of many again", turnedAway);
  });

  it("for another peer id, or by another key, is an offence and binds nobody", async () => {
    const one = await start({ name: "one" });
    const options = { persistentPeers: [one.gossip.addresses[0]!] };
    const { binding } = bindingOf("thief", other);
    await start({ name: "thief", status: { binding: { ...binding, pubKey: signer!.publicKey } }, options });
    await start({ name: "copier", status: bindingOf("somebody else"), options });
    await one.until("both", () => one.gossip.peers.length === 2);
    assert.deepEqual(one.seen.offences, ["bad_signature", "bad_signature"]);
    assert.deepEqual(
      one.gossip.peers.map(({ validator }) => validator),
      [null, null],
    );
  });

  it("counts for the links that a validator tells of, its own included", async () => {
    const a = await start({ name: "A", status: bindingOf("A") });
    const b = await start({
      name: "B",
      status: bindingOf("B", other),
      options: { persistentPeers: [a.gossip.addresses[0]!] },
    });
    await a.until("B", () => a.gossip.peers.some(({ validator }) => validator !== null));
    await b.until("A", () => b.gossip.peers.some(({ validator }) => validator !== null));
    assert.deepEqual(b.gossip.peers[0]?.validator, signer!.address);
    assert.deepEqual(a.gossip.peers[0]?.validator, other!.address);
  });
});

it("a node that is turned away is not punished for what it sent before it knew", async () => {
  const full = await startNode({ name: "full", set: committee.set, options: { maxPeers: 1 } });
  const address = full.gossip.addresses[0]!;
  const first = await startNode({
    name: "first",
    set: committee.set,
    options: { persistentPeers: [address] },
  });
  const second = await rawClient("second", address);
  try {
    await full.until("the first", () => full.gossip.peers.length === 1);
    const status = statusFrame({
      ...{ protocolVersion: PROTOCOL_VERSION, chainId: CHAIN_ID, height: 5, earliestHeight: 1 },
      ...{ genesisHash: seedOf("genesis"), upgradesHash: seedOf("upgrades") },
      ...{ elGenesisHash: seedOf("el genesis"), moniker: "second" },
    });
    // It counts as connected once it has sent its own status, and goes on talking.
    await second.write(PEER_PROTOCOL, Buffer.concat([status, roundStateFrame(first.view.roundState())]));
    await second.disconnected();
    assert.deepEqual(full.seen.offences, []);
  } finally {
    await second.stop();
    await stopAll([full, first]);
  }
});

describe("the rule for two connections of one pair", () => {
  const young = (direction: "inbound" | "outbound") => ({ direction, ageMs: 10 });

  it("lets both sides keep the one dialled by the smaller peer id", () => {
    // a < b; both dialled. Connection 1 is a's dial, connection 2 b's.
    const a = { self: "a", peer: "b", dialling: false } as const;
    const b = { self: "b", peer: "a", dialling: false } as const;
    assert.equal(duplicateRule({ ...a, direction: "inbound", existing: young("outbound") }), "refuse");
    assert.equal(duplicateRule({ ...b, direction: "inbound", existing: young("outbound") }), "replace");
    assert.equal(duplicateRule({ ...a, direction: "outbound", existing: young("inbound") }), "replace");
    assert.equal(duplicateRule({ ...b, direction: "outbound", existing: young("inbound") }), "refuse");
  });

  it("refuses an inbound connection while the own dial, which wins, is under way", () => {
    const facts = { direction: "inbound", existing: null, dialling: true } as const;
    assert.equal(duplicateRule({ ...facts, self: "a", peer: "b" }), "refuse");
    assert.equal(duplicateRule({ ...facts, self: "b", peer: "a" }), "accept");
  });

  it("gives an old connection up for a new one, from either side", () => {
    for (const direction of ["inbound", "outbound"] as const) {
      for (const [self, peer] of [
        ["a", "b"],
        ["b", "a"],
      ] as const) {
        const existing = { direction: "outbound", ageMs: 60_000 } as const;
        assert.equal(duplicateRule({ self, peer, direction, existing, dialling: false }), "replace");
      }
    }
  });
});
