import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { encodeCommit, VoteType } from "@quorate/chain";
import { bytesEqual } from "@quorate/crypto";
import {
  makeBody,
  makeCommittee,
  polka,
  signProposal,
  signVote,
  startMesh,
  stopAll,
  type TestNode,
} from "./support.ts";

describe("bodies above 64 KiB", () => {
  const committee = makeCommittee(3);
  let nodes: TestNode[] = [];

  before(async () => {
    nodes = await startMesh(["e", "f", "g"], committee);
  });
  after(() => stopAll(nodes));

  it("go over direct streams and arrive whole, once", async () => {
    const { bytes, blockId } = makeBody("large", 1_500_000);
    const proposal = signProposal(committee.set, committee.signers, { height: 5, round: 0, blockId });
    nodes[0]!.view.proposals.set(0, { proposal, body: bytes });
    nodes[0]!.gossip.publishProposal(proposal, bytes);
    for (const node of nodes.slice(1)) {
      await node.until("the body", () => node.seen.bodies.length > 0);
      assert.equal(node.seen.proposals.length, 1);
      assert.equal(node.seen.bodies.length, 1);
      assert.deepEqual(node.seen.bodies[0]!.bytes, bytes);
    }
  });

  it("are asked for when a quorum wants one that never came", async () => {
    const { bytes, blockId } = makeBody("wanted", 200_000);
    const proposal = signProposal(committee.set, committee.signers, { height: 5, round: 1, blockId });
    const [holder, asker] = nodes as [TestNode, TestNode, TestNode];
    holder.view.round = 1;
    holder.view.proposals.set(1, { proposal, body: bytes });
    holder.gossip.roundStateChanged();
    asker.gossip.wantBody(5, 1, blockId);
    await asker.until("the wanted body", () =>
      asker.seen.bodies.some((body) => body.bytes.length === 200_000),
    );
  });
});

describe("a body of a height that was decided", () => {
  const committee = makeCommittee(2);
  const decided = makeBody("decided", 2_000);
  const commit = encodeCommit({
    height: 4,
    round: 0,
    blockId: decided.blockId,
    signatures: [
      {
        ...{ flag: 2, timestamp: 0n },
        validatorAddress: committee.signers[0]!.address,
        signature: new Uint8Array(64).fill(1),
      },
    ],
  });
  let nodes: TestNode[] = [];

  before(async () => {
    const serve = async () => ({ blocks: [{ height: 4, block: decided.bytes, commit }] });
    nodes = await startMesh(["behind", "ahead"], committee, (_, index) => (index === 1 ? { serve } : {}));
  });
  after(() => stopAll(nodes));

  it("is sent to whoever wants that block; who wants another one proposed there gets nothing, and nobody is blamed", async () => {
    const [behind] = nodes as [TestNode, TestNode];
    behind.view.height = 4;
    behind.gossip.wantBody(4, 1, makeBody("of an equivocator", 3_000).blockId);
    behind.gossip.wantBody(4, 0, decided.blockId);
    await behind.until("the decided body", () => behind.seen.bodies.length > 0);
    assert.deepEqual(behind.seen.bodies[0]!.bytes, decided.bytes);
    assert.deepEqual(behind.seen.offences, []);
  });
});

describe("a validator without a link to the proposer", () => {
  const committee = makeCommittee(3);
  let nodes: TestNode[] = [];

  before(async () => {
    // h - i - j: h and j know each other only through i.
    nodes = await startMesh(["h", "i", "j"], committee, undefined, (a, b) => !(a === 0 && b === 2));
  });
  after(() => stopAll(nodes));

  it("gets votes forwarded by the one in between", async () => {
    const [h, , j] = nodes as [TestNode, TestNode, TestNode];
    const vote = signVote(committee.signers[0]!, {
      type: VoteType.prevote,
      height: 5,
      round: 0,
      blockId: null,
    });
    h.gossip.publishVote(vote);
    await j.until("the forwarded vote", () => j.seen.votes.length === 1);
    // Over the link as long as h has not heard of j, over the topic from then on: spread it has to be either way.
    const middle = nodes[1]!;
    assert.ok(middle.seen.verdicts.some(({ verdict }) => verdict === "accept"));
  });

  it("gets large bodies though they reach the one in between before their proposals and parts do, who is not to blame for what is in them", async () => {
    const [h, between, j] = nodes as [TestNode, TestNode, TestNode];
    const rounds = Array.from({ length: 10 }, (_, round) => round).filter((round) =>
      bytesEqual(h.view.proposer(5, round)!, committee.signers[0]!.publicKey),
    );
    assert.ok(rounds.length >= 3);
    // The stream for bodies stands from the second on. Repair brings nothing of rounds that the nodes are not in.
    for (const [before, round] of rounds.entries()) {
      const { bytes, blockId } = makeBody(`parts ${round}`, 300_000);
      const proposal = signProposal(committee.set, committee.signers, { height: 5, round, blockId });
      h.view.proposals.set(round, { proposal, body: bytes });
      h.gossip.publishProposal(proposal, bytes);
      await j.until("the body", () => j.seen.bodies.length === before + 1);
      assert.deepEqual(j.seen.bodies[before]!.bytes, bytes);
      assert.equal(j.seen.bodies[before]!.from, null);
      assert.equal(between.seen.bodies[before]!.from, h.peerId);
    }
  });
});

describe("while a validator is away", () => {
  const committee = makeCommittee(4);
  let nodes: TestNode[] = [];

  before(async () => {
    nodes = await startMesh(["away1", "away2", "away3"], committee);
  });
  after(() => stopAll(nodes));

  it("large bodies go to those that are there once, not in parts beside that", async () => {
    const [proposer, ...others] = nodes as [TestNode, TestNode, TestNode];
    const linked = (): boolean =>
      proposer.gossip.peers.every((peer) => peer.roundState?.direct.bits[0] === 0b0111);
    await proposer.until("the links of all that are there", linked);
    const { bytes, blockId } = makeBody("away", 300_000);
    const proposal = signProposal(committee.set, committee.signers, { height: 5, round: 0, blockId });
    proposer.view.proposals.set(0, { proposal, body: bytes });
    proposer.gossip.publishProposal(proposal, bytes);
    // Published after parts, it comes after them.
    proposer.gossip.publishTxs([new Uint8Array([1, 2, 3])]);
    for (const node of others) {
      await node.until("the body", () => node.seen.bodies.length === 1);
      await node.until("what was published last", () => node.seen.txs.length === 1);
      assert.deepEqual(
        node.seen.verdicts.filter(({ topic }) => topic === "parts"),
        [],
      );
    }
  });
});

describe("in a full mesh", () => {
  const committee = makeCommittee(3);
  let nodes: TestNode[] = [];

  before(async () => {
    nodes = await startMesh(["k", "l", "m"], committee);
  });
  after(() => stopAll(nodes));

  it("nobody forwards what everybody got from its origin, once direct links are known", async () => {
    const [k, l, m] = nodes as [TestNode, TestNode, TestNode];
    const knowsAll = (node: TestNode): boolean =>
      node.gossip.peers.every((peer) => peer.roundState?.direct.bits[0] === 0b111);
    await Promise.all(nodes.map((node) => node.until("direct links of all", () => knowsAll(node))));
    const vote = signVote(committee.signers[0]!, {
      type: VoteType.prevote,
      height: 5,
      round: 3,
      blockId: null,
    });
    k.gossip.publishVote(vote);
    for (const node of [l, m]) {
      await node.until("a verdict", () => node.seen.verdicts.length > 0);
      assert.deepEqual(node.seen.verdicts, [{ topic: "direct", verdict: "ignore" }]);
      assert.equal(node.seen.votes.length, 1);
    }
  });

  it("messages of the next height wait and are delivered when the node gets there", async () => {
    const [k, l] = nodes as [TestNode, TestNode, TestNode];
    const { bytes, blockId } = makeBody("next", 2000);
    const proposal = signProposal(committee.set, committee.signers, { height: 6, round: 0, blockId });
    const vote = signVote(committee.signers[0]!, { type: VoteType.prevote, height: 6, round: 0, blockId });
    const before = l.seen.votes.length;
    const verdicts = l.seen.verdicts.length;
    k.gossip.publishProposal(proposal, bytes);
    k.gossip.publishVote(vote);
    // One turn's messages are one frame.
    await l.until("a verdict", () => l.seen.verdicts.length > verdicts);
    assert.equal(l.seen.votes.length, before);
    assert.equal(l.seen.proposals.length, 0);
    l.view.advance();
    l.gossip.roundStateChanged();
    await l.until("the held vote", () => l.seen.votes.length === before + 1);
    await l.until("the held body", () => l.seen.bodies.length === 1);
    assert.equal(l.seen.proposals.length, 1);
  });

  it("certificates arrive verified, and a node off the vote topics gets none of them by gossip", async () => {
    const [k, l, m] = nodes as [TestNode, TestNode, TestNode];
    m.gossip.setValidating(false);
    const ofM = (): readonly string[] => k.gossip.peers.find((peer) => peer.id === m.peerId)?.topics ?? [];
    await k.until("m's leave", () => ofM().join() === "evidence,txs");
    const votes = committee.signers.map((signer) =>
      signVote(signer, { type: VoteType.precommit, height: 5, round: 2, blockId: null }),
    );
    m.view.height = 4;
    const certificate = polka(votes);
    l.view.advance();
    l.view.height = 5;
    l.gossip.roundStateChanged();
    k.gossip.publishCertificate(certificate);
    await l.until("the certificate", () => l.seen.certificates.length === 1);
    assert.equal(m.seen.certificates.length, 0);
  });
});
