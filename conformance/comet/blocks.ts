/** Whole blocks, and decoding of malformed and non-canonical bytes. */
import {
  type Block,
  blockIdOf,
  blockJson,
  ChainError,
  checkBlockHashes,
  decodeBlock,
  decodeBlockId,
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
  encodeBlock,
  encodeBlockId,
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
  evidenceJson,
  headerHash,
} from "@quorate/chain";
import { sha256 } from "@quorate/crypto";
import { compare, equal, fail, type Json, type Judge, verdict } from "../case.ts";
import * as basic from "../model/basic.ts";
import * as merkle from "../model/merkle.ts";
import { WORDS } from "../model/reasons.ts";
import * as render from "../model/render.ts";
import * as values from "../model/values.ts";
import * as wire from "../model/wire.ts";
import { productEvidence, unwrapped } from "./evidence.ts";
import * as product from "./product.ts";

const hex = values.toHex;
const PART_SIZE = 65_536;

interface ModelBlock {
  readonly header: values.Header;
  readonly txs: readonly Uint8Array[];
  /** Each with its oneof. */
  readonly evidence: readonly Uint8Array[];
  readonly lastCommit: values.Commit | null;
}

function blockProto(of: ModelBlock): Uint8Array {
  return wire.join(
    wire.embedded(1, wire.header(of.header)),
    wire.embedded(2, wire.txs(of.txs)),
    wire.embedded(3, wire.join(...of.evidence.map((item) => wire.embedded(1, item)))),
    of.lastCommit === null ? new Uint8Array(0) : wire.embedded(4, wire.commit(of.lastCommit)),
  );
}

function blockReason(of: ModelBlock): string | null {
  const fault = basic.header(of.header);
  if (fault !== null) return fault;
  if (of.lastCommit === null) return "nil_commit";
  const commitFault = basic.commit(of.lastCommit);
  if (commitFault !== null) return commitFault;
  if (!basic.same(of.header.lastCommitHash, basic.commitHash(of.lastCommit)))
    return "last_commit_hash_mismatch";
  const data = merkle.root(of.txs.map((tx) => sha256(tx)));
  if (!basic.same(of.header.dataHash, data)) return "data_hash_mismatch";
  const evidence = merkle.root(of.evidence.map(unwrapped));
  return basic.same(of.header.evidenceHash, evidence) ? null : "evidence_hash_mismatch";
}

function partsOf(proto: Uint8Array): object {
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < proto.length; at += PART_SIZE) chunks.push(proto.subarray(at, at + PART_SIZE));
  return { hash: hex(merkle.root(chunks)), total: chunks.length };
}

function jsonOf(of: ModelBlock, expected: Json): unknown {
  const items = productEvidence(of.evidence);
  return {
    header: render.header(of.header),
    data: { txs: of.txs.map(values.base64) },
    // Items that the product does not take are shown by the vector alone.
    evidence: { evidence: items === null ? expected?.evidence?.evidence : items.map(evidenceJson) },
    last_commit: of.lastCommit === null ? null : render.commit(of.lastCommit),
  };
}

function block(input: Json, expect: Json): void {
  const of: ModelBlock = {
    header: values.header(input.header),
    txs: values.list(input.txs).map(values.bytes),
    evidence: values.list(input.evidence).map((e) => values.hex(typeof e === "string" ? e : e.wrapped)),
    lastCommit:
      input.last_commit === null || input.last_commit === undefined ? null : values.commit(input.last_commit),
  };
  const proto = blockProto(of);
  const hash = of.lastCommit === null ? null : basic.headerHash(of.header);
  const reason = blockReason(of);
  const { json, ...rest } = expect;
  compare(
    rest,
    {
      hash: hash === null ? null : hex(hash),
      parts: partsOf(proto),
      proto: () => hex(proto),
      proto_sha256: hex(sha256(proto)),
      size: typeof expect.size === "string" ? String(proto.length) : proto.length,
      validate_basic: verdict(reason),
    },
    WORDS,
  );
  if (json !== undefined) {
    equal(render.withoutNil(jsonOf(of, json)), render.withoutNil(json), "JSON");
  }
  judgeBlockOfProduct(of, proto, reason);
}

function decodeSoundBlock(proto: Uint8Array): Block {
  const decoded = decodeBlock(proto);
  checkBlockHashes(decoded);
  return decoded;
}

function judgeBlockOfProduct(of: ModelBlock, proto: Uint8Array, reason: string | null): void {
  const evidence = productEvidence(of.evidence);
  const { lastCommit } = of;
  if (lastCommit === null || evidence === null || !product.representable(of.header.height)) {
    product.refused("block", () => decodeBlock(proto));
    return;
  }
  if (!product.representable(lastCommit.height)) {
    product.refused("block", () => decodeBlock(proto));
    return;
  }
  const ours: Block = {
    header: product.header(of.header),
    txs: of.txs,
    evidence,
    lastCommit: product.commit(lastCommit),
  };
  equal(hex(encodeBlock(ours)), hex(proto), "protobuf of the product");
  if (of.header.validatorsHash.length > 0) {
    const id = blockIdOf(ours, proto);
    equal(hex(id.hash), hex(headerHash(ours.header)), "hash of the product");
    equal({ hash: hex(id.parts.hash), total: id.parts.total }, partsOf(proto), "parts of the product");
  }
  const takes = reason === null && product.takes.header(of.header) && product.takes.commit(lastCommit);
  if (!takes) {
    product.refused("block", () => decodeSoundBlock(proto));
    return;
  }
  equal(decodeSoundBlock(proto), ours, "block decoded by the product");
  equal(render.withoutNil(blockJson(ours)), render.withoutNil(jsonOf(of, null)), "JSON of the product");
}

/** Message by message: decode, check, encode again. */
const CODECS: Readonly<Record<string, (proto: Uint8Array) => Uint8Array>> = {
  vote: (proto) => encodeVote(decodeVote(proto)),
  proposal: (proto) => encodeProposal(decodeProposal(proto)),
  header: (proto) => encodeHeader(decodeHeader(proto)),
  block: (proto) => encodeBlock(decodeSoundBlock(proto)),
  block_id: (proto) => encodeBlockId(decodeBlockId(proto)),
  commit: (proto) => encodeCommit(decodeCommit(proto)),
  evidence: (proto) => encodeEvidence(decodeEvidence(proto)),
  evidence_list: (proto) => encodeEvidenceList(decodeEvidenceList(proto)),
  list: (proto) => encodeEvidenceList(decodeEvidenceList(proto)),
  part: (proto) => encodePart(decodePart(proto)),
  proof: (proto) => encodeProof(decodeProof(proto)),
  validator: (proto) => encodeValidator(decodeValidator(proto)),
  validator_set: (proto) => encodeValidatorSet(decodeValidatorSet(proto)),
  light_block: (proto) => encodeLightBlock(decodeLightBlock(proto)),
};

/** Refusals by design of what the library takes: larger numbers than 2^53-1, other signatures than Ed25519's. */
const NARROWER = /number is above|has not 64 bytes|POL round|height is not positive|not positive/;

function decoding(kind: string): (input: Json, expect: Json) => void {
  const recode = CODECS[kind]!;
  return (input, expect) => {
    const proto = values.hex(input.bytes);
    if (typeof expect.decodes !== "boolean") fail("the vector does not say whether the bytes decode");
    let recoded: Uint8Array | null = null;
    let refusal = "";
    try {
      recoded = recode(proto);
    } catch (error) {
      if (!(error instanceof ChainError)) throw error;
      refusal = error.message;
    }
    if (recoded !== null) equal(hex(recoded), hex(proto), "what was decoded, encoded again");
    const sound = expect.decodes && expect.domain?.ok !== false;
    if (recoded !== null && !sound) fail("the vector says refused, the product takes it");
    if (recoded === null && sound && expect.reencodes_same === true && !NARROWER.test(refusal)) {
      fail(`the vector says canonical and valid, the product refuses it: ${refusal}`);
    }
    // Bytes that the product takes are the library's own encoding of them.
    if (recoded !== null && expect.reencodes_same === false)
      fail("the library encodes these bytes in another way");
    const { decodes, reencoded, reencodes_same: same, domain, reason: _r, go_error: _g, ...unknown } = expect;
    if (Object.keys(unknown).length > 0)
      fail(`the vector expects "${Object.keys(unknown)[0]}", which is not computed`);
    if (decodes !== (typeof same === "boolean") || decodes !== (typeof domain?.ok === "boolean")) {
      fail("what decodes, and only that, has a value and an encoding of its own");
    }
    if (decodes)
      equal(same, reencoded === undefined || reencoded === input.bytes, "whether the bytes are the same");
  };
}

export const blockJudges: readonly Judge[] = [
  { kind: "block", takes: (input) => input.bytes === undefined, run: block },
  ...Object.keys(CODECS).map(
    (kind): Judge => ({
      kind,
      takes: (input, expect) => typeof input.bytes === "string" && expect?.decodes !== undefined,
      run: decoding(kind),
    }),
  ),
];
