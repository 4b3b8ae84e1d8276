import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CliError } from "../src/errors.ts";
import { type FlagSpec, parseArguments } from "../src/flags.ts";
import { editDistance, nearest } from "../src/nearest.ts";

const SPECS: readonly FlagSpec[] = [
  { name: "el", kind: "string", value: "URL", help: "" },
  { name: "halt-height", kind: "integer", min: 0, max: 100, help: "" },
  { name: "json", kind: "boolean", help: "" },
  { name: "persistent-peers", kind: "list", help: "" },
];

const parse = (...words: string[]) =>
  parseArguments(words, SPECS, [{ name: "MONIKER", help: "" }], "validator x");

function refusal(...words: string[]): CliError {
  try {
    parse(...words);
  } catch (error) {
    if (error instanceof CliError) return error;
    throw error;
  }
  return assert.fail(`${words.join(" ")} was accepted`);
}

test("flags stand anywhere, with a space or an equals sign", () => {
  const args = parse("--el", "http://x", "moniker", "--halt-height=7", "--json");
  assert.equal(args.string("el"), "http://x");
  assert.equal(args.integer("halt-height"), 7);
  assert.equal(args.boolean("json"), true);
  assert.deepEqual(args.positionals, ["moniker"]);
});

test("a list flag may be repeated and may hold commas", () => {
  const args = parse("--persistent-peers", "a,b", "--persistent-peers=c");
  assert.deepEqual(args.list("persistent-peers"), ["a", "b", "c"]);
});

test("an absent flag is undefined, an absent boolean false", () => {
  const args = parse();
  assert.equal(args.string("el"), undefined);
  assert.equal(args.boolean("json"), false);
  assert.equal(args.has("json"), false);
});

test("an unknown flag is refused with the nearest known one", () => {
  const error = refusal("--persistent-peer", "x");
  assert.equal(error.exitCode, 2);
  assert.equal(error.what, "unknown flag --persistent-peer");
  assert.equal(error.do, "did you mean --persistent-peers?");
});

test("underscores in a flag's name lead to the name with hyphens", () => {
  assert.equal(refusal("--halt_height", "3").do, "did you mean --halt-height?");
});

test("a flag unlike any other is refused without a guess", () => {
  assert.equal(refusal("--frobnicate").do, "run `validator x --help`");
});

test("a missing value, a value outside its range and a repeated flag are refused", () => {
  assert.match(refusal("--el").what, /has no value/);
  assert.match(refusal("--halt-height", "101").what, /not a whole number from 0 to 100/);
  assert.match(refusal("--halt-height", "1e1").what, /not a whole number/);
  assert.match(refusal("--el", "a", "--el", "b").what, /given twice/);
  assert.match(refusal("--json=maybe").what, /neither true nor false/);
});

test("an argument too many is refused", () => {
  assert.match(refusal("one", "two").what, /unexpected argument "two"/);
});

test("what follows -- is no flag", () => {
  assert.deepEqual(parse("--", "--json").positionals, ["--json"]);
});

test("the empty command line and any words end in a value or a usage error", () => {
  fc.assert(
    fc.property(fc.array(fc.string(), { maxLength: 6 }), (words) => {
      try {
        parse(...words);
      } catch (error) {
        assert.ok(error instanceof CliError && error.exitCode === 2);
      }
    }),
  );
});

test("edit distance is a metric's first three laws", () => {
  const word = fc.string({ maxLength: 8 });
  fc.assert(
    fc.property(word, word, (a, b) => {
      assert.equal(editDistance(a, b), editDistance(b, a));
      assert.equal(editDistance(a, b) === 0, a === b);
      assert.ok(editDistance(a, b) <= Math.max(a.length, b.length));
    }),
  );
});

test("a word broken off is completed, a transposition recognised", () => {
  assert.equal(nearest("stat", ["start", "status"]), "status");
  assert.equal(nearest("satus", ["start", "status"]), "status");
  assert.equal(nearest("zzz", ["start", "status"]), null);
});

test("regression: a word of thousands of letters is compared with nothing; it took seconds", () => {
  const started = process.threadCpuUsage();
  assert.equal(nearest("a".repeat(200_000), ["a".repeat(60), "status"]), null);
  const { user, system } = process.threadCpuUsage(started);
  assert.ok(user + system < 1_000_000);
});
