import { GossipError } from "../errors.ts";
import type { ByteStream, StreamClose } from "../host/network.ts";

/**
 * Resolves when the stream takes bytes again. libp2p's own `onDrain` waits once in a stream's life and never after, and
 * ends when the connection has room, though the window of the stream is shut: whoever trusts it fills the write buffer of
 * a slow reader, and loses the stream. Rejects when the stream ends, and with the signal's reason.
 */
export function drained(stream: ByteStream, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (how: () => void): void => {
      stream.removeEventListener("drain", look);
      stream.removeEventListener("close", closed);
      signal?.removeEventListener("abort", aborted);
      how();
    };
    const look = (): void => {
      // What waits in the stream is written in a microtask that was queued before this one.
      queueMicrotask(() => {
        if (!stream.writableNeedsDrain) settle(resolve);
      });
    };
    const closed = ({ error }: StreamClose): void =>
      settle(() => reject(error ?? new GossipError("CLOSED", "the stream ended before it took everything")));
    const aborted = (): void => settle(() => reject(signal?.reason));
    stream.addEventListener("drain", look);
    stream.addEventListener("close", closed);
    signal?.addEventListener("abort", aborted, { once: true });
    if (signal?.aborted === true) aborted();
    else if (stream.status !== "open") closed({});
    else look();
  });
}
