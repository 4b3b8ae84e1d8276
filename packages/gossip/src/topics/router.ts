import { TopicValidatorResult } from "@libp2p/gossipsub";
import type { PeerId } from "@libp2p/interface";
import type { Outcome } from "../admission/admission.ts";
import { reasonOf } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { charge, type Runtime } from "../runtime.ts";
import { OFFENCES } from "../scoring/table.ts";
import { plain } from "../wire/bytes.ts";
import { encodeItem, type Item } from "./items.ts";
import { TOPICS, type TopicKind, topicTable, VALIDATOR_TOPICS } from "./names.ts";
import { Outbox } from "./outbox.ts";

const PACKS: Readonly<Record<TopicKind, { readonly items: number; readonly bytes: number }>> = {
  proposals: { items: 4, bytes: 2 * LIMITS.packBytes },
  parts: { items: 1, bytes: 2 * LIMITS.packBytes },
  votes: { items: LIMITS.packItems, bytes: LIMITS.packBytes },
  evidence: { items: 8, bytes: LIMITS.packBytes },
  txs: { items: LIMITS.txPackItems, bytes: LIMITS.txPackBytes },
};

const { Accept, Ignore, Reject } = TopicValidatorResult;

/**
 * The gossip side: which topics are joined, what is published in one tick as one message, and what gossipsub is told
 * about a message after admission consumed it.
 */
export class Router {
  readonly #runtime: Runtime;
  readonly #names: Readonly<Record<TopicKind, string>>;
  readonly #kinds: ReadonlyMap<string, TopicKind>;
  readonly #outboxes: Readonly<Record<TopicKind, Outbox>>;
  #validating = true;
  #started = false;

  constructor(runtime: Runtime, genesisHash: Uint8Array) {
    this.#runtime = runtime;
    const { name, kind } = topicTable(genesisHash);
    this.#names = name;
    this.#kinds = kind;
    const outbox = (topic: TopicKind): Outbox =>
      new Outbox(
        {
          packItems: PACKS[topic].items,
          packBytes: PACKS[topic].bytes,
          maxItems: LIMITS.outboxItems,
          maxBytes: LIMITS.outboxBytes,
        },
        (pack) => this.#publish(topic, pack),
      );
    this.#outboxes = {
      proposals: outbox("proposals"),
      parts: outbox("parts"),
      votes: outbox("votes"),
      evidence: outbox("evidence"),
      txs: outbox("txs"),
    };
  }

  start(): void {
    const { pubsub } = this.#runtime.host.services;
    for (const topic of TOPICS) {
      pubsub.topicValidators.set(this.#names[topic], (peer, message) =>
        this.#validate(topic, peer, message.data),
      );
    }
    pubsub.addEventListener("subscription-change", (event) => {
      const peer = this.#runtime.peers.get(event.detail.peerId.toString());
      if (peer === undefined) return;
      peer.gossipOpened = true;
      for (const { topic, subscribe } of event.detail.subscriptions) {
        const kind = this.#kinds.get(topic);
        if (kind === undefined) continue;
        if (subscribe) peer.subscribed.add(kind);
        else peer.subscribed.delete(kind);
      }
      this.#runtime.modules.log.debug("peer changed its topics", {
        peer: peer.id,
        topics: [...peer.subscribed],
      });
    });
    this.#started = true;
    for (const topic of TOPICS) if (this.#joined(topic)) pubsub.subscribe(this.#names[topic]);
  }

  stop(): void {
    this.#started = false;
    for (const topic of TOPICS) this.#outboxes[topic].close();
  }

  #joined(topic: TopicKind): boolean {
    return this.#validating || !VALIDATOR_TOPICS.includes(topic);
  }

  setValidating(on: boolean): void {
    if (on === this.#validating) return;
    this.#validating = on;
    if (!this.#started) return;
    const { pubsub } = this.#runtime.host.services;
    for (const topic of VALIDATOR_TOPICS) {
      if (on) pubsub.subscribe(this.#names[topic]);
      else pubsub.unsubscribe(this.#names[topic]);
    }
  }

  /** Queues an item for the end of this tick. */
  publish(topic: TopicKind, item: Item): void {
    const outbox = this.#outboxes[topic];
    if (!outbox.add(encodeItem(item))) {
      this.#runtime.modules.log.warn("gossip outbox is full; the message is left to repair", { topic });
    }
    this.#runtime.modules.metrics?.queue(`gossip_${topic}`, outbox.length, LIMITS.outboxItems);
  }

  /** Sends what waits for a topic now, before something that must come after it. */
  flush(topic: TopicKind): void {
    this.#outboxes[topic].flush();
  }

  #publish(topic: TopicKind, pack: Uint8Array): void {
    if (!this.#started) return;
    const { host, modules } = this.#runtime;
    modules.metrics?.bytes("out", topic, pack.length);
    host.services.pubsub.publish(this.#names[topic], pack).catch((error: unknown) => {
      modules.log.warn("publishing failed; repair will bring the message", {
        topic,
        reason: reasonOf(error),
      });
    });
  }

  #validate(
    topic: TopicKind,
    from: PeerId,
    data: Uint8Array,
  ): TopicValidatorResult | Promise<TopicValidatorResult> {
    const peer = this.#runtime.peers.get(from.toString());
    this.#runtime.modules.metrics?.bytes("in", topic, data.length);
    if (peer === undefined) return this.#judged(topic, Ignore);
    if (!peer.messages.take(1, this.#runtime.now())) {
      this.#runtime.report(peer.id, "flood");
      return this.#judged(topic, Ignore);
    }
    const outcome = this.#runtime.admission.receivePack(topic, plain(data), peer);
    if (outcome instanceof Promise) return outcome.then((found) => this.#verdict(topic, peer.id, found));
    return this.#verdict(topic, peer.id, outcome);
  }

  /** Consumed already: Accept only makes gossipsub forward it, which it must if a neighbour depends on us. */
  #verdict(topic: TopicKind, sender: string, outcome: Outcome): TopicValidatorResult {
    charge(this.#runtime, sender, outcome);
    if (outcome.offence !== null && OFFENCES[outcome.offence].verdict === "reject") {
      return this.#judged(topic, Reject);
    }
    if (outcome.fresh === 0) return this.#judged(topic, Ignore);
    const forward = outcome.spread || this.#runtime.links.mustForward(topic, sender, outcome.origins);
    return this.#judged(topic, forward ? Accept : Ignore);
  }

  #judged(topic: TopicKind, verdict: TopicValidatorResult): TopicValidatorResult {
    this.#runtime.modules.metrics?.message(topic, verdict);
    return verdict;
  }
}
