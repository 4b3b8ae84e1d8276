import type { Stream } from "@libp2p/interface";
import { GossipError } from "../errors.ts";
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

type Bytes = Parameters<Stream["send"]>[0];

/** One plain array of a chunk that libp2p may hand over as a list. */
export function chunkOf(data: Bytes): Uint8Array {
  return plain(data instanceof Uint8Array ? data : data.subarray());
}

/**
 * Reads frames from a stream, in order, with back-pressure and a deadline for slow senders. Returns a function that
 * stops reading.
 */
export function readFrames(stream: Stream, options: FrameOptions, handlers: FrameHandlers): () => void {
  const decoder = new FrameDecoder(options.maxFrame);
  const waiting: Uint8Array[] = [];
  let busy = false;
  let remoteDone = false;
  let finished = false;
  let deadline: NodeJS.Timeout | null = null;

  const finish = (error: Error | null): void => {
    if (finished) return;
    finished = true;
    waiting.length = 0;
    if (deadline !== null) clearTimeout(deadline);
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
  const onMessage = (event: { readonly data: Bytes }): void => {
    try {
      decoder.push(chunkOf(event.data), (content) => void waiting.push(content));
    } catch (error) {
      fail(error);
      return;
    }
    if (!decoder.partial && deadline !== null) {
      clearTimeout(deadline);
      deadline = null;
    } else if (decoder.partial && deadline === null) {
      deadline = setTimeout(() => {
        fail(new GossipError("TIMEOUT", "a peer left a frame unfinished; it is dropped"));
      }, options.frameTimeoutMs);
      deadline.unref();
    }
    drain();
  };
  const onClose = (event: { readonly error?: Error | undefined }): void => finish(event.error ?? null);
  const onRemoteDone = (): void => {
    remoteDone = true;
    drain();
  };
  stream.addEventListener("message", onMessage);
  stream.addEventListener("close", onClose);
  stream.addEventListener("remoteCloseWrite", onRemoteDone);
  return () => finish(null);
}
