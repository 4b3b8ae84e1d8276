import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { toHex } from "@quorate/crypto";
import fc from "fast-check";
import {
  ChainError,
  decodeBlock,
  decodeBlockId,
  decodeCertificate,
  decodeCommit,
  decodeEvidence,
  decodeEvidenceList,
  decodeHeader,
  decodeLightBlock,
  decodePart,
  decodeProof,
  decodeProposal,
  decodeValidator,
  decodeValidatorSet,
  decodeVote,
  decodeVoteSignBytes,
  EMPTY_COMMIT,
  encodeBlock,
  encodeBlockId,
  encodeCertificate,
  encodeCommit,
  encodeEvidence,
  encodeEvidenceList,
  encodeHeader,
  encodeLightBlock,
  encodePart,
  encodeProof,
  encodeProposal,
  encodeValidator,
  encodeValidatorSet,
  encodeVote,
  proposalSignBytes,
  type Vote,
  voteSignBytes,
} from "../src/index.ts";
import * as arbitrary from "./arbitraries.ts";

interface Codec<T> {
  readonly name: string;
  readonly values: fc.Arbitrary<T>;
  readonly encode: (value: T) => Uint8Array;
  readonly decode: (bytes: Uint8Array) => T;
}

/** Bytes near a sound encoding: cut, extended, bits flipped, a piece doubled. */
function mutated(sound: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  return fc
    .record({
      bytes: sound,
      kind: fc.constantFrom("flip", "cut", "append", "double", "insert"),
      at: fc.nat(),
      with: fc.nat({ max: 255 }),
    })
    .map(({ bytes, kind, at, with: byte }) => {
      const place = bytes.length === 0 ? 0 : at % bytes.length;
      if (kind === "cut") return bytes.slice(0, place);
      if (kind === "append") return Uint8Array.from([...bytes, byte]);
      if (kind === "insert") return Uint8Array.from([...bytes.slice(0, place), byte, ...bytes.slice(place)]);
      if (kind === "double") return Uint8Array.from([...bytes, ...bytes.slice(place)]);
      const flipped = Uint8Array.from(bytes);
      if (flipped.length > 0) flipped[place]! ^= 1 << (byte & 7);
      return flipped;
    });
}

function laws<T>({ name, values, encode, decode }: Codec<T>): void {
  describe(`codec of a ${name}`, () => {
    test("decoding what was encoded gives the same value, from a Buffer too, and shares no memory with it", () => {
      fc.assert(
        fc.property(values, (value) => {
          const bytes = encode(value);
          assert.deepEqual(decode(bytes), value);
          const buffer = Buffer.from(bytes);
          const decoded = decode(buffer);
          buffer.fill(0xee);
          assert.deepEqual(decoded, value);
        }),
        { numRuns: 60 },
      );
    });

    test("any other bytes give a value that encodes to them, or DECODE", () => {
      const check = (bytes: Uint8Array): void => {
        let value: T;
        try {
          value = decode(bytes);
        } catch (error) {
          assert.ok(error instanceof ChainError && error.code === "DECODE", String(error));
          return;
        }
        assert.equal(toHex(encode(value)), toHex(bytes));
      };
      fc.assert(fc.property(mutated(values.map(encode)), check), { numRuns: 250 });
      fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), check), { numRuns: 100 });
    });
  });
}

laws({
  name: "block id",
  values: fc.option(arbitrary.blockId, { nil: null }),
  encode: encodeBlockId,
  decode: decodeBlockId,
});
laws({ name: "vote", values: arbitrary.vote, encode: encodeVote, decode: decodeVote });
laws({
  name: "vote in its sign bytes",
  values: arbitrary.vote.map(({ type, height, round, blockId, timestamp }) => {
    return { type, height, round, blockId, timestamp };
  }),
  encode: (vote) => voteSignBytes("chain", vote),
  decode: (bytes) => decodeVoteSignBytes("chain", bytes),
});
laws({ name: "proposal", values: arbitrary.proposal, encode: encodeProposal, decode: decodeProposal });
laws({ name: "commit", values: arbitrary.commit, encode: encodeCommit, decode: decodeCommit });
laws({ name: "header", values: arbitrary.header, encode: encodeHeader, decode: decodeHeader });
laws({ name: "validator", values: arbitrary.validator, encode: encodeValidator, decode: decodeValidator });
laws({
  name: "validator set",
  values: arbitrary.validatorSet,
  encode: encodeValidatorSet,
  decode: decodeValidatorSet,
});
laws({
  name: "light block",
  values: arbitrary.lightBlock,
  encode: encodeLightBlock,
  decode: decodeLightBlock,
});
laws({
  name: "piece of evidence",
  values: arbitrary.evidence,
  encode: encodeEvidence,
  decode: decodeEvidence,
});
laws({
  name: "list of evidence",
  values: fc.array(arbitrary.evidence, { maxLength: 3 }),
  encode: encodeEvidenceList,
  decode: decodeEvidenceList,
});
laws({ name: "proof", values: arbitrary.proof, encode: encodeProof, decode: decodeProof });
laws({ name: "part", values: arbitrary.part, encode: encodePart, decode: decodePart });
laws({ name: "block", values: arbitrary.block, encode: encodeBlock, decode: decodeBlock });

test("a block whose last commit has the bytes of a known one is decoded with that very commit, and with no other", () => {
  fc.assert(
    fc.property(arbitrary.block, arbitrary.block, (block, other) => {
      const bytes = encodeBlock(block);
      const carried = encodeCommit(block.lastCommit);
      const known = { commit: decodeCommit(carried), bytes: carried };
      const decoded = decodeBlock(bytes, false, known);
      assert.deepEqual(decoded, decodeBlock(bytes));
      assert.equal(decoded.lastCommit, known.commit);
      const strange = encodeCommit(other.lastCommit);
      const stranger = { commit: decodeCommit(strange), bytes: strange };
      assert.deepEqual(decodeBlock(bytes, false, stranger), decodeBlock(bytes));
    }),
    { numRuns: 50 },
  );
});
laws({
  name: "certificate",
  values: arbitrary.certificate,
  encode: encodeCertificate,
  decode: decodeCertificate,
});

describe("limits of decoding", () => {
  const vote: Vote = {
    type: 2,
    height: 1,
    round: 0,
    blockId: null,
    timestamp: 0n,
    validatorAddress: new Uint8Array(20),
    validatorIndex: 0,
    signature: new Uint8Array(64),
  };

  test("heights up to 2^53-1 and rounds up to 2^31-1 are taken, the next ones refused", () => {
    for (const [field, limit] of [
      ["height", Number.MAX_SAFE_INTEGER],
      ["round", 2 ** 31 - 1],
    ] as const) {
      const largest = encodeVote({ ...vote, [field]: limit });
      assert.equal(decodeVote(largest)[field], limit);
      const hex = toHex(encodeVote({ ...vote, [field]: limit }));
      const tag = field === "height" ? "10" : "18";
      const [whole, next] =
        field === "height" ? ["ffffffffffffff0f", "8080808080808010"] : ["ffffffff07", "8080808008"];
      assert.ok(hex.includes(tag + whole));
      const above = Buffer.from(hex.replace(tag + whole, tag + next), "hex");
      assert.throws(() => decodeVote(above), ChainError);
    }
  });

  test("sign bytes of another chain, or of a proposal, are no vote of this one", () => {
    const bytes = voteSignBytes("chain", vote);
    assert.throws(() => decodeVoteSignBytes("other", bytes), ChainError);
    const blockId = { hash: new Uint8Array(32), parts: { total: 1, hash: new Uint8Array(32) } };
    const proposal = proposalSignBytes("chain", {
      height: 1,
      round: 0,
      polRound: -1,
      blockId,
      timestamp: 0n,
    });
    assert.throws(() => decodeVoteSignBytes("chain", proposal), ChainError);
  });

  test("the empty commit of the first block is four bytes and nothing like it is taken", () => {
    assert.equal(toHex(encodeCommit(EMPTY_COMMIT)), "1a021200");
    assert.equal(decodeCommit(Uint8Array.of(0x1a, 2, 0x12, 0)), EMPTY_COMMIT);
    assert.throws(() => decodeCommit(Uint8Array.of(0x10, 1, 0x1a, 2, 0x12, 0)), ChainError);
    assert.throws(() => decodeCommit(new Uint8Array(0)), ChainError);
  });

  test("a certificate that promises more signatures than it holds costs nothing", () => {
    const certificate = { type: 2 as const, height: 1, round: 0, blockId: null };
    const one = { validatorIndex: 0, timestamp: 0n, signature: new Uint8Array(64) };
    const bytes = encodeCertificate({ ...certificate, signatures: [one] });
    bytes[14] = 255;
    bytes[15] = 255;
    assert.throws(() => decodeCertificate(bytes), ChainError);
    assert.throws(() => encodeCertificate({ ...certificate, signatures: [one, one] }), ChainError);
    assert.throws(() => encodeCertificate({ ...certificate, signatures: [] }), ChainError);
  });
});
