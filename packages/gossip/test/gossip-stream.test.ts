/** What stands before gossipsub's reader: how much it hands over in a turn, and what it does at a fault. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { Stream } from "@libp2p/interface";
import { AbstractMessageStream, streamPair } from "@libp2p/utils";
import { GossipBudget, GossipStreamScanner } from "../src/host/gossip-scanner.ts";
import { inspectGossipStream } from "../src/host/inspector.ts";
import { LIMITS } from "../src/limits.ts";
import { setReading } from "../src/wire/ends.ts";

/** An RPC of one message without topic, with a number for its content. */
function rpc(number: number): Uint8Array {
  return Uint8Array.of(7, 0x12, 5, 0x12, 3, number >> 16, (number >> 8) & 255, number & 255);
}

const rpcs = (from: number, to: number): Buffer =>
  Buffer.concat(Array.from({ length: to - from }, (_, i) => rpc(from + i)));

interface Inspected {
  readonly far: Stream;
  readonly near: Stream;
  /** Bytes that came through. */
  readonly heard: () => Buffer;
  readonly faults: readonly string[];
}

async function inspected(): Promise<Inspected> {
  const [far, near] = await streamPair();
  const faults: string[] = [];
  const chunks: Uint8Array[] = [];
  near.pause();
  const scanner = new GossipStreamScanner(LIMITS.frameBytes, new GossipBudget(() => 0));
  inspectGossipStream(near, scanner, (fault) => faults.push(fault));
  near.addEventListener("message", ({ data }) => void chunks.push(data.subarray().slice()));
  near.resume();
  return { far, near, heard: () => Buffer.concat(chunks), faults };
}

describe("an inbound gossipsub stream", () => {
  it("regression: gives its reader so much work in a turn of the event loop, and all of it in order", async () => {
    const { far, heard, faults } = await inspected();
    const all = rpcs(0, 3000);
    far.send(all.subarray(0, 20_003));
    far.send(all.subarray(20_003));
    for (let before = 0; heard().length < all.length; before = heard().length) {
      await turn();
      const done = (heard().length - before) / rpc(0).length;
      // Each is an RPC and a message; two turns may lie between two looks.
      assert.ok(done <= LIMITS.gossipTurn + 1, `${done} RPCs in a turn`);
    }
    assert.deepEqual(heard(), all);
    assert.deepEqual(faults, []);
  });

  it("passes an honest one's on as they come", async () => {
    const { far, heard } = await inspected();
    for (let i = 0; i < 200; i++) {
      far.send(rpc(i));
      await turn();
    }
    while (heard().length < 1600) await turn();
    assert.deepEqual(heard(), rpcs(0, 200));
  });

  it("regression: ends at the first RPC beyond the budget, and its reader hears nothing behind that", async () => {
    const { far, near, heard, faults } = await inspected();
    far.send(rpcs(0, LIMITS.gossipBurst));
    far.send(rpcs(LIMITS.gossipBurst, 2 * LIMITS.gossipBurst));
    while (near.status === "open") await turn();
    for (let turns = 0; turns < 10; turns++) await turn();
    assert.deepEqual(faults, ["flood"]);
    assert.ok(heard().equals(rpcs(0, LIMITS.gossipBurst).subarray(0, heard().length)));
  });
});

/** Keeps what the other side would be told. */
class Told extends AbstractMessageStream {
  readonly protocol = "/told/1";
  readonly said: string[] = [];
  sendData(data: Parameters<AbstractMessageStream["sendData"]>[0]): {
    sentBytes: number;
    canSendMore: boolean;
  } {
    return { sentBytes: data.byteLength, canSendMore: true };
  }
  sendReset(): void {}
  sendPause(): void {
    this.said.push("pause");
  }
  sendResume(): void {
    this.said.push("resume");
  }
  async close(): Promise<void> {}
}

describe("a reader that pauses again while it gets what has waited", () => {
  it("regression: leaves the other side paused too, which else sends until the stream breaks", async () => {
    const { near } = await inspected();
    const stream = new Told({ log: near.log, direction: "inbound" });
    const heard: number[] = [];
    stream.addEventListener("message", ({ data }) => {
      heard.push(...data.subarray());
      setReading(stream, false);
    });
    setReading(stream, false);
    stream.onData(Uint8Array.of(1, 2));
    stream.onData(Uint8Array.of(3));
    setReading(stream, true);
    assert.deepEqual(heard, [1, 2, 3]);
    assert.equal(stream.readStatus, "paused");
    assert.equal(stream.said.at(-1), "pause");
    stream.onData(Uint8Array.of(4));
    assert.deepEqual(heard, [1, 2, 3]);
    setReading(stream, true);
    assert.deepEqual(heard, [1, 2, 3, 4]);
  });
});
