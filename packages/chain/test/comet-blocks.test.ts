import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fromHex, sha256, toHex } from "@quorate/crypto";
import {
  type Block,
  blockIdOf,
  ChainError,
  checkBlockHashes,
  decodeBlock,
  decodeCommit,
  decodeEvidence,
  decodePart,
  decodeVote,
  encodeBlock,
  encodeCommit,
  encodeEvidence,
  encodePart,
  encodeVote,
  headerHash,
} from "../src/index.ts";
import {
  type BytesJson,
  bytes,
  type CommitJson,
  cases,
  commit,
  evidenceList,
  type HeaderJson,
  header,
  representable,
  type Verdict,
  vectorsAbsent,
} from "./comet-vectors.ts";

interface Input {
  header: HeaderJson;
  txs: BytesJson[];
  evidence: (string | { wrapped: string })[];
  last_commit: CommitJson | null;
}
interface Expected {
  hash: string | null;
  parts: { hash: string; total: number };
  proto?: string;
  proto_sha256: string;
  size: number;
  validate_basic: Verdict;
}

const isDecodeError = (error: unknown): boolean => error instanceof ChainError && error.code === "DECODE";

/** Strict decoding and the comparison of the header's hashes: together what CometBFT's ValidateBasic asks of a block. */
function decodeSoundBlock(proto: Uint8Array): Block {
  const block = decodeBlock(proto);
  checkBlockHashes(block);
  return block;
}

describe("CometBFT vectors of blocks", { skip: vectorsAbsent }, () => {
  test("hash, protobuf, part set and basic validity", () => {
    let compared = 0;
    for (const { input, expect, name } of cases<Input, Expected>("block", "block")) {
      if (input.last_commit === null) {
        assert.throws(() => decodeBlock(fromHex(expect.proto!)), isDecodeError, name);
        continue;
      }
      const evidence = evidenceList(input.evidence.map((e) => (typeof e === "string" ? e : e.wrapped)));
      const heights = [input.header.height, input.last_commit.height];
      if (evidence === null || !heights.every(representable)) {
        if (expect.proto !== undefined) {
          assert.throws(() => decodeBlock(fromHex(expect.proto!)), isDecodeError, name);
        }
        continue;
      }
      compared++;
      const block: Block = {
        header: header(input.header),
        txs: input.txs.map(bytes),
        evidence,
        lastCommit: commit(input.last_commit),
      };
      const proto = encodeBlock(block);
      assert.equal(proto.length, expect.size, name);
      assert.equal(toHex(sha256(proto)), expect.proto_sha256, name);
      assert.equal(toHex(headerHash(block.header)), expect.hash, name);
      const id = blockIdOf(block, proto);
      assert.equal(toHex(id.hash), expect.hash, name);
      assert.deepEqual({ hash: toHex(id.parts.hash), total: id.parts.total }, expect.parts, name);
      if (expect.validate_basic.ok) assert.deepEqual(decodeSoundBlock(proto), block, name);
      else assert.throws(() => decodeSoundBlock(proto), ChainError, name);
    }
    assert.ok(compared > 20);
  });

  const codecs: Record<string, (proto: Uint8Array) => Uint8Array> = {
    vote: (proto) => encodeVote(decodeVote(proto)),
    block: (proto) => encodeBlock(decodeSoundBlock(proto)),
    commit: (proto) => encodeCommit(decodeCommit(proto)),
    evidence: (proto) => encodeEvidence(decodeEvidence(proto)),
    part: (proto) => encodePart(decodePart(proto)),
  };
  for (const [kind, recode] of Object.entries(codecs)) {
    test(`decoding a ${kind}: canonical and valid bytes are taken, all others refused`, () => {
      interface Outcome {
        decodes: boolean;
        reencodes_same?: boolean;
        domain?: Verdict;
      }
      for (const { input, expect, name } of cases<{ bytes: string }, Outcome>("decode", kind)) {
        const proto = fromHex(input.bytes);
        if (expect.decodes && expect.reencodes_same && expect.domain?.ok) {
          assert.equal(toHex(recode(proto)), input.bytes, name);
        } else {
          assert.throws(() => recode(proto), ChainError, name);
        }
      }
    });
  }
});
