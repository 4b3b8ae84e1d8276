import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { ed25519PublicKey, ed25519Sign, merkleProofs, merkleRoot, toHex } from "@quorate/crypto";
import { type FileResult, judgeDirectory, type Summary, summaryOf } from "../run.ts";

const COMMAND = fileURLToPath(new URL("../command.ts", import.meta.url));

interface Run {
  readonly code: number | null;
  readonly lines: readonly string[];
  readonly last: string;
}

function run(...args: readonly string[]): Run {
  const child = spawnSync(process.execPath, ["--conditions=quorate-source", COMMAND, ...args], {
    encoding: "utf8",
  });
  const lines = child.stdout.trimEnd().split("\n");
  return { code: child.status, lines, last: lines.at(-1) ?? "" };
}

type Files = Readonly<Record<string, string | Uint8Array>>;

async function inDirectory<T>(files: Files, use: (dir: string) => T | Promise<T>): Promise<T> {
  const dir = mkdtempSync(join(tmpdir(), "quorate-conformance-test-"));
  try {
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(dirname(join(dir, name)), { recursive: true });
      writeFileSync(join(dir, name), content);
    }
    return await use(dir);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/** What the command would say: its results by file name, and their sum. */
async function judge(files: Files): Promise<Summary & { readonly byName: ReadonlyMap<string, FileResult> }> {
  return inDirectory(files, async (dir) => {
    const results = await judgeDirectory(dir, () => undefined);
    return {
      ...summaryOf(results),
      byName: new Map(results.map((each) => [relative(dir, each.file), each])),
    };
  });
}

const seed = new Uint8Array(32).fill(5);
const publicKey = ed25519PublicKey(seed);
const message = Uint8Array.of(1, 2, 3);
const signature = ed25519Sign(seed, message);

const rfc = { priv: toHex(seed), pub: toHex(publicKey), msg: toHex(message), sig: toHex(signature) };
const zip215 = { vk_bytes: `01${"00".repeat(31)}`, sig_bytes: `01${"00".repeat(63)}`, valid_zip215: true };
const line = `${rfc.priv}${rfc.pub}:${rfc.pub}:${rfc.msg}:${rfc.sig}${rfc.msg}:`;

const leaves = ["", "61", "6262"].map((leaf) => new Uint8Array(Buffer.from(leaf, "hex")));
const tree = {
  name: "three leaves",
  kind: "tree",
  input: { leaves: leaves.map(toHex) },
  expect: {
    root: toHex(merkleRoot(leaves)),
    proofs: merkleProofs(leaves).proofs.map((proof) => ({
      total: String(proof.total),
      index: String(proof.index),
      leaf_hash: toHex(proof.leafHash),
      aunts: proof.aunts.map(toHex),
    })),
  },
};
const expired = (expect: boolean, far: string): object => ({
  name: "far future",
  kind: "expired",
  input: {
    evidence_height: "1",
    height_now: far,
    evidence_time: { seconds: "0", nanos: 0 },
    time_now: { seconds: "1000000", nanos: 0 },
    max_age_num_blocks: "10",
    max_age_duration_ns: "1",
  },
  expect: { expired: expect },
});
const trace = (chainLen: number): object => ({
  steps: [
    { init: true, valset: { v1: 1, v2: 1, v3: 1, v4: 1 }, validators: ["v1"] },
    {
      v: "v1",
      input: "StartDInput",
      output: { TimeoutOutput: [0, "ProposeTimeout"] },
      cs: {
        height: 0,
        round: 0,
        step: "ProposeStep",
        lockedRound: -1,
        lockedValue: "Nil",
        validRound: -1,
        validValue: "Nil",
      },
      chainLen,
    },
  ],
});

describe("conformance", () => {
  test("knows files by their content: any name, any folder, lists, lines, documents, gzip", async () => {
    const files = {
      "README.md": "# nothing",
      "package.json": '{"name":"x","dependencies":{}}',
      "list.json": "[1,2,3]",
      "picture.bin": Uint8Array.of(0xff, 0xfe, 0, 1),
      "a/b/c": JSON.stringify([rfc]),
      "vectors.md": JSON.stringify({ note: "any", vectors: [zip215, zip215] }),
      "lines.log": `${JSON.stringify(tree)}\n${JSON.stringify(expired(true, "9223372036854775807"))}\n`,
      packed: gzipSync(`${line}\n${line}\n`),
      "one.json": JSON.stringify(tree),
      "trace.txt": JSON.stringify(trace(0)),
    };
    await inDirectory(files, (dir) => {
      const { code, lines, last } = run("--dir", dir);
      assert.equal(last, "9 passed, 0 failed, 0 skipped", lines.join("\n"));
      assert.equal(code, 0);
      for (const name of ["README.md", "package.json", "list.json", "picture.bin"]) {
        assert.ok(
          lines.some((each) => each.startsWith(`${name}: ignored`)),
          name,
        );
      }
    });
  });

  test("several kinds in one file are each judged; kinds without a rule here are skipped by name", async () => {
    const skip = (kind: string): object => ({ name: "x", kind, input: {}, expect: {} });
    const kinds = ["median_time", "max_data_bytes", "vote_extension"];
    const cases = [tree, ...kinds.map(skip), expired(false, "3")];
    const { passed, failed, skipped, ok, byName } = await judge({
      mixed: JSON.stringify({ topic: "any", cases }),
    });
    assert.deepEqual([passed, failed, skipped, ok], [2, 0, 3, true]);
    const notes = byName.get("mixed")?.cases.flatMap(({ note }) => note ?? []);
    assert.deepEqual(notes, kinds);
  });

  const hostile: readonly (readonly [what: string, content: string])[] = [
    ["a wrong root", JSON.stringify([{ ...tree, expect: { root: "00".repeat(32) } }])],
    ["an expectation that is not known", JSON.stringify([{ ...tree, expect: { ...tree.expect, age: 1 } }])],
    ["no expectation at all", JSON.stringify([{ ...tree, expect: {} }])],
    ["a kind that is not known beside known ones", JSON.stringify([tree, { ...tree, kind: "forest" }])],
    ["an input of another form", JSON.stringify([{ ...tree, input: { leaves: "no list" } }])],
    ["a number that JSON cannot hold", JSON.stringify([expired(true, "1e400")]).replace('"1e400"', "1e400")],
    [
      "a stream that no memory holds",
      JSON.stringify([{ ...tree, input: { leaves: [{ stream: "", length: 1e15 }] } }]),
    ],
    ["a wrong signature", JSON.stringify([{ ...rfc, sig: "00".repeat(64) }])],
    ["a signature of another key", JSON.stringify([{ ...rfc, priv: "11".repeat(32) }])],
    ["a wrong verdict", JSON.stringify([{ ...zip215, valid_zip215: false }])],
    ["a malformed line", `${line}\n${line.slice(0, -9)}\n`],
    ["a trace whose decisions differ", JSON.stringify(trace(1))],
    ["an input that no model has", JSON.stringify(trace(0)).replace("StartDInput", "StopDInput")],
  ];
  for (const [what, content] of hostile) {
    test(`${what} fails, once, and spoils nothing else`, async () => {
      const { failed, ok, byName } = await judge({ x: content, good: JSON.stringify([tree]) });
      assert.deepEqual([failed, ok], [1, false]);
      assert.equal(byName.get("good")?.cases[0]?.outcome, "passed");
    });
  }

  for (const [what, content] of [
    ["a vector document that is cut off", JSON.stringify([tree]).slice(0, -2)],
    ["a gzip stream that is cut off", gzipSync(line).subarray(0, -6)],
    ["a trace that is cut off", JSON.stringify(trace(0)).slice(0, -1)],
  ] as const) {
    test(`${what} is unreadable and fails the run although all cases pass`, async () => {
      const { passed, failed, unreadable, ok, byName } = await judge({
        broken: content,
        good: JSON.stringify([tree]),
      });
      assert.deepEqual([passed, failed, unreadable, ok], [1, 0, 1, false]);
      assert.equal(byName.get("broken")?.unreadable, true);
    });
  }

  test("nothing found is no success", async () => {
    assert.equal((await judge({ "README.md": "x" })).ok, false);
    assert.equal((await judge({})).ok, false);
  });

  test("a failure ends the command with 1, a missing directory with 1, wrong usage with 2", async () => {
    await inDirectory({ x: JSON.stringify([{ ...zip215, valid_zip215: false }]) }, (dir) => {
      const { code, lines, last } = run("--dir", dir);
      assert.equal(last, "0 passed, 1 failed, 0 skipped");
      assert.ok(lines.some((each) => each.startsWith("  FAILED vector 0: ")));
      assert.equal(code, 1);
    });
    const { code, last } = run("--dir", "/nonexistent/path");
    assert.deepEqual([code, last], [1, "0 passed, 0 failed, 0 skipped"]);
    assert.equal(run().code, 2);
  });
});
