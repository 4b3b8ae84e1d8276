/** The vectors beside this repository as tests: the same judges as `npm run conformance`. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { basename } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Found } from "./find.ts";
import { filesBelow, look } from "./find.ts";
import { type FileResult, judgeFiles } from "./run.ts";

export const VECTORS: string = fileURLToPath(new URL("../../shared/vectors/", import.meta.url));

/** Why the vector tests are skipped, or false when the vectors are there. */
export const vectorsAbsent: string | false = existsSync(VECTORS)
  ? false
  : "skipped: no ../shared/vectors beside this repository";

/** A test per file of the given kinds; at least `atLeast` cases in all, so that lost vectors are noticed. */
export function testVectors(title: string, kinds: readonly Found["kind"][], atLeast: number): void {
  describe(title, { skip: vectorsAbsent }, () => {
    let judged = 0;
    test("every case holds", async (t) => {
      const found: { file: string; found: Found }[] = [];
      for (const file of await filesBelow(VECTORS)) {
        const each = { file, found: await look(file) };
        if (kinds.includes(each.found.kind) || each.found.kind === "expectations") found.push(each);
      }
      const results: FileResult[] = [];
      await judgeFiles(found, (result) => results.push(result));
      for (const { file, cases, unreadable } of results) {
        await t.test(`${basename(file)}: ${cases.length} cases`, () => {
          assert.notEqual(unreadable, true);
          assert.deepEqual(
            cases.filter(({ outcome }) => outcome === "failed"),
            [],
          );
        });
        judged += cases.filter(({ outcome }) => outcome === "passed").length;
      }
    });
    test(`there are at least ${atLeast}`, () => {
      assert.ok(judged >= atLeast, `${judged} cases were judged`);
    });
  });
}
