/** What the shell and peers may read of the core, and the bound on what it knows of blocks. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteReader, ByteWriter, DEFAULT_PARAMS, paramsToRecord, VoteType } from "@quorate/chain";
import { readParams, writeParams } from "../src/encoding/fields.ts";
import { ConsensusError, hasBody, haveBits, proposalOf, votesOf } from "../src/index.ts";
import { LIMITS } from "../src/limits.ts";
import { Core } from "./harness/core.ts";
import { blockId, HEIGHT, TIME } from "./harness/fixtures.ts";

const A = blockId("a");

test("votes are shown by validator, as list and as bits; a round that nobody voted in is empty", () => {
  const core = Core.inRound0(3);
  core.good(0, A);
  core.sign();
  core.prevotes(0, A, [0, 2]);
  assert.deepEqual(
    votesOf(core.state, 0, VoteType.prevote).map((vote) => vote?.validatorIndex ?? null),
    [0, null, 2, 3],
  );
  assert.deepEqual(votesOf(core.state, 5, VoteType.prevote), []);
  assert.deepEqual(haveBits(core.state, 0, VoteType.prevote), { size: 4, bits: Uint8Array.of(0b1101) });
  assert.deepEqual(haveBits(core.state, 5, VoteType.precommit), { size: 4, bits: Uint8Array.of(0) });
});

test("a proposal and the body of its block are shown once they are here", () => {
  const core = Core.inRound0(3);
  assert.equal(proposalOf(core.state, 0), null);
  assert.equal(hasBody(core.state, A), false);
  core.good(0, A);
  assert.deepEqual(proposalOf(core.state, 0)?.blockId, A);
  assert.equal(hasBody(core.state, A), true);
});

test("facts are kept about a bounded number of blocks; those that are locked, proposed or have a quorum keep theirs", () => {
  const core = Core.inRound0(3);
  core.good(0, A);
  core.sign();
  core.prevotes(0, A, [0, 1]);
  const proposerAddress = core.set.validators[0]!.address;
  for (let i = 0; i < LIMITS.values + 100; i++) {
    core.feed({ kind: "body", height: HEIGHT, blockId: blockId(`other ${i}`), time: TIME, proposerAddress });
  }
  assert.equal(core.state.values.length, LIMITS.values);
  assert.equal(hasBody(core.state, A), true);
  assert.equal(hasBody(core.state, blockId("other 0")), false);
  assert.equal(hasBody(core.state, blockId(`other ${LIMITS.values + 99}`)), true);
  core.sign();
  core.precommits(0, A, [0, 1]);
  assert.equal(core.state.machine.decision?.round, 0, "what was locked can still be decided");
});

test("params in another order than their root's are refused", () => {
  const written = (names: readonly (readonly [string, number])[]): Uint8Array => {
    const writer = new ByteWriter().u32(names.length);
    for (const [name, value] of names) writer.str(name).u64(value);
    return writer.finish();
  };
  const whole = new ByteWriter();
  writeParams(whole, DEFAULT_PARAMS);
  const entries = Object.entries(paramsToRecord(DEFAULT_PARAMS));
  assert.deepEqual(written(entries), whole.finish());
  assert.deepEqual(readParams(new ByteReader(written(entries))), DEFAULT_PARAMS);
  const [first, second, ...rest] = entries;
  for (const wrong of [
    [second!, first!, ...rest],
    [...entries, first!],
  ])
    assert.throws(() => readParams(new ByteReader(written(wrong))), ConsensusError);
});
