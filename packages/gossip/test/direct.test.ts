import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { VoteType } from "@quorate/chain";
import {
  makeBody,
  makeCommittee,
  signProposal,
  signVote,
  startMesh,
  stopAll,
  type TestNode,
} from "./support.ts";

const PREVOTE = { type: VoteType.prevote, height: 5, blockId: null } as const;

/** Each peer has told that it has links to these validators, one bit each. */
function told(node: TestNode, bits: number): Promise<void> {
  return node.until("direct links of all", () =>
    node.gossip.peers.every((peer) => peer.roundState?.direct.bits[0] === bits),
  );
}

describe("a validator whose links reach everybody", () => {
  const committee = makeCommittee(3);
  let nodes: TestNode[] = [];

  before(async () => {
    nodes = await startMesh(["da", "db", "dc"], committee);
    await Promise.all(nodes.map((node) => told(node, 0b111)));
  });
  after(() => stopAll(nodes));

  it("says what a turn brings in one frame to each peer, and nothing on the topics", async () => {
    const [first, ...others] = nodes as [TestNode, TestNode, TestNode];
    const { bytes, blockId } = makeBody("direct", 10_000);
    const proposal = signProposal(committee.set, committee.signers, { height: 5, round: 0, blockId });
    first.gossip.publishProposal(proposal, bytes);
    first.gossip.publishVote(signVote(committee.signers[0]!, { ...PREVOTE, round: 0 }));
    first.gossip.publishVote(signVote(committee.signers[0]!, { ...PREVOTE, round: 1 }));
    for (const node of others) {
      await node.until("all of it", () => node.seen.votes.length === 2 && node.seen.bodies.length === 1);
      assert.equal(node.seen.proposals.length, 1);
      assert.deepEqual(node.seen.verdicts, [{ topic: "direct", verdict: "ignore" }]);
      assert.deepEqual(node.seen.offences, []);
    }
  });

  it("leaves a peer off the topics of validators out", async () => {
    const [first, second, third] = nodes as [TestNode, TestNode, TestNode];
    third.gossip.setValidating(false);
    const ofThird = (): readonly string[] =>
      first.gossip.peers.find(({ id }) => id === third.peerId)?.topics ?? [];
    await first.until("its leave", () => ofThird().join() === "evidence,txs");
    const verdicts = third.seen.verdicts.length;
    first.gossip.publishVote(signVote(committee.signers[0]!, { ...PREVOTE, round: 3 }));
    await second.until("the vote", () => second.seen.votes.some(({ round }) => round === 3));
    assert.equal(third.seen.verdicts.length, verdicts);
  });

  it("is heard of by repair when what it said was lost with a link", async () => {
    const [first, second] = nodes as [TestNode, TestNode, TestNode];
    second.view.votes.clear();
    for (const peer of first.gossip.peers.filter(({ id }) => id === second.peerId)) {
      for (const connection of first.connectionsTo(peer.id)) connection.abort(new Error("cut by the test"));
    }
    const vote = signVote(committee.signers[0]!, { ...PREVOTE, round: 2 });
    first.view.addVote(vote);
    first.gossip.publishVote(vote);
    first.gossip.roundStateChanged();
    await second.until("the vote", () => second.seen.votes.some(({ round }) => round === 2));
  });
});

describe("a subscriber that is no validator and has no link to one of them", () => {
  const committee = makeCommittee(2);
  let nodes: TestNode[] = [];

  before(async () => {
    // e and f validate; g, a candidate, knows f alone.
    nodes = await startMesh(["e", "f", "g"], committee, undefined, (a, b) => !(a === 0 && b === 2));
    await Promise.all(
      nodes
        .slice(0, 2)
        .map((node) =>
          node.until("links", () =>
            node.seen.peers.some(({ peer }) => peer.roundState?.direct.bits[0] === 0b11),
          ),
        ),
    );
  });
  after(() => stopAll(nodes));

  it("gets what that one says by gossip of a node in between, which got it directly", async () => {
    const [origin, between, candidate] = nodes as [TestNode, TestNode, TestNode];
    origin.gossip.publishVote(signVote(committee.signers[0]!, { ...PREVOTE, round: 0 }));
    await candidate.until("the vote", () => candidate.seen.votes.length === 1);
    assert.ok(between.seen.verdicts.some(({ topic, verdict }) => topic === "direct" && verdict === "accept"));
    assert.deepEqual(candidate.seen.offences, []);
  });
});
