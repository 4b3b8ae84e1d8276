import { type Stream, StreamMessageEvent } from "@libp2p/interface";
import { GossipError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { setReading } from "../wire/ends.ts";
import { chunkOf } from "../wire/stream-frames.ts";
import type { GossipFault, GossipStreamScanner } from "./gossip-scanner.ts";

/**
 * Stands before the reader of an inbound gossipsub stream, which takes whatever has come in one turn of the event loop,
 * a hundred thousand RPCs if so many fit. It gets what has been scanned, and of that so much a turn; meanwhile the stream
 * is paused. At a fault it gets nothing more. To be called before the reader listens.
 */
export function inspectGossipStream(
  stream: Stream,
  scanner: GossipStreamScanner,
  fault: (found: GossipFault) => void,
): void {
  let held: Uint8Array | null = null;
  let turnEnds = false;
  let workBefore = 0;
  let handing = false;
  // Paused, the stream takes what its sender may still send: an honest one, as much as the window.
  stream.maxReadBufferLength = Math.max(stream.maxReadBufferLength, LIMITS.streamWindow);

  const hand = (part: Uint8Array): void => {
    handing = true;
    stream.dispatchEvent(new StreamMessageEvent(part));
    handing = false;
  };
  /** How far it may be read in this turn; `null` after a fault. */
  const scan = (chunk: Uint8Array, from: number): number | null => {
    if (!turnEnds) {
      turnEnds = true;
      workBefore = scanner.work;
      setImmediate(nextTurn);
    }
    const reached = scanner.push(chunk, from, LIMITS.gossipTurn - (scanner.work - workBefore));
    if (typeof reached === "number") return reached;
    fault(reached);
    stream.abort(new GossipError("REFUSED", "a peer wrote to its gossip stream what no node writes"));
    return null;
  };
  const nextTurn = (): void => {
    turnEnds = false;
    const chunk = held;
    held = null;
    if (chunk === null || stream.status !== "open") return;
    const reached = scan(chunk, 0);
    if (reached === null) return;
    if (reached < chunk.length) held = chunk.subarray(reached);
    if (reached > 0) hand(chunk.subarray(0, reached));
    if (held === null) setReading(stream, true);
  };
  stream.addEventListener("message", (event) => {
    if (handing) return;
    const chunk = chunkOf(event.data);
    const reached = scan(chunk, 0);
    if (reached === chunk.length) return;
    event.stopImmediatePropagation();
    if (reached === null) return;
    held = chunk.subarray(reached);
    setReading(stream, false);
    if (reached > 0) hand(chunk.subarray(0, reached));
  });
}
