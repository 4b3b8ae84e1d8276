import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { inflateRawSync } from "node:zlib";
import fc from "fast-check";
import type { TraceEvent } from "../../src/trace.ts";
import { decodeTrace, encodeTrace, TraceFormatError } from "../../src/trace-page/browser/codec.ts";
import {
  choose,
  eachOverlapping,
  type Filters,
  indexMessages,
  openFilters,
  passes,
} from "../../src/trace-page/browser/culling.ts";
import {
  distanceToLine,
  laneAt,
  laneMiddle,
  layOut,
  packFaults,
} from "../../src/trace-page/browser/layout.ts";
import { aboutOf, kindOf, MESSAGE_KINDS } from "../../src/trace-page/browser/message-kinds.ts";
import { buildModel, type Model, stateAt } from "../../src/trace-page/browser/model.ts";
import { heightStories } from "../../src/trace-page/browser/rounds.ts";
import { chapters, summary } from "../../src/trace-page/browser/story.ts";
import { describe as describeTarget } from "../../src/trace-page/browser/target.ts";
import { duration, listed, moment } from "../../src/trace-page/browser/text.ts";
import { clamp, frame, pan, ticks, timeAt, whole, xOf, zoom } from "../../src/trace-page/browser/viewport.ts";
import { renderTracePage } from "../../src/trace-page/render.ts";
import { madeUpRun } from "./made-up-run.ts";

const microseconds = fc.integer({ min: 0, max: 100_000_000 }).map((us) => us / 1000);
const small = fc.nat({ max: 300 });
const text = fc.string({ maxLength: 12 });
const nodes = fc.array(fc.nat({ max: 100 }), { maxLength: 5 });
const place = { node: small, height: fc.nat(), round: small };
const eventArbitrary: fc.Arbitrary<TraceEvent> = fc
  .tuple(
    microseconds,
    fc.oneof(
      fc.record({
        kind: fc.constant("send" as const),
        id: fc.nat(),
        from: small,
        to: small,
        what: text,
        channel: fc.constantFrom("gossip" as const, "roundstate" as const, "body" as const),
        bytes: fc.nat(),
      }),
      fc.record({ kind: fc.constant("deliver" as const), id: fc.nat() }),
      fc.record({ kind: fc.constant("drop" as const), id: fc.nat(), why: text }),
      fc.record({ kind: fc.constant("step" as const), ...place, step: text }),
      fc.record({ kind: fc.constant("lock" as const), ...place, block: fc.option(text) }),
      fc.record({ kind: fc.constant("sign" as const), node: small, what: text }),
      fc.record({ kind: fc.constant("commit" as const), ...place, block: text }),
      fc.record({
        kind: fc.constantFrom("crash" as const, "restart" as const, "pause" as const, "resume" as const),
        node: small,
        detail: text,
      }),
      fc.record({ kind: fc.constant("fault" as const), text, nodes, until: microseconds }),
      fc.record({ kind: fc.constant("violation" as const), law: text, text, nodes }),
    ),
  )
  .map(([t, body]) => ({ t, ...body }));

const run = madeUpRun();
const model = buildModel(run.header, run.events);

describe("the packed trace", () => {
  test("gives back every event, in order, for any events whose times are whole microseconds", () => {
    fc.assert(
      fc.property(fc.array(eventArbitrary, { maxLength: 60 }), (events) => {
        assert.deepEqual(decodeTrace(encodeTrace(run.header, events)), { header: run.header, events });
      }),
    );
  });

  test("keeps a time to the nearest microsecond", () => {
    const events: TraceEvent[] = [{ t: 1.23456789, kind: "deliver", id: 1 }];
    assert.equal(decodeTrace(encodeTrace(run.header, events)).events[0]?.t, 1.235);
  });

  test("refuses a number that it could not give back", () => {
    for (const bytes of [-1, 0.5, Number.NaN, 2 ** 53]) {
      const send: TraceEvent = {
        t: 0,
        kind: "send",
        id: 0,
        from: 0,
        to: 1,
        what: "tx",
        channel: "gossip",
        bytes,
      };
      assert.throws(() => encodeTrace(run.header, [send]), TraceFormatError);
    }
  });

  test("cut short at any byte, it is refused or ends in an error, never in other events", () => {
    const bytes = encodeTrace(run.header, run.events.slice(0, 20));
    for (let length = 0; length < bytes.length; length++) {
      assert.throws(() => decodeTrace(bytes.subarray(0, length)));
    }
  });
});

describe("the model", () => {
  test("gives each message its fate: arrived, lost with the reason, or still under way at the end", () => {
    const send = (id: number, t: number): TraceEvent => ({
      t,
      kind: "send",
      id,
      from: 0,
      to: 1,
      what: "prevote 1/0 nil",
      channel: "gossip",
      bytes: 100,
    });
    const { messages, texts, lost } = buildModel(run.header, [
      send(1, 0),
      send(2, 1),
      send(3, 2),
      { t: 5, kind: "deliver", id: 1 },
      { t: 6, kind: "drop", id: 2, why: "partition" },
      { t: 9, kind: "deliver", id: 1 },
    ]);
    assert.deepEqual([...messages.id], [1, 1, 2, 3]);
    assert.deepEqual([...messages.fate], [0, 0, 1, 2]);
    assert.deepEqual([...messages.end], [5, 9, 6, 9]);
    assert.deepEqual([...messages.copy], [0, 1, 0, 0]);
    assert.deepEqual([...messages.nil], [1, 1, 1, 1]);
    assert.equal(texts[messages.why[2]!], "partition");
    assert.equal(lost, 1);
  });

  test("tells what a node was doing at a moment, and that it was down between crash and restart", () => {
    const lane = model.lanes[2]!;
    const [crash] = lane.outages;
    assert.equal(crash?.kind, "crash");
    assert.equal(crash?.back, "with what the disk kept");
    assert.equal(stateAt(lane, crash!.from + 1).outage, crash);
    assert.equal(stateAt(lane, crash!.from + 1).span, null);
    assert.equal(stateAt(lane, crash!.from + 1).decided?.height, 6);
    assert.equal(stateAt(lane, crash!.from - 1).outage, null);
    assert.equal(stateAt(lane, crash!.from - 1).span?.step, "Commit");
  });

  test("lays heights end to end, from first decision to first decision, with the rounds they took", () => {
    const { heights } = model;
    assert.deepEqual(
      heights.map(({ height }) => height),
      [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
    );
    heights.slice(1).forEach((span, i) => {
      assert.equal(span.from, heights[i]!.until);
    });
    assert.deepEqual(
      heights.filter(({ rounds }) => rounds > 0).map(({ height }) => height),
      [4, 7],
    );
  });

  test("puts unknown words of messages under the last kind, and reads height, round and block of known ones", () => {
    assert.deepEqual(aboutOf("prevote 3/0 1a2b3c4d"), {
      word: "prevote",
      height: 3,
      round: 0,
      block: "1a2b3c4d",
    });
    assert.deepEqual(aboutOf("round_state"), { word: "round_state", height: -1, round: -1, block: "" });
    assert.deepEqual(aboutOf("certificate of prevote 3/1 nil +2"), {
      word: "certificate",
      height: 3,
      round: 1,
      block: "nil",
    });
    assert.equal(aboutOf("proposal 3/0 +2").block, "");
    assert.equal(MESSAGE_KINDS[kindOf("prevote")]?.id, "prevote");
    assert.equal(MESSAGE_KINDS[kindOf("something new")]?.id, "other");
  });
});

describe("the story", () => {
  const stories = heightStories(model);
  const told = chapters(model, stories);
  const of = (height: number): (typeof told)[number] => told.find((chapter) => chapter.height === height)!;

  test("says of an ordinary height only which block was decided, when and by whom proposed", () => {
    assert.equal(of(2).tone, "plain");
    assert.match(of(2).headline, /^[0-9a-f]{8} in round 0, \d+ ms$/);
    assert.match(of(2).sentences.join(" "), /node2 proposed/);
  });

  test("says of a round that failed who proposed, how many it reached and what they voted", () => {
    assert.equal(of(4).tone, "slow");
    assert.match(
      of(4).sentences[0]!,
      /^Round 0: node0 proposed [0-9a-f]{8} .* reached 0 of 3 others in time/,
    );
    assert.match(of(4).sentences[0]!, /partition \{0\} \| the rest/);
    assert.match(of(4).sentences[0]!, /prevotes: 3 nil, 1 for it; precommits: 4 nil/);
  });

  test("says who was down when nobody proposed", () => {
    assert.match(of(7).sentences[0]!, /^Round 0: nobody proposed \(node2 was down\)/);
  });

  test("names two blocks decided at one height, and the law that this breaks", () => {
    const bad = madeUpRun({ violation: true });
    const badModel = buildModel(bad.header, bad.events);
    const chapter = chapters(badModel, heightStories(badModel)).find(({ height }) => height === 5)!;
    assert.equal(chapter.tone, "bad");
    assert.match(chapter.sentences.join("\n"), /Law broken, agreement: node3 decided another block/);
    assert.match(
      chapter.sentences.join("\n"),
      /Nodes decided different blocks: [0-9a-f]{8} by .* and [0-9a-f]{8} by/,
    );
  });

  test("notes a validator that signed two different votes in one round", () => {
    const twice: TraceEvent[] = ["aaaaaaaa", "bbbbbbbb"].map((block, i) => ({
      t: i,
      kind: "sign",
      node: 1,
      what: `prevote 1/0 ${block}`,
    }));
    const doubled = buildModel(run.header, twice);
    const [chapter] = chapters(doubled, heightStories(doubled));
    assert.match(chapter!.sentences.join(" "), /node1 signed two different votes/);
  });

  test("sums the run up in one paragraph", () => {
    const text = summary(model, stories);
    assert.match(text, /^4 validators decided 10 heights in .* of virtual time\./);
    assert.match(text, /2 heights needed more than one round \(4 and 7\)/);
  });
});

describe("choosing what to draw", () => {
  const index = indexMessages(model.messages);
  const all: Filters = { ...openFilters(4, model.kindCounts), kinds: MESSAGE_KINDS.map(() => true) };

  test("finds by index exactly the messages that a scan of all finds, for any stretch of time", () => {
    const big = madeUpRun({ heights: 60, validators: 5 });
    const { messages } = buildModel(big.header, big.events);
    const bigIndex = indexMessages(messages);
    const end = messages.sent[messages.count - 1]!;
    fc.assert(
      fc.property(
        fc.double({ min: -10, max: end, noNaN: true }),
        fc.double({ min: 0, max: 4000, noNaN: true }),
        (from, width) => {
          const found: number[] = [];
          eachOverlapping(messages, bigIndex, from, from + width, (row) => found.push(row));
          const scanned: number[] = [];
          for (let row = 0; row < messages.count; row++) {
            if (messages.sent[row]! <= from + width && messages.end[row]! >= from) scanned.push(row);
          }
          assert.deepEqual(found, scanned);
        },
      ),
    );
  });

  test("draws at most what the budget allows, and the lost ones before all others", () => {
    const chosen = choose(model.messages, index, whole(model.end), all, 1200, 40);
    assert.equal(chosen.rows.length, 40);
    assert.equal(chosen.matching, model.messages.count);
    assert.ok(chosen.beyond > 0 && chosen.beyond <= chosen.matching - 40);
    const lost = chosen.rows.filter((row) => model.messages.fate[row] === 1).length;
    assert.equal(lost, model.lost);
  });

  test("draws messages that fall on the same pixels once", () => {
    const send = (id: number): TraceEvent[] => [
      { t: 1, kind: "send", id, from: 0, to: 1, what: "tx", channel: "gossip", bytes: 1 },
      { t: 2, kind: "deliver", id },
    ];
    const { messages } = buildModel(
      run.header,
      [...send(1), ...send(2)].sort((a, b) => a.t - b.t),
    );
    const chosen = choose(messages, indexMessages(messages), { from: 0, until: 10 }, all, 100, 10);
    assert.deepEqual([chosen.rows.length, chosen.matching], [1, 2]);
  });

  test("keeps talk about the state of things out of the way at first, unless there is nothing else", () => {
    const state = kindOf("round_state");
    assert.equal(openFilters(4, model.kindCounts).kinds[state], false);
    const onlyTalk = MESSAGE_KINDS.map((_, kind) => (kind === state ? 5 : 0));
    assert.equal(openFilters(4, onlyTalk).kinds[state], true);
  });

  test("filters by kind, node, height and fate", () => {
    const { messages } = model;
    const rows = Array.from({ length: messages.count }, (_, row) => row);
    const kept = (filters: Partial<Filters>): number[] =>
      rows.filter((row) => passes(messages, row, { ...all, ...filters }));
    assert.equal(kept({}).length, messages.count);
    const prevote = kindOf("prevote");
    const onlyPrevotes = kept({ kinds: MESSAGE_KINDS.map((_, kind) => kind === prevote) });
    assert.ok(onlyPrevotes.length > 0 && onlyPrevotes.every((row) => messages.kind[row] === prevote));
    const without0 = kept({ nodes: [false, true, true, true] });
    assert.ok(
      without0.length > 0 && without0.every((row) => messages.from[row] !== 0 && messages.to[row] !== 0),
    );
    const at4 = kept({ fromHeight: 4, untilHeight: 4 });
    assert.ok(at4.length > 0 && at4.every((row) => messages.height[row] === 4));
    assert.equal(kept({ onlyLost: true }).length, model.lost);
  });
});

describe("where things stand", () => {
  test("faults that overlap lie in different rows while there are rows", () => {
    const fault = (from: number, until: number): Model["faults"][number] => ({
      from,
      until,
      text: "",
      nodes: [],
    });
    assert.deepEqual(packFaults([fault(0, 10), fault(5, 15), fault(10, 20)]), [0, 1, 0]);
    assert.deepEqual(packFaults([fault(0, 9), fault(0, 9), fault(0, 9)], 2), [0, 1, 1]);
  });

  test("the lane at the middle of a lane is that lane, scrolled or not, hidden lanes left out", () => {
    const shown = [true, false, true, true];
    const layout = layOut({ width: 900, height: 500 }, shown, model.faults, 140);
    for (const scroll of [0, 17]) {
      for (const node of [0, 2, 3])
        assert.equal(laneAt(layout, laneMiddle(layout, node, scroll), scroll), node);
    }
    assert.ok(Number.isNaN(laneMiddle(layout, 1, 0)));
  });

  test("a hundred lanes keep a readable height and are scrolled instead", () => {
    const layout = layOut({ width: 900, height: 500 }, new Array(100).fill(true), [], 140);
    assert.ok(layout.laneHeight >= 20 && layout.lanesHeight > 500);
  });

  test("the distance to a line is that to its nearest point, ends included", () => {
    assert.equal(distanceToLine(5, 3, 0, 0, 10, 0), 3);
    assert.equal(distanceToLine(-3, 4, 0, 0, 10, 0), 5);
    assert.equal(distanceToLine(1, 1, 1, 1, 1, 1), 0);
  });
});

describe("moving through time", () => {
  const end = 10_000;
  const view = fc
    .tuple(fc.double({ min: 0, max: end, noNaN: true }), fc.double({ min: 1, max: end, noNaN: true }))
    .map(([from, width]) => clamp({ from, until: from + width }, end));

  test("zooming keeps the time under the pointer in its place, unless an edge of the run is reached", () => {
    fc.assert(
      fc.property(view, fc.double({ min: 0.05, max: 0.95, noNaN: true }), (before, share) => {
        const at = before.from + share * (before.until - before.from);
        const after = zoom(before, 0.5, at, end);
        assert.ok(Math.abs(xOf(at, before, 0, 1000) - xOf(at, after, 0, 1000)) < 1e-3);
      }),
    );
  });

  test("no wheel, drag or jump leaves the run or turns the view inside out", () => {
    fc.assert(
      fc.property(
        view,
        fc.double({ min: 0.001, max: 1000, noNaN: true }),
        fc.double({ min: -1e6, max: 1e6, noNaN: true }),
        (before, factor, by) => {
          const widest = whole(end);
          for (const after of [zoom(before, factor, by, end), pan(before, by, end), frame(by, by + 1, end)]) {
            assert.ok(
              after.from >= widest.from - 1e-6 &&
                after.until <= widest.until + 1e-6 &&
                after.until > after.from,
            );
          }
        },
      ),
    );
  });

  test("a pixel's time has that pixel", () => {
    const shown = { from: 100, until: 350 };
    assert.ok(Math.abs(xOf(timeAt(321, shown, 148, 900), shown, 148, 900) - 321) < 1e-9);
  });

  test("the axis has about as many marks as wanted, at round times, with digits enough to tell them apart", () => {
    for (const until of [0.5, 7, 90, 1234, 60_000]) {
      const { at, digits } = ticks({ from: 0, until }, 8);
      assert.ok(at.length >= 4 && at.length <= 12, `${at.length} marks for ${until} ms`);
      assert.equal(new Set(at.map((t) => (t / 1000).toFixed(digits))).size, at.length);
    }
  });
});

describe("words", () => {
  test("durations and moments read as a person writes them", () => {
    assert.deepEqual([0.25, 83.44, 411.6, 2310, 75_000].map(duration), [
      "250 µs",
      "83.4 ms",
      "412 ms",
      "2.31 s",
      "1 min 15 s",
    ]);
    assert.deepEqual([12_345.6, 125_300].map(moment), ["12.346 s", "2:05.300"]);
    assert.equal(listed(["a", "b", "c"]), "a, b and c");
    assert.equal(listed(["a", "b", "c", "d"], 3), "a, b and 2 more");
  });

  test("a lost message is described with when and why", () => {
    const row = [...model.messages.fate].indexOf(1);
    const { facts } = describeTarget(model, { kind: "message", row });
    assert.match(
      facts.find(([name]) => name === "arrived")?.[1] ?? "",
      /^never: lost at .* \((loss|partition)\)$/,
    );
  });
});

/** Fields by name: the order of fields is not kept. */
function sorted(event: TraceEvent): object {
  return Object.fromEntries(Object.entries(event).sort(([a], [b]) => (a < b ? -1 : 1)));
}

describe("the page", () => {
  const page = renderTracePage(run.header, run.events);

  test("carries the trace that it was made of, and the command that makes the run again", () => {
    const packed = /id="trace">([^<]*)</.exec(page)?.[1] ?? "";
    const decoded = decodeTrace(inflateRawSync(Buffer.from(packed, "base64")));
    assert.equal(JSON.stringify(decoded.events.map(sorted)), JSON.stringify(run.events.map(sorted)));
    assert.match(page, /npm run sim -- --seed 42 --validators 4 --heights 10/);
  });

  test("names nothing outside itself", () => {
    assert.doesNotMatch(page.replace(/id="trace">[^<]*</, ""), /(?:src|href)=|https?:|@import|url\(/);
  });

  test("shows texts of a trace as text, whatever they hold", () => {
    const hostile = renderTracePage(run.header, [], { replay: "</code><script>alert(1)</script>" });
    assert.ok(!hostile.includes("<script>alert"));
  });

  test("is smaller than 1 MB for four validators and ten heights, round state included", () => {
    const long = madeUpRun({ chatter: 500 });
    assert.ok(long.events.length > 30_000);
    assert.ok(renderTracePage(long.header, long.events).length < 1_000_000);
  });
});
