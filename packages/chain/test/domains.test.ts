/** What is signed for one purpose must not hold for another: every signed message, replayed with one field changed. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type BlockId,
  certificateChecks,
  certificateFromVotes,
  makeValidatorSet,
  type Proposal,
  peerBindingBytes,
  proposalSignBytes,
  requireChecks,
  timeFromMs,
  type Vote,
  VoteType,
  voteSignBytes,
} from "@quorate/chain";
import { ed25519PublicKey, ed25519Sign, nativeBackend, utf8Encode } from "@quorate/crypto";

const seed = new Uint8Array(32).fill(1);
const publicKey = ed25519PublicKey(seed);
const id = (byte: number): BlockId => ({
  hash: new Uint8Array(32).fill(byte),
  parts: { total: 2, hash: new Uint8Array(32).fill(byte + 1) },
});

const vote: Vote = {
  type: VoteType.prevote,
  height: 32,
  round: 3,
  blockId: id(1),
  timestamp: timeFromMs(1_700_000_000_000),
  validatorAddress: new Uint8Array(20),
  validatorIndex: 0,
  signature: new Uint8Array(64),
};
const proposal: Proposal = {
  height: 32,
  round: 3,
  polRound: 1,
  blockId: id(1),
  timestamp: timeFromMs(1_700_000_000_000),
  signature: new Uint8Array(64),
};

const CHAIN = "quorate-1";

const VOTES: readonly (readonly [what: string, chainId: string, vote: Vote])[] = [
  ["another chain", "quorate-2", vote],
  ["a chain whose name goes on", "quorate-11", vote],
  ["no chain", "", vote],
  ["a precommit", CHAIN, { ...vote, type: VoteType.precommit }],
  ["the next height", CHAIN, { ...vote, height: 33 }],
  ["a height of 256 times it", CHAIN, { ...vote, height: 32 * 256 }],
  ["another round", CHAIN, { ...vote, round: 2 }],
  ["height and round exchanged", CHAIN, { ...vote, height: 3, round: 32 }],
  ["nil", CHAIN, { ...vote, blockId: null }],
  ["another block", CHAIN, { ...vote, blockId: id(7) }],
  ["another part set", CHAIN, { ...vote, blockId: { ...id(1), parts: { ...id(1).parts, total: 3 } } }],
  ["another time", CHAIN, { ...vote, timestamp: vote.timestamp + 1n }],
];

const PROPOSALS: readonly (readonly [what: string, chainId: string, proposal: Proposal])[] = [
  ["another chain", "quorate-2", proposal],
  ["the next height", CHAIN, { ...proposal, height: 33 }],
  ["another round", CHAIN, { ...proposal, round: 4 }],
  ["another POL round", CHAIN, { ...proposal, polRound: 2 }],
  ["no POL round", CHAIN, { ...proposal, polRound: -1 }],
  ["another block", CHAIN, { ...proposal, blockId: id(7) }],
  ["another time", CHAIN, { ...proposal, timestamp: proposal.timestamp + 1n }],
];

const holds = (message: Uint8Array, signature: Uint8Array): boolean =>
  nativeBackend.verify({ publicKey, message, signature });

describe("a vote's signature", () => {
  const signature = ed25519Sign(seed, voteSignBytes(CHAIN, vote));

  it("holds for the vote, whoever is named as its sender", () => {
    assert.ok(holds(voteSignBytes(CHAIN, { ...vote, validatorIndex: 9 } as Vote), signature));
  });
  for (const [what, chainId, replayed] of VOTES) {
    it(`does not hold for ${what}`, () => {
      assert.equal(holds(voteSignBytes(chainId, replayed), signature), false);
    });
  }
  it("does not hold for a proposal of the same block, whatever its POL round", () => {
    for (let polRound = -1; polRound < 3; polRound++) {
      assert.equal(holds(proposalSignBytes(CHAIN, { ...proposal, polRound }), signature), false);
    }
  });
});

describe("a proposal's signature", () => {
  const signature = ed25519Sign(seed, proposalSignBytes(CHAIN, proposal));

  it("holds for the proposal", () => {
    assert.ok(holds(proposalSignBytes(CHAIN, proposal), signature));
  });
  for (const [what, chainId, replayed] of PROPOSALS) {
    it(`does not hold for ${what}`, () => {
      assert.equal(holds(proposalSignBytes(chainId, replayed), signature), false);
    });
  }
  it("does not hold for a vote of either type", () => {
    for (const type of [VoteType.prevote, VoteType.precommit]) {
      assert.equal(holds(voteSignBytes(CHAIN, { ...vote, type }), signature), false);
    }
  });
});

describe("a certificate's signatures", () => {
  const set = makeValidatorSet([{ pubKey: publicKey, power: 1n }]);
  const signed = { ...vote, signature: ed25519Sign(seed, voteSignBytes(CHAIN, vote)) };
  const certificate = certificateFromVotes([signed]);
  const verify = (chainId: string, of: typeof certificate): void =>
    requireChecks(certificateChecks(chainId, set, of), nativeBackend);

  it("hold for what they certify and for nothing else", () => {
    verify(CHAIN, certificate);
    assert.throws(() => verify("quorate-2", certificate));
    for (const changed of [
      { type: VoteType.precommit },
      { height: 33 },
      { round: 2 },
      { blockId: null },
      { blockId: id(7) },
    ]) {
      assert.throws(() => verify(CHAIN, { ...certificate, ...changed }));
    }
  });
});

describe("a statement that ties a validator to its peer", () => {
  const peer = "12D3KooWExample";
  const statement = peerBindingBytes(peer);

  it("is the domain's name and the peer id with its length, as the protocol says", () => {
    assert.deepEqual(statement, Uint8Array.of(...utf8Encode("QUORATE-PEER-1"), 0, 15, ...utf8Encode(peer)));
  });

  it("does not hold for another peer, also where its id goes on, nor for anything that consensus signs", () => {
    const signature = ed25519Sign(seed, statement);
    assert.equal(holds(statement, signature), true);
    for (const other of ["", "12D3KooWExampl", "12D3KooWExample2", "12D3KooWexample"])
      assert.equal(holds(peerBindingBytes(other), signature), false, other);
    for (const [what, chainId, each] of VOTES)
      assert.equal(holds(voteSignBytes(chainId, each), signature), false, what);
    for (const [what, chainId, each] of PROPOSALS)
      assert.equal(holds(proposalSignBytes(chainId, each), signature), false, what);
  });
});
