/** Evidence of both kinds, its lists and its age. */
import {
  type DuplicateVoteEvidence,
  decodeEvidence,
  decodeEvidenceList,
  type Evidence,
  encodeBareEvidence,
  encodeEvidence,
  encodeEvidenceList,
  evidenceExpired,
  evidenceFromJson,
  evidenceHash,
  evidenceId,
  evidenceJson,
  makeDuplicateVoteEvidence,
  verifyDuplicateVote,
  verifyLightClientAttack,
} from "@quorate/chain";
import { nativeBackend, sha256 } from "@quorate/crypto";
import { compare, equal, fail, type Json, type Judge, verdict } from "../case.ts";
import { reference } from "../ed25519/reference.ts";
import * as basic from "../model/basic.ts";
import * as merkle from "../model/merkle.ts";
import { WORDS } from "../model/reasons.ts";
import * as render from "../model/render.ts";
import * as values from "../model/values.ts";
import * as model from "../model/verify.ts";
import * as wire from "../model/wire.ts";
import * as product from "./product.ts";

const hex = values.toHex;

interface DoubleVote {
  readonly a: values.Vote;
  readonly b: values.Vote;
  readonly totalPower: bigint;
  readonly validatorPower: bigint;
  readonly timestamp: values.Timestamp;
}

function bareDoubleVote(of: DoubleVote): Uint8Array {
  return wire.join(
    wire.embedded(1, wire.vote(of.a)),
    wire.embedded(2, wire.vote(of.b)),
    wire.number(3, of.totalPower),
    wire.number(4, of.validatorPower),
    wire.embedded(5, wire.timestamp(of.timestamp)),
  );
}

function doubleVoteBasic(of: DoubleVote): string | null {
  return (
    basic.vote(of.a) ??
    basic.vote(of.b) ??
    (basic.key(of.a.blockId) >= basic.key(of.b.blockId) ? "vote_order" : null)
  );
}

function doubleVoteReason(
  chainId: string,
  of: DoubleVote,
  validators: readonly values.Validator[],
): string | null {
  const { a, b } = of;
  const found = validators.find((each) => basic.same(each.address, a.address));
  if (found === undefined) return "not_a_validator";
  if (a.height !== b.height || a.round !== b.round || a.type !== b.type) return "hrs_mismatch";
  if (!basic.same(a.address, b.address)) return "vote_address_mismatch";
  if (basic.key(a.blockId) === basic.key(b.blockId)) return "same_block_id";
  if (found.power !== of.validatorPower) return "validator_power_mismatch";
  if (model.totalPower(validators) !== of.totalPower) return "total_power_mismatch";
  const holds = (vote: values.Vote): boolean =>
    reference({
      publicKey: found.pubKey,
      message: wire.voteSignBytes(chainId, vote),
      signature: vote.signature,
    });
  if (!holds(a)) return "vote_a_signature";
  return holds(b) ? null : "vote_b_signature";
}

function duplicateVote(input: Json, expect: Json): void {
  const of: DoubleVote = {
    a: values.vote(input.vote_a),
    b: values.vote(input.vote_b),
    totalPower: values.int64(input.total_voting_power ?? "0"),
    validatorPower: values.int64(input.validator_power ?? "0"),
    timestamp: values.timestamp(input.timestamp),
  };
  const validators = values.list(input.validators).map(values.validator);
  const bare = bareDoubleVote(of);
  const seen = [input.vote_1, input.vote_2].map((json) => (json === undefined ? null : values.vote(json)));
  const shape = doubleVoteBasic(of);
  const reason = doubleVoteReason(input.chain_id, of, validators);
  compare(
    expect,
    {
      bytes: hex(bare),
      wrapped: hex(wire.embedded(1, bare)),
      hash: hex(sha256(bare)),
      json: () => doubleVoteJson(of),
      // Whether A is the vote that was seen second.
      swapped: () => {
        const [first, second] = seen.map((vote) => (vote === null ? "" : hex(wire.vote(vote))));
        const a = hex(wire.vote(of.a));
        if (a !== first && a !== second) fail("vote A is none of the votes as seen");
        return a === second && a !== first;
      },
      validate_basic: verdict(shape),
      verify: verdict(reason),
    },
    WORDS,
  );
  judgeDoubleVoteOfProduct(input.chain_id, of, validators, { shape, reason, seen });
}

const doubleVoteJson = (of: DoubleVote): object => ({
  type: "tendermint/DuplicateVoteEvidence",
  value: {
    vote_a: render.vote(of.a),
    vote_b: render.vote(of.b),
    TotalVotingPower: String(of.totalPower),
    ValidatorPower: String(of.validatorPower),
    Timestamp: values.formatTime(of.timestamp),
  },
});

function judgeDoubleVoteOfProduct(
  chainId: string,
  of: DoubleVote,
  validators: readonly values.Validator[],
  said: {
    readonly shape: string | null;
    readonly reason: string | null;
    readonly seen: readonly (values.Vote | null)[];
  },
): void {
  const bare = bareDoubleVote(of);
  const wrapped = wire.embedded(1, bare);
  const takes = product.takes.vote(of.a) && product.takes.vote(of.b) && said.shape === null;
  if (!takes) product.refused("evidence", () => decodeEvidence(wrapped));
  if (![of.a, of.b].every(({ height }) => product.representable(height)) || validators.length === 0) return;
  const ours: DuplicateVoteEvidence = {
    kind: "duplicate_vote",
    voteA: product.vote(of.a),
    voteB: product.vote(of.b),
    totalVotingPower: of.totalPower,
    validatorPower: of.validatorPower,
    timestamp: product.time(of.timestamp),
  };
  const extended = [of.a, of.b].some((vote) => vote.extension.length + vote.extensionSignature.length > 0);
  if (!extended) {
    equal(hex(encodeBareEvidence(ours)), hex(bare), "bytes of the product");
    equal(hex(encodeEvidence(ours)), hex(wrapped), "message of the product");
    equal(hex(evidenceId(ours)), hex(sha256(bare)), "hash of the product");
  }
  const set = product.setOf(validators);
  const reason = product.reasonOf("evidence", () => verifyDuplicateVote(chainId, ours, set, nativeBackend));
  equal(reason === null, said.shape === null && said.reason === null, "verdict of the product");
  if (said.shape === null) equal(reason, said.reason, "reason of the product");
  if (!takes) return;
  equal(decodeEvidence(wrapped), ours, "evidence decoded by the product");
  equal(evidenceJson(ours), doubleVoteJson(of), "JSON of the product");
  equal(evidenceFromJson(doubleVoteJson(of)), ours, "evidence that the product reads in JSON");
  if (reason !== null) return;
  const [first, second] = said.seen;
  if (!first || !second || ![first, second].every(product.takes.vote)) return;
  for (const pair of [[first, second] as const, [second, first] as const]) {
    const [one, other] = pair.map(product.vote) as [
      DuplicateVoteEvidence["voteA"],
      DuplicateVoteEvidence["voteB"],
    ];
    equal(
      makeDuplicateVoteEvidence(one, other, set, ours.timestamp),
      ours,
      "evidence made of the votes as seen",
    );
  }
}

function attackOf(input: Json): model.LightClientAttack {
  return {
    conflicting: values.rpc.lightBlock(input.conflicting_block),
    commonHeight: values.int64(input.common_height ?? "0"),
    byzantine: values.list(input.byzantine_validators).map(values.validator),
    totalPower: values.int64(input.total_voting_power ?? "0"),
    timestamp: values.timestamp(input.timestamp),
  };
}

function bareAttack(of: model.LightClientAttack): Uint8Array {
  return wire.join(
    wire.embedded(1, wire.lightBlock(of.conflicting)),
    wire.number(2, of.commonHeight),
    ...of.byzantine.map((each) => wire.embedded(3, wire.validator(each))),
    wire.number(4, of.totalPower),
    wire.embedded(5, wire.timestamp(of.timestamp)),
  );
}

/** Zig-zag, as Go's binary.PutVarint; the last byte of the block's hash is overwritten by a zero: a slip that stays. */
function attackHash(of: model.LightClientAttack): Uint8Array {
  const hash = basic.headerHash(of.conflicting.header) ?? new Uint8Array(0);
  const first = new Uint8Array(32);
  first.set(hash.subarray(0, 31));
  const zigzag = of.commonHeight >= 0n ? of.commonHeight * 2n : -of.commonHeight * 2n - 1n;
  return sha256(wire.join(first, wire.varint(zigzag)));
}

function lightClientAttack(input: Json, expect: Json): void {
  const of = attackOf(input);
  const bare = bareAttack(of);
  const wrapped = wire.embedded(2, bare);
  const conflictingHash = basic.headerHash(of.conflicting.header);
  const trusted = {
    header: values.rpc.header((input.trusted_header ?? input.common.signed_header).header),
    commit: values.rpc.commit((input.trusted_header ?? input.common.signed_header).commit),
  };
  const common = values.rpc.lightBlock(input.common);
  const shape = model.attackBasic(of);
  compare(
    expect,
    {
      bytes: hex(bare),
      wrapped: hex(wrapped),
      hash: hex(attackHash(of)),
      conflicting_hash: conflictingHash === null ? null : hex(conflictingHash),
      json: () => attackJson(of),
      validate_basic: verdict(shape),
      verify: () => verdict(model.attackReason(of, common, trusted)),
    },
    WORDS,
  );
  judgeAttackOfProduct(of, wrapped, shape, { common, trusted });
}

const attackJson = (of: model.LightClientAttack): object => ({
  type: "tendermint/LightClientAttackEvidence",
  value: {
    ConflictingBlock: render.lightBlock(of.conflicting),
    CommonHeight: String(of.commonHeight),
    ByzantineValidators: of.byzantine.length === 0 ? null : of.byzantine.map(render.validator),
    TotalVotingPower: String(of.totalPower),
    Timestamp: values.formatTime(of.timestamp),
  },
});

function judgeAttackOfProduct(
  of: model.LightClientAttack,
  wrapped: Uint8Array,
  shape: string | null,
  chain: {
    readonly common: values.LightBlock;
    readonly trusted: Pick<values.LightBlock, "header" | "commit">;
  },
): void {
  const { conflicting } = of;
  const decodable =
    of.totalPower > 0n &&
    of.commonHeight > 0n &&
    of.commonHeight <= conflicting.header.height &&
    product.takes.header(conflicting.header) &&
    product.takes.commit(conflicting.commit) &&
    basic.validatorSet(conflicting.set) === null &&
    of.byzantine.every((each) => each.power > 0n && basic.same(each.address, values.addressOf(each.pubKey)));
  if (!decodable) {
    product.refused("evidence", () => decodeEvidence(wrapped));
    return;
  }
  if (shape !== null) return;
  const ours = decodeEvidence(wrapped);
  equal(hex(encodeEvidence(ours)), hex(wrapped), "message of the product");
  equal(hex(encodeBareEvidence(ours)), hex(bareAttack(of)), "bytes of the product");
  equal(hex(evidenceId(ours)), hex(attackHash(of)), "hash of the product");
  equal(render.withoutNil(evidenceJson(ours)), render.withoutNil(attackJson(of)), "JSON of the product");
  equal(evidenceFromJson(attackJson(of)), ours, "evidence that the product reads in JSON");
  if (ours.kind !== "light_client_attack") fail("the product takes an attack for something else");
  const { common, trusted } = chain;
  const reason = product.reasonOf("evidence", () =>
    verifyLightClientAttack(
      ours,
      {
        chainId: trusted.header.chainId,
        common: product.header(common.header),
        commonValidators: product.setOf(common.set.validators),
        trusted: { header: product.header(trusted.header), commit: product.commit(trusted.commit) },
      },
      nativeBackend,
    ),
  );
  equal(reason, model.attackReason(of, common, trusted), "verdict of the product");
}

/** The items, or null when the product takes one of them no more (heights above 2^53-1, say). */
export function productEvidence(wrapped: readonly Uint8Array[]): Evidence[] | null {
  const list: Evidence[] = [];
  for (const item of wrapped) {
    if (product.reasonOfDecoding(() => list.push(decodeEvidence(item))) !== null) return null;
  }
  return list;
}

/** The message inside its oneof: one length-delimited field, which spans all bytes. */
export function unwrapped(item: Uint8Array): Uint8Array {
  let length = 0n;
  let at = 1;
  for (let shift = 0n; ; shift += 7n) {
    const byte = item[at++];
    if (byte === undefined || shift > 63n) throw new TypeError("evidence without its oneof");
    length |= BigInt(byte & 127) << shift;
    if (byte < 128) break;
  }
  if (BigInt(item.length - at) !== length) throw new TypeError("evidence without its oneof");
  return item.subarray(at);
}

function list(input: Json, expect: Json): void {
  const wrapped = values.list(input.wrapped).map(values.hex);
  const bare = wrapped.map(unwrapped);
  if (input.bytes !== undefined) equal(bare.map(hex), values.list(input.bytes), "items without their oneof");
  const proto = wire.join(...wrapped.map((item) => wire.embedded(1, item)));
  compare(expect, {
    evidence_hash: hex(merkle.root(bare)),
    list_proto: hex(proto),
    byte_size: String(proto.length),
  });
  const ours = productEvidence(wrapped);
  if (ours === null) {
    product.refused("list", () => decodeEvidenceList(proto));
    return;
  }
  equal(hex(evidenceHash(ours)), hex(merkle.root(bare)), "hash of the product");
  equal(hex(encodeEvidenceList(ours)), hex(proto), "protobuf of the product");
  equal(decodeEvidenceList(proto), ours, "list decoded by the product");
}

function expired(input: Json, expect: Json): void {
  const age =
    values.nanoseconds(values.timestamp(input.time_now)) -
    values.nanoseconds(values.timestamp(input.evidence_time));
  const blocks = values.int64(input.height_now) - values.int64(input.evidence_height);
  compare(expect, {
    expired: age > values.int64(input.max_age_duration_ns) && blocks > values.int64(input.max_age_num_blocks),
  });
  // The product counts whole milliseconds of age.
  const maxAge = values.int64(input.max_age_duration_ns);
  if (maxAge % 1_000_000n !== 0n) return;
  equal(
    evidenceExpired(
      {
        evidenceMaxAgeBlocks: Number(values.int64(input.max_age_num_blocks)),
        evidenceMaxAgeMs: Number(maxAge / 1_000_000n),
      },
      {
        height: Number(values.int64(input.height_now)),
        time: values.nanoseconds(values.timestamp(input.time_now)),
      },
      {
        height: Number(values.int64(input.evidence_height)),
        time: values.nanoseconds(values.timestamp(input.evidence_time)),
      },
    ),
    expect.expired,
    "age by the product",
  );
}

const any = (): boolean => true;

export const evidenceJudges: readonly Judge[] = [
  { kind: "duplicate_vote", takes: any, run: duplicateVote },
  { kind: "light_client_attack", takes: any, run: lightClientAttack },
  { kind: "list", takes: any, run: list },
  { kind: "expired", takes: any, run: expired },
];
