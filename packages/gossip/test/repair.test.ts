import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { VoteType } from "@quorate/chain";
import type { RoundState } from "../src/index.ts";
import { LIMITS } from "../src/limits.ts";
import {
  makeBody,
  makeCommittee,
  nodeIdOf,
  polka,
  signProposal,
  signVote,
  startMesh,
  startNode,
  stopAll,
  type TestNode,
} from "./support.ts";

const committee = makeCommittee(4);

describe("repair over the round-state stream", () => {
  let nodes: TestNode[] = [];
  afterEach(async () => {
    await stopAll(nodes);
    nodes = [];
  });

  it("gives a late joiner proposal, body, votes of all kept rounds and certificates", async () => {
    const early = await startNode({ name: "early", set: committee.set });
    nodes.push(early);
    const { bytes, blockId } = makeBody("late", 5000);
    const proposal = signProposal(committee.set, committee.signers, { height: 5, round: 2, blockId });
    early.view.round = 2;
    early.view.proposals.set(2, { proposal, body: bytes });
    const prevotes = committee.signers.map((signer) =>
      signVote(signer, { type: VoteType.prevote, height: 5, round: 2, blockId }),
    );
    for (const vote of prevotes) early.view.addVote(vote);
    for (const signer of committee.signers.slice(0, 2)) {
      early.view.addVote(signVote(signer, { type: VoteType.precommit, height: 5, round: 0, blockId: null }));
    }
    early.view.certificates.push(polka(prevotes));

    const late = await startNode({
      name: "late",
      set: committee.set,
      options: { persistentPeers: [early.gossip.addresses[0]!] },
    });
    nodes.push(late);
    late.view.round = 2;
    await late.until("six votes", () => late.seen.votes.length === 6);
    await late.until("the body", () => late.seen.bodies.length === 1);
    await late.until("the certificate", () => late.seen.certificates.length === 1);
    assert.equal(late.seen.proposals.length, 1);
    assert.deepEqual(late.seen.offences, []);
  });

  it("lets a peer one height behind decide without block sync, whatever the size of the body", async () => {
    for (const size of [3000, 300_000]) {
      const { bytes, blockId } = makeBody(`commit ${size}`, size);
      const proposal = signProposal(committee.set, committee.signers, { height: 5, round: 0, blockId });
      const ahead = await startNode({
        name: `ahead ${size}`,
        set: committee.set,
        serve: async (from) => ({
          blocks: from === 5 ? [{ height: 5, block: bytes, commit: new Uint8Array(1) }] : [],
        }),
      });
      const certificate = polka(
        committee.signers
          .slice(0, 3)
          .map((signer) => signVote(signer, { type: VoteType.precommit, height: 5, round: 0, blockId })),
      );
      ahead.view.advance();
      ahead.view.last = { height: 5, certificate, proposal };
      const behind = await startNode({
        name: `behind ${size}`,
        set: committee.set,
        options: { persistentPeers: [ahead.gossip.addresses[0]!] },
      });
      nodes.push(ahead, behind);
      await behind.until("the certificate", () => behind.seen.certificates.length === 1);
      await behind.until("the body", () => behind.seen.bodies.length === 1);
      assert.deepEqual(behind.seen.bodies[0]!.bytes, bytes);
      assert.equal(behind.seen.bodies[0]!.height, 5);
    }
  });

  it("brings a certificate to a peer whose bits are all set by an equivocator", async () => {
    const { blockId } = makeBody("x", 100);
    const other = makeBody("y", 100).blockId;
    const one = await startNode({ name: "one", set: committee.set });
    nodes.push(one);
    const forX = committee.signers.map((signer) =>
      signVote(signer, { type: VoteType.prevote, height: 5, round: 0, blockId }),
    );
    for (const vote of forX) one.view.addVote(vote);
    one.view.certificates.push(polka(forX));
    const two = await startNode({
      name: "two",
      set: committee.set,
      options: { persistentPeers: [one.gossip.addresses[0]!] },
    });
    nodes.push(two);
    for (const vote of forX.slice(0, 3)) two.view.addVote(vote);
    two.view.addVote(
      signVote(committee.signers[3]!, { type: VoteType.prevote, height: 5, round: 0, blockId: other }),
    );
    await two.until("the certificate", () => two.seen.certificates.length === 1);
    assert.equal(two.seen.votes.length, 0);
  });

  it("announces the commit at once to a follower off the vote topics", async () => {
    const { bytes, blockId } = makeBody("followed", 1000);
    const validator = await startNode({
      name: "validator",
      set: committee.set,
      serve: async (from) => ({ blocks: [{ height: from, block: bytes, commit: new Uint8Array(1) }] }),
    });
    nodes.push(validator);
    const follower = await startNode({
      name: "follower",
      set: committee.set,
      options: { persistentPeers: [validator.gossip.addresses[0]!] },
    });
    nodes.push(follower);
    follower.gossip.setValidating(false);
    await validator.until("the follower's state", () => validator.gossip.peers[0]?.roundState != null);
    const certificate = polka(
      committee.signers.map((signer) =>
        signVote(signer, { type: VoteType.precommit, height: 5, round: 0, blockId }),
      ),
    );
    validator.view.advance();
    validator.view.last = { height: 5, certificate, proposal: null };
    validator.gossip.roundStateChanged();
    validator.gossip.heightDecided(5);
    await follower.until("the certificate", () => follower.seen.certificates.length === 1);
    await follower.until("the body", () => follower.seen.bodies.length === 1);
  });
});

describe("a round state", () => {
  let nodes: TestNode[] = [];
  afterEach(async () => {
    await stopAll(nodes);
    nodes = [];
  });

  // A node short of time told a state that lacked what waited in its sockets, and was sent all of that once more.
  it("is not told as one at rest before what waits in the sockets has been read", async () => {
    nodes = await startMesh(["unread", "writer"], committee);
    const [node, writer] = nodes as [TestNode, TestNode];
    await node.until("votes can come directly", () => node.gossip.peers[0]?.roundState != null);
    await writer.until("the first state", () => writer.gossip.peers[0]?.roundState != null);
    writer.gossip.publishVote(
      signVote(committee.signers[1]!, { type: VoteType.prevote, height: 5, round: 0, blockId: null }),
    );
    // After the vote was written, in the same turn.
    setImmediate(() => {
      node.view.step = 7;
      node.gossip.roundStateChanged();
      for (const end = performance.now() + 2 * LIMITS.roundStateIntervalMaxMs; performance.now() < end; ) {
        // This thread has no time for anything.
      }
    });
    const told = (): RoundState | undefined =>
      writer.seen.peers.map(({ peer }) => peer.roundState).find((state) => state?.step === 7) ?? undefined;
    await writer.until("the state after that", () => told() !== undefined);
    assert.equal(node.seen.votes.length, 1);
    assert.deepEqual(
      told()?.votes.map(({ have }) => [...have.bits]),
      [[0b0010]],
    );
  });
});

describe("block requests", () => {
  let nodes: TestNode[] = [];
  afterEach(async () => {
    await stopAll(nodes);
    nodes = [];
  });

  const blocks = Array.from({ length: 10 }, (_, i) => ({
    height: i + 1,
    block: makeBody(`block ${i}`, 50_000).bytes,
    commit: makeBody(`commit ${i}`, 300).bytes,
  }));

  it("are answered with consecutive blocks, no more than asked", async () => {
    nodes = await startMesh(["r", "s"], committee, () => ({
      serve: async (from, count) => ({ blocks: blocks.slice(from - 1, from - 1 + count) }),
    }));
    const [r, s] = nodes as [TestNode, TestNode];
    const signal = new AbortController().signal;
    const answer = await r.gossip.request(s.peerId, { kind: "blocks", from: 3, count: 4 }, signal);
    assert.deepEqual(answer.blocks, blocks.slice(2, 6));
  });

  it("end with the reason of their signal when aborted", async () => {
    nodes = await startMesh(["t", "u"], committee, () => ({
      serve: () => new Promise(() => undefined),
    }));
    const [t, u] = nodes as [TestNode, TestNode];
    const controller = new AbortController();
    const asked = t.gossip.request(u.peerId, { kind: "blocks", from: 1, count: 1 }, controller.signal);
    controller.abort(new Error("no longer wanted"));
    await assert.rejects(asked, /no longer wanted/);
  });

  it("are refused as busy beyond the places of one peer", async () => {
    const gate = Promise.withResolvers<void>();
    nodes = await startMesh(["v", "w"], committee, () => ({
      serve: async () => {
        await gate.promise;
        return { blocks: [] };
      },
    }));
    const [v, w] = nodes as [TestNode, TestNode];
    const signal = new AbortController().signal;
    const ask = (): Promise<unknown> =>
      v.gossip.request(w.peerId, { kind: "blocks", from: 1, count: 1 }, signal);
    const asked = [ask(), ask(), ask()].map((promise) =>
      promise.then(
        () => "answered",
        (error) => error.code,
      ),
    );
    assert.equal(await Promise.race(asked), "BUSY");
    gate.resolve();
    const outcomes = await Promise.all(asked);
    assert.deepEqual(outcomes.sort(), ["BUSY", "answered", "answered"]);
  });

  it("to a peer that is not connected fail at once", async () => {
    const alone = await startNode({ name: "alone", set: committee.set });
    nodes.push(alone);
    const signal = new AbortController().signal;
    await assert.rejects(
      alone.gossip.request(nodeIdOf("nobody"), { kind: "blocks", from: 1, count: 1 }, signal),
      { code: "NOT_CONNECTED" },
    );
  });

  it("answered with heights that were not asked for make the peer drop out", async () => {
    nodes = await startMesh(["x", "y"], committee, () => ({
      serve: async () => ({ blocks: blocks.slice(7, 8) }),
    }));
    const [x, y] = nodes as [TestNode, TestNode];
    const signal = new AbortController().signal;
    await assert.rejects(x.gossip.request(y.peerId, { kind: "blocks", from: 1, count: 2 }, signal), {
      code: "MALFORMED",
    });
    await x.until("the disconnect", () => x.gossip.peers.length === 0);
  });
});
