import assert from "node:assert/strict";
import { test } from "node:test";
import { type DuplicateVoteEvidence, evidenceListSize, NO_PAST, type Vote, VoteType } from "@quorate/chain";
import { pastOf } from "../src/evidence/past.ts";
import { makeChain } from "./support/chain.ts";

/** Evidence in form alone, of a height of its own. */
function evidenceOf(height: number): DuplicateVoteEvidence {
  const vote: Vote = {
    type: VoteType.prevote,
    height,
    round: 0,
    blockId: null,
    timestamp: 0n,
    validatorAddress: new Uint8Array(20),
    validatorIndex: 0,
    signature: new Uint8Array(64),
  };
  const powers = { totalVotingPower: 4n, validatorPower: 1n, timestamp: 0n };
  return { kind: "duplicate_vote", voteA: vote, voteB: vote, ...powers };
}

test("regression: a proposer that names more evidence than a block may carry makes nobody read the store", async () => {
  const { start: state } = makeChain();
  const evidence = [1, 2, 3].map(evidenceOf);
  const read: number[] = [];
  const store = {
    base: 1,
    block: async (height: number) => {
      read.push(height);
      return null;
    },
    validators: async () => null,
  };
  const size = evidenceListSize(evidence);
  const at = (maxEvidenceBytes: number) => ({
    ...state,
    lastHeight: 10,
    params: { ...state.params, maxEvidenceBytes },
  });
  assert.equal(await pastOf(store, at(size - 1), { evidence }), NO_PAST);
  assert.deepEqual(read, []);
  await pastOf(store, at(size), { evidence });
  assert.deepEqual(read, [1, 2, 3]);
});
