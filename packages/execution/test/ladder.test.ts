import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { finalityBreach } from "../src/follower/finality.ts";
import { type Climb, climb, LADDER, NO_CLIMB, type Rung, type Trouble } from "../src/follower/ladder.ts";
import { isTransition } from "../src/status.ts";

const TROUBLES = Object.keys(LADDER) as readonly Trouble[];

/** The rungs of `steps` troubles at one height; `awayAt` names the steps before which the EL was away. */
function rungs(trouble: Trouble, steps: number, awayAt: readonly number[] = []): readonly Rung[] {
  let climbed: Climb = NO_CLIMB;
  return Array.from({ length: steps }, (_, step) => {
    const next = climb(climbed, 7, trouble, awayAt.includes(step));
    climbed = next.climbed;
    return next.rung;
  });
}

for (const trouble of TROUBLES) {
  test(`${trouble}: each rung of its own once, then an operator's restart, which waiting does not climb`, () => {
    const own = LADDER[trouble].filter((rung) => rung !== "restart" && rung !== "wipe");
    assert.deepEqual(rungs(trouble, own.length + 3), [...own, "restart", "restart", "restart"]);
  });

  test(`${trouble}: after a restart the adapter's rungs come again, then a wipe`, () => {
    const own = LADDER[trouble].filter((rung) => rung !== "restart" && rung !== "wipe");
    const away = own.length + 1;
    assert.deepEqual(rungs(trouble, 2 * own.length + 3, [away]), [...own, "restart", ...own, "wipe", "wipe"]);
  });
}

test("trouble at another height begins at the foot", () => {
  const { climbed } = climb(
    { height: 7, rungs: ["own_head", "relocate", "restart"] },
    8,
    "head_not_moved",
    false,
  );
  assert.deepEqual(climbed, { height: 8, rungs: ["own_head"] });
});

test("no order of troubles and restarts leaves the ladder's rungs or grows it without bound", () => {
  const step = fc.record({ trouble: fc.constantFrom(...TROUBLES), away: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: "max" }), (steps) => {
      let climbed: Climb = NO_CLIMB;
      for (const { trouble, away } of steps) {
        const next = climb(climbed, 1, trouble, away);
        assert.ok(["own_head", "relocate", "restart", "wipe"].includes(next.rung));
        climbed = next.climbed;
        assert.ok(climbed.rungs.length <= 6, climbed.rungs.join());
      }
    }),
  );
});

test("finality: a head is the cursor itself or above it, never below and never beside", () => {
  const hash = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);
  const height = fc.nat(20);
  fc.assert(
    fc.property(height, fc.nat(3), height, fc.nat(3), (at, a, to, b) => {
      const breach = finalityBreach({ height: at, hash: hash(a) }, { height: to, hash: hash(b) });
      assert.equal(breach === null, to > at || (to === at && a === b));
    }),
  );
});

test("a status is news when its kind or its cause changes, not when a replay moves on", () => {
  const replaying = { kind: "replaying", head: 1, target: 9 } as const;
  assert.equal(isTransition(replaying, { ...replaying, head: 2 }), false);
  const offline = { kind: "offline", reason: "a", action: "x" } as const;
  assert.equal(isTransition(offline, offline), false);
  assert.equal(isTransition(offline, { ...offline, reason: "b" }), true);
  assert.equal(isTransition(replaying, offline), true);
  const ready = { kind: "ready", client: "geth 1" } as const;
  assert.equal(isTransition(ready, ready), false);
  assert.equal(isTransition(ready, { ...ready, client: "geth 2" }), true);
});
