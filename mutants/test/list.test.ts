/** The list against the sources: a mutant that no longer fits would never be run, and nobody would notice. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { MutantError, mutated } from "../apply.ts";
import { MUTANTS } from "../list.ts";
import type { Mutant } from "../types.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const read = (file: string): string => readFileSync(join(ROOT, file), "utf8");

const EXAMPLE: Mutant = {
  name: "example",
  file: "x.ts",
  find: "a > b",
  replace: "a >= b",
  bug: "",
  origin: "",
  verdict: { kind: "equivalent", because: "" },
};

test("every mutant still applies: its text stands once in a source file of the product and can be run", () => {
  for (const mutant of MUTANTS) {
    assert.match(mutant.file, /^packages\/[\w-]+\/src\/.+\.ts$/, mutant.name);
    assert.notEqual(mutated(mutant, read(mutant.file)), read(mutant.file), mutant.name);
  }
});

test("every directed test of the list exists in its file", () => {
  for (const { name, verdict } of MUTANTS) {
    if (verdict.kind === "equivalent") continue;
    assert.ok(verdict.by.length > 0, `${name} has no test`);
    for (const test of verdict.by) {
      assert.ok(read(test.file).includes(test.name), `${name}: ${test.file} has no "${test.name}"`);
    }
  }
});

test("names are unique, in kebab case, and every mutant says what it stands for", () => {
  const names = MUTANTS.map(({ name }) => name);
  assert.deepEqual(
    names.filter((name, i) => names.indexOf(name) !== i),
    [],
  );
  for (const { name, bug, origin, verdict } of MUTANTS) {
    assert.match(name, /^[a-z0-9]+(-[a-z0-9]+)*$/);
    assert.ok(bug.length > 10 && origin.length > 1, name);
    if (verdict.kind === "equivalent") assert.ok(verdict.because.length > 20, `${name} is not argued`);
  }
  assert.ok(MUTANTS.length >= 40);
});

test("the table of other nodes' bugs names mutants of the list", () => {
  const names = new Set(MUTANTS.map(({ name }) => name));
  const cells = read("mutants/peer-bugs.md")
    .split("\n")
    .filter((line) => line.startsWith("| ") && !line.startsWith("| ---"));
  assert.ok(cells.length > 60);
  for (const line of cells.filter((cell) => !/^\| (Malachite|Mainsail) +\|/.test(cell))) {
    const found = [...line.matchAll(/`([a-z0-9-]+)`/g)].map(([, name]) => name ?? "");
    assert.ok(found.length > 0 || line.includes("| none"), line);
    for (const name of found) assert.ok(names.has(name), `no mutant ${name}: ${line}`);
  }
});

test("a text that is missing, stands twice, changes nothing or gives no TypeScript is refused", () => {
  assert.equal(mutated(EXAMPLE, "if (a > b) f();"), "if (a >= b) f();");
  for (const [mutant, source] of [
    [EXAMPLE, "if (b > a) f();"],
    [EXAMPLE, "if (a > b || a > b) f();"],
    [{ ...EXAMPLE, replace: EXAMPLE.find }, "if (a > b) f();"],
    [{ ...EXAMPLE, replace: "a >" }, "if (a > b) f();"],
    [{ ...EXAMPLE, find: "" }, "if (a > b) f();"],
  ] as const) {
    assert.throws(() => mutated(mutant, source), MutantError);
  }
});
