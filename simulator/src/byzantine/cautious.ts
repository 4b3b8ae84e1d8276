import { blockIdKey, type Vote } from "@quorate/chain";
import { bytesEqual } from "@quorate/crypto";
import { encodeItem, type Item, itemsFrame, joinPack } from "@quorate/gossip/core";
import type { SigningKey } from "@quorate/privval";
import { PEER_PROTOCOL, peerMessages, topicItems } from "../network/describe.ts";
import type { Liar } from "./strategy.ts";

type Said = Pick<Vote, "height" | "round" | "type" | "blockId">;

/**
 * Liars that act in several places at once and never let an honest node see two different votes of theirs for one round:
 * no single vote of theirs is false. Among themselves they say everything.
 */
export class Cautious implements Liar {
  readonly forgets = false;
  readonly #honest: (peerId: string) => boolean;
  /** What was first said to an honest node, by key, height, round and type. */
  readonly #said = new Map<string, string>();
  /** Places of the liars in the set, which does not change here. */
  readonly #indexes = new Set<number>();

  constructor(honest: (peerId: string) => boolean) {
    this.#honest = honest;
  }

  outgoing(key: SigningKey, to: string, protocol: string, bytes: Uint8Array): readonly Uint8Array[] {
    if (!this.#honest(to)) return [bytes];
    if (protocol.startsWith("topic/")) {
      const items = topicItems(bytes);
      const kept = items.filter((item) => this.#may(key, item));
      if (kept.length === items.length) return [bytes];
      return kept.length === 0 ? [] : [joinPack(kept.map(encodeItem))];
    }
    if (protocol !== PEER_PROTOCOL) return [bytes];
    return peerMessages(bytes).flatMap((each) => {
      if (each.message.kind !== "items") return [each.bytes];
      const kept = each.message.items.filter((item) => this.#may(key, item));
      if (kept.length === each.message.items.length) return [each.bytes];
      return kept.length === 0 ? [] : [itemsFrame(joinPack(kept.map(encodeItem)))];
    });
  }

  #may(key: SigningKey, item: Item): boolean {
    if (item.kind === "vote") {
      if (!bytesEqual(item.vote.validatorAddress, key.address)) return true;
      this.#indexes.add(item.vote.validatorIndex);
      return this.#consistent([item.vote.validatorIndex], item.vote);
    }
    if (item.kind !== "certificate") return true;
    const signers = item.certificate.signatures.map(({ validatorIndex }) => validatorIndex);
    return this.#consistent(
      signers.filter((index) => this.#indexes.has(index)),
      item.certificate,
    );
  }

  /** Whether these liars said nothing else there; then they have said this. */
  #consistent(indexes: readonly number[], { height, round, type, blockId }: Said): boolean {
    const value = blockIdKey(blockId);
    const places = indexes.map((index) => `${index}/${height}/${round}/${type}`);
    if (places.some((place) => (this.#said.get(place) ?? value) !== value)) return false;
    for (const place of places) this.#said.set(place, value);
    return true;
  }
}
