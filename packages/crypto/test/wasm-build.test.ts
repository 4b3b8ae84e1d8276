import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { it } from "node:test";
import { compileWasm, hashLine, WASM_FILE, WASM_HASH_FILE } from "../../../scripts/wasm.ts";

it("the committed module is the one with the published hash", () => {
  assert.equal(hashLine(readFileSync(WASM_FILE)), readFileSync(WASM_HASH_FILE, "utf8"));
});

it("the sources compile to exactly the committed module (`npm run wasm` writes it)", () => {
  assert.equal(hashLine(compileWasm()), readFileSync(WASM_HASH_FILE, "utf8"));
});
