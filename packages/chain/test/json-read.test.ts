/** Headers, light blocks and evidence out of CometBFT's JSON: what comes back as it was written, and what is refused. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  ChainError,
  commitJson,
  type Evidence,
  encodeEvidence,
  evidenceFromJson,
  evidenceJson,
  headerFromJson,
  headerJson,
  lightBlockFromJson,
  signedHeaderJson,
  validatorJson,
  validatorSetJson,
  ZERO_TIME,
} from "@quorate/chain";
import fc from "fast-check";
import * as any from "./arbitraries.ts";
import { chainOf, commitFor, idOf, makeFixture, nextBlock } from "./state-fixture.ts";

/** What a peer at the other end of a wire reads: text has no bigints, byte arrays or undefined members. */
const sent = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

/** A copy of a JSON value with one member set, or taken out by `undefined`; numbers in the path are indexes. */
function changed(value: unknown, path: string, member: unknown): unknown {
  const copy = sent(value);
  const keys = path.split("/");
  let at = copy as Record<string, unknown>;
  for (const key of keys.slice(0, -1)) at = at[key] as Record<string, unknown>;
  const last = keys.at(-1)!;
  assert.ok(last in at, `${path} is in the JSON, else the change would be none`);
  if (member === undefined) delete at[last];
  else at[last] = member;
  return sent(copy);
}

function refused(run: () => unknown, words: RegExp): void {
  assert.throws(run, (error: unknown) => {
    assert.ok(error instanceof ChainError, String(error));
    assert.equal(error.code, "DECODE", error.message);
    assert.match(error.message, words);
    return true;
  });
}

const fixture = makeFixture("engine");
const tip = chainOf(fixture, 2);
const block = nextBlock(tip.state, tip.commit);
const lightBlock = {
  signedHeader: { header: block.header, commit: commitFor(fixture, tip.state, block, idOf(block)) },
  validators: tip.state.validators,
};
const lightBlockJson = {
  signed_header: signedHeaderJson(lightBlock.signedHeader),
  validator_set: validatorSetJson(lightBlock.validators),
};
const pick = (kind: Evidence["kind"]): Evidence =>
  fc.sample(
    any.evidence.filter(
      (each) => each.kind === kind && (each.kind === "duplicate_vote" || each.byzantineValidators.length > 0),
    ),
    { numRuns: 1, seed: 1 },
  )[0]!;
const doubleVoteJson = evidenceJson(pick("duplicate_vote"));
const attackJson = evidenceJson(pick("light_client_attack"));

describe("a header in JSON", () => {
  it("reads back as it was written", () => {
    fc.assert(
      fc.property(any.header, (header) => {
        assert.deepEqual(headerFromJson(sent(headerJson(header))), header);
      }),
    );
  });

  it("lacks what Go leaves out, which then is zero or nil", () => {
    const header = headerFromJson({ chain_id: "c", height: "7", time: "0001-01-01T00:00:00Z" });
    assert.deepEqual(
      [header.version, header.lastBlockId, header.height, header.time],
      [{ block: 0n, app: 0n }, null, 7, ZERO_TIME],
    );
    for (const hash of [header.appHash, header.dataHash, header.proposerAddress])
      assert.equal(hash.length, 0);
  });

  it("has integers as text or as small numbers, and hashes in either case", () => {
    const json = headerJson(block.header);
    const lower = { ...json, height: 3, app_hash: json.app_hash.toLowerCase() };
    assert.deepEqual(headerFromJson(lower), block.header);
  });

  it("is refused where a field is not of its kind", () => {
    const json = headerJson(block.header);
    const cases: readonly (readonly [path: string, value: unknown, words: RegExp])[] = [
      ["version", [], /a version is no object/],
      ["version/block", "1e3", /a version is no whole number/],
      ["chain_id", 5, /a chain id is no text/],
      ["chain_id", undefined, /a chain id is no text/],
      ["height", "", /a height is no whole number/],
      ["height", "0x10", /a height is no whole number/],
      ["height", 1.5, /a height is no whole number/],
      ["height", true, /a height is no whole number/],
      ["height", "9007199254740992", /a height is out of range/],
      ["version/block", "18446744073709551616", /a version is out of range/],
      ["version/block", "-9223372036854775809", /a version is out of range/],
      ["height", "1".repeat(400), /a height is no whole number/],
      ["time", undefined, /a header's time is no time/],
      ["time", 1_700_000_000, /a header's time is no time/],
      ["time", "yesterday", /a header's time is refused: "yesterday" is no RFC 3339/],
      ["last_block_id", "AB", /a block id is no object/],
      ["last_block_id/parts", "none", /a part-set header is no object/],
      ["last_block_id/parts/total", "many", /a part count is no whole number/],
      ["app_hash", "ABC", /app_hash is no hex/],
      ["app_hash", "0xAB", /app_hash is no hex/],
      ["data_hash", "AB".repeat(1025), /data_hash is no hex/],
      ["validators_hash", 1, /validators_hash is no hex/],
    ];
    for (const [path, value, words] of cases)
      refused(() => headerFromJson(changed(json, path, value)), words);
    for (const none of [null, undefined, "header", 1, [json]])
      refused(() => headerFromJson(none), /a header is no object/);
  });
});

describe("a light block in JSON", () => {
  it("reads back as it was written, and with the proposer that its set names", () => {
    assert.deepEqual(lightBlockFromJson(sent(lightBlockJson)), lightBlock);
    fc.assert(
      fc.property(any.lightBlock, (light) => {
        const json = {
          signed_header: signedHeaderJson(light.signedHeader),
          validator_set: validatorSetJson(light.validators),
        };
        assert.deepEqual(lightBlockFromJson(sent(json)), light);
        const [first] = light.validators.validators;
        const named = changed(json, "validator_set/proposer", validatorJson(first!));
        assert.deepEqual(lightBlockFromJson(named).validators.proposer, first);
      }),
      { numRuns: 50 },
    );
  });

  it("without a proposer has the one whose turn the priorities say it is", () => {
    for (const proposer of [undefined, null]) {
      const json = changed(lightBlockJson, "validator_set/proposer", proposer);
      assert.deepEqual(lightBlockFromJson(json), lightBlock);
    }
  });

  it("has nil signatures where nobody signed", () => {
    const { signedHeader } = lightBlock;
    const absent = commitFor(fixture, tip.state, block, idOf(block), new Set([1]));
    const json = {
      ...lightBlockJson,
      signed_header: { ...lightBlockJson.signed_header, commit: commitJson(absent) },
    };
    assert.equal(json.signed_header.commit.signatures[1]!.signature, null);
    assert.deepEqual(lightBlockFromJson(sent(json)).signedHeader, { ...signedHeader, commit: absent });
  });

  it("is refused where a field is not of its kind", () => {
    const signature = "signed_header/commit/signatures/0";
    const someone = "validator_set/validators/0";
    const cases: readonly (readonly [path: string, value: unknown, words: RegExp])[] = [
      ["signed_header", undefined, /a signed header is no object/],
      ["signed_header/header", null, /a header is no object/],
      ["signed_header/commit", [], /a commit is no object/],
      ["signed_header/commit/height", {}, /a height is no whole number/],
      ["signed_header/commit/round", "one", /a round is no whole number/],
      ["signed_header/commit/block_id", undefined, /a block id is no object/],
      ["signed_header/commit/signatures", {}, /a commit's signatures is no list/],
      ["signed_header/commit/signatures", new Array(100_000).fill(0), /no list, or too long/],
      [signature, "signed", /a commit signature is no object/],
      [`${signature}/block_id_flag`, "x", /a flag is no whole number/],
      [`${signature}/validator_address`, "me", /an address is no hex/],
      [`${signature}/timestamp`, null, /a signature's time is no time/],
      [`${signature}/signature`, "AB", /a signature is no base64/],
      [`${signature}/signature`, 7, /a signature is no base64/],
      [`${signature}/signature`, "AAAA".repeat(2049), /a signature is no base64/],
      ["validator_set", "all", /a validator set is no object/],
      ["validator_set/validators", "all", /validators is no list/],
      [someone, 1, /a validator is no object/],
      [`${someone}/pub_key`, undefined, /a validator has no Ed25519 key/],
      [`${someone}/pub_key/type`, "tendermint/PubKeySecp256k1", /a validator has no Ed25519 key/],
      [`${someone}/voting_power`, "much", /a power is no whole number/],
      [`${someone}/proposer_priority`, "-", /a priority is no whole number/],
      ["validator_set/proposer", "first", /a validator is no object/],
    ];
    for (const [path, value, words] of cases)
      refused(() => lightBlockFromJson(changed(lightBlockJson, path, value)), words);
    refused(() => lightBlockFromJson(null), /a light block is no object/);
    const empty = changed(lightBlockJson, "validator_set/validators", []);
    assert.throws(() => lightBlockFromJson(empty), { code: "VALIDATORS" });
  });
});

describe("evidence in JSON", () => {
  it("of either kind reads back as it was written", () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(any.evidence, (evidence) => {
        seen.add(evidence.kind);
        assert.deepEqual(evidenceFromJson(sent(evidenceJson(evidence))), evidence);
      }),
    );
    assert.deepEqual([...seen].toSorted(), ["duplicate_vote", "light_client_attack"]);
  });

  it("is refused, or has canonical bytes, whatever one of its members is changed to", () => {
    const paths = (value: unknown, path: string): string[] =>
      typeof value !== "object" || value === null
        ? [path]
        : [path, ...Object.entries(value).flatMap(([key, each]) => paths(each, `${path}/${key}`))];
    const members = (json: unknown): fc.Arbitrary<unknown> => {
      const places = paths(json, "").slice(1);
      const values = fc.constantFrom<unknown>(
        null,
        {},
        [],
        "",
        "-1",
        "A",
        "AAAA",
        0,
        -1,
        2 ** 53,
        true,
        undefined,
      );
      return fc
        .tuple(fc.constantFrom(...places), values)
        .map(([path, value]) => changed(json, path.slice(1), value));
    };
    fc.assert(
      fc.property(fc.oneof(members(doubleVoteJson), members(attackJson)), (json) => {
        let evidence: Evidence;
        try {
          evidence = evidenceFromJson(json);
        } catch (error) {
          assert.ok(error instanceof ChainError && error.code === "DECODE", String(error));
          return;
        }
        assert.deepEqual(evidenceFromJson(sent(evidenceJson(evidence))), evidence);
        assert.ok(encodeEvidence(evidence).length > 0);
      }),
      { numRuns: 300 },
    );
  });

  it("is refused, saying what it is not, where a field is not of its kind", () => {
    const cases: readonly (readonly [json: unknown, path: string, value: unknown, words: RegExp])[] = [
      [doubleVoteJson, "type", "tendermint/Gossip", /"tendermint\/Gossip" is no kind of evidence/],
      [doubleVoteJson, "type", undefined, /"undefined" is no kind of evidence/],
      [doubleVoteJson, "value", "votes", /its value is no object/],
      [doubleVoteJson, "value/Timestamp", undefined, /its time is no time/],
      [doubleVoteJson, "value/Timestamp", "2026-02-30T00:00:00Z", /does not exist/],
      [doubleVoteJson, "value/TotalVotingPower", "all", /the total power is no whole number/],
      [doubleVoteJson, "value/ValidatorPower", "all", /the validator's power is no whole number/],
      [doubleVoteJson, "value/vote_a", undefined, /a vote is no object/],
      [doubleVoteJson, "value/vote_a/type", "prevote", /a vote type is no whole number/],
      [doubleVoteJson, "value/vote_a/type", 3, /vote/],
      [doubleVoteJson, "value/vote_a/height", "-", /a height is no whole number/],
      [doubleVoteJson, "value/vote_b/round", 0.5, /a round is no whole number/],
      [doubleVoteJson, "value/vote_b/block_id", 1, /a block id is no object/],
      [doubleVoteJson, "value/vote_b/timestamp", 1, /a vote's time is no time/],
      [doubleVoteJson, "value/vote_b/validator_address", "x", /an address is no hex/],
      [doubleVoteJson, "value/vote_b/validator_index", "x", /a validator index is no whole number/],
      [doubleVoteJson, "value/vote_b/signature", "!", /a signature is no base64/],
      [attackJson, "value/ConflictingBlock", undefined, /a light block is no object/],
      [attackJson, "value/ConflictingBlock/validator_set/validators", [], /in JSON: .*validator/],
      [attackJson, "value/CommonHeight", "low", /the common height is no whole number/],
      [attackJson, "value/CommonHeight", "0", /common height is not positive/],
      [attackJson, "value/TotalVotingPower", "0", /total voting power is not positive/],
      [attackJson, "value/ByzantineValidators", {}, /the validators is no list/],
      [attackJson, "value/ByzantineValidators/0", null, /a validator is no object/],
    ];
    for (const [json, path, value, words] of cases)
      refused(() => evidenceFromJson(changed(json, path, value)), words);
    refused(() => evidenceFromJson([doubleVoteJson]), /it is no object/);
    const long = changed(doubleVoteJson, "type", "x".repeat(10_000));
    assert.throws(
      () => evidenceFromJson(long),
      (error: unknown) => String(error).length < 200,
    );
  });

  it("with its two votes in the wrong order is refused, as in bytes", () => {
    const { vote_a, vote_b } = doubleVoteJson.value as Record<string, unknown>;
    const turned = changed(changed(doubleVoteJson, "value/vote_a", vote_b), "value/vote_b", vote_a);
    refused(() => evidenceFromJson(turned), /order of their block ids/);
  });
});
