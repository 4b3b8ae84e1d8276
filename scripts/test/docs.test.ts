import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { PARAM_SPECS } from "../../packages/chain/src/params/params.ts";
import { COMMANDS } from "../../packages/cli/src/commands/index.ts";
import { OPTIONS } from "../../packages/cli/src/config/options.ts";
import { ExitCode } from "../../packages/cli/src/errors.ts";
import { configReference } from "../config-doc.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");

/** GitHub's anchor of a heading. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-");
}

function anchors(text: string): ReadonlySet<string> {
  return new Set([...text.matchAll(/^#+ (.+)$/gm)].map(([, heading]) => anchorOf(heading ?? "")));
}

test("every link of the documentation leads to a file and heading that exist", () => {
  const files = ["README.md", "packages/README.md", ...globSync("docs/**/*.md", { cwd: ROOT })];
  const broken: string[] = [];
  for (const file of files) {
    for (const [, target = ""] of read(file).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const [path = "", anchor] = target.split("#");
      const there = path === "" ? file : join(dirname(file), path);
      const sound =
        existsSync(join(ROOT, there)) && (anchor === undefined || anchors(read(there)).has(anchor));
      if (!sound) broken.push(`${file}: ${target}`);
    }
  }
  assert.deepEqual(broken, []);
});

test("every source file that the documentation names exists", () => {
  const missing: string[] = [];
  for (const file of globSync("docs/*.md", { cwd: ROOT })) {
    for (const [, path = ""] of read(file).matchAll(/`((?:[\w-]+\/)+[\w.-]+\.(?:ts|yml|json))`/g)) {
      const known = [path, join("packages", path)].some((each) => existsSync(join(ROOT, each)));
      // Files of a node's home are no files of this repository.
      if (!known && !/^(?:config|data)\//.test(path)) missing.push(`${file}: ${path}`);
    }
  }
  assert.deepEqual(missing, []);
});

test("the protocol's table of params names each with its default", () => {
  const rows = read("docs/protocol.md")
    .split("\n")
    .filter((line) => line.startsWith("| `"));
  for (const { name, default: value } of PARAM_SPECS) {
    const row = rows.find((line) => line.split("|")[1]?.includes(`\`${name}\``));
    assert.ok(row !== undefined, name);
    const cells = row.split("|").map((cell) => cell.trim());
    const place = (cells[1] ?? "").split(", ").indexOf(`\`${name}\``);
    const stated = Number((cells[2] ?? "").split(", ")[place]?.replaceAll(" ", ""));
    assert.equal(stated, value, name);
  }
});

test("the configuration reference is the one that the options generate (npm run docs:config)", () => {
  assert.equal(read("docs/config.md"), configReference());
});

test("the configuration reference has a row per option with its flag", () => {
  const rows = read("docs/config.md").split("\n");
  for (const { key, flag } of OPTIONS) {
    const own = rows.filter((row) => row.startsWith(`| \`${key}\` `));
    assert.equal(own.length, 1, key);
    if (flag !== null) assert.match(own[0] ?? "", new RegExp(`\`--${flag}[ \`]`), key);
  }
});

test("the operator guide has a row per exit code and names every command", () => {
  const guide = read("docs/operator.md");
  for (const code of Object.values(ExitCode)) assert.match(guide, new RegExp(`^\\| ${code} +\\|`, "m"));
  // Words of a command that stand together in one row: `testnet init`, or `testnet` … `init`.
  const rows = guide.split("\n").filter((line) => line.startsWith("| `validator "));
  for (const { words } of COMMANDS) {
    const named = rows.some((row) => words.every((word) => new RegExp(`\\b${word}\\b`).test(row)));
    assert.ok(named, words.join(" "));
  }
});

test("every alert says what to do, and the guide names no alert that does not exist", () => {
  const rules = read("config/rules/quorate.yml");
  const alerts = rules.split("- alert: ").slice(1);
  for (const alert of alerts) assert.match(alert, /runbook:/, alert.split("\n")[0]);
  const names = new Set(alerts.map((alert) => alert.split("\n")[0]));
  for (const [name] of read("docs/operator.md").matchAll(/\bQuorate[A-Z]\w+/g))
    assert.ok(names.has(name), name);
});
