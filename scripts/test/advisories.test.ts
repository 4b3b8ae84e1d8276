/** The table of advisories names tests that exist, in the files that it names. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";

const page = new URL("../../docs/security/advisories.md", import.meta.url);

/** What the field has published, by the name in the table's first column; each has a row of its own or one it shares. */
const PUBLISHED =
  `CVE-2019-25072 CVE-2020-5303 CVE-2020-15091 CVE-2021-21271 GHSA-f3w5 GHSA-jqfc CVE-2023-34450 CVE-2023-34451
   cometbft#1749 ASA-2024-001 ASA-2024-004 ASA-2024-008 ASA-2024-009 ASA-2024-011 ASA-2025-001 cometbft#5801 ASA-2025-002
   ASA-2025-003 cometbft#5324 ISA-2025-003 CSA-2026-001 cometbft#5668 cometbft#5839 cometbft#5931 cometbft#5946 cometbft#5861
   cometbft#5921 cometbft#5860 cometbft#5953 cometbft#5204 cometbft#6030 cometbft#6031 Dragonberry Huckleberry Barberry
   GHSA-95rx GHSA-8wcc GHSA-47ww GHSA-x5vx ISA-2025-001 CVE-2022-23492 CVE-2023-39533 CVE-2023-40583 CVE-2022-23486
   CVE-2026-33040 CVE-2026-34219 CVE-2026-35405 CVE-2026-46679 CVE-2026-45783 go-ethereum H-19 sikka#23 arc-node#214 MAL#850
   MAL#864`.split(/\s+/);

interface Row {
  readonly name: string;
  readonly why: string;
  readonly where: string;
}

const rows: readonly Row[] = readFileSync(page, "utf8")
  .split("\n")
  .filter((line) => line.startsWith("| ") && !line.startsWith("| ---") && !line.startsWith("| advisory"))
  .map((row) => {
    const [, name = "", , why = "", where = ""] = row.split("|").map((cell) => cell.trim());
    return { name, why, where };
  });

/** Whether the source declares a test of this very name that is neither skipped nor left for later. */
function declares(source: string, name: string): boolean {
  const quoted = name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`^\\s*(?:test|it)\\(\\s*"${quoted}",(?!\\s*\\{\\s*(?:skip|todo))`, "m").test(source);
}

test("every advisory of the field has a row, and no two rows have the same name", () => {
  const names = rows.flatMap(({ name }) => name.split(/[\s,()]+/));
  assert.deepEqual(
    PUBLISHED.filter((name) => !names.includes(name)),
    [],
  );
  assert.equal(new Set(rows.map(({ name }) => name)).size, rows.length);
});

test("every row names tests that exist under that exact name in that file, or says why it cannot apply", () => {
  for (const { name, why, where } of rows) {
    if (where === "none") {
      assert.match(why, /^cannot apply/, name);
      continue;
    }
    for (const one of where.split("<br>")) {
      const [, label = "", path = "", title = ""] = /^\[([^\]]+)\]\(([^)]+)\): “(.+)”$/.exec(one) ?? [];
      const file = new URL(path, page);
      assert.ok(path !== "" && existsSync(file), `${name}: ${one}`);
      assert.ok(path.endsWith(label.replace("/", "/test/")), `${name}: ${label} is not ${path}`);
      assert.ok(declares(readFileSync(file, "utf8"), title), `${name}: no test “${title}” in ${label}`);
    }
  }
});

test("a name in a comment, of a group, of a skipped test, or a part of a name is no test", () => {
  assert.ok(declares('it("a (b)", () => {', "a (b)"));
  assert.ok(declares('test(\n  "a", { timeout: 5 }, async () => {', "a"));
  for (const source of [
    '// "a"',
    '// test("a", () => {',
    'describe("a", () => {',
    'test.skip("a", () => {',
    'it("a", { skip: true }, () => {',
    'it("a b", () => {',
    'const name = "a";',
  ])
    assert.ok(!declares(source, "a"), source);
});
