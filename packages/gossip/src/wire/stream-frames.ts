import type { GossipClock } from "../clock.ts";
import { GossipError } from "../errors.ts";
import type { ByteStream, Chunk, StreamClose, StreamMessage } from "../host/network.ts";
import { plain } from "./bytes.ts";
import { errorOf, setReading } from "./ends.ts";
import { FrameDecoder } from "./frames.ts";

export interface FrameHandlers {
  /** Frames come one after the other: a promise holds back the next one and pauses the stream. */
  readonly frame: (content: Uint8Array) => void | Promise<void>;
  /** Once, when nothing will come any more: `error` on a reset, a fault of the peer, or a throwing handler. */
  readonly closed: (error: Error | null) => void;
}

export interface FrameOptions {
  readonly maxFrame: number;
  /** An unfinished frame older than this ends the stream. */
  readonly frameTimeoutMs: number;
}

/** One plain array of a chunk that libp2p may hand over as a list. */
export function chunkOf(data: Chunk): Uint8Array {
  return plain(data instanceof Uint8Array ? data : data.subarray());
}

/**
 * Reads frames from a stream, in order, with back-pressure and a deadline for slow senders. Returns a function that
 * stops reading.
 */
export function readFrames(
  stream: ByteStream,
  clock: GossipClock,
  options: FrameOptions,
  handlers: FrameHandlers,
): () => void {
  const decoder = new FrameDecoder(options.maxFrame);
  const waiting: Uint8Array[] = [];
  let busy = false;
  let remoteDone = false;
  let finished = false;
  let cancelDeadline: (() => void) | null = null;

  const finish = (error: Error | null): void => {
    if (finished) return;
    finished = true;
    waiting.length = 0;
    cancelDeadline?.();
    stream.removeEventListener("message", onMessage);
    stream.removeEventListener("close", onClose);
    stream.removeEventListener("remoteCloseWrite", onRemoteDone);
    handlers.closed(error);
  };
  const fail = (error: unknown): void => {
    finish(errorOf(error));
  };
  const drain = (): void => {
    while (!busy && !finished) {
      const content = waiting.shift();
      if (content === undefined) break;
      let result: void | Promise<void>;
      try {
        result = handlers.frame(content);
      } catch (error) {
        fail(error);
        return;
      }
      if (result instanceof Promise) {
        busy = true;
        setReading(stream, false);
        result.then(resumed, fail);
      }
    }
    if (!busy && remoteDone && waiting.length === 0) finish(null);
  };
  const resumed = (): void => {
    busy = false;
    if (finished) return;
    drain();
    if (!busy && !finished) setReading(stream, true);
  };
  const onMessage = (event: StreamMessage): void => {
    try {
      decoder.push(chunkOf(event.data), (content) => void waiting.push(content));
    } catch (error) {
      fail(error);
      return;
    }
    if (!decoder.partial && cancelDeadline !== null) {
      cancelDeadline();
      cancelDeadline = null;
    } else if (decoder.partial && cancelDeadline === null) {
      cancelDeadline = clock.timer(options.frameTimeoutMs, () => {
        fail(new GossipError("TIMEOUT", "a peer left a frame unfinished; it is dropped"));
      });
    }
    drain();
  };
  const onClose = (event: StreamClose): void => finish(event.error ?? null);
  const onRemoteDone = (): void => {
    remoteDone = true;
    drain();
  };
  stream.addEventListener("message", onMessage);
  stream.addEventListener("close", onClose);
  stream.addEventListener("remoteCloseWrite", onRemoteDone);
  return () => finish(null);
}
