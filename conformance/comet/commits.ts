/** Commits, their verification, and the light client's two steps. */
import {
  commitChecks,
  commitHash,
  commitJson,
  decodeCommit,
  decodeLightBlock,
  encodeCommit,
  encodeCommitSig,
  encodeLightBlock,
  requireChecks,
  signedHeaderJson,
  trustingCommitChecks,
  validatorSetJson,
  verifyCommit,
} from "@quorate/chain";
import { nativeBackend } from "@quorate/crypto";
import { compare, equal, fail, type Json, type Judge, verdict } from "../case.ts";
import * as basic from "../model/basic.ts";
import { WORDS } from "../model/reasons.ts";
import * as render from "../model/render.ts";
import * as values from "../model/values.ts";
import * as model from "../model/verify.ts";
import * as wire from "../model/wire.ts";
import * as product from "./product.ts";

const hex = values.toHex;

function commit(input: Json, expect: Json): void {
  const value = values.commit(input.commit);
  const proto = wire.commit(value);
  const leaves = value.signatures.map((sig) => hex(wire.commitSig(sig)));
  const { json, ...rest } = expect;
  compare(
    rest,
    {
      leaves,
      hash: hex(basic.commitHash(value)),
      proto: hex(proto),
      validate_basic: verdict(basic.commit(value)),
    },
    WORDS,
  );
  const same = (a: unknown, b: unknown, what: string): void =>
    equal(render.withoutNil(a), render.withoutNil(b), what);
  if (json !== undefined) same(render.commit(value), json, "JSON");
  judgeCommitOfProduct(value, proto, leaves, same);
}

function judgeCommitOfProduct(
  value: values.Commit,
  proto: Uint8Array,
  leaves: readonly string[],
  same: (a: unknown, b: unknown, what: string) => void,
): void {
  const ours = product.commit(value);
  equal(
    ours.signatures.map((sig) => hex(encodeCommitSig(sig))),
    leaves,
    "leaves of the product",
  );
  equal(hex(commitHash(ours)), hex(basic.commitHash(value)), "hash of the product");
  if (!product.takes.commit(value)) {
    product.refused("commit", () => decodeCommit(proto));
    return;
  }
  equal(hex(encodeCommit(ours)), hex(proto), "protobuf of the product");
  equal(decodeCommit(proto), ours, "commit decoded by the product");
  same(commitJson(ours), render.commit(value), "JSON of the product");
}

const outcomeFields = (outcome: model.Outcome): object =>
  outcome === null
    ? { ok: true }
    : {
        ok: false,
        reason: outcome.reason,
        ...(outcome.got === undefined ? {} : { got: outcome.got, needed: outcome.needed }),
      };

/** The library's verdict with the quantities that it may name beside it. */
function compareOutcome(expected: Json, outcome: model.Outcome, what: string): void {
  const { got, needed, ...rest } = expected;
  compare({ [what]: rest }, { [what]: verdict(outcome?.reason ?? null) }, WORDS);
  if (got !== undefined || needed !== undefined) {
    const fields = outcomeFields(outcome) as { got?: string; needed?: string };
    equal({ got: fields.got, needed: fields.needed }, { got, needed }, `${what}: power`);
  }
}

/** With one entry the library asks for the signature before the power, and calls its length no fault of its own. */
const ONE_ENTRY: ReadonlySet<string> = new Set(["not_enough_power", "signature_length", "wrong_signature"]);

function agrees(what: string, outcome: model.Outcome, entries: number, run: () => void): void {
  const reason = product.reasonOf(what, run);
  const expected = outcome?.reason ?? null;
  if ((reason === null) !== (expected === null)) {
    fail(`${what}: the library ${expected ?? "accepts"}, the product ${reason ?? "accepts"}`);
  }
  if (reason === null || (entries === 1 && ONE_ENTRY.has(reason))) return;
  equal(reason, expected, `${what}: reason of the product`);
}

interface Verification {
  readonly chainId: string;
  readonly validators: readonly values.Validator[];
  readonly blockId: values.BlockId;
  readonly height: bigint;
  readonly commit: values.Commit | null;
}

const MODES = { verify_commit: "all", light: "light", light_all_signatures: "light_all" } as const;

/** Whether the product has such a set and such a commit at all. */
const inProduct = ({ validators, height, commit: value }: Verification): boolean =>
  value !== null &&
  validators.length > 0 &&
  product.representable(height) &&
  product.representable(value.height) &&
  value.signatures.every(({ flag }) => flag >= 1 && flag <= 3);

function plainOutcome(of: Verification, field: keyof typeof MODES): model.Outcome {
  const outcome = model.verifyCommit(
    of.chainId,
    of.validators,
    of.blockId,
    of.height,
    of.commit,
    MODES[field],
  );
  if (!inProduct(of)) return outcome;
  const set = product.setOf(of.validators);
  const value = product.commit(of.commit!);
  const [id, height] = [product.someBlockId(of.blockId), Number(of.height)];
  agrees(field, outcome, value.signatures.length, () => {
    if (field === "verify_commit") verifyCommit(of.chainId, set, id, height, value, nativeBackend);
    else {
      const mode = field === "light" ? "light" : "light-all";
      requireChecks(commitChecks(of.chainId, set, id, height, value, mode), nativeBackend);
    }
  });
  return outcome;
}

function trustingOutcome(of: Verification, level: model.Fraction, all: boolean): model.Outcome {
  const outcome = model.verifyTrusting(of.chainId, of.validators, of.commit, level, all);
  if (!inProduct(of) || level.numerator < 0n || level.denominator < 0n) return outcome;
  const set = product.setOf(of.validators);
  const value = product.commit(of.commit!);
  agrees(`trusting ${level.numerator}/${level.denominator}`, outcome, value.signatures.length, () =>
    requireChecks(trustingCommitChecks(of.chainId, set, value, level, { allSignatures: all }), nativeBackend),
  );
  return outcome;
}

const TRUSTING = /^trusting_(all_signatures_)?(-?\d+)\/(-?\d+)$/;

function verify(input: Json, expect: Json): void {
  const of: Verification = {
    chainId: input.chain_id,
    validators: values.list(input.validators).map(values.validator),
    blockId: values.blockId(input.block_id),
    height: values.int64(input.height),
    commit: input.commit === null || input.commit === undefined ? null : values.commit(input.commit),
  };
  const fields = Object.entries(expect as Record<string, Json>);
  if (fields.length === 0) fail("the vector expects nothing");
  for (const [field, expected] of fields) {
    const trusting = TRUSTING.exec(field);
    if (Object.hasOwn(MODES, field)) {
      compareOutcome(expected, plainOutcome(of, field as keyof typeof MODES), field);
    } else if (trusting !== null) {
      const level = { numerator: values.integer(trusting[2]), denominator: values.integer(trusting[3]) };
      compareOutcome(expected, trustingOutcome(of, level, trusting[1] !== undefined), field);
    } else fail(`the vector expects "${field}", which no rule here computes`);
  }
}

/** The RPC's JSON of a light block is also what the product writes of it. */
function judgeLightBlock(block: values.LightBlock, json: Json): void {
  equal(render.lightBlock(block), json, "JSON of a light block, read and written again");
  const sound =
    product.takes.header(block.header) &&
    product.takes.commit(block.commit) &&
    basic.validatorSet(block.set) === null;
  if (!sound || !inOrder(block.set)) return;
  const ours = {
    signedHeader: { header: product.header(block.header), commit: product.commit(block.commit) },
    validators: product.setOf(block.set.validators, block.set.proposer),
  };
  equal(
    { signed_header: signedHeaderJson(ours.signedHeader), validator_set: validatorSetJson(ours.validators) },
    render.lightBlock(block),
    "JSON of the product",
  );
  equal(hex(encodeLightBlock(ours)), hex(wire.lightBlock(block)), "protobuf of the product");
  equal(decodeLightBlock(wire.lightBlock(block)), ours, "light block decoded by the product");
}

function inOrder(set: values.ValidatorSet): boolean {
  return set.validators.every((each, i) => {
    const before = set.validators[i - 1];
    if (each.power < 1n) return false;
    if (before === undefined || before.power > each.power) return true;
    return before.power === each.power && Buffer.compare(before.address, each.address) < 0;
  });
}

function light(input: Json, expect: Json): void {
  const trusted = values.rpc.lightBlock(input.trusted);
  const untrusted = values.rpc.lightBlock(input.untrusted);
  judgeLightBlock(trusted, input.trusted);
  judgeLightBlock(untrusted, input.untrusted);
  const rules: model.LightRules = {
    trustingPeriod: values.int64(input.trusting_period_ns),
    maxClockDrift: values.int64(input.max_clock_drift_ns),
    now: values.timestamp(input.now),
    trustLevel: {
      numerator: values.int64(input.trust_level?.numerator ?? "1"),
      denominator: values.int64(input.trust_level?.denominator ?? "3"),
    },
  };
  const of: Verification = {
    chainId: trusted.header.chainId,
    validators: untrusted.set.validators,
    blockId: untrusted.commit.blockId,
    height: untrusted.header.height,
    commit: untrusted.commit,
  };
  if (untrusted.header.height === untrusted.commit.height) plainOutcome(of, "light");
  trustingOutcome({ ...of, validators: trusted.set.validators }, rules.trustLevel, false);
  const steps = {
    adjacent: model.verifyAdjacent(trusted, untrusted, rules),
    non_adjacent: model.verifyNonAdjacent(trusted, untrusted, rules),
  };
  for (const [field, expected] of Object.entries(expect as Record<string, Json>)) {
    if (!Object.hasOwn(steps, field)) fail(`the vector expects "${field}", which no rule here computes`);
    const found = steps[field as keyof typeof steps];
    const { class: kind, ...rest } = expected;
    compare({ [field]: rest }, { [field]: verdict(found?.reason ?? null) }, WORDS);
    if (kind !== undefined) equal(found?.class, kind, `${field}: class`);
  }
}

const any = (): boolean => true;

export const commitJudges: readonly Judge[] = [
  { kind: "commit", takes: (input) => input.bytes === undefined, run: commit },
  { kind: "verify", takes: (input) => input.leaf === undefined, run: verify },
  { kind: "light", takes: any, run: light },
];
