import { deadline, type GossipClock } from "../clock.ts";
import { GossipError } from "../errors.ts";
import type { ByteStream, Connection } from "../host/network.ts";
import { LIMITS } from "../limits.ts";
import type { SyncRequest, SyncResponse } from "../types.ts";
import { errorOf } from "../wire/ends.ts";
import { frame } from "../wire/frames.ts";
import { readFrames } from "../wire/stream-frames.ts";
import { decodeAnswer, encodeRequest } from "./codec.ts";

/**
 * Asks one peer for blocks. Answers must be consecutive from `from`, at most `count`, within the response bound and
 * the deadline.
 * @throws GossipError `TIMEOUT`, `BUSY`, `MALFORMED`, `OVERSIZED`, `NOT_CONNECTED`; the signal's reason when aborted.
 */
export async function requestBlocks(
  connection: Connection,
  clock: GossipClock,
  protocol: string,
  request: SyncRequest,
  signal: AbortSignal,
): Promise<SyncResponse> {
  signal.throwIfAborted();
  const limit = deadline(clock, LIMITS.requestTimeoutMs);
  const either = AbortSignal.any([signal, limit.signal]);
  const timedOut = (): GossipError =>
    new GossipError("TIMEOUT", "a peer did not answer a sync request in time; another one is asked", {
      ms: LIMITS.requestTimeoutMs,
    });
  let stream: ByteStream;
  try {
    stream = await connection.newStream(protocol, { signal: either });
  } catch (error) {
    limit.clear();
    signal.throwIfAborted();
    if (limit.signal.aborted) throw timedOut();
    throw new GossipError("NOT_CONNECTED", "a peer could not be asked for blocks", {
      reason: error instanceof Error ? error.message : String(error),
    });
  }
  const blocks: SyncResponse["blocks"][number][] = [];
  let bytes = 0;
  const { promise, resolve, reject } = Promise.withResolvers<SyncResponse>();
  const stop = readFrames(
    stream,
    clock,
    { maxFrame: LIMITS.responseFrameBytes, frameTimeoutMs: LIMITS.requestTimeoutMs },
    {
      frame(content) {
        const answer = decodeAnswer(content);
        if (answer.kind === "busy") {
          throw new GossipError("BUSY", "a peer serves others; it is asked again later");
        }
        if (answer.kind === "end") {
          resolve({ blocks });
          return;
        }
        const { block } = answer;
        bytes += content.length;
        if (block.height !== request.from + blocks.length || blocks.length === request.count) {
          throw new GossipError("MALFORMED", "a peer answered with heights that were not asked for", {
            height: block.height,
          });
        }
        if (bytes > LIMITS.responseFrameBytes) {
          throw new GossipError("OVERSIZED", "a peer answered above the response bound", { bytes });
        }
        blocks.push(block);
      },
      closed(error) {
        reject(error ?? new GossipError("MALFORMED", "a peer ended its answer early"));
      },
    },
  );
  const abort = (): void => reject(signal.aborted ? signal.reason : timedOut());
  either.addEventListener("abort", abort, { once: true });
  try {
    if (either.aborted) abort();
    else stream.send(frame(encodeRequest(request)));
    const response = await promise;
    stop();
    await stream.close({ signal: either });
    return response;
  } catch (error) {
    stop();
    stream.abort(errorOf(error));
    throw error;
  } finally {
    limit.clear();
    either.removeEventListener("abort", abort);
  }
}
