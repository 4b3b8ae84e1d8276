/** The set-up in a clone made for the purpose: what it finds missing and what it says. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";

const LOCK = {
  packages: {
    "": {},
    "packages/a": { version: "1.0.0" },
    "node_modules/a": { resolved: "packages/a", link: true },
    "node_modules/run": { version: "1.0.0", integrity: "sha512-run" },
    "node_modules/tool": { version: "2.0.0", integrity: "sha512-tool", dev: true },
    "node_modules/other-platform": { version: "1.0.0", optional: true, os: ["none"] },
  },
};

function clone(context: TestContext, installed: readonly string[], change: object = {}): string {
  const root = mkdtempSync(join(tmpdir(), "quorate-setup-"));
  context.after(() => rmSync(root, { recursive: true, force: true }));
  cpSync(join(import.meta.dirname, "..", "setup.mjs"), join(root, "scripts", "setup.mjs"));
  writeFileSync(join(root, "package-lock.json"), JSON.stringify(LOCK));
  const packages = Object.fromEntries(
    Object.entries(LOCK.packages).filter(([path]) => installed.includes(path.replace("node_modules/", ""))),
  );
  for (const path of Object.keys(packages)) mkdirSync(join(root, path), { recursive: true });
  mkdirSync(join(root, "node_modules", ".bin"), { recursive: true });
  writeFileSync(join(root, "node_modules", ".bin", "node"), "");
  writeFileSync(
    join(root, "node_modules", ".package-lock.json"),
    JSON.stringify({ packages: { ...packages, ...change } }),
  );
  return root;
}

function setup(root: string, action: string): { code: number | null; err: string } {
  const { status, stderr } = spawnSync(process.execPath, [join(root, "scripts", "setup.mjs"), action], {
    encoding: "utf8",
  });
  return { code: status, err: stderr };
}

test("a complete tree passes both checks in silence and needs no install", (context) => {
  const root = clone(context, ["a", "run", "tool"]);
  for (const action of ["check-running", "check-complete", "install-running", "install-complete"]) {
    assert.deepEqual(setup(root, action), { code: 0, err: "" }, action);
  }
});

test("on a tree for running only, a development script says what completes it: exit 2", (context) => {
  const root = clone(context, ["a", "run"]);
  assert.equal(setup(root, "check-running").code, 0);
  const { code, err } = setup(root, "check-complete");
  assert.equal(code, 2);
  assert.match(err, /`npm test` or `npm ci` installs the rest/);
});

test("an empty tree says how to install it: exit 2", (context) => {
  const { code, err } = setup(clone(context, []), "check-running");
  assert.equal(code, 2);
  assert.match(err, /not installed \(2 packages missing\): `npm run testnet` or `npm ci` installs it/);
});

test("another version, other bytes or a missing directory count as missing", (context) => {
  const changed = { "node_modules/run": { version: "1.0.0", integrity: "sha512-other" } };
  assert.equal(setup(clone(context, ["a", "run", "tool"], changed), "check-running").code, 2);
  const root = clone(context, ["a", "run", "tool"]);
  rmSync(join(root, "node_modules", "run"), { recursive: true });
  assert.equal(setup(root, "check-running").code, 2);
});

test("an unknown action is refused", (context) => {
  assert.equal(setup(clone(context, []), "frobnicate").code, 2);
});
