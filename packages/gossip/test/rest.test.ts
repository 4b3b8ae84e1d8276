import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LIMITS } from "../src/limits.ts";
import { Rest } from "../src/roundstate/rest.ts";

const REST = LIMITS.roundStateRestMs;
const LONGEST = LIMITS.roundStateIntervalMaxMs;
const INTERVAL = LIMITS.roundStateIntervalMs;
const START = 10_000;

describe("a round state is told", () => {
  it("at once to whoever was never told", () => {
    const rest = new Rest();
    rest.changed(START, false);
    assert.ok(rest.due(Number.NEGATIVE_INFINITY, INTERVAL, 0) <= START);
  });

  it("when it has come to rest, not when it begins to change", () => {
    const rest = new Rest();
    rest.changed(START, false);
    rest.changed(START + 10, false);
    assert.equal(rest.due(START - 5000, INTERVAL, 0), START + 10 + REST);
    assert.equal(rest.lasts(START + 30), 20);
  });

  it("at the longest interval while one change follows the other", () => {
    const rest = new Rest();
    for (let at = START; at <= START + 2 * LONGEST; at += 10) rest.changed(at, false);
    assert.equal(rest.due(START - 5000, INTERVAL, 0), START + LONGEST);
    assert.equal(rest.due(START + LONGEST, INTERVAL, 0), START + 2 * LONGEST);
  });

  it("soon when it carries a notice, to those who have not heard it, and no sooner than they may be told", () => {
    const rest = new Rest();
    rest.changed(START, true);
    rest.changed(START + 1, false);
    assert.equal(rest.due(START - 20, INTERVAL, 0), START - 20 + INTERVAL);
    assert.equal(rest.due(START + 1, INTERVAL, 0), START + 1 + REST);
  });

  it("later by what its node is late, at rest or not", () => {
    const rest = new Rest();
    rest.changed(START, false);
    assert.equal(rest.due(START - 5000, INTERVAL, 30), START + REST + 30);
    for (let at = START; at <= START + 2 * LONGEST; at += 10) rest.changed(at, false);
    assert.equal(rest.due(START - 5000, INTERVAL, 30), START + LONGEST + 30);
  });
});
