/** Random values of the chain, all of sound shape, fast enough for a hot loop. */
import {
  ABSENT_SIG,
  type Block,
  type BlockId,
  blockIdKey,
  type Certificate,
  type ChainParams,
  type ChainState,
  type Commit,
  type CommitSig,
  DEFAULT_PARAMS,
  EMPTY_COMMIT,
  type Envelope,
  type Evidence,
  type Header,
  type LightBlock,
  type MerkleProof,
  makeValidatorSet,
  type Part,
  type Proposal,
  type Time,
  type Validator,
  type ValidatorSet,
  type Vote,
  VoteType,
} from "@quorate/chain";
import { addressOf, concatBytes } from "@quorate/crypto";
import type { Random } from "./random.ts";

const list = <T>(random: Random, max: number, make: () => T): T[] =>
  Array.from({ length: random.between(0, max) }, make);
const hash = (random: Random): Uint8Array => random.bytes(32);
const hashOrNone = (random: Random): Uint8Array => (random.oneIn(6) ? new Uint8Array(0) : hash(random));

export const height = (random: Random): number =>
  random.oneIn(4) ? 1 + (random.safe() % Number.MAX_SAFE_INTEGER) : random.between(1, 1000);
export const round = (random: Random): number => (random.oneIn(6) ? random.below(2 ** 31) : random.below(6));
/** A time of this century in ms, seldom one with nanoseconds, before 1970 or at an end. */
export const time = (random: Random): Time => {
  switch (random.below(8)) {
    case 0:
      return -62_135_596_800n * 1_000_000_000n;
    case 1:
      return BigInt(random.below(2_000_000_000)) * 1_000_000_000n + BigInt(random.below(1_000_000_000));
    case 2:
      return -BigInt(random.safe() % 2 ** 50);
    default:
      return BigInt(1_600_000_000_000 + random.below(2 ** 31)) * 1_000_000n;
  }
};

/** A time that our own bytes carry: 64-bit nanoseconds, the years 1677 to 2262. */
export const storedTime = (random: Random): Time => BigInt.asIntN(64, time(random));

export const blockId = (random: Random): BlockId => ({
  hash: hash(random),
  parts: {
    total: random.oneIn(4) ? 1 + random.below(2 ** 32 - 1) : random.between(1, 4),
    hash: hash(random),
  },
});
export const blockIdOrNil = (random: Random): BlockId | null => (random.oneIn(3) ? null : blockId(random));
const voteType = (random: Random): VoteType => random.pick([VoteType.prevote, VoteType.precommit]);

export const vote = (random: Random): Vote => ({
  type: voteType(random),
  height: height(random),
  round: round(random),
  blockId: blockIdOrNil(random),
  timestamp: time(random),
  validatorAddress: random.bytes(20),
  validatorIndex: random.oneIn(4) ? random.below(2 ** 31) : random.below(8),
  signature: random.bytes(64),
});

export const proposal = (random: Random): Proposal => {
  const at = round(random);
  return {
    height: height(random),
    round: at,
    polRound: at === 0 || random.oneIn(2) ? -1 : random.below(at),
    blockId: blockId(random),
    timestamp: time(random),
    signature: random.bytes(64),
  };
};

const commitSig = (random: Random): CommitSig =>
  random.oneIn(4)
    ? ABSENT_SIG
    : {
        flag: random.oneIn(4) ? 3 : 2,
        validatorAddress: random.bytes(20),
        timestamp: time(random),
        signature: random.bytes(64),
      };

export const commit = (random: Random): Commit =>
  random.oneIn(10)
    ? EMPTY_COMMIT
    : {
        height: height(random),
        round: round(random),
        blockId: blockId(random),
        signatures: [commitSig(random), ...list(random, 5, () => commitSig(random))],
      };

const CHAIN_IDS = ["", "quorate-1", "x".repeat(50), "ünï-cödé", "a"] as const;

export const header = (random: Random): Header => ({
  version: { block: 11n, app: random.oneIn(4) ? random.u64() : 1n },
  chainId: random.pick(CHAIN_IDS),
  height: height(random),
  time: time(random),
  lastBlockId: blockIdOrNil(random),
  lastCommitHash: hashOrNone(random),
  dataHash: hashOrNone(random),
  validatorsHash: hash(random),
  nextValidatorsHash: hashOrNone(random),
  consensusHash: hashOrNone(random),
  appHash: random.bytes(random.pick([0, 8, 32, 64])),
  lastResultsHash: hashOrNone(random),
  evidenceHash: hashOrNone(random),
  proposerAddress: random.bytes(20),
});

export const validator = (random: Random): Validator => {
  const pubKey = hash(random);
  return {
    address: addressOf(pubKey),
    pubKey,
    power: 1n + BigInt(random.below(2 ** 32)),
    priority: BigInt.asIntN(64, random.u64()),
  };
};

export const validatorSet = (random: Random): ValidatorSet =>
  makeValidatorSet(
    Array.from({ length: random.between(1, 5) }, () => ({
      pubKey: hash(random),
      power: 1n + BigInt(random.below(1000)),
    })),
  );

export const lightBlock = (random: Random): LightBlock => ({
  signedHeader: { header: header(random), commit: commit(random) },
  validators: validatorSet(random),
});

export const evidence = (random: Random): Evidence => {
  if (random.oneIn(4)) {
    const conflictingBlock = lightBlock(random);
    const { height: top } = conflictingBlock.signedHeader.header;
    return {
      kind: "light_client_attack",
      conflictingBlock,
      commonHeight: random.oneIn(2) ? top : 1,
      byzantineValidators: list(random, 3, () => validator(random)),
      totalVotingPower: 1n + BigInt(random.below(2 ** 32)),
      timestamp: time(random),
    };
  }
  const [one, other] = [vote(random), vote(random)];
  const ordered = blockIdKey(one.blockId) < blockIdKey(other.blockId);
  const differ = blockIdKey(one.blockId) !== blockIdKey(other.blockId);
  const second = differ ? other : { ...other, blockId: blockId(random) };
  const inOrder = differ ? ordered : blockIdKey(one.blockId) < blockIdKey(second.blockId);
  return {
    kind: "duplicate_vote",
    voteA: inOrder ? one : second,
    voteB: inOrder ? second : one,
    totalVotingPower: BigInt(random.below(2 ** 32)),
    validatorPower: BigInt(random.below(2 ** 32)),
    timestamp: time(random),
  };
};

export const evidenceList = (random: Random): Evidence[] => list(random, 3, () => evidence(random));

export const proof = (random: Random): MerkleProof => ({
  total: random.oneIn(3) ? random.safe() : random.between(1, 9),
  index: random.oneIn(3) ? random.safe() : random.below(9),
  leafHash: hash(random),
  aunts: list(random, random.oneIn(20) ? 100 : 4, () => hash(random)),
});

export const part = (random: Random): Part => {
  const itsProof = { ...proof(random), total: random.between(1, 9) };
  const index = itsProof.total - 1;
  return {
    index,
    bytes: random.bytes(random.pick([1, 5, 300])),
    proof: { ...itsProof, index },
  };
};

export const envelope = (random: Random): Envelope =>
  random.oneIn(8)
    ? { version: 0 }
    : {
        version: 1,
        parentHash: hash(random),
        feeRecipient: random.bytes(20),
        stateRoot: hash(random),
        receiptsRoot: hash(random),
        logsBloom: random.bytes(256),
        prevRandao: hash(random),
        blockNumber: height(random),
        gasLimit: random.u64(),
        gasUsed: random.u64(),
        timestamp: random.below(2 ** 31),
        extraData: random.bytes(random.below(33)),
        baseFeePerGas: random.u64() << BigInt(random.below(190)),
        blockHash: hash(random),
        blobGasUsed: random.u64(),
        excessBlobGas: random.u64(),
        withdrawals: list(random, random.oneIn(6) ? 16 : 2, () => ({
          index: random.u64(),
          validatorIndex: random.u64(),
          address: random.bytes(20),
          amountGwei: random.u64(),
        })),
        executionRequests: Array.from({ length: random.oneIn(30) ? 255 : random.below(4) }, (_, type) =>
          concatBytes(Uint8Array.of(type), random.bytes(random.between(1, 40))),
        ),
      };

export const block = (random: Random): Block => ({
  header: header(random),
  txs: list(random, 4, () => random.bytes(random.pick([0, 1, 3, 110]))),
  evidence: random.oneIn(4) ? evidenceList(random) : [],
  lastCommit: commit(random),
});

export const certificate = (random: Random): Certificate => {
  let index = -1;
  return {
    type: voteType(random),
    height: height(random),
    round: round(random),
    blockId: blockIdOrNil(random),
    signatures: Array.from({ length: random.between(1, 5) }, () => {
      index += random.between(1, 50);
      return { validatorIndex: index, timestamp: time(random), signature: random.bytes(64) };
    }),
  };
};

export const params = (random: Random): ChainParams => ({
  ...DEFAULT_PARAMS,
  blockIntervalMs: random.pick([0, 100, 1000]),
  gasLimit: 15_000_000 + random.below(1_000_000),
});

export const chainState = (random: Random): ChainState => {
  const begun = !random.oneIn(4);
  const at = height(random);
  return {
    genesisHash: hash(random),
    elGenesisHash: hash(random),
    chainId: random.pick(["quorate-1", "a"]),
    initialHeight: 1,
    execution: random.pick(["none", "engine"] as const),
    lastHeight: at,
    lastBlockId: begun ? blockId(random) : null,
    lastTime: storedTime(random),
    lastValidators: begun ? validatorSet(random) : null,
    validators: validatorSet(random),
    nextValidators: validatorSet(random),
    params: params(random),
    upgrades: list(random, 2, () => ({
      height: height(random),
      appVersion: random.between(2, 9),
      params: {},
    })),
    appVersion: 1n,
    appHash: hash(random),
    el: {
      blockHash: hash(random),
      number: height(random),
      timestamp: random.below(2 ** 31),
      gasLimit: random.u64(),
    },
    registry: {
      policy: random.pick([0, 1] as const),
      nextDepositIndex: random.u64(),
      nextWithdrawalIndex: random.u64(),
      entries: list(random, 3, () => random.bytes(32))
        .sort(Buffer.compare)
        .map((pubKey) => ({
          pubKey,
          owner: random.bytes(20),
          power: BigInt(random.below(2 ** 32)),
          status: random.pick([0, 1, 2] as const),
          stakeGwei: random.u64(),
          unlockHeight: random.below(1000),
        })),
      changes: list(random, 2, () => ({
        pubKey: random.bytes(32),
        owner: random.bytes(20),
        kind: random.pick([0, 1, 2, 3] as const),
        value: random.u64(),
        height: height(random),
      })),
      payouts: list(random, 2, () => ({
        pubKey: random.bytes(32),
        address: random.bytes(20),
        gwei: random.u64(),
        unlockHeight: height(random),
        unlockTimeMs: random.below(2 ** 40),
      })),
      scheduled: list(random, 2, () =>
        random.oneIn(2)
          ? { kind: "param" as const, name: "precision", value: random.below(1000), height: height(random) }
          : { kind: "upgrade" as const, appVersion: random.between(2, 9), height: height(random) },
      ),
    },
  };
};
