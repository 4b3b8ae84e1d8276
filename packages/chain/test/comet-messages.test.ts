import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  addressOf,
  bytesEqual,
  compareBytes,
  ed25519PublicKey,
  ed25519Sign,
  fromHex,
  merkleProofs,
  merkleRoot,
  nativeBackend,
  sha256,
  toHex,
  utf8Encode,
  verifyMerkleProof,
} from "@quorate/crypto";
import { ProtoWriter } from "../src/encoding/proto.ts";
import { writeTimestampFields } from "../src/encoding/timestamp.ts";
import {
  blockIdEquals,
  blockIdKey,
  ChainError,
  consensusParamsHash,
  dataHash,
  decodeBlockId,
  decodeHeader,
  decodeProof,
  decodeProposal,
  decodeVote,
  encodeBlockId,
  encodeHeader,
  encodeProof,
  encodeProposal,
  encodePublicKey,
  encodeSimpleValidator,
  encodeTxs,
  encodeVote,
  formatTime,
  headerFault,
  headerHash,
  headerLeaves,
  type Proposal,
  parseTime,
  proposalSignBytes,
  type VoteType,
  voteSignBytes,
} from "../src/index.ts";
import {
  type BlockIdJson,
  blockId,
  cases,
  type HeaderJson,
  handCollected,
  header,
  type ProofJson,
  proof,
  representable,
  someBlockId,
  type TimeJson,
  time,
  type Verdict,
  type VoteJson,
  vectorsAbsent,
  vote,
} from "./comet-vectors.ts";

const isDecodeError = (error: unknown): boolean => error instanceof ChainError && error.code === "DECODE";

describe("CometBFT vectors of messages", { skip: vectorsAbsent }, () => {
  test("keys: address, signature and protobuf", () => {
    interface Input {
      seed: string;
      message: string;
      power: string;
      tampered_signature: string;
    }
    interface Expected {
      address: string;
      pub_key: string;
      pub_key_proto: string;
      signature: string;
      simple_validator: string;
      tampered_ok: boolean;
    }
    for (const { input, expect, name } of cases<Input, Expected>("keys", "ed25519")) {
      const seed = fromHex(input.seed);
      const publicKey = ed25519PublicKey(seed);
      const message = fromHex(input.message);
      assert.equal(toHex(publicKey), expect.pub_key, name);
      assert.equal(toHex(addressOf(publicKey)), expect.address, name);
      assert.equal(toHex(ed25519Sign(seed, message)), expect.signature, name);
      const tampered = { publicKey, message, signature: fromHex(input.tampered_signature) };
      assert.equal(nativeBackend.verify(tampered), expect.tampered_ok, name);
      assert.equal(toHex(encodePublicKey(publicKey)), expect.pub_key_proto, name);
      assert.equal(
        toHex(encodeSimpleValidator({ pubKey: publicKey, power: BigInt(input.power) })),
        expect.simple_validator,
        name,
      );
    }
  });

  test("time: protobuf and RFC 3339", () => {
    interface Expected extends Verdict {
      json: string;
      proto: string;
    }
    for (const { input, expect, name } of cases<{ time: TimeJson }, Expected>("time", "timestamp")) {
      const value = time(input.time);
      const encode = (): string => {
        const writer = new ProtoWriter();
        writeTimestampFields(writer, value);
        return toHex(writer.finish());
      };
      if (!expect.ok) {
        assert.throws(encode, ChainError, name);
        continue;
      }
      assert.equal(encode(), expect.proto, name);
      assert.equal(formatTime(value), expect.json, name);
      assert.equal(parseTime(expect.json), value, name);
    }
  });

  test("votes: sign bytes, signature, protobuf; what is invalid there is refused here", () => {
    interface Input {
      chain_id: string;
      seed: string;
      vote: VoteJson;
    }
    interface Expected {
      sign_bytes: string;
      signature: string;
      vote_proto: string;
      validate_basic: Verdict;
    }
    let compared = 0;
    for (const { input, expect, name } of cases<Input, Expected>("sign-bytes", "vote")) {
      const proto = fromHex(expect.vote_proto);
      if (!representable(input.vote.height) || input.vote.round < 0 || input.vote.validator_index < 0) {
        assert.throws(() => decodeVote(proto), isDecodeError, name);
        continue;
      }
      compared++;
      const message = voteSignBytes(input.chain_id, vote(input.vote));
      assert.equal(toHex(message), expect.sign_bytes, name);
      const signature = ed25519Sign(fromHex(input.seed), message);
      assert.equal(toHex(signature), expect.signature, name);
      if (input.vote.extension !== "" || input.vote.extension_signature !== "" || !expect.validate_basic.ok) {
        assert.throws(() => decodeVote(proto), isDecodeError, name);
        continue;
      }
      const expected = { ...vote(input.vote), signature };
      assert.equal(toHex(encodeVote(expected)), expect.vote_proto, name);
      assert.deepEqual(decodeVote(proto), expected, name);
    }
    assert.ok(compared > 100);
  });

  test("votes: validity alone", () => {
    for (const { input, expect, name } of cases<{ vote: VoteJson }, Verdict>("sign-bytes", "vote_validate")) {
      const decode = (): unknown => decodeVote(encodeVote(vote(input.vote)));
      const extended = input.vote.extension !== "" || input.vote.extension_signature !== "";
      const ours = input.vote.signature.length === 128 && !extended;
      if (extended) continue;
      if (expect.ok && ours) assert.deepEqual(decode(), vote(input.vote), name);
      else assert.throws(decode, isDecodeError, name);
    }
  });

  test("proposals: sign bytes, protobuf; what is invalid there is refused here", () => {
    interface Input {
      chain_id: string;
      seed: string;
      proposal: Omit<VoteJson, "validator_address"> & { pol_round: number };
    }
    interface Expected {
      sign_bytes: string;
      signature: string;
      proposal_proto: string;
      validate_basic: Verdict;
    }
    for (const { input, expect, name } of cases<Input, Expected>("sign-bytes", "proposal")) {
      const json = input.proposal;
      const proto = fromHex(expect.proposal_proto);
      if (!representable(json.height)) {
        assert.throws(() => decodeProposal(proto), isDecodeError, name);
        continue;
      }
      const proposal: Proposal = {
        height: Number(json.height),
        round: json.round,
        polRound: json.pol_round,
        blockId: someBlockId(json.block_id),
        timestamp: time(json.timestamp),
        signature: fromHex(expect.signature),
      };
      if (blockId(json.block_id) !== null) {
        assert.equal(toHex(proposalSignBytes(input.chain_id, proposal)), expect.sign_bytes, name);
      }
      assert.equal(toHex(encodeProposal(proposal)), expect.proposal_proto, name);
      const polRoundFits = json.pol_round === -1 || json.pol_round < json.round;
      if (expect.validate_basic.ok && proposal.height > 0 && polRoundFits) {
        assert.deepEqual(decodeProposal(proto), proposal, name);
      } else {
        assert.throws(() => decodeProposal(proto), isDecodeError, name);
      }
    }
  });

  test("block ids: protobuf, key and order", () => {
    interface Expected {
      proto: string;
      key: string;
      is_zero: boolean;
      is_complete: boolean;
    }
    for (const { input, expect, name } of cases<{ block_id: BlockIdJson }, Expected>(
      "block-id",
      "block_id",
    )) {
      const id = blockId(input.block_id);
      assert.equal(id === null, expect.is_zero, name);
      assert.equal(toHex(encodeBlockId(id)), expect.proto, name);
      assert.equal(blockIdKey(id), expect.key, name);
      if (expect.is_zero || expect.is_complete)
        assert.deepEqual(decodeBlockId(fromHex(expect.proto)), id, name);
      else assert.throws(() => decodeBlockId(fromHex(expect.proto)), isDecodeError, name);
    }
    for (const { input, expect, name } of cases<
      { a: BlockIdJson; b: BlockIdJson },
      { equal: boolean; order: number }
    >("block-id", "compare")) {
      const [a, b] = [blockId(input.a), blockId(input.b)];
      assert.equal(blockIdEquals(a, b), expect.equal, name);
      const order = compareBytes(utf8Encode(blockIdKey(a)), utf8Encode(blockIdKey(b)));
      assert.equal(Math.sign(order), expect.order, name);
    }
  });

  test("Merkle trees: roots, proofs and broken proofs", () => {
    interface Tree {
      root: string;
      proofs: ProofJson[];
    }
    for (const { input, expect, name } of cases<{ leaves: string[] }, Tree>("merkle", "tree")) {
      const leaves = input.leaves.map((leaf) => fromHex(leaf));
      const { root, proofs } = merkleProofs(leaves);
      assert.equal(toHex(root), expect.root, name);
      assert.equal(toHex(merkleRoot(leaves)), expect.root, name);
      for (const json of expect.proofs) assert.deepEqual(proofs[Number(json.index)], proof(json), name);
      for (const made of proofs) assert.deepEqual(decodeProof(encodeProof(made)), made, name);
    }
    interface Verify {
      leaf: string;
      proof: ProofJson;
      root: string | null;
    }
    for (const { input, expect, name } of cases<Verify, { verify: Verdict; validate_basic: Verdict }>(
      "merkle",
      "verify",
    )) {
      const accepted = verifyMerkleProof(fromHex(input.root ?? ""), proof(input.proof), fromHex(input.leaf));
      assert.equal(accepted, expect.verify.ok && expect.validate_basic.ok, name);
    }
  });

  test("headers: leaves, hash, protobuf and basic validity", () => {
    interface Expected {
      hash: string | null;
      leaves: string[];
      proto: string;
      validate_basic: Verdict;
    }
    let compared = 0;
    for (const { input, expect, name } of cases<{ header: HeaderJson }, Expected>("header", "header")) {
      const proto = fromHex(expect.proto);
      if (!representable(input.header.height)) {
        assert.throws(() => decodeHeader(proto), isDecodeError, name);
        continue;
      }
      compared++;
      const value = header(input.header);
      assert.deepEqual(headerLeaves(value).map(toHex), expect.leaves, name);
      if (expect.hash === null) assert.throws(() => headerHash(value), ChainError, name);
      else assert.equal(toHex(headerHash(value)), expect.hash, name);
      assert.equal(toHex(encodeHeader(value)), expect.proto, name);
      assert.equal(headerFault(value) === null, expect.validate_basic.ok, name);
      const id = value.lastBlockId;
      const complete =
        id === null || (id.hash.length === 32 && id.parts.total > 0 && id.parts.hash.length === 32);
      if (expect.validate_basic.ok && complete) assert.deepEqual(decodeHeader(proto), value, name);
      else assert.throws(() => decodeHeader(proto), isDecodeError, name);
    }
    assert.ok(compared > 50);
  });

  test("transactions: data hash, protobuf and proofs", () => {
    interface Expected {
      data_hash: string;
      proto: string;
      tx_hashes: string[];
      proofs: ProofJson[];
    }
    for (const { input, expect, name } of cases<{ txs: string[] }, Expected>("data", "data")) {
      const txs = input.txs.map((tx) => fromHex(tx));
      assert.equal(toHex(dataHash(txs)), expect.data_hash, name);
      if (expect.proto !== undefined) assert.equal(toHex(encodeTxs(txs)), expect.proto, name);
      const hashes = txs.map((tx) => sha256(tx));
      assert.deepEqual(hashes.map(toHex), expect.tx_hashes, name);
      const { proofs } = merkleProofs(hashes);
      for (const json of expect.proofs) assert.deepEqual(proofs[Number(json.index)], proof(json), name);
    }
    interface Input {
      data_hash: string;
      root_hash: string;
      proof: ProofJson;
      tx: string;
    }
    for (const { input, expect, name } of cases<Input, Verdict>("data", "tx_proof")) {
      const root = fromHex(input.data_hash);
      const accepted =
        bytesEqual(root, fromHex(input.root_hash)) &&
        verifyMerkleProof(root, proof(input.proof), sha256(fromHex(input.tx)));
      assert.equal(accepted, expect.ok, name);
    }
  });

  test("results: the root of an empty list is last_results_hash, that of leaves the library's", () => {
    for (const { expect, name } of cases<unknown, { hash: string; leaves: string[] }>("results", "results")) {
      assert.equal(toHex(merkleRoot(expect.leaves.map((leaf) => fromHex(leaf)))), expect.hash, name);
    }
  });

  test("consensus params: hash", () => {
    interface Input {
      block: { max_bytes: string; max_gas: string };
    }
    for (const { input, expect, name } of cases<Input, { hash: string }>("consensus-params", "params")) {
      const hash = consensusParamsHash({
        maxBytes: BigInt(input.block.max_bytes),
        maxGas: BigInt(input.block.max_gas),
      });
      assert.equal(toHex(hash), expect.hash, name);
    }
  });
});

describe("hand-collected CometBFT vectors", { skip: vectorsAbsent }, () => {
  interface SignBytes {
    chain_id: string;
    type: number;
    height: string;
    round: number;
    pol_round: number;
    block_id: BlockIdJson | null;
    timestamp: string;
    hex: string;
  }
  interface File {
    vote_sign_bytes: { cases: SignBytes[] };
    proposal_sign_bytes: { cases: SignBytes[] };
    merkle_rfc6962: { cases: { leaves: string[]; root: string }[] };
    header_hash: { input: { last_block_id: BlockIdJson }; expect: string };
  }
  const timeOf = (text: string): bigint => parseTime(text === "zero" ? "0001-01-01T00:00:00Z" : text);

  test("sign bytes of votes and proposals", () => {
    const file = handCollected<File>();
    for (const c of file.vote_sign_bytes.cases) {
      const signBytes = voteSignBytes(c.chain_id, {
        type: c.type as VoteType,
        height: Number(c.height),
        round: c.round,
        blockId: c.block_id === null ? null : blockId(c.block_id),
        timestamp: timeOf(c.timestamp),
      });
      assert.equal(toHex(signBytes), c.hex);
    }
    for (const c of file.proposal_sign_bytes.cases) {
      const signBytes = proposalSignBytes(c.chain_id, {
        height: Number(c.height),
        round: c.round,
        polRound: c.pol_round,
        blockId: someBlockId(c.block_id!),
        timestamp: timeOf(c.timestamp),
      });
      assert.equal(toHex(signBytes), c.hex);
    }
  });

  test("roots, and the hash of the header with every field set", () => {
    const file = handCollected<File>();
    for (const c of file.merkle_rfc6962.cases) {
      assert.equal(toHex(merkleRoot(c.leaves.map((leaf) => fromHex(leaf)))), c.root);
    }
    const named = (name: string): Uint8Array => sha256(utf8Encode(name));
    const zeroes = { hash: new Uint8Array(32), parts: { total: 6, hash: new Uint8Array(32) } };
    const hash = headerHash({
      version: { block: 1n, app: 2n },
      chainId: "chainId",
      height: 3,
      time: parseTime("2019-10-13T16:14:44Z"),
      lastBlockId: zeroes,
      lastCommitHash: named("last_commit_hash"),
      dataHash: named("data_hash"),
      validatorsHash: named("validators_hash"),
      nextValidatorsHash: named("next_validators_hash"),
      consensusHash: named("consensus_hash"),
      appHash: named("app_hash"),
      lastResultsHash: named("last_results_hash"),
      evidenceHash: named("evidence_hash"),
      proposerAddress: named("proposer_address").slice(0, 20),
    });
    assert.equal(toHex(hash).toUpperCase(), file.header_hash.expect);
  });
});
