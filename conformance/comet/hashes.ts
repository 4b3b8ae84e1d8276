/** Merkle trees, transaction data, results, params, part sets. */
import {
  consensusParamsHash,
  dataHash,
  decodePart,
  decodeProof,
  encodePart,
  encodeProof,
  encodeTxs,
  makePartSet,
  PartSetBuilder,
} from "@quorate/chain";
import { merkleProofs, merkleRoot, sha256, verifyMerkleProof } from "@quorate/crypto";
import { compare, compareWhole, equal, fail, type Json, type Judge, verdict } from "../case.ts";
import * as basic from "../model/basic.ts";
import * as merkle from "../model/merkle.ts";
import { WORDS } from "../model/reasons.ts";
import { withoutNil } from "../model/render.ts";
import * as values from "../model/values.ts";
import * as wire from "../model/wire.ts";
import * as product from "./product.ts";

const hex = values.toHex;
const PART_SIZE = 65_536;

function proofJson(proof: values.Proof): object {
  return {
    aunts: proof.aunts.map(hex),
    index: String(proof.index),
    leaf_hash: hex(proof.leafHash),
    total: String(proof.total),
  };
}

/** The tree by the model, the product agreeing. */
function treeOf(leaves: readonly Uint8Array[]): ReturnType<typeof merkle.tree> {
  const model = merkle.tree(leaves);
  const ours = merkleProofs(leaves);
  equal(hex(ours.root), hex(model.root), "root of the product");
  equal(hex(merkleRoot(leaves)), hex(model.root), "root of the product");
  equal(ours.proofs, model.proofs.map(product.proof), "proofs of the product");
  return model;
}

/** Compares proofs, each by the fields that it expects; a vector may show some of them, which their index names. */
function compareEach(
  expected: Json,
  computed: readonly Readonly<Record<string, unknown>>[],
  what: string,
): void {
  const entries = values.list(expected);
  if (entries.length > computed.length)
    fail(`the vector has ${entries.length} ${what}, this code ${computed.length}`);
  const seen = new Set<number>();
  for (const [i, entry] of entries.entries()) {
    const place = entry?.index === undefined ? i : Number(values.int64(entry.index));
    const own = computed[place] ?? fail(`there is no place ${place} among ${computed.length} ${what}`);
    if (seen.has(place)) fail(`place ${place} stands twice among the ${what}`);
    seen.add(place);
    compare(entry, own);
  }
}

function tree(input: Json, expect: Json): void {
  const { root, proofs } = treeOf(values.list(input.leaves).map(values.bytes));
  const { proofs: expected, ...rest } = expect;
  if (Object.keys(rest).length > 0) compare(rest, { root: hex(root) });
  if (expected === undefined) return;
  compareEach(
    expected,
    proofs.map((proof) => {
      const proto = hex(wire.proof(proof));
      equal(hex(encodeProof(product.proof(proof))), proto, "proof of the product");
      equal(decodeProof(wire.proof(proof)), product.proof(proof), "proof decoded by the product");
      return { ...proofJson(proof), proto };
    }),
    "proofs",
  );
}

const places = (proof: values.Proof): boolean =>
  product.representable(proof.total) && product.representable(proof.index);

function verifyProof(input: Json, expect: Json): void {
  const proof = values.proof(input.proof);
  const root = values.optionalHex(input.root);
  const leaf = values.bytes(input.leaf);
  const verify = merkle.verifyReason(proof, root, leaf);
  const shape = merkle.basicReason(proof);
  compare(expect, { verify: verdict(verify), validate_basic: verdict(shape) }, WORDS);
  const proto = wire.proof(proof);
  if (places(proof)) {
    // The product's proofs are also of sound shape.
    equal(
      verifyMerkleProof(root, product.proof(proof), leaf),
      verify === null && shape === null,
      "the product",
    );
  }
  if (places(proof) && shape === null) {
    equal(decodeProof(proto), product.proof(proof), "proof decoded by the product");
  } else product.refused("proof", () => decodeProof(proto));
}

function data(input: Json, expect: Json): void {
  const txs = values.list(input.txs).map(values.bytes);
  const hashes = txs.map((tx) => sha256(tx));
  const { root, proofs } = treeOf(hashes);
  equal(hex(dataHash(txs)), hex(root), "data hash of the product");
  equal(hex(encodeTxs(txs)), hex(wire.txs(txs)), "protobuf of the product");
  const { proofs: expected, json, ...rest } = expect;
  compare(rest, {
    data_hash: hex(root),
    proto: hex(wire.txs(txs)),
    tx_hashes: hashes.map(hex),
  });
  if (json !== undefined) {
    equal(withoutNil({ txs: txs.map(values.base64) }), withoutNil(json), "JSON");
  }
  if (expected === undefined) return;
  compareEach(
    expected,
    proofs.map((proof, i) => ({
      ...proofJson(proof),
      tx_proof_json: {
        root_hash: values.upper(root),
        data: values.base64(txs[i]!),
        proof: {
          total: String(proof.total),
          index: String(proof.index),
          leaf_hash: values.base64(proof.leafHash),
          aunts: proof.aunts.map(values.base64),
        },
      },
      tx_proof_proto: hex(
        wire.join(wire.bytes(1, root), wire.bytes(2, txs[i]!), wire.embedded(3, wire.proof(proof))),
      ),
    })),
    "proofs",
  );
}

function txProof(input: Json, expect: Json): void {
  const proof = values.proof(input.proof);
  const root = values.optionalHex(input.root_hash);
  const leaf = sha256(values.bytes(input.tx));
  const reason = ((): string | null => {
    if (!basic.same(values.optionalHex(input.data_hash), root)) return "different_data_hash";
    if (proof.index < 0n) return "negative_index";
    if (proof.total <= 0n) return "negative_total";
    return merkle.verifyReason(proof, root, leaf) === null ? null : "inconsistent_proof";
  })();
  compareWhole(expect, reason, WORDS);
  if (places(proof) && reason !== "different_data_hash") {
    const sound = merkle.basicReason(proof) === null;
    equal(verifyMerkleProof(root, product.proof(proof), leaf), reason === null && sound, "the product");
  }
}

function results(input: Json, expect: Json): void {
  const leaves = values
    .list(input.results)
    .map((result) =>
      wire.join(
        wire.number(1, values.uint64(result.code ?? 0)),
        wire.bytes(2, values.optionalHex(result.data)),
        wire.number(5, values.int64(result.gas_wanted ?? "0")),
        wire.number(6, values.int64(result.gas_used ?? "0")),
      ),
    );
  const { root, proofs } = treeOf(leaves);
  const { proofs: expected, ...rest } = expect;
  compare(rest, { hash: hex(root), leaves: leaves.map(hex) });
  if (expected !== undefined)
    compareEach(expected, proofs.map(proofJson) as Record<string, unknown>[], "proofs");
}

const MAX_BLOCK = 104_857_600n;
const KEY_TYPES = new Set(["ed25519", "secp256k1", "bls12_381", "secp256k1eth"]);

function params(input: Json, expect: Json): void {
  const maxBytes = values.int64(input.block?.max_bytes ?? "0");
  const maxGas = values.int64(input.block?.max_gas ?? "0");
  const ageBlocks = values.int64(input.evidence?.max_age_num_blocks ?? "0");
  const ageTime = values.int64(input.evidence?.max_age_duration_ns ?? "0");
  const evidenceBytes = values.int64(input.evidence?.max_bytes ?? "0");
  const types: readonly string[] = values.list(input.validator?.pub_key_types).map(String);
  const app = values.uint64(input.version?.app ?? "0");
  const extensions = values.int64(input.abci?.vote_extensions_enable_height ?? "0");
  const reason = ((): string | null => {
    if (maxBytes === 0n || maxBytes < -1n) return "block_max_bytes";
    if (maxBytes > MAX_BLOCK) return "block_max_bytes_too_big";
    if (maxGas < -1n) return "max_gas";
    if (ageBlocks <= 0n) return "evidence_max_age_blocks";
    if (ageTime <= 0n) return "evidence_max_age_duration";
    if (evidenceBytes > (maxBytes === -1n ? MAX_BLOCK : maxBytes) || evidenceBytes < 0n)
      return "evidence_max_bytes";
    if (extensions < 0n) return "vote_extensions_height";
    return types.length > 0 && types.every((type) => KEY_TYPES.has(type)) ? null : "pub_key_types";
  })();
  const hashed = wire.join(wire.number(1, maxBytes), wire.number(2, maxGas));
  const duration = wire.join(
    wire.number(1, ageTime / 1_000_000_000n),
    wire.number(2, ageTime % 1_000_000_000n),
  );
  const proto = wire.join(
    wire.embedded(1, hashed),
    wire.embedded(
      2,
      wire.join(wire.number(1, ageBlocks), wire.embedded(2, duration), wire.number(3, evidenceBytes)),
    ),
    wire.embedded(3, wire.join(...types.map((type) => wire.embedded(1, new TextEncoder().encode(type))))),
    wire.embedded(4, wire.number(1, app)),
    wire.embedded(5, wire.number(1, extensions)),
  );
  const { json, ...rest } = expect;
  compare(
    rest,
    {
      hash: hex(sha256(hashed)),
      hashed_params: hex(hashed),
      proto: hex(proto),
      validate_basic: verdict(reason),
    },
    WORDS,
  );
  equal(hex(consensusParamsHash({ maxBytes, maxGas })), hex(sha256(hashed)), "consensus hash of the product");
  if (json === undefined) return;
  const rendered = {
    block: { max_bytes: String(maxBytes), max_gas: String(maxGas) },
    evidence: {
      max_age_num_blocks: String(ageBlocks),
      max_age_duration: String(ageTime),
      max_bytes: String(evidenceBytes),
    },
    validator: { pub_key_types: types },
    version: app === 0n && json.version?.app === undefined ? {} : { app: String(app) },
    abci: { vote_extensions_enable_height: String(extensions) },
  };
  equal(withoutNil(rendered), withoutNil(json), "JSON");
}

function partSet(input: Json, expect: Json): void {
  const content = values.bytes(input.data);
  const size = Number(values.int64(input.part_size ?? PART_SIZE));
  if (size < 1) throw new TypeError(`parts of ${size} bytes`);
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < content.length; at += size) chunks.push(content.subarray(at, at + size));
  const { root, proofs } = treeOf(chunks);
  const { parts, ...rest } = expect;
  compare(rest, { total: chunks.length, hash: hex(root), data_sha256: () => hex(sha256(content)) });
  const protos = chunks.map((chunk, i) => wire.part(BigInt(i), chunk, proofs[i]!));
  // A vector of a large set may show a part of its parts only; each says which by its proof.
  for (const entry of values.list(parts)) {
    const place = Number(values.int64(entry.proof?.index ?? entry.index ?? "0"));
    const chunk = chunks[place];
    if (chunk === undefined) throw new TypeError(`the set has no part ${place}`);
    const proto = protos[place]!;
    compare(entry, {
      index: place,
      length: chunk.length,
      proof: proofJson(proofs[place]!),
      proto: () => hex(proto),
      proto_length: proto.length,
      proto_sha256: () => hex(sha256(proto)),
      sha256: () => hex(sha256(chunk)),
      bytes: () => hex(chunk),
    });
  }
  if (size === PART_SIZE) judgePartsOfProduct(content, root, protos);
}

function judgePartsOfProduct(content: Uint8Array, root: Uint8Array, protos: readonly Uint8Array[]): void {
  const set = makePartSet(content);
  equal(
    { total: set.header.total, hash: hex(set.header.hash) },
    { total: protos.length, hash: hex(root) },
    "header",
  );
  for (const [i, made] of set.parts.entries()) {
    equal(hex(encodePart(made)), hex(protos[i]!), `part ${i} of the product`);
    equal(decodePart(protos[i]!), { ...made, bytes: made.bytes.slice() }, `part ${i} decoded by the product`);
  }
  if (set.header.total === 0) return;
  const builder = new PartSetBuilder(set.header);
  for (const made of set.parts.toReversed()) equal(builder.add(made), true, "a part of the product's own");
  equal(hex(sha256(builder.bytes())), hex(sha256(content)), "content put together again");
}

function addPart(input: Json, expect: Json): void {
  const total = values.uint64(input.header.total);
  const root = values.optionalHex(input.header.hash);
  const index = values.uint64(input.part.index ?? 0);
  const content = values.bytes(input.part.bytes);
  const proof = values.proof(input.part.proof);
  const shape = basic.part(index, content.length, proof);
  const refusal = ((): string | null => {
    if (index >= total) return "part_index_out_of_range";
    if (proof.total !== total) return "part_proof";
    return merkle.verifyReason(proof, root, content) === null ? null : "part_proof";
  })();
  compare(
    expect,
    {
      validate_basic: verdict(shape),
      add_part: verdict(refusal),
      added: refusal === null,
      // The second time it is there already, which the library tells before it looks at the proof.
      added_again: false,
    },
    WORDS,
  );
  const offered = { index: Number(index), bytes: content, proof: product.proof(proof) };
  if (total < 1n || total > 1600n) {
    product.refused("part-set header", () => new PartSetBuilder({ total: Number(total), hash: root }));
    return;
  }
  const builder = new PartSetBuilder({ total: Number(total), hash: root });
  if (shape === null && refusal === null && content.length > 0 && places(proof)) {
    equal(builder.add(offered), true, "the product");
    equal(builder.add(offered), false, "the product, a second time");
  } else product.refused("part", () => builder.add(offered));
}

const any = (): boolean => true;

export const hashJudges: readonly Judge[] = [
  { kind: "tree", takes: any, run: tree },
  { kind: "verify", takes: (input) => input.leaf !== undefined, run: verifyProof },
  { kind: "data", takes: (input) => input.bytes === undefined, run: data },
  { kind: "tx_proof", takes: any, run: txProof },
  { kind: "results", takes: any, run: results },
  { kind: "params", takes: any, run: params },
  { kind: "part_set", takes: any, run: partSet },
  { kind: "add_part", takes: any, run: addPart },
];
