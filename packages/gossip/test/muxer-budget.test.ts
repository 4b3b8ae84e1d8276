/** What a peer may ask of yamux before it has sent a byte of ours. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MuxerBudget } from "../src/host/muxer-budget.ts";
import { LIMITS } from "../src/limits.ts";
import { Stranger } from "./stranger.ts";
import { makeCommittee, StoppableClock, startNode, stopAll } from "./support.ts";

const TYPE = { data: 0, window: 1, ping: 2 } as const;
const SYN = 1;

function frame(type: number, flags: number, stream: number, length: number): Buffer {
  const header = Buffer.alloc(12 + (type === TYPE.data ? length : 0));
  header[1] = type;
  header.writeUInt16BE(flags, 2);
  header.writeUInt32BE(stream, 4);
  header.writeUInt32BE(length, 8);
  return header;
}

/** Of data, without them. */
function header(length: number): Buffer {
  const bytes = frame(TYPE.window, 0, 1, length);
  bytes[1] = TYPE.data;
  return bytes;
}

/** Frames at one moment before the first that is too many. */
function untilRefused(one: Uint8Array): number {
  const budget = new MuxerBudget(() => 0);
  for (let count = 0; count < 100_000; count++) if (!budget.covers(one)) return count;
  return Number.POSITIVE_INFINITY;
}

describe("the budget of a peer's yamux frames", () => {
  it("ends with pings, window updates and empty data without number, and not with data", () => {
    assert.equal(untilRefused(frame(TYPE.ping, SYN, 0, 7)), LIMITS.muxerFrameBurst);
    assert.equal(untilRefused(frame(TYPE.window, 0, 1, 65_536)), LIMITS.muxerFrameBurst);
    assert.equal(untilRefused(frame(TYPE.data, 0, 1, 0)), LIMITS.muxerFrameBurst);
    assert.equal(untilRefused(frame(TYPE.data, 0, 1, 100)), Number.POSITIVE_INFINITY);
  });

  it("regression: ends with a window that no memory could hold", () => {
    assert.equal(untilRefused(frame(TYPE.window, 0, 3, 0xffff_ffff)), 0);
    assert.equal(untilRefused(frame(TYPE.window, SYN, 3, LIMITS.windowUpdateMost + 1)), 0);
    assert.equal(untilRefused(frame(TYPE.window, 0, 3, LIMITS.windowUpdateMost)), LIMITS.muxerFrameBurst);
    // The length of a ping is a number that is sent back.
    assert.equal(untilRefused(frame(TYPE.ping, SYN, 0, 0xffff_ffff)), LIMITS.muxerFrameBurst);
  });

  it("regression: ends with data longer than any window, before that has come", () => {
    assert.equal(new MuxerBudget(() => 0).covers(header(LIMITS.streamWindow)), true);
    for (const length of [LIMITS.streamWindow + 1, 2 ** 31, 2 ** 32 - 1])
      assert.equal(new MuxerBudget(() => 0).covers(header(length)), false);
  });

  it("ends with streams without number, whichever frame begins them", () => {
    assert.equal(untilRefused(frame(TYPE.window, SYN, 3, 0)), LIMITS.newStreamBurst);
    assert.equal(untilRefused(frame(TYPE.data, SYN, 3, 10)), LIMITS.newStreamBurst);
  });

  it("counts the same however the frames are cut, and fills again with time", () => {
    let now = 0;
    const budget = new MuxerBudget(() => now);
    const bytes = Buffer.concat([frame(TYPE.data, 0, 1, 30), frame(TYPE.window, SYN, 3, 0)]);
    for (let i = 0; i < LIMITS.newStreamBurst; i++)
      for (const byte of bytes) assert.ok(budget.covers(Uint8Array.of(byte)));
    assert.equal(budget.covers(bytes), false);
    now = 1000;
    assert.ok(budget.covers(bytes));
  });

  it("regression: costs its connection who goes beyond it, and nobody else", async () => {
    const { set } = makeCommittee(4);
    const clock = new StoppableClock();
    const node = await startNode({ name: "pinged", set, clock });
    const strangers: Stranger[] = [];
    try {
      for (let i = 0; i < 5; i++) strangers.push(await Stranger.connect(node.gossip.addresses[0]!));
      const [pinger, opener, overrunner, endless, friend] = strangers;
      pinger!.plugEars();
      // A busy machine may take longer to read so much than the rates give for it.
      clock.stop();
      const pings = Buffer.concat(Array.from({ length: 1000 }, (_, i) => frame(TYPE.ping, SYN, 0, i)));
      for (let i = 0; i * 1000 < 2 * LIMITS.muxerFrameBurst; i++)
        if (!(await pinger!.write(pinger!.below, pings))) break;
      for (let i = 0; i < 2 * LIMITS.newStreamBurst; i++)
        if (!(await opener!.write(opener!.below, frame(TYPE.window, SYN, 1001 + 2 * i, 0)))) break;
      // More than a stream that begins may carry, and the beginning of more than any may.
      await overrunner!.write(overrunner!.below, frame(TYPE.data, SYN, 1001, 262_145));
      await endless!.write(endless!.below, header(2 ** 31));
      await Promise.all([pinger, opener, overrunner, endless].map((one) => one!.closed));
      assert.ok(friend!.isOpen);
    } finally {
      await Promise.all(strangers.map((one) => one.stop()));
      await stopAll([node]);
    }
  });
});
