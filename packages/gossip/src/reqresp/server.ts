import { concatBytes } from "@quorate/crypto";
import { deadline, type GossipClock } from "../clock.ts";
import type { ByteStream } from "../host/network.ts";
import { LIMITS } from "../limits.ts";
import type { GossipModules, SyncRequest } from "../types.ts";
import { drained } from "../wire/drained.ts";
import { frame } from "../wire/frames.ts";
import { readFrames } from "../wire/stream-frames.ts";
import { type AnswerFrame, decodeRequest, encodeAnswer } from "./codec.ts";

export interface ServeOptions {
  readonly serve: GossipModules["serve"];
  /** Takes one of the peer's and of the node's places, `null` = all taken or asked too often. */
  readonly admit: () => { readonly release: () => void } | null;
  readonly sent: (bytes: number) => void;
}

/** Reads exactly one request. */
function readRequest(stream: ByteStream, clock: GossipClock): Promise<SyncRequest> {
  const { promise, resolve, reject } = Promise.withResolvers<SyncRequest>();
  const stop = readFrames(
    stream,
    clock,
    { maxFrame: LIMITS.requestBytes, frameTimeoutMs: LIMITS.statusTimeoutMs },
    {
      frame: (content) => resolve(decodeRequest(content)),
      closed: (error) => reject(error ?? new Error("the stream ended before a request")),
    },
  );
  const cancel = clock.timer(LIMITS.statusTimeoutMs, () => reject(new Error("no request in time")));
  return promise.finally(() => {
    cancel();
    stop();
  });
}

/**
 * Answers one sync request, waiting for the peer to drain, within the deadline.
 * @throws GossipError `MALFORMED` on a bad request; anything on a stream that failed.
 */
export async function serveRequest(
  stream: ByteStream,
  clock: GossipClock,
  options: ServeOptions,
): Promise<void> {
  const limit = deadline(clock, LIMITS.requestTimeoutMs);
  try {
    await answerRequest(stream, await readRequest(stream, clock), limit.signal, options);
  } finally {
    limit.clear();
  }
}

async function answerRequest(
  stream: ByteStream,
  request: SyncRequest,
  signal: AbortSignal,
  options: ServeOptions,
): Promise<void> {
  let waiting: Uint8Array[] = [];
  let bytes = 0;
  const flush = async (): Promise<void> => {
    const together = waiting.length === 1 && waiting[0] !== undefined ? waiting[0] : concatBytes(...waiting);
    waiting = [];
    bytes = 0;
    options.sent(together.length);
    if (!stream.send(together)) await drained(stream, signal);
  };
  // Small blocks leave together: each write of a stream is a frame of the muxer, looked at on both sides.
  const send = async (answer: AnswerFrame): Promise<void> => {
    const framed = frame(encodeAnswer(answer));
    waiting.push(framed);
    bytes += framed.length;
    if (answer.kind !== "block" || bytes >= LIMITS.gatheredBytes) await flush();
  };
  const place = options.admit();
  if (place === null) {
    await send({ kind: "busy" });
    await stream.close({ signal });
    return;
  }
  try {
    const { blocks } = await options.serve(request.from, request.count, LIMITS.responseBytes);
    for (const block of blocks.slice(0, request.count)) await send({ kind: "block", block });
    await send({ kind: "end" });
    await stream.close({ signal });
  } finally {
    place.release();
  }
}
