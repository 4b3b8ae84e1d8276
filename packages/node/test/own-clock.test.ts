import assert from "node:assert/strict";
import { test } from "node:test";
import { OwnClock } from "../src/runner/own-clock.ts";

const LAST_MS = 1_800_000_000_000;
const PRECISION_MS = 500;

function clockAt(...aheadMs: readonly number[]): { readonly behind: boolean[]; readonly said: string[] } {
  const said: string[] = [];
  const silent = (): void => undefined;
  const own = new OwnClock({
    ...{ debug: silent, warn: silent },
    info: (message) => said.push(`info: ${message}`),
    error: (message, facts = {}) => said.push(`error: ${message} ${String(facts["do"])}`),
  });
  const behind = aheadMs.map((ahead, index) => {
    own.heightBegins(10 + index, LAST_MS, LAST_MS + ahead, PRECISION_MS);
    return own.behind;
  });
  return { behind, said };
}

test("a clock within the precision of the chain's time, or ahead of it, is not behind", () => {
  assert.deepEqual(clockAt(0, 1_000, 3_600_000, -PRECISION_MS), {
    behind: [false, false, false, false],
    said: [],
  });
});

test("a clock behind the chain's time by more than the precision is told once, with what to do, and once when it is right", () => {
  const { behind, said } = clockAt(-3_600_000, -3_600_000, 900, 900);
  assert.deepEqual(behind, [true, true, false, false]);
  assert.equal(said.length, 2);
  assert.match(said[0]!, /^error: .*3600\.0 s behind the chain.*does not propose.*synchronise/);
  assert.match(said[1]!, /^info: .*caught up/);
});
