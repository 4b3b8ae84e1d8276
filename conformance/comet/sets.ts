/** Validator sets and the proposer rotation. */
import {
  decodeValidatorSet,
  encodeSimpleValidator,
  encodeValidatorSet,
  incrementProposerPriority,
  makeValidatorSet,
  proposerOf,
  updateValidatorSet,
  type ValidatorSet,
  validatorSetFromList,
  validatorSetJson,
  validatorsHash,
} from "@quorate/chain";
import { bytesEqual, sha256 } from "@quorate/crypto";
import { rescalePriorities } from "../../packages/chain/src/validators/priority.ts";
import { compare, compareWhole, equal, fail, type Json, type Judge, verdict } from "../case.ts";
import * as basic from "../model/basic.ts";
import { WORDS } from "../model/reasons.ts";
import * as render from "../model/render.ts";
import * as values from "../model/values.ts";
import * as wire from "../model/wire.ts";
import * as product from "./product.ts";

const hex = values.toHex;

const shown = (set: Pick<ValidatorSet, "validators">): object[] =>
  set.validators.map((each) => ({
    address: hex(each.address),
    power: String(each.power),
    priority: String(each.priority),
    pub_key: hex(each.pubKey),
  }));

const powers = (json: Json): { pubKey: Uint8Array; power: bigint }[] =>
  values.list(json).map((each) => ({ pubKey: values.hex(each.pub_key), power: values.int64(each.power) }));

/** Everything that the library says of a set, computed from the product's set by the model's encodings. */
function fieldsOf(set: ValidatorSet): Record<string, unknown> {
  const proto = wire.validatorSet(set);
  const leaves = set.validators.map((each) => hex(wire.simpleValidator(each)));
  equal(hex(encodeValidatorSet(set)), hex(proto), "protobuf of the product");
  equal(
    set.validators.map((each) => hex(encodeSimpleValidator(each))),
    leaves,
    "leaves of the product",
  );
  equal(hex(validatorsHash(set)), hex(basic.validatorsHash(set.validators)), "hash of the product");
  equal(validatorSetJson(set), render.validatorSet(set), "JSON of the product");
  return {
    validators: shown(set),
    proposer: hex(set.proposer.address),
    total_power: String(set.totalPower),
    hash: hex(basic.validatorsHash(set.validators)),
    leaves,
    proto: hex(proto),
    proto_sha256: hex(sha256(proto)),
    json: () => render.validatorSet(set),
    validate_basic: verdict(basic.validatorSet(set)),
  };
}

function newSet(input: Json, expect: Json): void {
  const list = powers(input.validators);
  let set: ValidatorSet | null = null;
  const reason = product.reasonOf("new set", () => {
    set = makeValidatorSet(list);
  });
  const made = set as ValidatorSet | null;
  if (made === null) {
    // The library has an empty set; here a set has a validator.
    if (list.length === 0) emptySet(expect);
    else compareWhole(expect, reason, WORDS);
    return;
  }
  const { ok, ...rest } = expect;
  equal(true, ok, "verdict");
  if (Object.keys(rest).length > 0) compare(rest, fieldsOf(made), WORDS);
  if (basic.validatorSet(made) === null) {
    equal(decodeValidatorSet(wire.validatorSet(made)), made, "set decoded by the product");
  }
}

function emptySet(expect: Json): void {
  const { ok, reason: _reason, go_error: _error, validate_basic: valid, ...rest } = expect;
  if (typeof ok !== "boolean") fail("the vector has no verdict");
  if (!ok) fail("the library makes an empty set");
  if (valid !== undefined && valid.ok !== false) fail("an empty set is never valid");
  compare(
    { validators: [], ...rest },
    {
      validators: rest.validators === null ? null : [],
      hash: hex(basic.validatorsHash([])),
      leaves: [],
      total_power: "0",
      proposer: rest.proposer ?? null,
      proto: rest.proto,
      proto_sha256: rest.proto_sha256,
      json: rest.json,
    },
  );
}

function fromExisting(input: Json, expect: Json): void {
  const list = values.list(input.validators).map(values.validator);
  const { ok: expectedOk, original_proposer: original, ...rest } = expect;
  let set: ValidatorSet;
  try {
    set = validatorSetFromList(list.map(product.validator));
  } catch (error) {
    if (expectedOk === false) return;
    throw error;
  }
  if (expectedOk === false) fail("the vector says refused, this code takes it");
  // Who proposed before is a fact about the set's past: it is in it, no more can be told from the list.
  if (original !== undefined && !list.some((each) => hex(each.address) === original)) {
    fail("the original proposer is not in the list");
  }
  compare(rest, fieldsOf(set), WORDS);
}

function sequence(input: Json, expect: Json): void {
  const keys = values.list(input.keys).map(values.hex);
  const named = (list: Json): { pubKey: Uint8Array; power: bigint }[] =>
    values.list(list).map(([key, power]) => ({
      pubKey: keys[Number(key)] ?? fail(`there is no key ${key}`),
      power: values.int64(power),
    }));
  const place = (pubKey: Uint8Array): number => keys.findIndex((key) => bytesEqual(key, pubKey));
  const facts = (set: ValidatorSet): Record<string, unknown> => ({
    proposer: place(set.proposer.pubKey),
    total_power: String(set.totalPower),
    validators: set.validators.map((each) => [place(each.pubKey), String(each.power), String(each.priority)]),
  });
  const ops = values.list(input.ops);
  const states = values.list(expect.states);
  equal(ops.length + 1, states.length, "number of states");
  let set = makeValidatorSet(named(input.start));
  for (const [i, { error, go_error: _, ...state }] of states.entries()) {
    if (i > 0) {
      const op = ops[i - 1]!;
      const before = set;
      const reason = product.reasonOf(`step ${i}`, () => {
        set =
          op.times === undefined
            ? updateValidatorSet(before, named(op.changes))
            : incrementProposerPriority(before, Number(values.int64(op.times)));
      });
      if ((reason === null) !== (error === undefined || error === null)) {
        fail(`step ${i}: the vector says ${error ?? "applied"}, this code ${reason ?? "applied"}`);
      }
      if (reason !== null && WORDS.has(reason) && WORDS.has(error)) equal(reason, error, `step ${i}: reason`);
    }
    compare(state, facts(set));
  }
  const { states: _, ...others } = expect;
  if (Object.keys(others).length > 0)
    fail(`the vector expects "${Object.keys(others)[0]}", which is not computed`);
}

function rescale(input: Json, expect: Json): void {
  const priorities = values.list(input.validators).map((each) => values.int64(each.priority));
  rescalePriorities(priorities, values.int64(input.diff_max));
  compare(expect, { priorities: priorities.map(String) });
}

/** Most steps of the rotation that one case may ask for, one at a time. */
const MAX_STEPS = 2_000_000;

function increment(input: Json, expect: Json): void {
  const start = product.setOf(values.list(input.validators).map(values.validator));
  const times = Number(values.int64(input.times));
  const asked = times * start.validators.length;
  if (asked > 20 * MAX_STEPS)
    fail(`${times} steps of ${start.validators.length} validators are more than is run here`);
  const once = incrementProposerPriority(start, times);
  const stepwise = (): ValidatorSet => {
    let set = start;
    for (let i = 0; i < times; i++) set = incrementProposerPriority(set, 1);
    return set;
  };
  const single = "one_by_one" in expect || "one_by_one_proposer" in expect ? stepwise() : once;
  compare(expect, {
    priorities: once.validators.map((each) => String(each.priority)),
    proposer: hex(once.proposer.address),
    one_by_one: single.validators.map((each) => String(each.priority)),
    one_by_one_proposer: hex(single.proposer.address),
  });
}

function rounds(input: Json, expect: Json): void {
  const validators = values.list(input.validators).map(values.validator);
  const proposer = validators.find((each) => hex(each.address) === input.proposer);
  const set = product.setOf(validators, proposer);
  const oneCall = (count: number): string[] =>
    Array.from({ length: count }, (_, round) => hex(proposerOf(set, round).address));
  const byRounds = (count: number): string[] => {
    const found: string[] = [];
    let walked = set;
    for (let round = 0; round < count; round++) {
      if (round > 0) walked = incrementProposerPriority(walked, 1);
      found.push(hex(walked.proposer.address));
    }
    return found;
  };
  compare(expect, {
    one_call: () => oneCall(values.list(expect.one_call).length),
    round_by_round: () => byRounds(values.list(expect.round_by_round).length),
  });
}

const any = (): boolean => true;

export const setJudges: readonly Judge[] = [
  { kind: "new", takes: (input) => input.validators !== undefined, run: newSet },
  { kind: "from_existing", takes: any, run: fromExisting },
  { kind: "sequence", takes: (input) => input.ops !== undefined, run: sequence },
  { kind: "rescale", takes: any, run: rescale },
  { kind: "increment", takes: (input) => input.times !== undefined, run: increment },
  { kind: "rounds", takes: any, run: rounds },
];
