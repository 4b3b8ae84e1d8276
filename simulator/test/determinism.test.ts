import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { runSeed } from "../src/run.ts";

const SEEDS = 8;
const HEIGHTS = 6;

describe("a run depends on its seed alone", () => {
  it(`so ${SEEDS} seeds give the same trace twice, byte for byte`, async () => {
    const hashes = new Set<string>();
    for (let seed = 1; seed <= SEEDS; seed++) {
      const first = await runSeed({ seed, heights: HEIGHTS, hash: true });
      const second = await runSeed({ seed, heights: HEIGHTS, hash: true });
      assert.equal(second.trace_hash, first.trace_hash, `seed ${seed}`);
      assert.deepEqual({ ...second, wall_ms: 0 }, { ...first, wall_ms: 0 });
      hashes.add(first.trace_hash);
    }
    assert.equal(hashes.size, SEEDS, "and different seeds give different traces");
  });

  it("so the document of many seeds is the same twice, but for fields named wall_ms", async () => {
    const main = new URL("../src/main.ts", import.meta.url).pathname;
    const args = [
      "--conditions=quorate-source",
      main,
      "--seed",
      "5",
      "--seeds",
      "4",
      "--heights",
      "4",
      "--json",
    ];
    const documentOf = async (): Promise<string> => {
      const { stdout } = await promisify(execFile)(process.execPath, args);
      assert.equal(JSON.parse(stdout).seeds, 4);
      return stdout.replaceAll(/"wall_ms": \d+/g, '"wall_ms": 0');
    };
    assert.equal(await documentOf(), await documentOf());
  });

  it("whether somebody watches or not", async () => {
    const watched = await runSeed({ seed: 7, heights: HEIGHTS, hash: true, trace: true });
    const alone = await runSeed({ seed: 7, heights: HEIGHTS });
    assert.deepEqual(
      { ...alone, wall_ms: 0, trace_hash: "" },
      { ...watched, wall_ms: 0, trace_hash: "", trace: null },
    );
    assert.ok((watched.trace?.events.length ?? 0) > 1000);
  });

  it("and on no clock, timer or randomness of the system", async (context) => {
    const expected = await runSeed({ seed: 3, heights: HEIGHTS, hash: true });
    const forbidden = (name: string) => (): never => {
      throw new Error(`${name} was used`);
    };
    context.mock.method(Date, "now", forbidden("Date.now"));
    context.mock.method(Math, "random", forbidden("Math.random"));
    context.mock.method(globalThis, "setTimeout", forbidden("setTimeout"));
    context.mock.method(globalThis, "setInterval", forbidden("setInterval"));
    context.mock.method(AbortSignal, "timeout", forbidden("AbortSignal.timeout"));
    context.mock.method(globalThis.crypto, "getRandomValues", forbidden("getRandomValues"));
    const again = await runSeed({ seed: 3, heights: HEIGHTS, hash: true });
    assert.equal(again.trace_hash, expected.trace_hash);
  });
});
