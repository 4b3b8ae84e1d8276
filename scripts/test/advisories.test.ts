/** The table of advisories names tests that exist. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const page = new URL("../../docs/security/advisories.md", import.meta.url);

test("every advisory is mapped to a test that exists under its exact name, or says that it cannot apply", () => {
  const rows = readFileSync(page, "utf8")
    .split("\n")
    .filter((line) => line.startsWith("| ") && !line.startsWith("| ---") && !line.startsWith("| advisory"));
  assert.ok(rows.length >= 30);
  for (const row of rows) {
    const [, , , why = "", where = ""] = row.split("|").map((cell) => cell.trim());
    if (where === "none") {
      assert.match(why, /^cannot apply/, row);
      continue;
    }
    const [, path = "", name = ""] = /\]\(([^)]+)\): “(.+)”$/.exec(where) ?? [];
    assert.ok(readFileSync(new URL(path, page), "utf8").includes(`"${name}"`), row);
  }
});
