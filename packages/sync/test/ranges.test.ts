import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  asked,
  distrusted,
  emptyRanges,
  ended,
  type Fetched,
  gapFor,
  movedTo,
  type Range,
  type Ranges,
  run,
  took,
  waitingOf,
} from "../src/ranges.ts";

const LIMITS = { window: 24, batch: 6, firstBatch: 6, responseBytes: 600, bufferedBytes: 900 };

function item(height: number, peerId: string, bytes = 40, request = 1): Fetched {
  return { height, block: new Uint8Array(bytes), commit: new Uint8Array(10), peerId, request };
}

test("a gap is the lowest heights that are neither fetched nor in flight, inside claim and window", () => {
  const ranges = took(emptyRanges(5), [item(5, "a"), item(6, "a")], LIMITS);
  assert.deepEqual(gapFor(ranges, { height: 100, earliestHeight: 1 }, LIMITS), { from: 7, count: 6 });
  assert.deepEqual(gapFor(ranges, { height: 8, earliestHeight: 1 }, LIMITS), { from: 7, count: 2 });
  assert.deepEqual(gapFor(ranges, { height: 6, earliestHeight: 1 }, LIMITS), null);
  assert.deepEqual(gapFor(ranges, { height: 100, earliestHeight: 27 }, LIMITS), { from: 27, count: 2 });
  assert.deepEqual(gapFor(ranges, { height: 100, earliestHeight: 29 }, LIMITS), null);
});

test("with the buffer full only the next height is asked for", () => {
  const full = took(emptyRanges(1), [item(2, "a", 1_000)], LIMITS);
  assert.deepEqual(gapFor(full, { height: 100, earliestHeight: 1 }, LIMITS), { from: 1, count: 1 });
  assert.equal(gapFor(took(full, [item(1, "a")], LIMITS), { height: 100, earliestHeight: 1 }, LIMITS), null);
});

test("the first request is a short one: what a block takes is not known yet", () => {
  const limits = { ...LIMITS, firstBatch: 2 };
  const claim = { height: 100, earliestHeight: 1 };
  assert.deepEqual(gapFor(emptyRanges(1), claim, limits), { from: 1, count: 2 });
  assert.deepEqual(gapFor(took(emptyRanges(1), [item(1, "a")], limits), claim, limits), {
    from: 2,
    count: 6,
  });
});

test("large blocks are asked for in smaller ranges", () => {
  const large = movedTo(took(emptyRanges(1), [item(1, "a", 290)], LIMITS), 2);
  assert.deepEqual(gapFor(large, { height: 100, earliestHeight: 1 }, LIMITS), { from: 2, count: 2 });
});

test("what a failed request did not bring is a gap again, all of it", () => {
  const range: Range = { id: 1, peerId: "a", from: 1, count: 6, askedAt: 0 };
  const claim = { height: 6, earliestHeight: 1 };
  assert.equal(gapFor(asked(emptyRanges(1), range), claim, LIMITS), null);
  const failed = ended(asked(emptyRanges(1), range), range);
  assert.deepEqual(gapFor(failed, claim, LIMITS), { from: 1, count: 6 });
});

test("answers of a peer wait, each once, until their last height is applied or it is distrusted", () => {
  const items = [item(1, "a"), item(2, "a"), item(3, "b", 40, 2), item(4, "a", 40, 3), item(5, "a", 40, 3)];
  const ranges = took(emptyRanges(1), items, LIMITS);
  assert.deepEqual([waitingOf(ranges, "a"), waitingOf(ranges, "b"), waitingOf(ranges, "c")], [2, 1, 0]);
  assert.equal(waitingOf(movedTo(ranges, 2), "a"), 2);
  assert.equal(waitingOf(movedTo(ranges, 3), "a"), 1);
  assert.equal(waitingOf(distrusted(ranges, "a"), "a"), 0);
});

test("an answer that comes when its heights are applied leaves nothing behind", () => {
  const late = took(emptyRanges(5), [item(3, "a"), item(4, "a"), item(5, "a")], LIMITS);
  assert.deepEqual([...late.fetched.keys()], [5]);
  assert.equal(late.bytes, 50);
});

test("whatever peers do, no height is asked for twice at once, lost, or kept beyond the window", () => {
  const action = fc.oneof(
    fc.record({ do: fc.constant("ask" as const), peer: fc.nat(3), claim: fc.nat(80) }),
    fc.record({ do: fc.constant("answer" as const), pick: fc.nat(7), serve: fc.nat(8) }),
    fc.record({ do: fc.constant("distrust" as const), peer: fc.nat(3) }),
    fc.record({ do: fc.constant("advance" as const), most: fc.nat(5) }),
  );
  fc.assert(
    fc.property(fc.array(action, { maxLength: 120, size: "max" }), (actions) => {
      let ranges: Ranges = emptyRanges(1);
      let id = 0;
      for (const step of actions) {
        switch (step.do) {
          case "ask": {
            const span = gapFor(ranges, { height: step.claim, earliestHeight: 1 }, LIMITS);
            if (span === null) break;
            const range: Range = { id: ++id, peerId: `p${step.peer}`, ...span, askedAt: 0 };
            const overlap = ranges.inFlight.some(
              (o) => o.from < range.from + range.count && range.from < o.from + o.count,
            );
            assert.ok(!overlap);
            ranges = asked(ranges, range);
            break;
          }
          case "answer": {
            const range = ranges.inFlight[step.pick % Math.max(1, ranges.inFlight.length)];
            if (range === undefined) break;
            const count = Math.min(step.serve, range.count);
            const items = Array.from({ length: count }, (_, index) => item(range.from + index, range.peerId));
            ranges = took(ended(ranges, range), items, LIMITS);
            break;
          }
          case "distrust":
            ranges = distrusted(ranges, `p${step.peer}`);
            assert.ok(![...ranges.fetched.values()].some(({ peerId }) => peerId === `p${step.peer}`));
            break;
          case "advance": {
            const ready = run(ranges, step.most, Number.POSITIVE_INFINITY);
            assert.deepEqual(
              ready.map(({ height }) => height),
              ready.map((_, index) => ranges.next + index),
            );
            ranges = movedTo(ranges, ranges.next + ready.length);
            break;
          }
        }
        for (const height of ranges.fetched.keys()) {
          assert.ok(height >= ranges.next && height < ranges.next + LIMITS.window);
        }
        const bytes = [...ranges.fetched.values()].reduce(
          (sum, i) => sum + i.block.length + i.commit.length,
          0,
        );
        assert.equal(ranges.bytes, bytes);
      }
      // Liveness: with nothing in flight the lowest missing height is always given out.
      const idle = { ...ranges, inFlight: [] };
      const missing = idle.next + run(idle, LIMITS.window, Number.POSITIVE_INFINITY).length;
      if (
        missing < idle.next + LIMITS.window &&
        (missing === idle.next || idle.bytes < LIMITS.bufferedBytes)
      ) {
        assert.equal(gapFor(idle, { height: 10_000, earliestHeight: 1 }, LIMITS)?.from, missing);
      }
    }),
  );
});
