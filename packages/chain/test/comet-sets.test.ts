import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { bytesEqual, fromHex, nativeBackend, sha256, toHex } from "@quorate/crypto";
import {
  ChainError,
  commitChecks,
  commitHash,
  type DuplicateVoteEvidence,
  decodeCommit,
  decodeEvidence,
  decodeEvidenceList,
  decodeLightBlock,
  decodePart,
  decodeValidatorSet,
  encodeBareEvidence,
  encodeCommit,
  encodeCommitSig,
  encodeEvidence,
  encodeEvidenceList,
  encodeLightBlock,
  encodePart,
  encodeSimpleValidator,
  encodeValidatorSet,
  evidenceHash,
  evidenceId,
  incrementProposerPriority,
  makeDuplicateVoteEvidence,
  makePartSet,
  makeValidatorSet,
  type Part,
  PartSetBuilder,
  proposerOf,
  requireChecks,
  trustingCommitChecks,
  updateValidatorSet,
  type Validator,
  type ValidatorSet,
  validatorSetFromList,
  validatorsHash,
  verifyCommit,
  verifyDuplicateVote,
} from "../src/index.ts";
import { rescalePriorities } from "../src/validators/priority.ts";
import {
  type BlockIdJson,
  type BytesJson,
  bytes,
  type CommitJson,
  cases,
  commit,
  evidenceList,
  type ProofJson,
  proof,
  representable,
  someBlockId,
  type TimeJson,
  time,
  type Verdict,
  type VoteJson,
  validator,
  vectorsAbsent,
  vote,
} from "./comet-vectors.ts";

interface ValidatorJson {
  address: string;
  pub_key: string;
  power: string;
  priority: string;
}

const isDecodeError = (error: unknown): boolean => error instanceof ChainError && error.code === "DECODE";

/** A set as given, its validators in set order; which one proposes only the library's own fields can say. */
function setOf(validators: Validator[], proposer: Validator = validators[0]!): ValidatorSet {
  return { validators, proposer, totalPower: validators.reduce((sum, v) => sum + v.power, 0n) };
}

function plain(set: ValidatorSet): ValidatorJson[] {
  return set.validators.map((v) => ({
    address: toHex(v.address),
    power: String(v.power),
    priority: String(v.priority),
    pub_key: toHex(v.pubKey),
  }));
}

function reasonOf(run: () => unknown): string | null {
  try {
    run();
    return null;
  } catch (error) {
    assert.ok(error instanceof ChainError, String(error));
    const { reason } = error.facts;
    return String(reason);
  }
}

describe("CometBFT vectors of validator sets", { skip: vectorsAbsent }, () => {
  test("new sets: order, priorities, proposer, hash, protobuf and refusals", () => {
    interface Expected extends Verdict {
      hash: string;
      leaves?: string[];
      proto?: string;
      proto_sha256: string;
      proposer: string;
      total_power: string;
      validators: ValidatorJson[];
    }
    for (const { input, expect, name } of cases<
      { validators: { pub_key: string; power: string }[] },
      Expected
    >("validator-set", "new")) {
      const list = input.validators.map((v) => ({ pubKey: fromHex(v.pub_key), power: BigInt(v.power) }));
      if (list.length === 0) continue;
      if (!expect.ok) {
        assert.equal(
          reasonOf(() => makeValidatorSet(list)),
          expect.reason,
          name,
        );
        continue;
      }
      const set = makeValidatorSet(list);
      assert.deepEqual(plain(set), expect.validators, name);
      assert.equal(toHex(set.proposer.address), expect.proposer, name);
      assert.equal(String(set.totalPower), expect.total_power, name);
      const leaves = set.validators.map((v) => toHex(encodeSimpleValidator(v)));
      assert.deepEqual(leaves, expect.leaves ?? leaves, name);
      assert.equal(toHex(validatorsHash(set)), expect.hash, name);
      const proto = encodeValidatorSet(set);
      assert.equal(toHex(sha256(proto)), expect.proto_sha256, name);
      assert.deepEqual(decodeValidatorSet(proto), set, name);
    }
  });

  test("sets rebuilt from a list guess the proposer as the library does", () => {
    interface Expected {
      hash: string;
      proposer: string;
      proto: string;
      validators: ValidatorJson[];
    }
    for (const { input, expect, name } of cases<{ validators: ValidatorJson[] }, Expected>(
      "validator-set",
      "from_existing",
    )) {
      const set = validatorSetFromList(input.validators.map(validator));
      assert.deepEqual(plain(set), expect.validators, name);
      assert.equal(toHex(set.proposer.address), expect.proposer, name);
      assert.equal(toHex(encodeValidatorSet(set)), expect.proto, name);
    }
  });

  test("sequences of increments and changes of the set", () => {
    interface Input {
      keys: string[];
      start: [number, string][];
      ops: ({ op: "increment"; times: number } | { op: string; changes: [number, string][] })[];
    }
    interface Expected {
      states: {
        proposer: number;
        total_power: string;
        validators: [number, string, string][];
        error?: string;
        go_error?: string;
      }[];
    }
    for (const { input, expect, name } of cases<Input, Expected>("proposer-priority", "sequence")) {
      const keys = input.keys.map((key) => fromHex(key));
      const named = (list: [number, string][]): { pubKey: Uint8Array; power: bigint }[] =>
        list.map(([key, power]) => ({ pubKey: keys[key]!, power: BigInt(power) }));
      const shown = (set: ValidatorSet): unknown => ({
        proposer: keys.findIndex((key) => bytesEqual(key, set.proposer.pubKey)),
        total_power: String(set.totalPower),
        validators: set.validators.map((v) => [
          keys.findIndex((key) => bytesEqual(key, v.pubKey)),
          String(v.power),
          String(v.priority),
        ]),
      });
      let set = makeValidatorSet(named(input.start));
      for (const [i, { error, go_error: _, ...state }] of expect.states.entries()) {
        const op = i === 0 ? undefined : input.ops[i - 1]!;
        if (op !== undefined) {
          const before = set;
          const reason = reasonOf(() => {
            set =
              "times" in op
                ? incrementProposerPriority(before, op.times)
                : updateValidatorSet(before, named(op.changes));
          });
          assert.equal(reason, error ?? null, `${name}, step ${i}`);
        }
        assert.deepEqual(shown(set), state, `${name}, step ${i}`);
      }
    }
  });

  test("rescaling truncates, wraps and clips as int64 does", () => {
    for (const { input, expect, name } of cases<
      { diff_max: string; validators: ValidatorJson[] },
      { priorities: string[] }
    >("proposer-priority", "rescale")) {
      const priorities = input.validators.map((v) => BigInt(v.priority));
      rescalePriorities(priorities, BigInt(input.diff_max));
      assert.deepEqual(priorities.map(String), expect.priorities, name);
    }
  });

  test("one call with k and k calls with one differ as the library's do", () => {
    interface Expected {
      priorities: string[];
      proposer: string;
      one_by_one: string[];
      one_by_one_proposer: string;
    }
    for (const { input, expect, name } of cases<{ times: number; validators: ValidatorJson[] }, Expected>(
      "proposer-priority",
      "increment",
    )) {
      const start = setOf(input.validators.map(validator));
      const once = incrementProposerPriority(start, input.times);
      assert.deepEqual(
        once.validators.map((v) => String(v.priority)),
        expect.priorities,
        name,
      );
      assert.equal(toHex(once.proposer.address), expect.proposer, name);
      let stepped = start;
      for (let i = 0; i < input.times; i++) stepped = incrementProposerPriority(stepped, 1);
      assert.deepEqual(
        stepped.validators.map((v) => String(v.priority)),
        expect.one_by_one,
        name,
      );
      assert.equal(toHex(stepped.proposer.address), expect.one_by_one_proposer, name);
    }
  });

  test("the proposers of rounds 0 to 12", () => {
    for (const { input, expect, name } of cases<
      { proposer: string; validators: ValidatorJson[] },
      { one_call: string[] }
    >("proposer-priority", "rounds")) {
      const validators = input.validators.map(validator);
      const set = setOf(
        validators,
        validators.find((v) => toHex(v.address) === input.proposer),
      );
      assert.deepEqual(
        expect.one_call.map((_, round) => toHex(proposerOf(set, round).address)),
        expect.one_call,
        name,
      );
    }
  });
});

describe("CometBFT vectors of part sets", { skip: vectorsAbsent }, () => {
  interface PartJson {
    index: number;
    bytes: BytesJson;
    proof: ProofJson;
  }
  const part = (json: PartJson): Part => ({
    index: json.index,
    bytes: bytes(json.bytes),
    proof: proof(json.proof),
  });

  test("headers and parts of blocks", () => {
    interface Expected {
      hash: string;
      total: number;
      parts: { proof: ProofJson; proto_sha256?: string }[];
    }
    for (const { input, expect, name } of cases<{ data: BytesJson; part_size: number }, Expected>(
      "part-set",
      "part_set",
    )) {
      if (input.part_size !== 65_536) continue;
      const data = bytes(input.data);
      const set = makePartSet(data);
      assert.deepEqual(
        { total: set.header.total, hash: toHex(set.header.hash) },
        { total: expect.total, hash: expect.hash },
        name,
      );
      for (const json of expect.parts) {
        const made = set.parts[Number(json.proof.index)]!;
        assert.deepEqual(made.proof, proof(json.proof), name);
        if (json.proto_sha256 !== undefined) {
          assert.equal(toHex(sha256(encodePart(made))), json.proto_sha256, name);
        }
        assert.deepEqual(decodePart(encodePart(made)), made, name);
      }
      if (set.header.total === 0) continue;
      const builder = new PartSetBuilder(set.header);
      for (const made of set.parts.toReversed()) assert.equal(builder.add(made), true);
      assert.ok(bytesEqual(builder.bytes(), data), name);
    }
  });

  test("parts offered to a set", () => {
    interface Input {
      header: { hash: string; total: number };
      part: PartJson;
    }
    interface Expected {
      validate_basic: Verdict;
      add_part: Verdict;
      added: boolean;
    }
    for (const { input, expect, name } of cases<Input, Expected>("part-set", "add_part")) {
      const builder = new PartSetBuilder({ total: input.header.total, hash: fromHex(input.header.hash) });
      const offered = part(input.part);
      const add = (): boolean => builder.add(offered);
      if (expect.validate_basic.ok && expect.added) assert.equal(add(), true, name);
      else assert.throws(add, ChainError, name);
    }
  });
});

describe("CometBFT vectors of commits", { skip: vectorsAbsent }, () => {
  test("leaves, hash, protobuf and basic validity", () => {
    interface Expected {
      hash: string;
      leaves: string[];
      proto: string;
      validate_basic: Verdict;
    }
    let compared = 0;
    for (const { input, expect, name } of cases<{ commit: CommitJson }, Expected>("commit", "commit")) {
      const value = commit(input.commit);
      assert.deepEqual(
        value.signatures.map((sig) => toHex(encodeCommitSig(sig))),
        expect.leaves,
        name,
      );
      assert.equal(toHex(commitHash(value)), expect.hash, name);
      const proto = fromHex(expect.proto);
      if (!representable(input.commit.height)) {
        assert.throws(() => decodeCommit(proto), isDecodeError, name);
        continue;
      }
      compared++;
      if (value.round >= 0) assert.equal(toHex(encodeCommit(value)), expect.proto, name);
      const ours =
        value.signatures.every((sig) => sig.flag === 1 || sig.signature.length === 64) &&
        (value.blockId.parts.total === 0) === (value.blockId.hash.length === 0) &&
        (value.blockId.parts.total === 0) === (value.blockId.parts.hash.length === 0) &&
        (value.height > 0 || (value.signatures.length === 0 && value.blockId.parts.total === 0));
      if (expect.validate_basic.ok && ours) assert.deepEqual(decodeCommit(proto), value, name);
      else assert.throws(() => decodeCommit(proto), isDecodeError, name);
    }
    assert.ok(compared > 20);
  });

  test("verdicts of VerifyCommit, of the light forms and of the trusting ones", () => {
    interface Input {
      chain_id: string;
      block_id: BlockIdJson;
      height: string;
      commit: CommitJson | null;
      validators: { pub_key: string; power: string }[];
      trust_levels: { numerator: string; denominator: string }[];
    }
    type Expected = Record<"verify_commit" | "light" | "light_all_signatures", Verdict> &
      Record<`trusting_${string}`, Verdict>;
    // With one entry the library asks for the signature before the power, and names its length no fault of its own.
    const oneEntry = new Set(["not_enough_power", "signature_length"]);
    const compare = (run: () => unknown, verdict: Verdict, entries: number, where: string): void => {
      const reason = reasonOf(run);
      assert.equal(reason === null, verdict.ok, `${where}: ${reason} instead of ${verdict.reason}`);
      if (reason !== null && !(entries === 1 && oneEntry.has(reason)))
        assert.equal(reason, verdict.reason, where);
    };
    for (const { input, expect, name } of cases<Input, Expected>("verify-commit", "verify")) {
      if (input.commit === null || input.validators.length === 0 || !representable(input.height)) continue;
      const set = setOf(input.validators.map(validator));
      const value = commit(input.commit);
      const height = Number(input.height);
      const id = someBlockId(input.block_id);
      const run = (mode: "light" | "light-all") => (): void =>
        requireChecks(commitChecks(input.chain_id, set, id, height, value, mode), nativeBackend);
      const full = (): void => verifyCommit(input.chain_id, set, id, height, value, nativeBackend);
      compare(full, expect.verify_commit, value.signatures.length, `${name}: all`);
      compare(run("light"), expect.light, value.signatures.length, `${name}: light`);
      compare(run("light-all"), expect.light_all_signatures, value.signatures.length, `${name}: light-all`);
      for (const level of input.trust_levels) {
        const fraction = `${level.numerator}/${level.denominator}`;
        const trust = { numerator: BigInt(level.numerator), denominator: BigInt(level.denominator) };
        const trusting = (allSignatures: boolean) => (): void =>
          requireChecks(
            trustingCommitChecks(input.chain_id, set, value, trust, { allSignatures }),
            nativeBackend,
          );
        compare(
          trusting(false),
          expect[`trusting_${fraction}`]!,
          value.signatures.length,
          `${name}: trusting ${fraction}`,
        );
        compare(
          trusting(true),
          expect[`trusting_all_signatures_${fraction}`]!,
          value.signatures.length,
          `${name}: trusting all ${fraction}`,
        );
      }
    }
  });
});

describe("CometBFT vectors of evidence", { skip: vectorsAbsent }, () => {
  interface Input {
    chain_id: string;
    timestamp: TimeJson;
    total_voting_power: string;
    validator_power: string;
    validators: { pub_key: string; power: string }[];
    vote_1: VoteJson;
    vote_2: VoteJson;
    vote_a: VoteJson;
    vote_b: VoteJson;
  }
  interface Expected {
    bytes: string;
    wrapped: string;
    hash: string;
    validate_basic: Verdict;
    verify: Verdict;
  }

  test("double votes: order, bytes, hash and verdict", () => {
    for (const { input, expect, name } of cases<Input, Expected>("evidence", "duplicate_vote")) {
      if (!representable(input.vote_a.height)) continue;
      const evidence: DuplicateVoteEvidence = {
        kind: "duplicate_vote",
        voteA: vote(input.vote_a),
        voteB: vote(input.vote_b),
        totalVotingPower: BigInt(input.total_voting_power),
        validatorPower: BigInt(input.validator_power),
        timestamp: time(input.timestamp),
      };
      assert.equal(toHex(encodeBareEvidence(evidence)), expect.bytes, name);
      assert.equal(toHex(encodeEvidence(evidence)), expect.wrapped, name);
      assert.equal(toHex(evidenceId(evidence)), expect.hash, name);
      const set = setOf(input.validators.map(validator));
      const verify = (): void => verifyDuplicateVote(input.chain_id, evidence, set, nativeBackend);
      const ok = expect.validate_basic.ok && expect.verify.ok;
      const reason = reasonOf(verify);
      assert.equal(reason === null, ok, `${name}: ${reason}`);
      if (expect.validate_basic.ok) assert.equal(reason, expect.verify.reason ?? null, name);
      if (!ok) continue;
      assert.deepEqual(decodeEvidence(fromHex(expect.wrapped)), evidence, name);
      const [first, second] = [vote(input.vote_1), vote(input.vote_2)];
      assert.deepEqual(makeDuplicateVoteEvidence(first, second, set, evidence.timestamp), evidence, name);
      assert.deepEqual(makeDuplicateVoteEvidence(second, first, set, evidence.timestamp), evidence, name);
    }
  });

  test("attacks on light clients: bytes and the hash with its frozen slip", () => {
    for (const { expect, name } of cases<unknown, Expected>("evidence", "light_client_attack")) {
      const proto = fromHex(expect.wrapped);
      if (!expect.validate_basic.ok) {
        assert.throws(() => decodeEvidence(proto), isDecodeError, name);
        continue;
      }
      if (expect.verify.reason === "address_not_from_pubkey") {
        assert.throws(() => decodeEvidence(proto), isDecodeError, name);
        continue;
      }
      const evidence = decodeEvidence(proto);
      assert.equal(toHex(encodeEvidence(evidence)), expect.wrapped, name);
      assert.equal(toHex(encodeBareEvidence(evidence)), expect.bytes, name);
      assert.equal(toHex(evidenceId(evidence)), expect.hash, name);
      assert.ok(evidence.kind === "light_client_attack");
      const block = evidence.conflictingBlock;
      assert.deepEqual(decodeLightBlock(encodeLightBlock(block)), block, name);
    }
  });

  test("lists: hash and bytes", () => {
    interface List {
      evidence_hash: string;
      list_proto: string;
    }
    let compared = 0;
    for (const { input, expect, name } of cases<{ wrapped: string[] }, List>("evidence", "list")) {
      const list = evidenceList(input.wrapped);
      if (list === null) continue;
      compared++;
      assert.equal(toHex(evidenceHash(list)), expect.evidence_hash, name);
      assert.equal(toHex(encodeEvidenceList(list)), expect.list_proto, name);
      assert.deepEqual(decodeEvidenceList(fromHex(expect.list_proto)), list, name);
    }
    assert.ok(compared > 2);
  });
});
