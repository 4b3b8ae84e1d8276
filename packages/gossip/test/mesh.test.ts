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

describe("four validators in a full mesh", () => {
  const committee = makeCommittee(4);
  let nodes: TestNode[] = [];

  before(async () => {
    nodes = await startMesh(["a", "b", "c", "d"], committee);
  });
  after(() => stopAll(nodes));

  it("brings every vote to every other node exactly once and never back to its sender", async () => {
    for (const [i, node] of nodes.entries()) {
      const vote = signVote(committee.signers[i]!, {
        type: VoteType.prevote,
        height: 5,
        round: 0,
        blockId: null,
      });
      node.view.addVote(vote);
      node.gossip.publishVote(vote);
    }
    await Promise.all(nodes.map((node) => node.until("three votes", () => node.seen.votes.length >= 3)));
    for (const node of nodes) {
      const voters = node.seen.votes.map((vote) => vote.validatorIndex).sort();
      assert.equal(new Set(voters).size, 3);
      assert.equal(voters.length, 3);
    }
  });

  it("brings a proposal with its small body to all", async () => {
    const { bytes, blockId } = makeBody("small", 10_000);
    const proposal = signProposal(committee.set, committee.signers, { height: 5, round: 0, blockId });
    nodes[0]!.gossip.publishProposal(proposal, bytes);
    const others = nodes.slice(1);
    await Promise.all(others.map((node) => node.until("the body", () => node.seen.bodies.length === 1)));
    for (const node of others) {
      assert.equal(node.seen.proposals.length, 1);
      assert.deepEqual(node.seen.bodies[0]!.bytes, bytes);
    }
    assert.equal(nodes[0]!.seen.bodies.length, 0);
  });
});
