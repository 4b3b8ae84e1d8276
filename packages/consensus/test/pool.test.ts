/** The evidence pool: what it holds, proposes and lets go, decided from the chain's own data alone. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type BlockId,
  type ChainState,
  CommitFlag,
  DEFAULT_PARAMS,
  type DuplicateVoteEvidence,
  type Evidence,
  encodeEvidence,
  evidenceListSize,
  type LightClientAttackEvidence,
  makeDuplicateVoteEvidence,
  type PastHeight,
  punish,
  stateFromGenesis,
  type Vote,
  VoteType,
} from "@quorate/chain";
import fc from "fast-check";
import {
  awaitBlock,
  EMPTY_POOL,
  type EvidencePool,
  evidenceForBlock,
  evidenceOfDecided,
  POOL_LIMITS,
  settlePool,
  takeEvidence,
} from "../src/index.ts";

const SIZE = 6;
const NS_PER_S = 1_000_000_000n;
const start = stateFromGenesis({
  chainId: "pool-test",
  genesisTime: 1_700_000_000n * NS_PER_S,
  initialHeight: 1,
  execution: "none",
  evmChainId: 0,
  elGenesisHash: new Uint8Array(32),
  anchorNumber: 0,
  anchorHash: new Uint8Array(32),
  depositContractAddress: new Uint8Array(20),
  params: { ...DEFAULT_PARAMS, evidenceMaxAgeBlocks: 20, evidenceMaxAgeMs: 10_000 },
  validators: Array.from({ length: SIZE }, (_, i) => ({
    pubKey: new Uint8Array(32).fill(i + 1),
    power: 10n,
    name: `v${i}`,
    owner: new Uint8Array(20).fill(i + 1),
  })),
  upgrades: [],
});
const set = start.validators;

const timeOf = (height: number): bigint => start.lastTime + BigInt(height) * NS_PER_S;
const pastOf = (height: number): PastHeight => ({ height, time: timeOf(height), validators: set });
const stateAt = (height: number): ChainState => ({ ...start, lastHeight: height, lastTime: timeOf(height) });
const id = (tag: number): BlockId => ({
  hash: new Uint8Array(32).fill(tag),
  parts: { total: 1, hash: new Uint8Array(32).fill(tag) },
});

function vote(index: number, height: number, round: number, blockId: BlockId | null): Vote {
  return {
    type: VoteType.prevote,
    height,
    round,
    blockId,
    timestamp: 0n,
    validatorAddress: set.validators[index]!.address,
    validatorIndex: index,
    signature: new Uint8Array(64).fill(index + 1),
  };
}

function double(index: number, height: number, round = 0, tag = 7): DuplicateVoteEvidence {
  return makeDuplicateVoteEvidence(
    vote(index, height, round, null),
    vote(index, height, round, id(tag)),
    set,
    timeOf(height),
  );
}

/** As large as its validators are many; nothing of it is verified here. */
function attackBy(validators: number): LightClientAttackEvidence {
  const [first] = set.validators;
  const members = Array.from({ length: validators }, () => first!);
  const hash = new Uint8Array(32).fill(1);
  const header = {
    version: { block: 11n, app: 1n },
    chainId: start.chainId,
    height: 3,
    time: timeOf(3),
    lastBlockId: id(1),
    lastCommitHash: hash,
    dataHash: hash,
    validatorsHash: hash,
    nextValidatorsHash: hash,
    consensusHash: hash,
    appHash: hash,
    lastResultsHash: hash,
    evidenceHash: hash,
    proposerAddress: first!.address,
  };
  const signature = {
    flag: CommitFlag.commit,
    validatorAddress: first!.address,
    timestamp: timeOf(3),
    signature: new Uint8Array(64),
  };
  return {
    kind: "light_client_attack",
    conflictingBlock: {
      signedHeader: {
        header,
        commit: { height: 3, round: 0, blockId: id(1), signatures: members.map(() => signature) },
      },
      validators: { validators: members, proposer: first!, totalPower: 10n * BigInt(validators) },
    },
    commonHeight: 3,
    byzantineValidators: members,
    totalVotingPower: set.totalPower,
    timestamp: timeOf(3),
  };
}

function take(pool: EvidencePool, state: ChainState, ...list: DuplicateVoteEvidence[]): EvidencePool {
  return list.reduce((at, each) => takeEvidence(at, state, each, pastOf(each.voteA.height)).pool, pool);
}

function refusal(pool: EvidencePool, state: ChainState, evidence: DuplicateVoteEvidence): string {
  const taken = takeEvidence(pool, state, evidence, pastOf(evidence.voteA.height));
  return "refused" in taken ? taken.refused : "taken";
}

describe("the evidence pool", () => {
  it("holds each misdeed once, whichever pair of its votes proves it", () => {
    const pool = take(EMPTY_POOL, stateAt(5), double(0, 3));
    assert.equal(refusal(pool, stateAt(5), double(0, 3)), "known");
    assert.equal(refusal(pool, stateAt(5), double(0, 3, 0, 9)), "known");
    assert.equal(refusal(pool, stateAt(5), double(0, 3, 1)), "taken");
    assert.equal(refusal(pool, stateAt(5), double(1, 3)), "taken");
  });

  it("is bounded against each validator, and in all", () => {
    const many = Array.from({ length: 50 }, (_, round) => double(0, 3, round));
    const pool = take(EMPTY_POOL, stateAt(5), ...many);
    assert.equal(pool.held.length, POOL_LIMITS.perValidator);
    assert.equal(refusal(pool, stateAt(5), double(0, 4)), "enough");
    assert.ok(pool.bytes <= POOL_LIMITS.bytes);
    assert.equal(
      pool.bytes,
      pool.held.reduce((sum, { size }) => sum + size, 0),
    );
  });

  it("when full makes room for the first proof against somebody, not for a further one", () => {
    const full: EvidencePool = {
      ...take(EMPTY_POOL, stateAt(5), double(0, 3), double(0, 3, 1), double(1, 4)),
      bytes: POOL_LIMITS.bytes,
    };
    assert.equal(refusal(full, stateAt(5), double(1, 4, 1)), "full");
    const taken = takeEvidence(full, stateAt(5), double(2, 4), pastOf(4));
    assert.ok("held" in taken);
    assert.deepEqual(taken.dropped?.evidence, double(0, 3, 1));
    const single = { ...take(EMPTY_POOL, stateAt(5), double(0, 3)), bytes: POOL_LIMITS.bytes };
    assert.equal(refusal(single, stateAt(5), double(1, 4)), "full");
  });

  it("proposes one double vote per validator, the oldest first, within the params' bytes", () => {
    const pool = take(EMPTY_POOL, stateAt(9), double(2, 8), double(0, 3), double(0, 2), double(1, 5));
    const chosen = evidenceForBlock(pool, stateAt(9));
    assert.deepEqual(chosen, [double(0, 2), double(1, 5), double(2, 8)]);
    const two = evidenceListSize([double(0, 2), double(1, 5)]);
    assert.deepEqual(evidenceForBlock(pool, stateAt(9), two), [double(0, 2), double(1, 5)]);
    assert.deepEqual(evidenceForBlock(pool, stateAt(9), two - 1), [double(0, 2)]);
    const none = { ...stateAt(9), params: { ...start.params, maxEvidenceBytes: 0 } };
    assert.deepEqual(evidenceForBlock(pool, none), []);
  });

  it("lets go of what a block convicts with all else against that key, and takes nothing more against it", () => {
    const pool = take(EMPTY_POOL, stateAt(9), double(0, 3), double(0, 4), double(1, 5));
    const convicted = { ...stateAt(10), registry: punish(start.registry, set.validators[0]!.pubKey) };
    const settled = settlePool(pool, convicted, { evidence: [double(0, 3)] });
    assert.deepEqual(
      settled.gone.map(({ evidence }) => evidence),
      [double(0, 3), double(0, 4)],
    );
    assert.deepEqual(evidenceForBlock(settled.pool, convicted), [double(1, 5)]);
    assert.equal(refusal(settled.pool, convicted, double(0, 6)), "convicted");
    assert.deepEqual(evidenceForBlock(pool, convicted), [double(1, 5)], "not even before it is settled");
  });

  it("lets go of what is too old by blocks AND by time", () => {
    const pool = take(EMPTY_POOL, stateAt(5), double(0, 3));
    const late = (height: number, time: bigint): ChainState => ({
      ...start,
      lastHeight: height,
      lastTime: time,
    });
    const gone = (state: ChainState): number => settlePool(pool, state, { evidence: [] }).gone.length;
    assert.equal(gone(late(24, timeOf(13))), 0, "many blocks in little time");
    assert.equal(gone(late(5, timeOf(500))), 0, "much time in few blocks");
    assert.equal(gone(late(24, timeOf(13) + 1n)), 1);
    assert.equal(refusal(EMPTY_POOL, late(24, timeOf(13) + 1n), double(0, 3)), "expired");
    assert.deepEqual(evidenceForBlock(pool, late(24, timeOf(13) + 1n)), []);
  });

  it("keeps pairs of undecided heights, each place once and bounded, until their block gives them its time", () => {
    const pair = (
      index: number,
      height: number,
      round: number,
    ): { readonly first: Vote; readonly second: Vote } => ({
      first: vote(index, height, round, null),
      second: vote(index, height, round, id(7)),
    });
    let pool = awaitBlock(awaitBlock(EMPTY_POOL, pair(0, 6, 0)), pair(0, 6, 0));
    pool = awaitBlock(pool, pair(1, 7, 0));
    for (let round = 1; round < 5000; round++) pool = awaitBlock(pool, pair(0, 6, round));
    assert.equal(pool.waiting.length, 1 + POOL_LIMITS.waitingPerValidator);
    const { pool: after, made } = evidenceOfDecided(pool, pastOf(6));
    assert.equal(made.length, POOL_LIMITS.waitingPerValidator);
    assert.deepEqual(made[0], double(0, 6));
    assert.deepEqual(
      after.waiting.map(({ first }) => first.height),
      [7],
    );
    assert.deepEqual(evidenceOfDecided(after, pastOf(8)).pool.waiting, []);
  });

  it("law: never holds more than 1 MiB or 1,024 items, whatever comes, goes, is convicted or stored over a restart", () => {
    // From 300 bytes to 300 kB: sixteen of the largest, which the limit of their number allows, would be far above 1 MiB.
    const attacks = [1, 300, 1_000].map((validators) => attackBy(validators));
    const step = fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({
          kind: fc.constant("attack" as const),
          which: fc.nat({ max: attacks.length - 1 }),
          time: fc.bigInt({ min: 0n, max: 40n }),
        }),
      },
      {
        weight: 3,
        arbitrary: fc.record({
          kind: fc.constant("double" as const),
          index: fc.nat({ max: SIZE - 1 }),
          round: fc.nat({ max: 9 }),
        }),
      },
      {
        weight: 1,
        arbitrary: fc.record({ kind: fc.constant("convict" as const), index: fc.nat({ max: 2 }) }),
      },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant("restart" as const) }) },
    );
    const judged = (pool: EvidencePool): void => {
      assert.ok(pool.bytes <= 1_048_576, `${pool.bytes} bytes`);
      assert.ok(pool.held.length <= 1024);
      assert.equal(
        pool.bytes,
        pool.held.reduce((sum, { size }) => sum + size, 0),
      );
    };
    let full = 0;
    const flood = Array.from({ length: 6 }, (_, i) => ({
      kind: "attack" as const,
      which: attacks.length - 1,
      time: BigInt(i),
    }));
    fc.assert(
      fc.property(fc.array(step, { minLength: 10, maxLength: 30 }), (steps) => {
        let state = stateAt(6);
        let pool = EMPTY_POOL;
        const takeOne = (evidence: Evidence): void => {
          const taken = takeEvidence(pool, state, evidence, pastOf(3));
          if ("held" in taken) assert.equal(taken.held.size, encodeEvidence(evidence).length);
          else if (taken.refused === "full") full++;
          ({ pool } = taken);
          judged(pool);
        };
        for (const each of steps) {
          if (each.kind === "attack") takeOne({ ...attacks[each.which]!, timestamp: each.time });
          else if (each.kind === "double") takeOne(double(each.index, 3, each.round));
          else if (each.kind === "convict") {
            const { registry } = state;
            state = { ...state, registry: punish(registry, set.validators[each.index]!.pubKey) };
            ({ pool } = settlePool(pool, state, { evidence: [double(each.index, 3)] }));
            judged(pool);
          } else {
            const stored = pool.held.map(({ evidence }) => evidence);
            pool = EMPTY_POOL;
            for (const evidence of stored.toReversed()) takeOne(evidence);
            assert.equal(pool.held.length, stored.length, "what was held fits again");
          }
        }
      }),
      { numRuns: 8, examples: [[flood]] },
    );
    assert.ok(full > 0, "the limit was met");
  });

  it("law: commits each validator's evidence once, whatever order it comes, repeats and restarts in", () => {
    const item = fc.record({
      index: fc.integer({ min: 0, max: SIZE - 1 }),
      back: fc.integer({ min: 0, max: 4 }),
      round: fc.integer({ min: 0, max: 2 }),
      restart: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(item, { maxLength: 60 }), (items) => {
        let state = stateAt(6);
        let pool = EMPTY_POOL;
        const committed: string[] = [];
        for (const { index, back, round, restart } of items) {
          const evidence = double(index, Math.max(1, state.lastHeight - back), round);
          pool = take(pool, state, evidence);
          // What a restart finds: all that was ever put and not let go, in any case no more than the pool knew.
          if (restart) {
            const stored = pool.held.map((each) => each.evidence as DuplicateVoteEvidence);
            pool = take(EMPTY_POOL, state, ...stored.toReversed());
          }
          const chosen = evidenceForBlock(pool, state);
          assert.ok(evidenceListSize(chosen) <= state.params.maxEvidenceBytes);
          let { registry } = state;
          for (const { voteA } of chosen) {
            const offender = set.validators[voteA.validatorIndex]!;
            committed.push(offender.address.join());
            registry = punish(registry, offender.pubKey);
          }
          state = { ...stateAt(state.lastHeight + 1), registry };
          pool = settlePool(pool, state, { evidence: chosen }).pool;
        }
        assert.equal(new Set(committed).size, committed.length);
        const accused = new Set(items.map(({ index }) => index));
        assert.equal(committed.length, accused.size, "every offender is convicted");
      }),
      { numRuns: 200 },
    );
  });
});
