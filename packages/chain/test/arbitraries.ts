/** Random values of every message of the chain, all of sound shape. */
import { addressOf, compareBytes } from "@quorate/crypto";
import fc from "fast-check";
import {
  ABSENT_SIG,
  type Block,
  type BlockId,
  blockIdKey,
  type Certificate,
  type Commit,
  type CommitSig,
  EMPTY_COMMIT,
  type Evidence,
  type Header,
  type LightBlock,
  MAX_HEIGHT,
  MAX_ROUND,
  MAX_TIME,
  type MerkleProof,
  makeValidatorSet,
  type Part,
  type Proposal,
  type Time,
  type Validator,
  type ValidatorSet,
  type Vote,
  ZERO_TIME,
} from "../src/index.ts";

/** Records of ordinary prototype, as decoders make them. */
const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record(model, { noNullPrototype: true }) as fc.Arbitrary<T>;

export const sized = (length: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: length, maxLength: length });
const hash = sized(32);
const hashOrNone = fc.oneof(hash, fc.constant(new Uint8Array(0)));
export const height: fc.Arbitrary<number> = fc.oneof(
  fc.integer({ min: 1, max: 1000 }),
  fc.integer({ min: 1, max: MAX_HEIGHT }),
);
export const round: fc.Arbitrary<number> = fc.oneof(
  fc.integer({ min: 0, max: 5 }),
  fc.integer({ min: 0, max: MAX_ROUND }),
);
export const time: fc.Arbitrary<Time> = fc.oneof(
  fc.bigInt({ min: ZERO_TIME, max: MAX_TIME }),
  fc.bigInt({ min: -10n, max: 10n ** 18n * 2n }),
);
export const blockId: fc.Arbitrary<BlockId> = record({
  hash,
  parts: record({ total: fc.integer({ min: 1, max: 0xffff_ffff }), hash }),
});
const blockIdOrNil = fc.option(blockId, { nil: null });
const chainId = fc.oneof(fc.string({ maxLength: 50 }), fc.string({ unit: "binary", maxLength: 12 }));

export const vote: fc.Arbitrary<Vote> = record({
  type: fc.constantFrom(1 as const, 2 as const),
  height,
  round,
  blockId: blockIdOrNil,
  timestamp: time,
  validatorAddress: sized(20),
  validatorIndex: fc.integer({ min: 0, max: MAX_ROUND }),
  signature: sized(64),
});

export const proposal: fc.Arbitrary<Proposal> = round.chain((at) =>
  record({
    height,
    round: fc.constant(at),
    polRound: fc.integer({ min: -1, max: at - 1 }),
    blockId,
    timestamp: time,
    signature: sized(64),
  }),
);

const commitSig: fc.Arbitrary<CommitSig> = fc.oneof(
  fc.constant(ABSENT_SIG),
  record({
    flag: fc.constantFrom(2 as const, 3 as const),
    validatorAddress: sized(20),
    timestamp: time,
    signature: sized(64),
  }),
);

export const commit: fc.Arbitrary<Commit> = fc.oneof(
  { weight: 1, arbitrary: fc.constant(EMPTY_COMMIT) },
  {
    weight: 9,
    arbitrary: record({
      height,
      round,
      blockId,
      signatures: fc.array(commitSig, { minLength: 1, maxLength: 6 }),
    }),
  },
);

export const header: fc.Arbitrary<Header> = record({
  version: record({ block: fc.constant(11n), app: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }) }),
  chainId,
  height,
  time,
  lastBlockId: blockIdOrNil,
  lastCommitHash: hashOrNone,
  dataHash: hashOrNone,
  validatorsHash: hash,
  nextValidatorsHash: hashOrNone,
  consensusHash: hashOrNone,
  appHash: fc.uint8Array({ maxLength: 64 }),
  lastResultsHash: hashOrNone,
  evidenceHash: hashOrNone,
  proposerAddress: sized(20),
});

export const validator: fc.Arbitrary<Validator> = record({
  pubKey: hash,
  power: fc.bigInt({ min: 1n, max: 2n ** 40n }),
  priority: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
}).map((fields) => ({ address: addressOf(fields.pubKey), ...fields }));

export const validatorSet: fc.Arbitrary<ValidatorSet> = fc
  .uniqueArray(record({ pubKey: hash, power: fc.bigInt({ min: 1n, max: 1000n }) }), {
    minLength: 1,
    maxLength: 7,
    comparator: (a, b) => compareBytes(a.pubKey, b.pubKey) === 0,
  })
  .map(makeValidatorSet);

export const lightBlock: fc.Arbitrary<LightBlock> = record({
  signedHeader: record({ header, commit }),
  validators: validatorSet,
});

const attack = lightBlock.chain((conflictingBlock) =>
  record({
    kind: fc.constant("light_client_attack" as const),
    conflictingBlock: fc.constant(conflictingBlock),
    commonHeight: fc.integer({ min: 1, max: conflictingBlock.signedHeader.header.height }),
    byzantineValidators: fc.array(validator, { maxLength: 3 }),
    totalVotingPower: fc.bigInt({ min: 1n, max: 2n ** 60n }),
    timestamp: time,
  }),
);

export const evidence: fc.Arbitrary<Evidence> = fc.oneof(
  record({
    kind: fc.constant("duplicate_vote" as const),
    voteA: vote,
    voteB: vote,
    totalVotingPower: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    validatorPower: fc.bigInt({ min: 0n, max: 2n ** 40n }),
    timestamp: time,
  })
    .filter(({ voteA, voteB }) => blockIdKey(voteA.blockId) !== blockIdKey(voteB.blockId))
    .map((pair) =>
      blockIdKey(pair.voteA.blockId) < blockIdKey(pair.voteB.blockId)
        ? pair
        : { ...pair, voteA: pair.voteB, voteB: pair.voteA },
    ),
  attack,
);

export const proof: fc.Arbitrary<MerkleProof> = record({
  total: fc.nat(),
  index: fc.nat(),
  leafHash: hash,
  aunts: fc.array(hash, { maxLength: 5 }),
});

export const part: fc.Arbitrary<Part> = record({
  index: fc.nat({ max: 100 }),
  bytes: fc.uint8Array({ maxLength: 100 }),
  proof,
}).map((value) => ({
  ...value,
  proof: { ...value.proof, index: value.index, total: value.index + 1 },
}));

export const block: fc.Arbitrary<Block> = record({
  header,
  txs: fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 4 }),
  evidence: fc.array(evidence, { maxLength: 2 }),
  lastCommit: commit,
});

export const certificate: fc.Arbitrary<Certificate> = record({
  type: fc.constantFrom(1 as const, 2 as const),
  height,
  round,
  blockId: blockIdOrNil,
  signatures: fc.uniqueArray(
    record({
      validatorIndex: fc.integer({ min: 0, max: 65_535 }),
      timestamp: time,
      signature: sized(64),
    }),
    { minLength: 1, maxLength: 6, selector: (sig) => sig.validatorIndex },
  ),
}).map((value) => ({
  ...value,
  signatures: value.signatures.toSorted((a, b) => a.validatorIndex - b.validatorIndex),
}));
