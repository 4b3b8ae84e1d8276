import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { makeDuplicateVoteEvidence, VoteType } from "@quorate/chain";
import { bytesEqual } from "@quorate/crypto";
import {
  makeBody,
  makeCommittee,
  seedOf,
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

  it("brings transactions to all, each once, whoever publishes them again", async () => {
    const raws = Array.from({ length: 50 }, (_, i) => seedOf(`tx ${i}`));
    const extra = seedOf("one more");
    const [first, second, ...rest] = nodes as [TestNode, TestNode, ...TestNode[]];
    first.gossip.publishTxs(raws);
    first.gossip.publishTxs(raws.slice(0, 10));
    await Promise.all([second, ...rest].map((node) => node.until("all", () => node.seen.txs.length >= 50)));
    second.gossip.publishTxs([...raws, extra]);
    const came = (node: TestNode): boolean => node.seen.txs.some((raw) => bytesEqual(raw, extra));
    await Promise.all([first, ...rest].map((node) => node.until("one more", () => came(node))));
    for (const node of rest) assert.equal(node.seen.txs.length, 51);
    assert.equal(first.seen.txs.length, 1);
  });

  it("brings evidence to all, and penalises who makes it up", async () => {
    const [signer] = committee.signers;
    const about = { type: VoteType.precommit, height: 5, round: 7 } as const;
    const evidence = makeDuplicateVoteEvidence(
      signVote(signer!, { ...about, blockId: null }),
      signVote(signer!, { ...about, blockId: makeBody("evidence", 10).blockId }),
      committee.set,
      1_800_000_000_000_000_000n,
    );
    const [first, second, third, fourth] = nodes as [TestNode, TestNode, TestNode, TestNode];
    first.gossip.publishEvidence(evidence);
    for (const node of [second, third, fourth]) await node.until("it", () => node.seen.evidence.length === 1);
    assert.deepEqual(third.seen.evidence[0], evidence);
    // Of another round: what is known already costs no second look.
    second.gossip.publishEvidence({
      ...evidence,
      voteA: { ...evidence.voteA, round: 8 },
      voteB: { ...evidence.voteB, round: 8 },
    });
    await third.until("an offence", () => third.seen.offences.includes("bad_signature"));
    assert.equal(third.seen.evidence.length, 1);
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
