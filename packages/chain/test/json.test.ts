import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  blockIdJson,
  blockJson,
  ChainError,
  commitJson,
  consensusParamsJson,
  DEFAULT_PARAMS,
  decodeBlock,
  decodeCommit,
  decodeEvidence,
  decodeHeader,
  decodeProposal,
  decodeVote,
  evidenceJson,
  fromBase64,
  headerJson,
  proposalJson,
  publicKeyFromJson,
  publicKeyJson,
  toBase64,
  validatorJson,
  voteJson,
} from "@quorate/chain";
import { fromHex } from "@quorate/crypto";
import fc from "fast-check";
import { type BlockIdJson, cases, someBlockId, validator, vectorsAbsent } from "./comet-vectors.ts";

/** Go prints a nil list as null where its decoder gives an empty one: the same value. */
function sameJson(ours: unknown, theirs: unknown, name: string): void {
  const normal = (value: unknown): unknown =>
    JSON.parse(JSON.stringify(value), (_key, v) => (Array.isArray(v) && v.length === 0 ? null : v));
  assert.deepEqual(normal(ours), normal(theirs), name);
}

/** Compares all cases that our strict decoder takes; at least `atLeast` of them must be. */
function compareAll<E>(
  list: readonly { readonly name: string; readonly expect: E }[],
  pick: (expect: E) => { readonly proto: string; readonly json: unknown },
  toJson: (bytes: Uint8Array) => unknown,
  atLeast: number,
): void {
  let compared = 0;
  for (const { name, expect } of list) {
    const { proto, json } = pick(expect);
    if (!proto || !json) continue;
    let ours: unknown;
    try {
      ours = toJson(fromHex(proto));
    } catch (error) {
      assert.ok(error instanceof ChainError, `${name}: ${String(error)}`);
      continue;
    }
    sameJson(ours, json, name);
    compared++;
  }
  assert.ok(compared >= atLeast, `${compared} of ${list.length} cases compared`);
}

interface ProtoJson {
  readonly proto: string;
  readonly json: unknown;
}

describe("JSON as CometBFT's RPC writes it, compared with its Go library", { skip: vectorsAbsent }, () => {
  const same = (expect: ProtoJson): ProtoJson => expect;

  it("headers", () => {
    compareAll(cases<unknown, ProtoJson>("header", "header"), same, (b) => headerJson(decodeHeader(b)), 40);
  });

  it("commits", () => {
    compareAll(cases<unknown, ProtoJson>("commit", "commit"), same, (b) => commitJson(decodeCommit(b)), 30);
  });

  it("blocks", () => {
    compareAll(cases<unknown, ProtoJson>("block", "block"), same, (b) => blockJson(decodeBlock(b)), 8);
  });

  it("votes", () => {
    const votes = cases<unknown, { vote_proto: string; vote_json: { extension: unknown } }>(
      "sign-bytes",
      "vote",
    );
    const plain = votes.filter(({ expect }) => expect.vote_json.extension === null);
    compareAll(
      plain,
      (expect) => ({ proto: expect.vote_proto, json: expect.vote_json }),
      (b) => voteJson(decodeVote(b)),
      40,
    );
  });

  it("proposals", () => {
    compareAll(
      cases<unknown, { proposal_proto: string; proposal_json: unknown }>("sign-bytes", "proposal"),
      (expect) => ({ proto: expect.proposal_proto, json: expect.proposal_json }),
      (b) => proposalJson(decodeProposal(b)),
      20,
    );
  });

  for (const [kind, atLeast] of [
    ["duplicate_vote", 15],
    ["light_client_attack", 1],
  ] as const) {
    it(`evidence of kind ${kind}`, () => {
      compareAll(
        cases<unknown, { wrapped: string; json: unknown }>("evidence", kind),
        (expect) => ({ proto: expect.wrapped, json: expect.json }),
        (b) => evidenceJson(decodeEvidence(b)),
        atLeast,
      );
    });
  }

  it("block ids", () => {
    for (const { name, input, expect } of cases<{ block_id: BlockIdJson }, { json: unknown }>(
      "block-id",
      "block_id",
    )) {
      sameJson(blockIdJson(someBlockId(input.block_id)), expect.json, name);
    }
  });

  it("validators", () => {
    interface Listed {
      readonly validators: readonly { pub_key: string; power: string; priority?: string }[];
      readonly json: { readonly validators: readonly unknown[] };
    }
    const sets = cases<unknown, Listed>("validator-set", "new").filter(({ expect }) => Boolean(expect.json));
    assert.ok(sets.length > 10);
    for (const { name, expect } of sets) {
      const ours = expect.validators.map((entry) => validatorJson(validator(entry)));
      sameJson(ours, expect.json.validators, name);
    }
  });

  it("consensus params", () => {
    const [defaults] = cases<unknown, { json: { block: object } }>("consensus-params", "params");
    const ours = consensusParamsJson({ ...DEFAULT_PARAMS, maxBlockBytes: 22_020_096 }, 0n);
    sameJson(ours, defaults!.expect.json, "defaults");
  });
});

describe("base64", () => {
  it("is what Node's Buffer writes, and reads back", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        const text = toBase64(bytes);
        assert.equal(text, Buffer.from(bytes).toString("base64"));
        assert.deepEqual(fromBase64(text), bytes);
      }),
    );
  });

  it("takes canonical text only", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 12 }), (text) => {
        const bytes = fromBase64(text);
        if (bytes !== null) assert.equal(toBase64(bytes), text);
      }),
    );
    for (const text of ["A", "AA", "AAA", "AB==", "A===", "AA=A", "====", "AA A", "AA==AAAA", "AA-_"]) {
      assert.equal(fromBase64(text), null, text);
    }
  });
});

describe("public keys", () => {
  it("round-trip, and other types, lengths and shapes are no key", () => {
    const key = new Uint8Array(32).fill(7);
    assert.deepEqual(publicKeyFromJson(publicKeyJson(key)), key);
    const odd = [null, "", {}, { ...publicKeyJson(key), type: "x" }, publicKeyJson(new Uint8Array(31))];
    for (const value of odd) assert.equal(publicKeyFromJson(value), null);
  });
});
