import type { Outcome } from "../admission/admission.ts";
import { reasonOf } from "../errors.ts";
import type { TopicVerdict } from "../host/network.ts";
import type { Peer } from "../host/peers.ts";
import { LIMITS } from "../limits.ts";
import { charge, type Runtime } from "../runtime.ts";
import { OFFENCES } from "../scoring/table.ts";
import { plain } from "../wire/bytes.ts";
import { DirectSender } from "./direct.ts";
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

/** Of the topics of what one validator says to all. */
const ORIGINAL = ["proposals", "votes"] as const;

/**
 * The gossip side: which topics are joined, what is published in one tick as one message, and what gossipsub is told
 * about a message after admission consumed it.
 */
export class Router {
  readonly #runtime: Runtime;
  readonly #names: Readonly<Record<TopicKind, string>>;
  readonly #kinds: ReadonlyMap<string, TopicKind>;
  readonly #outboxes: Readonly<Record<TopicKind, Outbox>>;
  readonly #direct: DirectSender;
  #validating = true;
  /** Since it was last needed as a relay between validators, monotonic ms; `null`: it is none. */
  #relayedAtMs: number | null = null;
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
        runtime.clock,
        (pack) => this.#publish(topic, pack),
      );
    this.#direct = new DirectSender(runtime);
    this.#outboxes = {
      proposals: outbox("proposals"),
      parts: outbox("parts"),
      votes: outbox("votes"),
      evidence: outbox("evidence"),
      txs: outbox("txs"),
    };
  }

  start(): void {
    const { topics } = this.#runtime.network;
    for (const topic of TOPICS) {
      topics.consume(this.#names[topic], (from, data) => this.#validate(topic, from, data));
    }
    topics.onSubscriptions((id, changes) => {
      const peer = this.#runtime.peers.get(id);
      if (peer === undefined) return;
      peer.gossipOpened = true;
      for (const { topic, subscribe } of changes) {
        const kind = this.#kinds.get(topic);
        if (kind === undefined) continue;
        if (subscribe) peer.subscribed.add(kind);
        else peer.subscribed.delete(kind);
      }
      this.#runtime.modules.log.debug("peer changed its topics", {
        peer: peer.id,
        topics: [...peer.subscribed],
      });
      this.relay();
    });
    this.#started = true;
    for (const topic of TOPICS) if (this.#joined(topic)) topics.subscribe(this.#names[topic]);
  }

  stop(): void {
    this.#started = false;
    for (const topic of TOPICS) this.#outboxes[topic].close();
    this.#direct.close();
  }

  #joined(topic: TopicKind): boolean {
    return this.#validating || this.#relayedAtMs !== null || !VALIDATOR_TOPICS.includes(topic);
  }

  setValidating(on: boolean): void {
    this.#rejoin(() => {
      this.#validating = on;
    });
  }

  /**
   * Links or sets may have changed: a node that is no validator joins the topics of validators for as long as some of them
   * hear each other through it alone, as they do behind sentries.
   */
  relay(): void {
    if (this.#validating) return;
    const { links, now } = this.#runtime;
    const at = now();
    if (links.relays()) {
      this.#rejoin(() => {
        this.#relayedAtMs = at;
      });
    } else if (this.#relayedAtMs !== null && at - this.#relayedAtMs >= LIMITS.relayLingerMs) {
      this.#rejoin(() => {
        this.#relayedAtMs = null;
      });
    }
  }

  /** Joins or leaves the topics of validators if what changes makes it. */
  #rejoin(change: () => void): void {
    const [some] = VALIDATOR_TOPICS;
    const before = some !== undefined && this.#joined(some);
    change();
    const after = some !== undefined && this.#joined(some);
    if (!this.#started || before === after) return;
    const { topics } = this.#runtime.network;
    for (const topic of VALIDATOR_TOPICS) {
      if (after) topics.subscribe(this.#names[topic]);
      else topics.unsubscribe(this.#names[topic]);
    }
  }

  /** Queues an own item for the end of this tick: over the links themselves where they lead to everybody, else by gossip. */
  publish(topic: TopicKind, item: Item): void {
    if (this.#direct.carries(item)) this.#queued(topic, this.#direct.publish(item), this.#direct.length);
    else this.#gossip(topic, item);
  }

  #gossip(topic: TopicKind, item: Item): void {
    const outbox = this.#outboxes[topic];
    this.#queued(topic, outbox.add(encodeItem(item)), outbox.length);
  }

  #queued(topic: TopicKind, taken: boolean, length: number): void {
    if (!taken) {
      this.#runtime.modules.log.warn("gossip outbox is full; the message is left to repair", { topic });
    }
    this.#runtime.modules.metrics?.queue(`gossip_${topic}`, length, LIMITS.outboxItems);
  }

  /** Sends what waits for a topic now, before something that must come after it. */
  flush(topic: TopicKind): void {
    this.#outboxes[topic].flush();
    this.#direct.flush();
  }

  /**
   * Items that came over a peer's own stream and were consumed. What it says itself and did not publish on a topic goes on
   * by gossip where a neighbour has no link to it.
   */
  arrived(peer: Peer, items: readonly Item[], outcome: Outcome): void {
    charge(this.#runtime, peer.id, outcome);
    const { links } = this.#runtime;
    const index = links.indexOf(peer);
    const verdict = this.#directVerdict(outcome);
    const own = verdict === "ignore" && outcome.origins.includes(index);
    let spread = false;
    for (const topic of own ? ORIGINAL : []) {
      const said = items.filter((item) => isOf(item, topic, index));
      if (said.length === 0 || !links.mustForward(topic, peer.id, [index])) continue;
      for (const item of said) this.#gossip(topic, item);
      spread = true;
    }
    this.#runtime.modules.metrics?.message("direct", spread ? "accept" : verdict);
  }

  #directVerdict({ offence }: Outcome): "reject" | "ignore" {
    return offence !== null && OFFENCES[offence].verdict === "reject" ? "reject" : "ignore";
  }

  #publish(topic: TopicKind, pack: Uint8Array): void {
    if (!this.#started) return;
    const { network, modules } = this.#runtime;
    modules.metrics?.bytes("out", topic, pack.length);
    network.topics.publish(this.#names[topic], pack).catch((error: unknown) => {
      modules.log.warn("publishing failed; repair will bring the message", {
        topic,
        reason: reasonOf(error),
      });
    });
  }

  #validate(topic: TopicKind, from: string, data: Uint8Array): TopicVerdict | Promise<TopicVerdict> {
    const peer = this.#runtime.peers.get(from);
    this.#runtime.modules.metrics?.bytes("in", topic, data.length);
    if (peer === undefined) return this.#judged(topic, "ignore");
    if (!peer.messages.take(1, this.#runtime.now())) {
      this.#runtime.report(peer.id, "flood");
      return this.#judged(topic, "ignore");
    }
    const outcome = this.#runtime.admission.receivePack(topic, plain(data), peer);
    if (outcome instanceof Promise) return outcome.then((found) => this.#verdict(topic, peer.id, found));
    return this.#verdict(topic, peer.id, outcome);
  }

  /** Consumed already: Accept only makes gossipsub forward it, which it must if a neighbour depends on us. */
  #verdict(topic: TopicKind, sender: string, outcome: Outcome): TopicVerdict {
    charge(this.#runtime, sender, outcome);
    if (outcome.offence !== null && OFFENCES[outcome.offence].verdict === "reject") {
      return this.#judged(topic, "reject");
    }
    if (outcome.fresh === 0) return this.#judged(topic, "ignore");
    const forward = outcome.spread || this.#runtime.links.mustForward(topic, sender, outcome.origins);
    return this.#judged(topic, forward ? "accept" : "ignore");
  }

  #judged(topic: TopicKind, verdict: TopicVerdict): TopicVerdict {
    this.#runtime.modules.metrics?.message(topic, verdict);
    return verdict;
  }
}

/** Whether an item is what the validator with this index says on the topic; of a proposal its sender has been checked. */
function isOf(item: Item, topic: (typeof ORIGINAL)[number], index: number): boolean {
  if (topic === "proposals") return item.kind === "proposal";
  return item.kind === "vote" && item.vote.validatorIndex === index;
}
