import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { fuzzTarget, inputOf } from "../engine.ts";
import { Random } from "../random.ts";
import { refusable, type Target, Violation } from "../target.ts";
import { TARGETS } from "../targets/index.ts";

/** Inputs per target, and seconds that they may take; where an input is many signatures, more. */
const COUNT = 1500;
const SECONDS = 0.25;
const SIGNATURE_SECONDS = 1.5;
const seed = Number(process.env["QUORATE_SEED"] ?? Date.now() % 2 ** 31);

describe(`every decoder holds the laws on a share of inputs that begins at seed ${seed}`, () => {
  for (const target of TARGETS) {
    test(`${target.name}: ${target.what}`, async () => {
      const seconds = target.maxMs === undefined ? SECONDS : SIGNATURE_SECONDS;
      const report = await fuzzTarget(target, { seed, count: COUNT, seconds });
      assert.deepEqual(report.failures, []);
      assert.equal(report.failed, 0);
      assert.ok(report.accepted > 0, "valid inputs are taken");
      if (target.name !== "sign-bytes") assert.ok(report.refused > 0, "broken inputs are refused");
    });
  }
});

/** Keeps the thread at work for so many ms of CPU time. */
function spin(ms: number): void {
  const started = process.threadCpuUsage();
  for (let taken = 0; taken < ms * 1000; ) {
    const { user, system } = process.threadCpuUsage(started);
    taken = user + system;
  }
}

describe("the fuzzer", () => {
  const blank: Target = {
    name: "x",
    what: "x",
    valid: (random) => random.bytes(4),
    mutate: (bytes) => bytes,
    run: () => "accepted",
  };
  const first = { seed: 1, count: 300, seconds: null };

  test("gives the same input for the same seed, whatever ran before", () => {
    for (const target of TARGETS) {
      assert.deepEqual(inputOf(target, 123_456), inputOf(target, 123_456), target.name);
    }
    const some = TARGETS.map((target) => Buffer.from(inputOf(target, 77)).toString("hex"));
    assert.notDeepEqual(
      some,
      TARGETS.map((target) => Buffer.from(inputOf(target, 78)).toString("hex")),
    );
  });

  test("regression (sign-slot, seed 32327743): a slot cut to less than its length field is an input like any other", () => {
    const slot = TARGETS.find(({ name }) => name === "sign-slot")!;
    assert.ok(inputOf(slot, 32_327_743).length < 60);
  });

  test("notices an error that is no refusal, with the input and its seed", async () => {
    const report = await fuzzTarget(
      {
        ...blank,
        run: (input) =>
          refusable([SyntaxError], () => {
            if (input[0]! < 100) throw new TypeError("boom");
            if (input[0]! < 200) throw new SyntaxError("refused");
          }),
      },
      first,
    );
    assert.ok(report.failed > 0 && report.refused > 0 && report.accepted > 0);
    assert.match(report.failures[0]!.what, /^TypeError: boom/);
    const { seed: at, hex } = report.failures[0]!;
    assert.equal(Buffer.from(inputOf(blank, at)).toString("hex"), hex);
  });

  test("notices a broken law and a decoder that takes too long every time", async () => {
    const broken = await fuzzTarget(
      {
        ...blank,
        run: () => {
          throw new Violation("encodes to other bytes");
        },
      },
      { ...first, count: 3 },
    );
    assert.equal(broken.failed, 3);
    const slow = await fuzzTarget(
      {
        ...blank,
        maxMs: 1,
        run: () => {
          spin(3);
          return "accepted";
        },
      },
      { ...first, count: 2 },
    );
    assert.equal(slow.failed, 2);
  });

  test("regression (evidence-list, seed 2126845571): a machine that is busy with other programs makes no decoder slow: only its own CPU time counts", async () => {
    const cell = new Int32Array(new SharedArrayBuffer(4));
    const report = await fuzzTarget(
      {
        ...blank,
        run: () => {
          Atomics.wait(cell, 0, 0, 60);
          return "accepted";
        },
      },
      { ...first, count: 2 },
    );
    assert.equal(report.failed, 0);
  });

  test("forgives one slow run", async () => {
    let calls = 0;
    const report = await fuzzTarget(
      {
        ...blank,
        maxMs: 5,
        run: () => {
          if (calls++ === 2) spin(20);
          return "accepted";
        },
      },
      { ...first, count: 5 },
    );
    assert.equal(report.failed, 0);
  });

  test("notices a heap that grows", async () => {
    const kept: number[][] = [];
    const report = await fuzzTarget(
      {
        ...blank,
        run: () => {
          kept.push(new Array<number>(30_000).fill(kept.length));
          return "accepted";
        },
      },
      first,
    );
    assert.match(report.failures.at(-1)?.what ?? "", /^the heap grew by/);
  });

  test("draws numbers without a pattern that shows", () => {
    const counts = new Array<number>(10).fill(0);
    for (let i = 0; i < 10_000; i++) counts[new Random(i).below(10)]!++;
    for (const count of counts) assert.ok(count > 800 && count < 1200, counts.join());
  });
});

describe("npm run fuzz", () => {
  const command = (...args: readonly string[]): { code: number | null; lines: string[] } => {
    const file = fileURLToPath(new URL("../command.ts", import.meta.url));
    const child = spawnSync(process.execPath, ["--conditions=quorate-source", file, ...args], {
      encoding: "utf8",
    });
    return { code: child.status, lines: child.stdout.trimEnd().split("\n") };
  };

  test("counts per target and says in its last line where to go on", () => {
    const { code, lines } = command("--target", "vote", "--target", "base64", "--count", "50", "--seed", "5");
    assert.equal(code, 0);
    assert.match(lines[0]!, /^✔ vote +50 inputs: \d+ accepted, \d+ refused, 0 failed/);
    assert.deepEqual(JSON.parse(lines.at(-1)!), {
      campaign: "fuzz",
      unit: "inputs",
      count: 100,
      failed: 0,
      next_seed: 55,
    });
  });

  test("refuses what it does not know", () => {
    assert.equal(command("--target", "nothing").code, 2);
    assert.equal(command("--count", "1", "--seconds", "1").code, 2);
    assert.equal(command("--input", "00").code, 2);
  });
});
