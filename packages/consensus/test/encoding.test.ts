/** Bytes of inputs and snapshots: an input decodes to itself, and any other bytes are refused with one error. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { VoteType } from "@quorate/chain";
import fc from "fast-check";
import {
  ConsensusError,
  decodeInput,
  decodeSnapshot,
  encodeInput,
  encodeSnapshot,
  type Input,
} from "../src/index.ts";
import { Core } from "./harness/core.ts";
import {
  blockId,
  certificate,
  HEIGHT,
  prevote,
  proposal,
  startHeight,
  TIME,
  validatorSet,
} from "./harness/fixtures.ts";

const A = blockId("a");
const set = validatorSet([3n, 2n, 2n, 1n]);

function commitOf(): Extract<Input, { kind: "start_height" }>["lastCommit"] {
  const core = Core.inRound0(3);
  core.good(0, A);
  core.precommits(0, A, [0, 1, 2]);
  return core.last("decide").commit;
}

function snapshot(): Extract<Input, { kind: "restore" }>["snapshot"] {
  const core = Core.inRound0(3);
  core.good(0, A);
  core.sign();
  core.prevotes(1, null, [0]);
  core.prevotes(0, A, [0, 1]);
  return core.last("snapshot").snapshot;
}

const INPUTS: readonly Input[] = [
  startHeight(set, 2),
  startHeight(set, null, { startDelayMs: 0.25 }),
  startHeight(set, 0, {
    lock: { round: 2, blockId: A },
    watermark: { round: 3, step: 1 },
    lastCommit: commitOf() ?? null,
  }),
  { kind: "proposal", proposal: proposal(3, A, { polRound: 1 }), receivedAtMs: 1_700_000_000_123.5 },
  { kind: "vote", vote: prevote(set, 1, 4, null) },
  { kind: "vote", vote: prevote(set, 1, 2 ** 31 - 1, A) },
  { kind: "certificate", certificate: certificate(VoteType.precommit, 2, A, [0, 1, 3]) },
  { kind: "certificate", certificate: certificate(VoteType.prevote, 2, null, [0, 1, 3]) },
  { kind: "timeout", timeout: { kind: "precommit", height: HEIGHT, round: 7 } },
  { kind: "timeout", timeout: { kind: "new_height", height: HEIGHT, round: 0 } },
  { kind: "body", height: HEIGHT, blockId: A, time: TIME, proposerAddress: set.validators[0]!.address },
  { kind: "verdict", height: HEIGHT, blockId: A, verdict: "invalid" },
  { kind: "built", height: HEIGHT, round: 1, value: { blockId: A, time: TIME } },
  { kind: "built", height: HEIGHT, round: 1, value: { blockId: A, time: TIME, open: true } },
  { kind: "built", height: HEIGHT, round: 1, value: null },
  { kind: "signed_vote", height: HEIGHT, round: 4, vote: prevote(set, 1, 4, A) },
  { kind: "signed_proposal", height: HEIGHT, round: 0, proposal: proposal(0, A) },
  { kind: "sign_refused", height: HEIGHT, round: 0, what: "precommit" },
  { kind: "proposer_absent", height: HEIGHT, round: 2 },
  { kind: "restore", snapshot: snapshot() },
  { kind: "sign_state", height: HEIGHT, lock: { round: 2, blockId: A }, watermark: { round: 2, step: 2 } },
  { kind: "sign_state", height: HEIGHT, lock: null, watermark: null },
];

test("every kind of input decodes to itself", () => {
  for (const input of INPUTS) {
    const expected = input.kind === "start_height" && input.lastCommit === null ? omitCommit(input) : input;
    assert.deepEqual(decodeInput(encodeInput(input)), expected);
  }
  assert.equal(new Set(INPUTS.map(({ kind }) => kind)).size, 14, "and none is left out");
});

test("a snapshot decodes to itself", () => {
  assert.deepEqual(decodeSnapshot(encodeSnapshot(snapshot())), snapshot());
});

test("an input cut short or with a byte too many is refused", () => {
  for (const input of INPUTS) {
    const bytes = encodeInput(input);
    for (let length = 0; length < bytes.length; length += 1 + (length >> 4))
      refused(bytes.subarray(0, length));
    refused(new Uint8Array([...bytes, 0]));
  }
});

test("bytes of another version are refused by name", () => {
  const bytes = encodeInput(INPUTS[0]!);
  bytes[0] = 9;
  assert.throws(() => decodeInput(bytes), /input has version 9, this program reads 1/);
});

test("any bytes give an input that encodes to them, or one typed error", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...INPUTS),
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }),
      (input, edits) => {
        const bytes = encodeInput(input);
        for (const [at, value] of edits) bytes[at % bytes.length] = value;
        agree(bytes);
      },
    ),
    { numRuns: 2000 },
  );
  fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), agree), { numRuns: 1000 });
});

/** Decoding either throws ConsensusError DECODE or gives an input whose encoding is these very bytes. */
function agree(bytes: Uint8Array): void {
  let input: Input;
  try {
    input = decodeInput(bytes);
  } catch (error) {
    assert.ok(error instanceof ConsensusError && error.code === "DECODE", String(error));
    return;
  }
  assert.deepEqual(encodeInput(input), bytes);
}

function refused(bytes: Uint8Array): void {
  assert.throws(
    () => decodeInput(bytes),
    (error) => error instanceof ConsensusError && error.code === "DECODE",
  );
}

function omitCommit({ lastCommit: _, ...rest }: Extract<Input, { kind: "start_height" }>): Input {
  return rest;
}
