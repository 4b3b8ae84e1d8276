import { LIMITS } from "../limits.ts";
import { TokenBucket } from "../scoring/token-bucket.ts";
import { Gather } from "../wire/gather.ts";

/** What an inspection found wrong with a gossipsub stream. */
export type GossipFault = "malformed" | "oversized" | "flood";

/** What an RPC asks of the node that reads it. */
interface Load {
  messages: number;
  /** Subscriptions, grafts and prunes. */
  membership: number;
  /** Lists of message ids: offered, or wanted. */
  lists: number;
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
  readonly load?: "messages" | "membership" | "lists";
  /** Whether its bytes count as control. */
  readonly weighs?: true;
}

const LEAF: Shape = { messages: {}, counters: {} };
const MEMBERSHIP: Shape = { ...LEAF, load: "membership" };
const LIST: Shape = { ...LEAF, load: "lists" };

/**
 * Of an RPC: subscriptions, messages, control; of control IHAVE, IWANT, grafts and prunes, of a prune the backoff in
 * seconds. gossipsub keeps a peer's backoff until it ends, also when the peer is gone.
 */
const RPC: Shape = {
  messages: {
    1: { ...MEMBERSHIP, weighs: true },
    2: { ...LEAF, load: "messages" },
    3: {
      messages: {
        1: LIST,
        2: LIST,
        3: MEMBERSHIP,
        4: { ...MEMBERSHIP, counters: { 3: LIMITS.pruneBackoffSeconds } },
      },
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

/** How much a peer may ask of gossipsub, which itself counts next to nothing of it; over all its streams. */
export class GossipBudget {
  readonly #now: () => number;
  readonly #rpcs: TokenBucket;
  readonly #messages: TokenBucket;
  readonly #membership: TokenBucket;
  readonly #lists: TokenBucket;
  readonly #control: TokenBucket;

  /** `now`: monotonic, ms. */
  constructor(now: () => number) {
    const from = now();
    this.#now = now;
    this.#rpcs = new TokenBucket(LIMITS.gossipBurst, LIMITS.gossipPerSecond, from);
    this.#messages = new TokenBucket(LIMITS.gossipBurst, LIMITS.gossipPerSecond, from);
    this.#membership = new TokenBucket(LIMITS.membershipBurst, LIMITS.membershipPerSecond, from);
    this.#lists = new TokenBucket(LIMITS.listBurst, LIMITS.listsPerSecond, from);
    this.#control = new TokenBucket(LIMITS.controlBurst, LIMITS.controlBytesPerSecond, from);
  }

  /** Of one RPC. */
  covers({ messages, membership, lists, control }: Load): boolean {
    const now = this.#now();
    // gossipsub writes no RPC without anything in it; one costs as much to take as one of a message.
    const nothing = messages === 0 && control === 0 ? 1 : 0;
    return (
      this.#rpcs.take(1, now) &&
      this.#messages.take(messages, now) &&
      this.#membership.take(membership + nothing, now) &&
      this.#lists.take(lists, now) &&
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
  readonly #budget: GossipBudget;
  #prefix: number[] = [];
  #frame: Gather | null = null;
  #work = 0;

  /** `limit`: bytes of an RPC. */
  constructor(limit: number, budget: GossipBudget) {
    this.#limit = limit;
    this.#budget = budget;
  }

  /** RPCs so far, and what was in them: messages, changes of membership, lists of ids. */
  get work(): number {
    return this.#work;
  }

  /**
   * Reads a chunk from `from` on, to its end or to the end of the RPC with which `most` of work is done; answers how far
   * it came, or the fault: then the stream is not to be read any more.
   */
  push(chunk: Uint8Array, from: number = 0, most: number = Number.POSITIVE_INFINITY): number | GossipFault {
    const enough = this.#work + most;
    let at = from;
    while (at < chunk.length && this.#work < enough) {
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
      if (!this.#frame.done) return at;
      const load: Load = { messages: 0, membership: 0, lists: 0, control: 0 };
      if (!wellFormed(this.#frame.bytes, RPC, load)) return "malformed";
      if (load.membership > LIMITS.membershipChanges) return "oversized";
      if (!this.#budget.covers(load)) return "flood";
      this.#work += 1 + load.messages + load.membership + load.lists;
      this.#frame = null;
    }
    return at;
  }
}
