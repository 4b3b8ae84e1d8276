/** What one sync request costs in writes: each is a frame of the muxer, looked at on both sides. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ByteStream, StreamMessage } from "../src/host/network.ts";
import { LIMITS } from "../src/limits.ts";
import { type AnswerFrame, decodeAnswer, encodeRequest } from "../src/reqresp/codec.ts";
import { serveRequest } from "../src/reqresp/server.ts";
import type { SyncResponse } from "../src/types.ts";
import { FrameDecoder, frame } from "../src/wire/frames.ts";

/** A peer's stream that asks for `count` blocks as soon as somebody reads it. */
class AskingStream implements ByteStream {
  readonly protocol = "sync";
  readonly direction = "inbound";
  readonly status = "open";
  readonly readStatus = "readable";
  readonly writeStatus = "writable";
  readonly writableNeedsDrain = false;
  readonly writes: Uint8Array[] = [];
  readonly #count: number;

  constructor(count: number) {
    this.#count = count;
  }

  send(bytes: Uint8Array): boolean {
    this.writes.push(bytes);
    return true;
  }

  addEventListener(type: string, listener: (event: never) => void): void {
    if (type !== "message") return;
    const data = frame(encodeRequest({ kind: "blocks", from: 1, count: this.#count }));
    queueMicrotask(() => (listener as (event: StreamMessage) => void)({ data }));
  }

  async close(): Promise<void> {}
  pause(): void {}
  resume(): void {}
  abort(): void {}
  removeEventListener(): void {}
}

async function served(sizes: readonly number[]): Promise<{
  readonly writes: readonly number[];
  readonly answers: readonly AnswerFrame[];
}> {
  const stream = new AskingStream(sizes.length);
  const blocks = sizes.map((size, index): SyncResponse["blocks"][number] => ({
    height: index + 1,
    block: new Uint8Array(size).fill(index),
    commit: new Uint8Array(300),
  }));
  let sent = 0;
  await serveRequest(
    stream,
    { monotonicMs: () => 0, wallMs: () => 0, timer: () => () => undefined },
    {
      serve: async () => ({ blocks }),
      admit: () => ({ release: () => undefined }),
      sent: (bytes) => {
        sent += bytes;
      },
    },
  );
  const answers: AnswerFrame[] = [];
  const decoder = new FrameDecoder(LIMITS.responseFrameBytes);
  for (const bytes of stream.writes)
    decoder.push(bytes, (content) => void answers.push(decodeAnswer(content)));
  const writes = stream.writes.map(({ length }) => length);
  assert.equal(
    sent,
    writes.reduce((sum, length) => sum + length, 0),
  );
  return { writes, answers };
}

test("small blocks are answered together, the end with the last of them", async () => {
  const { writes, answers } = await served(new Array(40).fill(1_000));
  assert.equal(writes.length, 1);
  assert.deepEqual(
    answers.map((answer) => (answer.kind === "block" ? answer.block.height : answer.kind)),
    [...Array.from({ length: 40 }, (_, index) => index + 1), "end"],
  );
});

test("no more than a muxer's write waits, and a large block waits for nobody", async () => {
  const many = await served(new Array(200).fill(1_000));
  assert.ok(many.writes.length >= 4 && many.writes.length <= 5, `${many.writes.length} writes`);
  for (const length of many.writes) assert.ok(length < LIMITS.gatheredBytes + 2_000);
  const large = await served([500_000, 500_000]);
  assert.equal(large.writes.length, 3);
  assert.equal(large.answers.length, 3);
});
