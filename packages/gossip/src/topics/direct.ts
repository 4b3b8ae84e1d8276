import type { Peer } from "../host/peers.ts";
import { LIMITS } from "../limits.ts";
import { itemsFrame } from "../roundstate/messages.ts";
import type { Runtime } from "../runtime.ts";
import { encodeItem, type Item } from "./items.ts";
import { Outbox } from "./outbox.ts";

/** What goes from its origin to every peer and no further. */
export type DirectItem = Extract<Item, { kind: "vote" | "proposal" }>;

/**
 * Own votes and proposals over the peer streams, one frame for what a turn emitted, to every peer that joined the topics
 * of validators. Where this node's links reach everybody, nobody has to forward anything, and what gossipsub does for a
 * message (ids, caches, scores, a stream of its own) would be in vain. A receiver treats such a frame as one of repair.
 */
export class DirectSender {
  readonly #runtime: Runtime;
  readonly #outbox: Outbox;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
    this.#outbox = new Outbox(
      {
        packItems: LIMITS.packItems,
        packBytes: 2 * LIMITS.packBytes,
        maxItems: LIMITS.outboxItems,
        maxBytes: LIMITS.outboxBytes,
      },
      runtime.clock,
      (pack) => this.#send(pack),
    );
  }

  /** Whether an item is one that goes this way now. */
  carries(item: Item): item is DirectItem {
    return (item.kind === "vote" || item.kind === "proposal") && this.#runtime.links.reachesAll();
  }

  /** Queues an item for the end of this turn; false when the outbox is full. */
  publish(item: DirectItem): boolean {
    return this.#outbox.add(encodeItem(item));
  }

  get length(): number {
    return this.#outbox.length;
  }

  flush(): void {
    this.#outbox.flush();
  }

  close(): void {
    this.#outbox.close();
  }

  #send(pack: Uint8Array): void {
    const { peers, modules } = this.#runtime;
    const frame = itemsFrame(pack);
    for (const peer of peers.values()) {
      if (!hears(peer)) continue;
      modules.metrics?.bytes("out", "direct", pack.length);
      this.#runtime.write(peer, frame);
    }
  }
}

/** A peer that does not drain gets no more: its next round state says what it lacks. */
function hears({ ready, subscribed, stream }: Peer): boolean {
  return ready && subscribed.has("votes") && stream?.writableNeedsDrain !== true;
}
