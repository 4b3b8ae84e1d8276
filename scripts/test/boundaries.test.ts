import assert from "node:assert/strict";
import { test } from "node:test";
import { breaches, breachesApart, breachesSimulated, importsOf, type PackageSource } from "../boundaries.ts";

function source(name: string, text: string, dependencies: string[] = []): PackageSource {
  return { name, dependencies, files: [{ path: `packages/${name}/src/x.ts`, text }] };
}

test("an import along an arrow that package.json declares is no breach", () => {
  const text = 'import { sha256 } from "@quorate/crypto";\n';
  assert.deepEqual(breaches([source("chain", text, ["@quorate/crypto"])]), []);
});

test("an import against the arrows is named with its file", () => {
  const text = 'import type { Step } from "@quorate/consensus";\n';
  assert.deepEqual(breaches([source("gossip", text, [])]), [
    "gossip: packages/gossip/src/x.ts imports consensus",
    "gossip: packages/gossip/src/x.ts imports consensus without declaring it",
  ]);
});

test("a dependency against the arrows is a breach even when nothing imports it", () => {
  assert.equal(breaches([source("execution", "", ["@quorate/consensus"])]).length, 1);
});

test("a pure package may use neither a Node module nor a clock, a timer or randomness", () => {
  for (const text of [
    'import { createHash } from "node:crypto";',
    "const now = Date.now();",
    "const now = new Date();",
    "const x = Math.random();",
    "setTimeout(() => {}, 1);",
    "const b = Buffer.from([]);",
    "console.log(1);",
  ]) {
    assert.equal(breaches([source("consensus", text)]).length, 1, text);
  }
});

test("words in comments, strings and members of other objects are not mistaken for globals", () => {
  const text = '// Date.now()\n/* process.exit() */\nconst a = "Buffer.from()"; const b = state.process();\n';
  assert.deepEqual(breaches([source("chain", text)]), []);
});

test("only privval and crypto may import the signing functions", () => {
  const text = 'import { ed25519Sign } from "@quorate/crypto";\n';
  assert.equal(breaches([source("node", text, ["@quorate/crypto"])]).length, 1);
  assert.deepEqual(breaches([source("privval", text, ["@quorate/crypto"])]), []);
});

test("dynamic imports, re-exports and side-effect imports are seen", () => {
  const text = 'export * from "./a.ts";\nimport "./b.ts";\nconst c = await import("./c.ts");\n';
  assert.deepEqual(
    importsOf(text).map(({ from }) => from),
    ["./a.ts", "./b.ts", "./c.ts"],
  );
});

test("a package without fixed arrows is refused", () => {
  assert.equal(breaches([source("surprise", "")]).length, 1);
});

test("no package imports the private folders beside the packages", () => {
  for (const folder of ["simulator", "mutants", "campaigns", "conformance", "fuzz", "specs", "bench"]) {
    assert.equal(breaches([source("node", `import { x } from "../../../${folder}/x.ts";\n`)]).length, 1);
  }
});

test("the mutants import Node's modules and their own only", () => {
  const files = (text: string) => [{ path: "list/core.ts", text }];
  assert.deepEqual(
    breachesApart(files('import { a } from "node:fs";\nimport { b } from "../types.ts";\n')),
    [],
  );
  for (const from of ["@quorate/chain", "../../packages/chain/src/index.ts", "fast-check"]) {
    assert.equal(breachesApart(files(`import { a } from "${from}";\n`)).length, 1, from);
  }
});

test("the simulated world reads no clock and no file of the system", () => {
  const found = breachesSimulated([
    { path: "src/core/machine.ts", text: 'import { readFile } from "node:fs/promises";\nDate.now();\n' },
    { path: "src/main.ts", text: 'import { readFile } from "node:fs/promises";\nDate.now();\n' },
  ]);
  assert.equal(found.length, 2);
  assert.ok(found.every((line) => line.includes("src/core/machine.ts")));
});
