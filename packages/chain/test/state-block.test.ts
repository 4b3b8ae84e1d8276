import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  appHashOf,
  applyBlock,
  type Block,
  ChainError,
  type ChainState,
  dataHash,
  type EnvelopeV1,
  earliestTime,
  encodeEnvelope,
  evidenceHash,
  type Header,
  incrementProposerPriority,
  isTimely,
  parentBeaconBlockRoot,
  payloadAttributes,
  payloadTimestamp,
  prevRandao,
  proposerOf,
  stateFromGenesis,
  timeFromMs,
  validateBlock,
  validateProposer,
  validatorsHash,
} from "@quorate/chain";
import { nativeBackend, sha256, utf8Encode } from "@quorate/crypto";
import fc from "fast-check";
import {
  advance,
  chainOf,
  commitFor,
  envelopeFor,
  GENESIS_TIME,
  idOf,
  makeFixture,
  nextBlock,
  type Tip,
} from "./state-fixture.ts";

const MS = 1_000_000n;

function refusedWith(code: string, run: () => unknown): void {
  assert.throws(run, (error: unknown) => {
    assert.ok(error instanceof ChainError, String(error));
    assert.equal(error.code, code, error.message);
    return true;
  });
}

function accepted(state: ChainState, block: Block): void {
  const checks = validateBlock(state, block);
  assert.ok(nativeBackend.verifyBatch(checks).every((valid) => valid));
}

function withHeader(block: Block, changes: Partial<Header>): Block {
  return { ...block, header: { ...block.header, ...changes } };
}

/** The block with another envelope and the data hash that fits it. */
function withEnvelope(block: Block, envelope: EnvelopeV1): Block {
  const txs = [encodeEnvelope(envelope), ...block.txs.slice(1)];
  return { ...withHeader(block, { dataHash: dataHash(txs) }), txs };
}

function tipWithPayload(blocks: number): {
  readonly tip: Tip;
  readonly block: Block;
  readonly envelope: EnvelopeV1;
} {
  const tip = chainOf(makeFixture("engine"), blocks);
  const block = nextBlock(tip.state, tip.commit);
  return { tip, block, envelope: envelopeFor(tip.state, block.header.time, block.header.proposerAddress) };
}

describe("a chain of blocks", () => {
  for (const execution of ["none", "engine"] as const) {
    it(`makes, validates and applies block after block with execution "${execution}"`, () => {
      const fixture = makeFixture(execution, { powers: [1n, 5n, 9n, 30n, 31n] });
      let tip: Tip = { state: stateFromGenesis(fixture.genesis), commit: null };
      for (let i = 0; i < 8; i++) {
        const block = nextBlock(tip.state, tip.commit);
        accepted(tip.state, block);
        validateProposer(tip.state, block, 0, -1);
        tip = advance(fixture, tip, block);
        assert.equal(tip.state.lastHeight, i + 1);
        assert.equal(tip.state.lastTime, block.header.time);
        assert.deepEqual(tip.state.lastBlockId, idOf(block));
      }
    });
  }

  it("accepts any number of transactions, any delay and absent signatures below a third", () => {
    const fixture = makeFixture("none");
    const one = chainOf(fixture, 1);
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 80 }), { maxLength: 6 }),
        fc.integer({ min: 0, max: 10_000 }),
        fc.integer({ min: 0, max: 4 }),
        (transactions, delayMs, absentee) => {
          const first = nextBlock(stateFromGenesis(fixture.genesis), null);
          const state = applyBlock(stateFromGenesis(fixture.genesis), first, idOf(first));
          const before = stateFromGenesis(fixture.genesis);
          const commit = commitFor(
            fixture,
            before,
            first,
            idOf(first),
            new Set(absentee < 4 ? [absentee] : []),
          );
          const time = earliestTime(state) + BigInt(delayMs) * MS;
          const block = nextBlock(state, commit, { transactions, time });
          accepted(state, block);
          const after = applyBlock(state, block, idOf(block));
          assert.equal(after.lastHeight, one.state.lastHeight + 1);
          assert.deepEqual(after.el.blockHash, block.header.dataHash);
        },
      ),
      { numRuns: 15 },
    );
  });

  it("starts at initial_height above an anchor of the execution client", () => {
    const fixture = makeFixture("engine", { initialHeight: 1001 });
    const tip = chainOf(fixture, 2);
    assert.equal(tip.state.lastHeight, 1002);
    assert.equal(tip.state.el.number, 1002);
  });

  it("carries in app_hash the EL hash, registry, params and the priorities of the next height", () => {
    const fixture = makeFixture("engine");
    const { state } = chainOf(fixture, 3);
    const expected = appHashOf({
      elHash: state.el.blockHash,
      registry: state.registry,
      params: state.params,
      validators: state.validators,
    });
    assert.deepEqual(state.appHash, expected);
    const rotated = incrementProposerPriority(state.validators, 1);
    assert.deepEqual(validatorsHash(rotated), validatorsHash(state.validators));
    assert.notDeepEqual(
      appHashOf({
        elHash: state.el.blockHash,
        registry: state.registry,
        params: state.params,
        validators: rotated,
      }),
      expected,
    );
  });

  it("gives each of n validators of equal power the first round of one in n heights", () => {
    const fixture = makeFixture("none");
    const first = Array.from({ length: 8 }, (_, i) => proposerOf(chainOf(fixture, i).state.validators, 0));
    const names = first.map(({ address }) => Buffer.from(address).toString("hex"));
    assert.equal(new Set(names.slice(0, 4)).size, 4);
    assert.deepEqual(names.slice(4), names.slice(0, 4));
  });

  it("refuses to apply a block of another height", () => {
    const { tip, block } = tipWithPayload(2);
    refusedWith("BAD_HEIGHT", () => applyBlock(tip.state, withHeader(block, { height: 5 }), idOf(block)));
  });

  it("changes params and app version at the height of an upgrade, not before and not after", () => {
    const upgrades = [{ height: 3, appVersion: 2, params: { gas_limit: 30_000_000, block_interval: 2_000 } }];
    const fixture = makeFixture("none", { upgrades });
    const two = chainOf(fixture, 1);
    assert.equal(two.state.params.gasLimit, 60_000_000);
    assert.equal(nextBlock(two.state, two.commit).header.version.app, 1n);
    const three = advance(fixture, two);
    assert.equal(three.state.params.gasLimit, 30_000_000);
    const block = nextBlock(three.state, three.commit);
    assert.equal(block.header.version.app, 2n);
    accepted(three.state, block);
    refusedWith("BAD_VERSION", () =>
      validateBlock(three.state, withHeader(block, { version: { block: 11n, app: 1n } })),
    );
  });
});

describe("what every validator derives in the same way", () => {
  it("takes the genesis hash as the hash before the first block, then the last block's hash", () => {
    const fixture = makeFixture("engine");
    const start = stateFromGenesis(fixture.genesis);
    assert.deepEqual(parentBeaconBlockRoot(start), start.genesisHash);
    assert.deepEqual(prevRandao(start), sha256(utf8Encode("quorate/prevrandao/1"), start.genesisHash));
    const block = nextBlock(start, null);
    const after = applyBlock(start, block, idOf(block));
    assert.deepEqual(parentBeaconBlockRoot(after), idOf(block).hash);
  });

  it("gives the fees to the owner of the proposer and refuses a stranger as proposer", () => {
    const fixture = makeFixture("engine");
    const state = stateFromGenesis(fixture.genesis);
    for (const validator of fixture.genesis.validators) {
      const { address } = state.validators.validators.find(
        (candidate) => Buffer.compare(candidate.pubKey, validator.pubKey) === 0,
      )!;
      const attributes = payloadAttributes(state, earliestTime(state), address);
      assert.deepEqual(attributes.suggestedFeeRecipient, validator.owner);
    }
    refusedWith("BAD_PROPOSER", () => payloadAttributes(state, earliestTime(state), new Uint8Array(20)));
  });

  it("makes EL timestamps rise by at least one second when blocks come slower than that", () => {
    const fixture = makeFixture("engine");
    let tip: Tip = { state: stateFromGenesis(fixture.genesis), commit: null };
    for (let i = 0; i < 5; i++) {
      const time = earliestTime(tip.state);
      assert.equal(payloadTimestamp(tip.state, time), Number(time / 1_000_000_000n));
      tip = advance(fixture, tip);
    }
  });

  it("lets the EL timestamp run ahead by the drift and then holds the chain to one block a second", () => {
    const fixture = makeFixture("engine", { params: { blockIntervalMs: 100, maxElTimeDriftS: 2 } });
    let tip: Tip = { state: stateFromGenesis(fixture.genesis), commit: null };
    const gaps: bigint[] = [];
    for (let i = 0; i < 6; i++) {
      const before = tip.state.lastTime;
      accepted(tip.state, nextBlock(tip.state, tip.commit));
      tip = advance(fixture, tip);
      gaps.push((tip.state.lastTime - before) / MS);
      const ahead = tip.state.el.timestamp - Number(tip.state.lastTime / 1_000_000_000n);
      assert.ok(ahead <= 2);
    }
    assert.equal(gaps[0], 100n);
    assert.equal(gaps.at(-1), 1000n);
  });

  it("counts the first height's time from genesis_time, by the interval and at least a millisecond", () => {
    assert.equal(earliestTime(stateFromGenesis(makeFixture("none").genesis)), GENESIS_TIME + 1000n * MS);
    const fast = makeFixture("none", { params: { blockIntervalMs: 0 } });
    assert.equal(earliestTime(stateFromGenesis(fast.genesis)), GENESIS_TIME + MS);
  });
});

describe("validateBlock refuses", () => {
  const headers: readonly (readonly [field: string, code: string, changes: Partial<Header>])[] = [
    ["another block protocol", "BAD_VERSION", { version: { block: 12n, app: 1n } }],
    ["another app version", "BAD_VERSION", { version: { block: 11n, app: 2n } }],
    ["another chain id", "BAD_CHAIN_ID", { chainId: "other" }],
    ["a height too low", "BAD_HEIGHT", { height: 2 }],
    ["a height too high", "BAD_HEIGHT", { height: 4 }],
    ["a link to nothing", "BAD_LAST_BLOCK_ID", { lastBlockId: null }],
    [
      "a link to another block",
      "BAD_LAST_BLOCK_ID",
      { lastBlockId: { hash: new Uint8Array(32), parts: { total: 1, hash: new Uint8Array(32) } } },
    ],
    ["another last-commit hash", "BAD_LAST_COMMIT_HASH", { lastCommitHash: new Uint8Array(32) }],
    ["another data hash", "BAD_DATA_HASH", { dataHash: new Uint8Array(32) }],
    ["another validators hash", "BAD_VALIDATORS_HASH", { validatorsHash: new Uint8Array(32) }],
    ["another next validators hash", "BAD_NEXT_VALIDATORS_HASH", { nextValidatorsHash: new Uint8Array(32) }],
    ["another consensus hash", "BAD_CONSENSUS_HASH", { consensusHash: new Uint8Array(32) }],
    ["another app hash", "BAD_APP_HASH", { appHash: new Uint8Array(32) }],
    ["another last results hash", "BAD_LAST_RESULTS_HASH", { lastResultsHash: new Uint8Array(32) }],
    ["another evidence hash", "BAD_EVIDENCE_HASH", { evidenceHash: new Uint8Array(32) }],
    ["a proposer outside the set", "BAD_PROPOSER", { proposerAddress: new Uint8Array(20) }],
  ];
  const { tip, block } = tipWithPayload(2);
  for (const [what, code, changes] of headers) {
    it(`a header with ${what} as ${code}`, () => {
      refusedWith(code, () => validateBlock(tip.state, withHeader(block, changes)));
    });
  }

  it("a header of any shape with one byte of one hash changed", () => {
    const fields = [
      "lastCommitHash",
      "dataHash",
      "validatorsHash",
      "nextValidatorsHash",
      "consensusHash",
      "appHash",
      "lastResultsHash",
      "evidenceHash",
      "proposerAddress",
    ] as const;
    fc.assert(
      fc.property(
        fc.constantFrom(...fields),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (field, at, flip) => {
          const bytes = block.header[field].slice();
          bytes[at % bytes.length]! ^= flip;
          assert.throws(() => validateBlock(tip.state, withHeader(block, { [field]: bytes })), ChainError);
        },
      ),
      { numRuns: 60 },
    );
  });

  it("a time one millisecond too early, equal to the last, or between milliseconds", () => {
    const earliest = earliestTime(tip.state);
    refusedWith("BAD_TIME", () => validateBlock(tip.state, withHeader(block, { time: earliest - MS })));
    refusedWith("BAD_TIME", () => validateBlock(tip.state, withHeader(block, { time: tip.state.lastTime })));
    refusedWith("BAD_TIME_GRANULARITY", () =>
      validateBlock(tip.state, withHeader(block, { time: earliest + 1n })),
    );
  });

  it("evidence in a block that proves nothing, and an evidence hash of other evidence", () => {
    const vote = {
      type: 1 as const,
      height: 1,
      round: 0,
      blockId: null,
      timestamp: GENESIS_TIME,
      validatorAddress: new Uint8Array(20),
      validatorIndex: 0,
      signature: new Uint8Array(64),
    };
    const evidence = [
      {
        kind: "duplicate_vote" as const,
        voteA: vote,
        voteB: vote,
        totalVotingPower: 40n,
        validatorPower: 10n,
        timestamp: GENESIS_TIME,
      },
    ];
    refusedWith("BAD_EVIDENCE_HASH", () => validateBlock(tip.state, { ...block, evidence }));
    const header = { ...block.header, evidenceHash: evidenceHash(evidence) };
    refusedWith("BAD_EVIDENCE", () => validateBlock(tip.state, { ...block, header, evidence }));
  });

  it("a last commit with too little power, of another height, of another block, or with an entry missing", () => {
    const fixture = makeFixture("engine");
    const first = nextBlock(stateFromGenesis(fixture.genesis), null);
    const start = stateFromGenesis(fixture.genesis);
    const state = applyBlock(start, first, idOf(first));
    const good = commitFor(fixture, start, first, idOf(first));
    const bad = [
      commitFor(fixture, start, first, idOf(first), new Set([0, 1])),
      { ...good, height: 2 },
      { ...good, blockId: { ...good.blockId, hash: new Uint8Array(32) } },
      { ...good, signatures: good.signatures.slice(1) },
    ];
    accepted(state, nextBlock(state, good));
    for (const commit of bad) {
      refusedWith("BAD_LAST_COMMIT", () => validateBlock(state, nextBlock(state, commit)));
    }
  });

  it("hands out a check that fails when a signature of the last commit is bad", () => {
    const commit = tip.commit!;
    const [first, ...rest] = commit.signatures;
    const signature = first!.signature.slice();
    signature[3]! ^= 1;
    const forged = { ...commit, signatures: [{ ...first!, signature }, ...rest] };
    const checks = validateBlock(tip.state, nextBlock(tip.state, forged));
    assert.deepEqual(nativeBackend.verifyBatch(checks), [false, true, true, true]);
  });

  it("a commit in the first block", () => {
    const fixture = makeFixture("none");
    const state = stateFromGenesis(fixture.genesis);
    const first = nextBlock(state, null);
    accepted(state, first);
    const withCommit = { ...first, lastCommit: { ...first.lastCommit, round: 1 } };
    refusedWith("BAD_LAST_COMMIT", () => validateBlock(state, withCommit));
  });

  it("a block above max_block_bytes", () => {
    const fixture = makeFixture("none", { params: { maxBlockBytes: 65_536, maxEvidenceBytes: 0 } });
    const state = stateFromGenesis(fixture.genesis);
    const large = nextBlock(state, null, { transactions: [new Uint8Array(65_536)] });
    refusedWith("BLOCK_TOO_LARGE", () => validateBlock(state, large));
    accepted(state, nextBlock(state, null, { transactions: [new Uint8Array(60_000)] }));
  });

  const payloads: readonly (readonly [what: string, code: string, changes: Partial<EnvelopeV1>])[] = [
    ["another parent", "ENVELOPE_PARENT", { parentHash: new Uint8Array(32) }],
    ["another block number", "ENVELOPE_NUMBER", { blockNumber: 4 }],
    ["a later timestamp", "ENVELOPE_TIMESTAMP", { timestamp: 1_767_225_700 }],
    ["another prevRandao", "ENVELOPE_PREV_RANDAO", { prevRandao: new Uint8Array(32) }],
    ["another fee recipient", "ENVELOPE_FEE_RECIPIENT", { feeRecipient: new Uint8Array(20) }],
    ["a lower gas limit", "ENVELOPE_GAS_LIMIT", { gasLimit: 59_999_999n }],
    ["a higher gas limit", "ENVELOPE_GAS_LIMIT", { gasLimit: 60_000_001n }],
    ["more gas used than its limit", "ENVELOPE_GAS_USED", { gasUsed: 60_000_001n }],
    ["blob gas", "ENVELOPE_BLOBS", { blobGasUsed: 131_072n }],
    [
      "a withdrawal that nobody is owed",
      "ENVELOPE_WITHDRAWALS",
      { withdrawals: [{ index: 0n, validatorIndex: 0n, address: new Uint8Array(20), amountGwei: 1n }] },
    ],
  ];
  const payload = tipWithPayload(2);
  for (const [what, code, changes] of payloads) {
    it(`a payload with ${what} as ${code}`, () => {
      accepted(payload.tip.state, withEnvelope(payload.block, payload.envelope));
      const changed = withEnvelope(payload.block, { ...payload.envelope, ...changes });
      refusedWith(code, () => validateBlock(payload.tip.state, changed));
    });
  }

  it("a block without envelope, of the other kind of execution, or with envelope bytes of no form", () => {
    const empty = { ...withHeader(block, { dataHash: dataHash([]) }), txs: [] };
    refusedWith("ENVELOPE_MISSING", () => validateBlock(tip.state, empty));
    const none = [Uint8Array.of(0)];
    refusedWith("ENVELOPE_VERSION", () =>
      validateBlock(tip.state, { ...withHeader(block, { dataHash: dataHash(none) }), txs: none }),
    );
    const odd = [Uint8Array.of(2, 3)];
    refusedWith("DECODE", () =>
      validateBlock(tip.state, { ...withHeader(block, { dataHash: dataHash(odd) }), txs: odd }),
    );
    const opaque = chainOf(makeFixture("none"), 1);
    const other = nextBlock(opaque.state, opaque.commit);
    const txs = [block.txs[0]!];
    refusedWith("ENVELOPE_VERSION", () =>
      validateBlock(opaque.state, { ...withHeader(other, { dataHash: dataHash(txs) }), txs }),
    );
  });

  it("blob transactions and empty transactions on a chain with an execution client", () => {
    const blob = nextBlock(tip.state, tip.commit, { transactions: [Uint8Array.of(3, 1)] });
    refusedWith("ENVELOPE_BLOBS", () => validateBlock(tip.state, blob));
    const empty = nextBlock(tip.state, tip.commit, { transactions: [new Uint8Array(0)] });
    refusedWith("BAD_TRANSACTION", () => validateBlock(tip.state, empty));
  });

  it("moves the gas limit only between the parent's and the param's", () => {
    const fixture = makeFixture("engine", {
      upgrades: [{ height: 2, appVersion: 1, params: { gas_limit: 30_000_000 } }],
    });
    const one = chainOf(fixture, 1);
    const step = nextBlock(one.state, one.commit, { envelope: { gasLimit: 59_941_407n } });
    accepted(one.state, step);
    refusedWith("ENVELOPE_GAS_LIMIT", () =>
      validateBlock(one.state, nextBlock(one.state, one.commit, { envelope: { gasLimit: 29_999_999n } })),
    );
    const two = advance(fixture, one, step);
    refusedWith("ENVELOPE_GAS_LIMIT", () =>
      validateBlock(two.state, nextBlock(two.state, two.commit, { envelope: { gasLimit: 60_000_000n } })),
    );
  });
});

describe("validateProposer", () => {
  const fixture = makeFixture("none");
  const state = stateFromGenesis(fixture.genesis);
  const block = nextBlock(state, null);

  it("wants a fresh block from the proposer of its round", () => {
    validateProposer(state, block, 0, -1);
    const round = [1, 2, 3].find(
      (r) => Buffer.compare(proposerOf(state.validators, r).address, block.header.proposerAddress) !== 0,
    )!;
    refusedWith("BAD_PROPOSER", () => validateProposer(state, block, round, -1));
  });

  it("wants only a member of the set behind a re-proposed block", () => {
    for (const round of [1, 2, 3]) validateProposer(state, block, round, 0);
    const stranger = withHeader(block, { proposerAddress: new Uint8Array(20) });
    refusedWith("BAD_PROPOSER", () => validateProposer(state, stranger, 1, 0));
  });
});

describe("isTimely", () => {
  const { params } = stateFromGenesis(makeFixture("none").genesis);

  it("allows the precision before a proposal's time, the message delay and the precision after it", () => {
    const t = Number(timeFromMs(1_000_000) / MS);
    assert.equal(isTimely(params, t, t - 500, 0), true);
    assert.equal(isTimely(params, t, t - 501, 0), false);
    assert.equal(isTimely(params, t, t + 3_500, 0), true);
    assert.equal(isTimely(params, t, t + 3_501, 0), false);
  });

  it("doubles the delay every eight rounds and saturates at a day", () => {
    const t = 1_000_000;
    assert.equal(isTimely(params, t, t + 6_500, 7), false);
    assert.equal(isTimely(params, t, t + 6_500, 8), true);
    assert.equal(isTimely(params, t, t + 86_400_500, 2 ** 31 - 1), true);
    assert.equal(isTimely(params, t, t + 86_400_501, 2 ** 31 - 1), false);
  });
});
