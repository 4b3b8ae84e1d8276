import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ed25519PublicKey, ed25519Sign, nativeBackend } from "@quorate/crypto";
import {
  ABSENT_SIG,
  type BlockId,
  ChainError,
  CommitFlag,
  certificateChecks,
  certificateFromCommit,
  certificateFromVotes,
  commitChecks,
  commitFromCertificate,
  commitFromVotes,
  makeDuplicateVoteEvidence,
  makePartSet,
  makeValidatorSet,
  PART_SIZE,
  type Part,
  PartSetBuilder,
  timeFromMs,
  type Vote,
  VoteType,
  verifyCommit,
  verifyDuplicateVote,
  verifyPart,
  voteSignBytes,
} from "../src/index.ts";

const CHAIN = "test-chain";
const seeds = [1, 2, 3, 4].map((i) => new Uint8Array(32).fill(i));
const set = makeValidatorSet(seeds.map((seed) => ({ pubKey: ed25519PublicKey(seed), power: 10n })));
const blockId: BlockId = {
  hash: new Uint8Array(32).fill(7),
  parts: { total: 1, hash: new Uint8Array(32).fill(8) },
};
const otherId: BlockId = { ...blockId, hash: new Uint8Array(32).fill(9) };

function signed(index: number, content: Partial<Vote> = {}): Vote {
  const validator = set.validators[index]!;
  const vote: Vote = {
    type: VoteType.precommit,
    height: 5,
    round: 1,
    blockId,
    timestamp: timeFromMs(1000 + index),
    validatorAddress: validator.address,
    validatorIndex: index,
    signature: new Uint8Array(64),
    ...content,
  };
  const seed = seeds.find((s) => Buffer.compare(ed25519PublicKey(s), validator.pubKey) === 0)!;
  return { ...vote, signature: ed25519Sign(seed, voteSignBytes(CHAIN, vote)) };
}

const reason =
  (expected: string) =>
  (error: unknown): boolean =>
    error instanceof ChainError && error.facts["reason"] === expected;

describe("commits and certificates", () => {
  const votes = [signed(2), signed(0), signed(3)];

  test("a certificate of three of four verifies and becomes a commit and again a certificate", () => {
    const certificate = certificateFromVotes(votes);
    assert.deepEqual(
      certificate.signatures.map((sig) => sig.validatorIndex),
      [0, 2, 3],
    );
    assert.ok(nativeBackend.verifyBatch(certificateChecks(CHAIN, set, certificate)).every(Boolean));
    const commit = commitFromCertificate(set, certificate);
    assert.equal(commit.signatures[1], ABSENT_SIG);
    verifyCommit(CHAIN, set, blockId, 5, commit, nativeBackend);
    assert.deepEqual(certificateFromCommit(set, commit), certificate);
  });

  test("a commit from votes keeps nil votes, which count for nothing, and drops votes for other blocks", () => {
    const decision = { height: 5, round: 1, blockId };
    const commit = commitFromVotes(set, decision, [...votes, signed(1, { blockId: null })]);
    assert.equal(commit.signatures[1]!.flag, CommitFlag.nil);
    verifyCommit(CHAIN, set, blockId, 5, commit, nativeBackend);
    assert.equal(commitChecks(CHAIN, set, blockId, 5, commit, "all").length, 4);
    assert.equal(commitChecks(CHAIN, set, blockId, 5, commit, "light").length, 3);
    const strange = commitFromVotes(set, decision, [...votes, signed(1, { blockId: otherId })]);
    assert.equal(strange.signatures[1], ABSENT_SIG);
    assert.throws(() => commitFromVotes(set, decision, [signed(0, { round: 2 })]), reason("mixed_votes"));
  });

  test("the checks of a commit are made once for one question, and anew for another chain, set, block, height or mode", () => {
    const commit = commitFromVotes(set, { height: 5, round: 1, blockId }, votes);
    const first = commitChecks(CHAIN, set, blockId, 5, commit, "all");
    assert.equal(commitChecks(CHAIN, set, blockId, 5, commit, "all"), first);
    assert.notDeepEqual(commitChecks("other-chain", set, blockId, 5, commit, "all"), first);
    assert.throws(() => commitChecks(CHAIN, set, blockId, 6, commit, "all"), reason("wrong_height"));
    assert.throws(() => commitChecks(CHAIN, set, otherId, 5, commit, "all"), reason("wrong_block_id"));
    const smaller = makeValidatorSet(set.validators.slice(1));
    assert.throws(
      () => commitChecks(CHAIN, smaller, blockId, 5, commit, "all"),
      reason("wrong_signature_count"),
    );
    const silent = { ...set.validators[1]!, power: 1_000n };
    const heavier = makeValidatorSet([...set.validators.filter((_, index) => index !== 1), silent]);
    assert.throws(() => commitChecks(CHAIN, heavier, blockId, 5, commit, "all"), ChainError);
    assert.deepEqual(commitChecks(CHAIN, { ...set }, blockId, 5, commit, "all"), first);
    assert.equal(commitChecks(CHAIN, set, blockId, 5, commit, "light").length, 3);
  });

  test("two of four are no quorum, with or without nil votes", () => {
    const certificate = certificateFromVotes(votes.slice(0, 2));
    assert.throws(() => certificateChecks(CHAIN, set, certificate), reason("not_enough_power"));
    const commit = commitFromVotes(set, certificate as never, [
      ...votes.slice(0, 2),
      signed(1, { blockId: null }),
      signed(3, { blockId: null }),
    ]);
    assert.throws(
      () => verifyCommit(CHAIN, set, blockId, 5, commit, nativeBackend),
      reason("not_enough_power"),
    );
  });

  test("a signature made for another chain, time or round does not hold", () => {
    const certificate = certificateFromVotes(votes);
    for (const [chain, broken] of [
      ["other-chain", certificate],
      [CHAIN, { ...certificate, round: 2 }],
      [CHAIN, { ...certificate, type: VoteType.prevote }],
      [CHAIN, { ...certificate, blockId: otherId }],
      [CHAIN, { ...certificate, blockId: null }],
    ] as const) {
      assert.ok(!nativeBackend.verifyBatch(certificateChecks(chain, set, broken)).some(Boolean));
    }
    const commit = commitFromCertificate(set, certificate);
    assert.throws(
      () => verifyCommit("other-chain", set, blockId, 5, commit, nativeBackend),
      reason("wrong_signature"),
    );
  });

  test("votes that differ, repeat, or are none make no certificate", () => {
    assert.throws(() => certificateFromVotes([]), reason("no_votes"));
    assert.throws(() => certificateFromVotes([signed(0), signed(0)]), reason("duplicate_index"));
    assert.throws(() => certificateFromVotes([signed(0), signed(1, { round: 2 })]), reason("mixed_votes"));
    assert.throws(
      () => certificateFromVotes([signed(0), signed(1, { blockId: null })]),
      reason("mixed_votes"),
    );
  });

  test("an index twice, out of order or outside the set is refused before any signature", () => {
    const { signatures, ...rest } = certificateFromVotes(votes);
    const [a, b, c] = signatures;
    for (const list of [
      [a!, a!, b!, c!],
      [b!, a!, c!],
    ]) {
      assert.throws(
        () => certificateChecks(CHAIN, set, { ...rest, signatures: list }),
        reason("duplicate_index"),
      );
    }
    const outside = [a!, b!, { ...c!, validatorIndex: 4 }];
    assert.throws(
      () => certificateChecks(CHAIN, set, { ...rest, signatures: outside }),
      reason("unknown_index"),
    );
  });

  test("prevotes or a nil quorum make no commit", () => {
    const nil = certificateFromVotes([0, 1, 2].map((i) => signed(i, { blockId: null })));
    assert.ok(nativeBackend.verifyBatch(certificateChecks(CHAIN, set, nil)).every(Boolean));
    assert.throws(() => commitFromCertificate(set, nil), reason("no_decision"));
    const polka = certificateFromVotes([0, 1, 2].map((i) => signed(i, { type: VoteType.prevote })));
    assert.throws(() => commitFromCertificate(set, polka), reason("no_decision"));
  });
});

describe("double votes", () => {
  test("two votes for different blocks are evidence whichever came first; the same vote twice is none", () => {
    const [a, b] = [signed(1), signed(1, { blockId: otherId })];
    const evidence = makeDuplicateVoteEvidence(a, b, set, timeFromMs(5));
    assert.deepEqual(makeDuplicateVoteEvidence(b, a, set, timeFromMs(5)), evidence);
    verifyDuplicateVote(CHAIN, evidence, set, nativeBackend);
    assert.throws(() => makeDuplicateVoteEvidence(a, a, set, 0n), reason("same_block_id"));
    const swapped = { ...evidence, voteA: evidence.voteB, voteB: evidence.voteA };
    assert.throws(() => verifyDuplicateVote(CHAIN, swapped, set, nativeBackend), reason("vote_order"));
    const forged = { ...evidence, voteB: { ...evidence.voteB, signature: new Uint8Array(64) } };
    assert.throws(() => verifyDuplicateVote(CHAIN, forged, set, nativeBackend), reason("vote_b_signature"));
  });
});

describe("part sets", () => {
  const bytes = Uint8Array.from({ length: 2 * PART_SIZE + 10 }, (_, i) => i % 251);
  const { header, parts } = makePartSet(bytes);

  test("come together in any order, once", () => {
    const builder = new PartSetBuilder(header);
    assert.deepEqual(builder.missing(), [0, 1, 2]);
    assert.throws(() => builder.bytes(), ChainError);
    assert.equal(builder.add(parts[2]!), true);
    assert.equal(builder.add(parts[2]!), false);
    assert.equal(builder.add(parts[0]!), true);
    assert.deepEqual([builder.has(1), builder.count, builder.missing(1)], [false, 2, [1]]);
    assert.equal(builder.add(parts[1]!), true);
    assert.equal(builder.complete, true);
    assert.ok(Buffer.compare(builder.bytes(), bytes) === 0);
  });

  test("refuse parts of another place, size, total or content", () => {
    const part = parts[1]!;
    const wrong: Part[] = [
      { ...part, index: 0 },
      { ...part, index: 7, proof: { ...part.proof, index: 7 } },
      { ...part, proof: { ...part.proof, total: 4 } },
      { ...part, bytes: part.bytes.slice(1) },
      { ...part, bytes: part.bytes.map((byte) => byte ^ 1) },
      { ...part, proof: parts[0]!.proof },
    ];
    for (const offered of wrong) {
      assert.equal(verifyPart(header, offered), false);
      assert.throws(() => new PartSetBuilder(header).add(offered), ChainError);
    }
  });

  test("promise no more than there is room for", () => {
    assert.throws(() => new PartSetBuilder({ ...header, total: 0 }), ChainError);
    assert.throws(() => new PartSetBuilder({ ...header, total: 4 }, 3 * PART_SIZE), ChainError);
    assert.throws(() => new PartSetBuilder({ ...header, total: 0xffff_ffff }), ChainError);
  });
});
