import { toHex } from "@quorate/crypto";

/** What travels by gossip; one topic each. */
export const TOPICS = ["proposals", "parts", "votes", "evidence", "txs"] as const;
export type TopicKind = (typeof TOPICS)[number];

/** Topics that only validators and their candidates join. */
export const VALIDATOR_TOPICS: readonly TopicKind[] = ["proposals", "parts", "votes"];

/** `/quorate/<8 hex of the genesis hash>/<kind>/1`: nodes of another chain never meet on a topic. */
export function topicName(genesisHash: Uint8Array, kind: TopicKind): string {
  return `/quorate/${toHex(genesisHash.subarray(0, 4))}/${kind}/1`;
}

/** All topic names of a chain and the way back. */
export function topicTable(genesisHash: Uint8Array): {
  readonly name: Readonly<Record<TopicKind, string>>;
  readonly kind: ReadonlyMap<string, TopicKind>;
} {
  const pairs = TOPICS.map((kind) => [kind, topicName(genesisHash, kind)] as const);
  return {
    name: Object.fromEntries(pairs) as Record<TopicKind, string>,
    kind: new Map(pairs.map(([kind, name]) => [name, kind])),
  };
}
