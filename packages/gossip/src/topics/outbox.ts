import type { GossipClock } from "../clock.ts";
import { joinPack } from "./items.ts";

export interface OutboxOptions {
  /** Items and bytes of one publish. */
  readonly packItems: number;
  readonly packBytes: number;
  /** Items and bytes waiting; what comes beyond is refused. */
  readonly maxItems: number;
  readonly maxBytes: number;
}

/**
 * Collects what is emitted for one topic within one turn of the event loop and hands it over as few packs as the
 * bounds allow. The turn ends right after the I/O events that caused the messages: no waiting.
 */
export class Outbox {
  readonly #options: OutboxOptions;
  readonly #clock: GossipClock;
  readonly #publish: (pack: Uint8Array) => void;
  #items: Uint8Array[] = [];
  #bytes = 0;
  #cancel: (() => void) | null = null;
  #closed = false;

  constructor(options: OutboxOptions, clock: GossipClock, publish: (pack: Uint8Array) => void) {
    this.#options = options;
    this.#clock = clock;
    this.#publish = publish;
  }

  get length(): number {
    return this.#items.length;
  }

  /** False when the outbox is full or closed: the item is lost to gossip and left to repair. */
  add(item: Uint8Array): boolean {
    const { maxItems, maxBytes } = this.#options;
    if (this.#closed || this.#items.length >= maxItems || this.#bytes + item.length > maxBytes) return false;
    this.#items.push(item);
    this.#bytes += item.length;
    this.#cancel ??= this.#clock.timer(0, () => this.flush());
    return true;
  }

  /** Publishes what waits now. */
  flush(): void {
    this.#cancel?.();
    this.#cancel = null;
    const items = this.#items;
    this.#items = [];
    this.#bytes = 0;
    for (const pack of packsOf(items, this.#options.packItems, this.#options.packBytes)) this.#publish(pack);
  }

  close(): void {
    this.#closed = true;
    this.#cancel?.();
    this.#cancel = null;
    this.#items = [];
    this.#bytes = 0;
  }
}

/** Cuts encoded items into packs in order; an item above the byte bound travels alone. */
export function packsOf(
  items: readonly Uint8Array[],
  packItems: number,
  packBytes: number,
): Uint8Array<ArrayBuffer>[] {
  const packs: Uint8Array<ArrayBuffer>[] = [];
  let current: Uint8Array[] = [];
  let bytes = 0;
  for (const item of items) {
    if (current.length > 0 && (current.length === packItems || bytes + item.length > packBytes)) {
      packs.push(joinPack(current));
      current = [];
      bytes = 0;
    }
    current.push(item);
    bytes += item.length;
  }
  if (current.length > 0) packs.push(joinPack(current));
  return packs;
}
