/** The core's timers and the bound on a stop, on a virtual clock. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { within } from "../src/clock.ts";
import { Timers } from "../src/runner/timers.ts";
import { settled } from "./support/pace.ts";
import { VirtualClock } from "./support/virtual-clock.ts";

test("one timer per kind, height and round: a new schedule replaces it, a cancelled one is silent", () => {
  const fired: string[] = [];
  const clock = new VirtualClock(0);
  const timers = new Timers(clock, ({ kind, round }) => void fired.push(`${kind} ${round}`));
  const propose = { kind: "propose", height: 1, round: 0 } as const;
  timers.schedule(propose, 1000);
  timers.schedule(propose, 100);
  timers.schedule({ kind: "prevote", height: 1, round: 0 }, 50);
  timers.cancel({ kind: "prevote", height: 1, round: 0 });
  timers.schedule({ kind: "new_height", height: 2, round: 0 }, 10);
  timers.clear(2);
  clock.advance(2000);
  assert.deepEqual(fired, ["new_height 0"]);
  timers.schedule(propose, 1000);
  assert.equal(timers.fireNow(propose), true);
  assert.equal(timers.fireNow(propose), false);
  clock.advance(2000);
  assert.deepEqual(fired, ["new_height 0", "propose 0"]);
});

test("a timer that is set again while it fires can still be cancelled", () => {
  const fired: number[] = [];
  const clock = new VirtualClock(0);
  const propose = { kind: "propose", height: 1, round: 0 } as const;
  const timers: Timers = new Timers(clock, (timeout) => {
    if (fired.push(clock.pending) === 1) timers.schedule(timeout, 100);
  });
  timers.schedule(propose, 100);
  clock.advance(100);
  timers.cancel(propose);
  clock.advance(1000);
  assert.equal(fired.length, 1);
});

test("a stop that hangs is over when its time is; one that fails says so; neither leaves a timer", async () => {
  const clock = new VirtualClock(0);
  const hanging = within(clock, 100, new Promise(() => undefined));
  clock.advance(100);
  assert.equal(await Promise.race([hanging, settled().then(() => "still waits")]), false);
  assert.equal(await within(clock, 100, Promise.resolve()), true);
  await assert.rejects(within(clock, 100, Promise.reject(new Error("x"))), /x/);
  assert.equal(clock.pending, 0);
});
