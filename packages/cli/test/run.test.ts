import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { COMMANDS } from "../src/commands/index.ts";
import { parseCondition } from "../src/commands/status.ts";
import { failureLine, failureOf } from "../src/errors.ts";
import { reportFailure } from "../src/report.ts";
import { resolveCommand } from "../src/run.ts";
import { invoke } from "./support/invoke.ts";

function temporaryHome(context: TestContext): string {
  const home = mkdtempSync(join(tmpdir(), "quorate-cli-"));
  context.after(() => rmSync(home, { recursive: true, force: true }));
  return home;
}

test("without a command the overview is shown and the exit code is usage", async () => {
  const { code, out } = await invoke();
  assert.equal(code, 2);
  for (const { words } of COMMANDS) assert.ok(out.includes(words.join(" ")));
});

test("every command explains itself: usage, details and each of its flags", async () => {
  for (const command of COMMANDS) {
    const { code, out } = await invoke(...command.words, "--help");
    assert.equal(code, 0);
    assert.ok(out.includes(`Usage: validator ${command.words.join(" ")}`), out);
    for (const { name } of command.flags)
      assert.ok(out.includes(`--${name}`), `${command.words.join(" ")} --${name}`);
    assert.ok(out.includes("--home DIR"));
  }
});

test("an unknown command is refused with the nearest one", async () => {
  const { code, err } = await invoke("stat");
  assert.equal(code, 2);
  assert.match(err, /unknown command "stat"; did you mean status\?/);
});

test("a group without subcommand lists its commands, an unknown subcommand is refused", async () => {
  const group = await invoke("key");
  assert.equal(group.code, 2);
  assert.match(group.out, /key state import/);
  const wrong = await invoke("key", "shwo");
  assert.equal(wrong.code, 2);
  assert.match(wrong.err, /did you mean show\?/);
});

test("a subcommand may follow flags of its group", () => {
  const { command, rest } = resolveCommand(["key", "--home", "state", "show"], COMMANDS);
  assert.deepEqual(command?.words, ["key", "show"]);
  assert.deepEqual(rest, ["--home", "state"]);
});

test("a home without configuration is refused with exit 3 and the command that makes one", async (context) => {
  const home = join(temporaryHome(context), "absent");
  const { code, err } = await invoke("status", "--home", home);
  assert.equal(code, 3);
  assert.match(err, /^error code=3 what=".*config\.toml does not exist" do="run `validator init/);
  assert.ok(!existsSync(home), "a mistyped home must not be created");
});

test("a failure of code 3 or more is one line and last-exit.json of the home", (context) => {
  const home = temporaryHome(context);
  mkdirSync(join(home, "config"));
  let err = "";
  const io = {
    err: (text: string) => {
      err += text;
    },
  };
  reportFailure({ exitCode: 4, what: 'home "x" is in use', do: "stop the other node" }, home, io);
  assert.equal(err, 'error code=4 what="home \\"x\\" is in use" do="stop the other node"\n');
  const written = JSON.parse(readFileSync(join(home, "data", "last-exit.json"), "utf8"));
  assert.deepEqual(
    [written.code, written.what, written.do],
    [4, 'home "x" is in use', "stop the other node"],
  );
});

test("an unknown error is a bug, code 1, and its line holds no stack", () => {
  const failure = failureOf(new TypeError("x is not a function"));
  assert.equal(failure.exitCode, 1);
  assert.ok(!failureLine(failure).includes("\n"));
});

test("a full or failing disk is code 6, a refused path code 3, a taken port code 4", () => {
  const failed = (code: string) => failureOf(Object.assign(new Error("x"), { code })).exitCode;
  assert.deepEqual(["ENOSPC", "EIO", "EACCES", "EADDRINUSE"].map(failed), [6, 6, 3, 4]);
});

test("the conditions of status --wait", () => {
  assert.deepEqual(parseCondition("height=12"), { kind: "height", value: 12 });
  assert.deepEqual(parseCondition("height+=3"), { kind: "more", value: 3 });
  assert.deepEqual(parseCondition("synced"), { kind: "synced" });
  assert.throws(() => parseCondition("height>3"), { exitCode: 2 });
});
