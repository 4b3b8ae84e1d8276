import { yamux } from "@chainsafe/libp2p-yamux";
import type { MessageStream, StreamMuxerFactory } from "@libp2p/interface";
import { GossipError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { chunkOf } from "../wire/stream-frames.ts";
import { MuxerBudget } from "./muxer-budget.ts";
import { HEADER, WindowUpdates } from "./window-updates.ts";

/**
 * yamux as this layer needs it, by what stands between it and the encrypted connection:
 *
 * - Frames of one turn leave together: one encryption, one system call, one wake-up of the other side. A vote and the
 *   round state that goes with it would cost two of each.
 * - Window updates wait until they are worth a message ({@link WindowUpdates}): yamux sends one for every data frame.
 * - The farewell of a connection that ends in good order is left to TCP. A receiver that finds yamux's in one segment
 *   with the last messages ends its streams before anybody has read these.
 * - Writes after the end are dropped. yamux opens a stream in a microtask of its own and says goodbye while listeners of
 *   the same abort close the connection under it; each write would then throw where nobody can catch it, and the end of
 *   one connection would be the end of the process.
 * - A connection whose frames go beyond the {@link MuxerBudget} ends. `now`: monotonic, ms.
 */
export function safeYamux(init: Parameters<typeof yamux>[0], now: () => number): () => StreamMuxerFactory {
  return () => {
    const factory = yamux(init)();
    const create = factory.createStreamMuxer.bind(factory);
    factory.createStreamMuxer = (connection) => {
      const flush = gatherFrames(connection);
      // Before the muxer's own listener, in the turn in which that is attached: both hear everything.
      spend(connection, now);
      const muxer = create(connection);
      const close = muxer.close.bind(muxer);
      const abort = muxer.abort.bind(muxer);
      // The connection under it ends as soon as these return, before the turn does.
      muxer.close = (options) => close(options).finally(flush);
      muxer.abort = (reason) => {
        abort(reason);
        flush();
      };
      return muxer;
    };
    return factory;
  };
}

/** A data frame of this size is a message of its own, and is not copied to be one. */
const LONG_FRAME_BYTES = 32_768;

/** Returns what sends at once what has been gathered. */
function gatherFrames(connection: MessageStream): () => void {
  const send = connection.send.bind(connection);
  const updates = new WindowUpdates(LIMITS.windowUpdateBytes, 2 * LIMITS.streamsPerPeer);
  let waiting: Uint8Array[] = [];
  let bytes = 0;
  let writable = true;

  const write = (data: Parameters<MessageStream["send"]>[0]): void => {
    try {
      writable = send(data);
    } catch (error) {
      // Not saturated: nobody is to wait for a drain that cannot come.
      writable = true;
      if (connection.status === "open")
        connection.abort(error instanceof Error ? error : new Error(String(error)));
    }
  };
  const flush = (): void => {
    const [first] = waiting;
    if (first === undefined) return;
    const data = waiting.length === 1 ? first : Buffer.concat(waiting, bytes);
    waiting = [];
    bytes = 0;
    write(data);
  };
  connection.addEventListener("drain", () => {
    writable = true;
  });
  connection.send = (data) => {
    if (data.byteLength >= LONG_FRAME_BYTES) {
      // Only data is that long; its header tells of a stream that ends with it.
      updates.pass(data.subarray(0, HEADER));
      flush();
      write(data);
      return writable;
    }
    const frame = data instanceof Uint8Array ? data : data.subarray();
    if (isFarewell(frame)) return writable;
    for (const out of updates.pass(frame)) {
      // After the callback under way and all the promises it resolved: whatever they send goes along.
      if (waiting.length === 0) process.nextTick(flush);
      waiting.push(out);
      bytes += out.length;
    }
    if (bytes >= LIMITS.gatheredBytes) flush();
    return writable;
  };
  return flush;
}

function spend(connection: MessageStream, now: () => number): void {
  const budget = new MuxerBudget(now);
  connection.addEventListener("message", (event) => {
    if (connection.status !== "open" || budget.covers(chunkOf(event.data))) return;
    event.stopImmediatePropagation();
    connection.abort(new GossipError("FLOOD", "a peer sent frames of the muxer that no use needs"));
  });
}

/** GoAway (type 3) with code 0, normal termination. */
function isFarewell(frame: Uint8Array): boolean {
  return frame.length === 12 && frame[1] === 3 && frame.subarray(8).every((byte) => byte === 0);
}
