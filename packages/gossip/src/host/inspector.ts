import type { Stream } from "@libp2p/interface";
import { LIMITS } from "../limits.ts";
import { TokenBucket } from "../scoring/token-bucket.ts";
import { Gather } from "../wire/gather.ts";
import { chunkOf } from "../wire/stream-frames.ts";

/** What an inspection found wrong with a gossipsub stream. */
export type GossipFault = "malformed" | "oversized" | "flood";

/** What RPCs ask of the node that reads them. */
interface Load {
  messages: number;
  /** Subscriptions, grafts and prunes. */
  membership: number;
  /** Bytes of all that is no message. */
  control: number;
}

/**
 * Reads a protobuf varint; `null` = more bytes are needed, -1 = no varint of up to 32 bits.
 */
function varint(
  bytes: ArrayLike<number>,
  at: number,
): { readonly value: number; readonly next: number } | null | -1 {
  let value = 0;
  for (let i = 0; i < 5; i++) {
    const byte = bytes[at + i];
    if (byte === undefined) return null;
    value += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return { value, next: at + i + 1 };
  }
  return -1;
}

/** Fields of a message: those that are messages, by number, and numbers with the largest value that is taken. */
interface Shape {
  readonly messages: Readonly<Record<number, Shape>>;
  readonly counters: Readonly<Record<number, number>>;
  /** What one of them counts as. */
  readonly load?: "messages" | "membership";
  /** Whether its bytes count as control. */
  readonly weighs?: true;
}

const LEAF: Shape = { messages: {}, counters: {} };
const MEMBERSHIP: Shape = { ...LEAF, load: "membership" };

/**
 * Of an RPC: subscriptions, messages, control; of control the prunes, of a prune the backoff in seconds. gossipsub
 * keeps a peer's backoff until it ends, also when the peer is gone.
 */
const RPC: Shape = {
  messages: {
    1: { ...MEMBERSHIP, weighs: true },
    2: { ...LEAF, load: "messages" },
    3: {
      messages: { 3: MEMBERSHIP, 4: { ...MEMBERSHIP, counters: { 3: LIMITS.pruneBackoffSeconds } } },
      counters: {},
      weighs: true,
    },
  },
  counters: {},
};

/** Whether bytes are a sequence of well-formed protobuf fields within the shape's bounds; adds up what they ask for. */
function wellFormed(bytes: Uint8Array, shape: Shape, load: Load): boolean {
  let at = 0;
  while (at < bytes.length) {
    const tag = varint(bytes, at);
    if (tag === null || tag === -1 || tag.value < 8) return false;
    at = tag.next;
    const field = Math.floor(tag.value / 8);
    switch (tag.value & 7) {
      case 0: {
        // Counters of up to 64 bits are skipped, not read, unless they have a bound.
        const start = at;
        let length = 0;
        while ((bytes[at + length] ?? 0) >= 0x80) if (++length > 9) return false;
        at += length + 1;
        const most = shape.counters[field];
        if (most !== undefined) {
          const counter = varint(bytes, start);
          if (counter === null || counter === -1 || counter.value > most) return false;
        }
        break;
      }
      case 1:
        at += 8;
        break;
      case 5:
        at += 4;
        break;
      case 2: {
        const length = varint(bytes, at);
        if (length === null || length === -1) return false;
        at = length.next + length.value;
        if (at > bytes.length) return false;
        const inner = shape.messages[field];
        if (inner === undefined) break;
        if (inner.load !== undefined) load[inner.load]++;
        if (inner.weighs === true) load.control += length.value;
        if (!wellFormed(bytes.subarray(length.next, at), inner, load)) return false;
        break;
      }
      default:
        return false;
    }
    if (at > bytes.length) return false;
  }
  return true;
}

/** How much a peer may ask of gossipsub, which itself counts next to nothing of it. */
class Budget {
  readonly #now: () => number;
  readonly #rpcs: TokenBucket;
  readonly #messages: TokenBucket;
  readonly #membership: TokenBucket;
  readonly #control: TokenBucket;

  constructor(now: () => number) {
    const from = now();
    this.#now = now;
    this.#rpcs = new TokenBucket(LIMITS.gossipBurst, LIMITS.gossipPerSecond, from);
    this.#messages = new TokenBucket(LIMITS.gossipBurst, LIMITS.gossipPerSecond, from);
    this.#membership = new TokenBucket(LIMITS.membershipBurst, LIMITS.membershipPerSecond, from);
    this.#control = new TokenBucket(LIMITS.controlBurst, LIMITS.controlBytesPerSecond, from);
  }

  /** Of one RPC. */
  covers({ messages, membership, control }: Load): boolean {
    const now = this.#now();
    return (
      this.#rpcs.take(1, now) &&
      this.#messages.take(messages, now) &&
      this.#membership.take(membership, now) &&
      this.#control.take(control, now)
    );
  }
}

/**
 * gossipsub drops an RPC that it cannot decode, and a frame that is too large, without telling anybody who sent it.
 * This scanner follows the framing of an inbound stream beside it and names the fault. It keeps at most one frame, and
 * its work is linear in the bytes that come, however they are cut.
 */
export class GossipStreamScanner {
  readonly #limit: number;
  readonly #budget: Budget;
  #prefix: number[] = [];
  #frame: Gather | null = null;

  /** `now`: monotonic, ms. */
  constructor(limit: number, now: () => number) {
    this.#limit = limit;
    this.#budget = new Budget(now);
  }

  /** After `flood` it goes on; after another fault the stream is not to be read any more. */
  push(chunk: Uint8Array): GossipFault | null {
    let fault: GossipFault | null = null;
    for (let at = 0; at < chunk.length; ) {
      if (this.#frame === null) {
        this.#prefix.push(chunk[at++]!);
        const length = varint(this.#prefix, 0);
        if (length === -1) return "malformed";
        if (length === null) continue;
        if (length.value > this.#limit) return "oversized";
        this.#prefix = [];
        this.#frame = new Gather(length.value);
      }
      at += this.#frame.add(chunk, at);
      if (!this.#frame.done) return fault;
      const load: Load = { messages: 0, membership: 0, control: 0 };
      if (!wellFormed(this.#frame.bytes, RPC, load)) return "malformed";
      if (load.membership > LIMITS.membershipChanges) return "oversized";
      if (!this.#budget.covers(load)) fault = "flood";
      this.#frame = null;
    }
    return fault;
  }
}

/** Watches an inbound gossipsub stream; the stream must be paused until its own reader is attached. */
export function inspectGossipStream(
  stream: Stream,
  limit: number,
  now: () => number,
  fault: (found: GossipFault) => void,
): void {
  const scanner = new GossipStreamScanner(limit, now);
  const listener = (event: Event & { readonly data: Parameters<Stream["send"]>[0] }): void => {
    const found = scanner.push(chunkOf(event.data));
    if (found === null) return;
    if (found === "flood") {
      fault(found);
      return;
    }
    // The reader behind this one does not get it.
    event.stopImmediatePropagation();
    stream.removeEventListener("message", listener);
    fault(found);
  };
  stream.addEventListener("message", listener);
}
