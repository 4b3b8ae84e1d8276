import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { artefactFile, artefactText, CONTRACTS, compile } from "../contracts.ts";

describe("contracts", () => {
  for (const contract of CONTRACTS) {
    it(`${contract}: the artefact is what its source compiles to, without a warning`, () => {
      assert.equal(readFileSync(artefactFile(contract), "utf8"), artefactText(compile(contract)));
    });
  }
});
