/**
 * A set of as many validators as one may have: four nodes with most of the power, and 508 keys that nobody runs, on a chain
 * of the smallest blocks. What is asked for at the cap is written below, height by height.
 */
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import {
  type Commit,
  certificateFromCommit,
  commitChecks,
  commitFromVotes,
  DEFAULT_PARAMS,
  decodeBlock,
  decodeCertificate,
  decodeCommit,
  decodeEvidence,
  decodeLightBlock,
  decodeState,
  encodeBlock,
  encodeCertificate,
  encodeCommit,
  encodeEvidence,
  encodeHeader,
  encodeLightBlock,
  encodeState,
  type LightBlock,
  lightBlockFromJson,
  MAX_ACTIVE_VALIDATORS,
  makeDuplicateVoteEvidence,
  registryEntry,
  signedHeaderJson,
  trustingCommitChecks,
  type ValidatorSet,
  type Vote,
  VoteType,
  validatorByAddress,
  validatorSetJson,
  validatorsHash,
  voteSignBytes,
} from "@quorate/chain";
import { toHex } from "@quorate/crypto";
import { GOSSIP_LIMITS } from "@quorate/gossip/core";
import type { CommitBatch } from "@quorate/store";
import { CHAIN_ID, makeGenesis } from "../src/cluster/genesis.ts";
import { type Person, peopleOf } from "../src/cluster/people.ts";
import { keyedHashes } from "../src/crypto/keyed-hash.ts";
import { depositItem, possessionOf, type RequestsOf, requestsWith, withdrawalItem } from "../src/el/churn.ts";
import { LAWS } from "../src/invariants/index.ts";
import { cluster, KEYS } from "./support.ts";

const CROWD = MAX_ACTIVE_VALIDATORS - KEYS.length;
const HEIGHTS = 9;
const people = peopleOf({ validators: KEYS.length, crowd: CROWD });
const who = (place: number): Person => people[place]!;
const genesis = makeGenesis(
  {
    powers: KEYS.map(() => 10),
    powerUnit: 10_000n,
    crowd: CROWD,
    blockIntervalMs: 1_000,
    timeouts: { proposeMs: 300, prevoteMs: 150, precommitMs: 150 },
    execution: "engine",
    churn: "permissioned",
    // The smallest that a genesis may ask for: its blocks have room for what the registry is asked all the same.
    maxBlockBytes: 65_536,
  },
  KEYS,
);

/** Of the crowd: one that leaves, one that signs twice, and two that are not in genesis. */
const [LEAVER, OFFENDER, FIRST, SECOND] = [KEYS.length, KEYS.length + 1, 512, 513];
const proofOf = possessionOf(genesis);
const requests: RequestsOf = (height, index) => {
  const owner = (place: number): string => toHex(who(place).owner);
  const key = (place: number): string => toHex(who(place).pubKey);
  const set = (place: number, amount: bigint, at = index): string =>
    depositItem({ key: key(place), owner: owner(place), amount, proof: proofOf(who(place)), index: at });
  switch (height) {
    case 1:
      return requestsWith([set(FIRST, 1n)], []);
    case 2:
      return requestsWith([], [withdrawalItem(owner(LEAVER), key(LEAVER), 0n)]);
    case 3:
      return requestsWith([set(FIRST, 2n), set(SECOND, 1n, index + 1n)], []);
    case 4:
      return requestsWith([set(0, 150_000n)], []);
    default:
      return [];
  }
};

const stored: CommitBatch[] = [];
const violations: string[] = [];
before(async () => {
  const reached = KEYS.map(() => 0);
  let reported = false;
  const made = cluster(
    {
      stored: (node, batch) => {
        for (const law of laws) law.stored?.(node, batch);
        if (node === 0) stored.push(batch);
      },
      committed: (node, { height }) => {
        reached[node] = height;
        const [, second] = stored;
        if (height < 5 || reported || second === undefined) return;
        reported = true;
        const { rpc } = made.member(node).process!;
        void rpc?.evidence.submit(doubleVote(OFFENDER, second));
      },
    },
    "engine",
    { genesis, requests, mostValidators: MAX_ACTIVE_VALIDATORS },
  );
  const laws = ["registry-model", "set-changes", "members-alone", "validity"].map((name) =>
    LAWS[name]!({
      cluster: made,
      people,
      honest: () => true,
      framed: (place) => place === OFFENDER,
      saw: () => undefined,
      violated: (text) => void violations.push(text),
      measured: () => undefined,
    }),
  );
  await made.begin();
  await made.scheduler.run(60_000, () => Math.min(...reached) >= HEIGHTS);
});

function voteOf(
  place: number,
  set: ValidatorSet,
  vote: Pick<Vote, "type" | "height" | "round" | "blockId">,
): Vote {
  const { seed, address } = who(place);
  const validatorIndex = validatorByAddress(set, address)!.index;
  const unsigned = { ...vote, timestamp: 1_000_000n, validatorAddress: address, validatorIndex };
  const signature = keyedHashes.key(seed).signer.sign(voteSignBytes(CHAIN_ID, unsigned));
  return { ...unsigned, signature };
}

function doubleVote(place: number, { height, block, state }: CommitBatch) {
  const set = state.lastValidators!;
  const [first, second] = [1, 2].map((fill) => {
    const hash = new Uint8Array(32).fill(fill);
    const blockId = { hash, parts: { total: 1, hash } };
    return voteOf(place, set, { type: VoteType.precommit, height, round: 0, blockId });
  });
  return makeDuplicateVoteEvidence(first!, second!, set, block.header.time);
}

/** The registry after a height, and the set of a height. */
const after = (height: number) => stored[height - 1]!.state.registry;
const setOf = (height: number): ValidatorSet => stored[height - 1]!.state.lastValidators!;
const powerAfter = (height: number, place: number): bigint | undefined =>
  registryEntry(after(height), who(place).pubKey)?.power;

describe("a set of 512", () => {
  it("goes on, by every law, with the naive model beside it", () => {
    assert.deepEqual(violations, []);
    assert.ok(stored.length >= HEIGHTS, `${stored.length} heights`);
  });

  it("is full: who asks to join is refused, and nothing of it waits", () => {
    assert.equal(setOf(1).validators.length, 512);
    assert.deepEqual([powerAfter(1, FIRST), after(1).changes.length], [undefined, 0]);
    assert.equal(setOf(3).validators.length, 512);
  });

  it("has room when somebody leaves: for the first that asks then, not for the second", () => {
    assert.deepEqual([powerAfter(2, LEAVER), setOf(4).validators.length], [0n, 511]);
    assert.deepEqual([powerAfter(3, FIRST), powerAfter(3, SECOND)], [2n, undefined]);
    assert.equal(setOf(5).validators.length, 512);
  });

  it("changes a power of one of them two heights later", () => {
    const power = (height: number): bigint =>
      validatorByAddress(setOf(height), who(0).address)!.validator.power;
    assert.deepEqual([power(5), power(6)], [100_000n, 150_000n]);
  });

  it("loses who signed twice, and no one else", () => {
    const at = stored.find(({ block }) => block.evidence.length > 0)?.height;
    assert.ok(at !== undefined && at + 2 <= stored.length, `convicted by block ${at ?? "none"}`);
    assert.equal(validatorByAddress(setOf(at + 2), who(OFFENDER).address), null);
    assert.equal(setOf(at + 2).validators.length, 511);
    assert.equal(powerAfter(at, OFFENDER), 0n);
  });
});

describe("the bytes of a set of 512, each of whom has signed", () => {
  /** The commit of height 5, as if all of its set were there. */
  let batch: CommitBatch;
  let set: ValidatorSet;
  let commit: Commit;
  before(() => {
    batch = stored[4]!;
    set = setOf(5);
    const { height, blockId } = batch;
    const places = people.flatMap(({ address }, place) =>
      validatorByAddress(set, address) === null ? [] : [place],
    );
    const votes = places.map((place) =>
      voteOf(place, set, { type: VoteType.precommit, height, round: 0, blockId }),
    );
    commit = commitFromVotes(set, { height, round: 0, blockId }, votes);
  });

  it("leave a block of the default size nearly all of its room, and decode to themselves", () => {
    const bytes = encodeCommit(commit);
    assert.equal(commit.signatures.length, 512);
    // What a body's budget sets aside: 1024 bytes, and 112 for each place of the last commit.
    assert.ok(
      encodeHeader(batch.block.header).length + bytes.length < 1024 + 112 * 512,
      `${bytes.length} bytes`,
    );
    assert.deepEqual(decodeCommit(bytes), commit);
    const block = { ...batch.block, lastCommit: commit };
    const encoded = encodeBlock(block);
    assert.ok(encoded.length < DEFAULT_PARAMS.maxBlockBytes / 100, `${encoded.length} bytes`);
    assert.deepEqual(decodeBlock(encoded), block);
  });

  it("fit one pack of gossip as a certificate", () => {
    const certificate = certificateFromCommit(set, commit);
    const bytes = encodeCertificate(certificate);
    assert.ok(bytes.length < GOSSIP_LIMITS.packBytes - 1024, `${bytes.length} bytes`);
    assert.deepEqual(decodeCertificate(bytes), certificate);
  });

  it("prove a block to a light client: from its own set, from that of a height before, through bytes and JSON", () => {
    const light: LightBlock = { signedHeader: { header: batch.block.header, commit }, validators: set };
    const bytes = encodeLightBlock(light);
    assert.ok(bytes.length < 128 * 1024, `${bytes.length} bytes`);
    const json: unknown = JSON.parse(
      JSON.stringify({
        signed_header: signedHeaderJson(light.signedHeader),
        validator_set: validatorSetJson(set),
      }),
    );
    for (const read of [decodeLightBlock(bytes), lightBlockFromJson(json)]) {
      const { header, commit: theirs } = read.signedHeader;
      assert.deepEqual(validatorsHash(read.validators), header.validatorsHash);
      const full = commitChecks(CHAIN_ID, read.validators, batch.blockId, 5, theirs, "all");
      assert.equal(full.length, 512);
      assert.ok(full.every((check) => keyedHashes.verify(check)));
      const third = { numerator: 1n, denominator: 3n };
      const skipped = trustingCommitChecks(CHAIN_ID, setOf(1), theirs, third, { allSignatures: true });
      // Whoever left and whoever joined are not in both.
      assert.equal(skipped.length, 511);
      assert.ok(skipped.every((check) => keyedHashes.verify(check)));
    }
  });

  it("fit what a block and a message hold of evidence, even when all 512 attacked", () => {
    const light: LightBlock = { signedHeader: { header: batch.block.header, commit }, validators: set };
    const evidence = {
      kind: "light_client_attack" as const,
      conflictingBlock: light,
      commonHeight: 4,
      byzantineValidators: set.validators,
      totalVotingPower: set.totalPower,
      timestamp: batch.block.header.time,
    };
    const bytes = encodeEvidence(evidence);
    assert.ok(
      bytes.length < Math.min(GOSSIP_LIMITS.evidenceBytes, DEFAULT_PARAMS.maxEvidenceBytes),
      `${bytes.length}`,
    );
    assert.deepEqual(encodeEvidence(decodeEvidence(bytes)), bytes);
  });

  it("come back from a stored state as they were", () => {
    const bytes = encodeState(batch.state);
    assert.deepEqual(encodeState(decodeState(bytes)), bytes);
  });
});
