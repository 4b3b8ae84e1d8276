/** What the rules of the chain refuse, where no honest node ever comes: each names what is wrong. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  applyBlock,
  blockMetaJson,
  ChainError,
  type Commit,
  type CommitFlag,
  certificateFromCommit,
  commitChecks,
  decodeState,
  type EnvelopeV1,
  encodeEnvelope,
  encodeHeader,
  encodeState,
  encodeValidator,
  evidenceId,
  makeBlock,
  makePartSet,
  makeValidatorSet,
  parseGenesis,
  stateFromGenesis,
  trustingCommitChecks,
  unsupportedUpgrade,
  type ValidatorSet,
} from "@quorate/chain";
import { toHex } from "@quorate/crypto";
import { MAX_BLOCK_SIZE, MAX_VALIDATORS } from "../src/limits.ts";
import { chainOf, commitFor, envelopeFor, idOf, makeFixture, nextBlock } from "./state-fixture.ts";

const fixture = makeFixture("engine");
const tip = chainOf(fixture, 1);
const block = nextBlock(tip.state, tip.commit);
const blockId = idOf(block);
const commit = commitFor(fixture, tip.state, block, blockId);
const set: ValidatorSet = tip.state.validators;
const CHAIN = tip.state.chainId;

function refused(code: string, reason: string | null, run: () => unknown): void {
  assert.throws(run, (error: unknown) => {
    assert.ok(error instanceof ChainError, String(error));
    assert.equal(error.code, code);
    if (reason !== null) assert.equal(error.facts["reason"], reason);
    return true;
  });
}

describe("a commit", () => {
  it("with another number of entries than the set, or an entry of a kind that does not exist, is none", () => {
    const short: Commit = { ...commit, signatures: commit.signatures.slice(1) };
    refused("CERTIFICATE", "wrong_signature_count", () => certificateFromCommit(set, short));
    const [first] = commit.signatures;
    const strange: Commit = {
      ...commit,
      signatures: commit.signatures.with(0, { ...first!, flag: 7 as CommitFlag }),
    };
    refused("COMMIT", "unknown_flag", () => commitChecks(CHAIN, set, blockId, 2, strange, "all"));
  });

  it("is not judged by a trust level that is no fraction", () => {
    for (const level of [
      { numerator: -1n, denominator: 3n },
      { numerator: 1n, denominator: -3n },
    ])
      refused("COMMIT", "trust_level", () => trustingCommitChecks(CHAIN, set, commit, level));
  });
});

describe("an encoder", () => {
  it("writes no number that its field cannot hold", () => {
    refused("ENCODE", null, () => encodeHeader({ ...block.header, height: 2 ** 53 }));
    refused("ENCODE", null, () => encodeHeader({ ...block.header, height: 1.5 }));
    const [validator] = set.validators;
    for (const power of [2n ** 64n, -(2n ** 63n) - 1n])
      refused("ENCODE", null, () => encodeValidator({ ...validator!, power }));
  });

  it("writes no envelope with more withdrawals or requests than one may have", () => {
    const envelope = envelopeFor(tip.state, block.header.time, block.header.proposerAddress);
    const withdrawal = { index: 0n, validatorIndex: 0n, address: new Uint8Array(20), amountGwei: 1n };
    const many: readonly Partial<EnvelopeV1>[] = [
      { withdrawals: new Array(17).fill(withdrawal) },
      { executionRequests: Array.from({ length: 257 }, (_, i) => Uint8Array.of(i, 1)) },
    ];
    for (const changes of many)
      assert.throws(() => encodeEnvelope({ ...envelope, ...changes }), /at most \d+/);
  });
});

describe("sizes", () => {
  it("of a set, a block and a genesis document end where the rules say", () => {
    const pubKey = (i: number): Uint8Array => {
      const key = new Uint8Array(32);
      new DataView(key.buffer).setUint32(0, i);
      return key;
    };
    const list = Array.from({ length: MAX_VALIDATORS + 1 }, (_, i) => ({ pubKey: pubKey(i), power: 1n }));
    refused("VALIDATORS", "too_many", () => makeValidatorSet(list));
    refused("PARTS", null, () => makePartSet(new Uint8Array(MAX_BLOCK_SIZE + 1)));
    assert.throws(() => parseGenesis(" ".repeat(64 * 1024 * 1024)), { code: "GENESIS" });
  });
});

describe("a block", () => {
  it("after the first needs a commit, and on a chain with an execution client a payload, to be made or applied", () => {
    const { time, proposerAddress } = block.header;
    const content = { time, proposerAddress, txs: block.txs, lastCommit: null, evidence: [] };
    refused("BAD_LAST_COMMIT", null, () => makeBlock(tip.state, content));
    for (const txs of [[], [encodeEnvelope({ version: 0 })]])
      refused("ENVELOPE_VERSION", null, () => applyBlock(tip.state, { ...block, txs }, blockId));
  });

  it("is listed with its size and without its envelope among the transactions", () => {
    const meta = blockMetaJson(block, blockId, 1234);
    assert.equal(meta.block_size, "1234");
    assert.equal(meta.num_txs, String(block.txs.length - 1));
    assert.equal(meta.block_id.hash, toHex(blockId.hash).toUpperCase());
    assert.equal(blockMetaJson({ ...block, txs: [] }, blockId, 1).num_txs, "0");
  });
});

describe("a stored state", () => {
  it("whose registry is not in order of its keys, or names one twice, is malformed", () => {
    const { registry } = tip.state;
    const [first, second] = registry.entries;
    for (const entries of [registry.entries.toReversed(), [first!, first!], [second!, first!]])
      refused("DECODE", null, () =>
        decodeState(encodeState({ ...tip.state, registry: { ...registry, entries } })),
      );
  });

  it("that has a last block without its validators, or validators without it, is malformed", () => {
    for (const broken of [
      { ...tip.state, lastValidators: null },
      { ...stateFromGenesis(fixture.genesis), lastValidators: set },
    ])
      refused("DECODE", null, () => decodeState(encodeState(broken)));
  });
});

describe("an upgrade", () => {
  const upgrades = [
    { height: 3, appVersion: 1, params: { gas_limit: 30_000_000 } },
    { height: 5, appVersion: 2, params: { block_interval: 2_000 } },
    { height: 9, appVersion: 3, params: {} },
  ];

  it("that this build cannot follow is found from any height up to it, and none after the last", () => {
    const future = [...upgrades, { height: 20, appVersion: 1_000_000, params: {} }];
    assert.equal(unsupportedUpgrade(future, 20)?.height, 20);
    assert.equal(unsupportedUpgrade(future, 21), null);
    assert.notEqual(unsupportedUpgrade(future, 1), null);
  });
});

describe("evidence of an attack on light clients", () => {
  it("is known by block hash and common height, as CometBFT writes it", () => {
    const signedHeader = { header: { ...block.header, height: 100_000 }, commit };
    const idAt = (commonHeight: number): string =>
      toHex(
        evidenceId({
          kind: "light_client_attack",
          conflictingBlock: { signedHeader, validators: set },
          commonHeight,
          byzantineValidators: [],
          totalVotingPower: set.totalPower,
          timestamp: block.header.time,
        }),
      );
    const ids = [1, 63, 64, 8191, 8192, 100_000].map(idAt);
    assert.equal(new Set(ids).size, ids.length, "varints of one, two and three bytes");
    assert.equal(idAt(64), idAt(64));
  });
});
