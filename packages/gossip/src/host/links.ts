import type { Height, ValidatorSet } from "@quorate/chain";
import { toHex } from "@quorate/crypto";
import { bitsOf, countBits, hasBit, lostBits } from "../roundstate/bits.ts";
import type { TopicKind } from "../topics/names.ts";
import type { BitArray, ConsensusView } from "../types.ts";
import type { Peer, PeerTable } from "./peers.ts";

/**
 * Which validators this node has a direct link to, and whether a message must be forwarded because some neighbour has
 * none to its origin.
 */
export class Links {
  readonly #view: Pick<ConsensusView, "height" | "validators">;
  readonly #peers: PeerTable;
  readonly #self: string | null;
  #set: ValidatorSet | null = null;
  #indexes = new Map<string, number>();
  #direct: BitArray | null = null;

  /** `self`: own validator address in hex, `null` when no binding names this node. */
  constructor(view: Pick<ConsensusView, "height" | "validators">, peers: PeerTable, self: string | null) {
    this.#view = view;
    this.#peers = peers;
    this.#self = self;
  }

  /** Peers came or went. */
  changed(): void {
    this.#direct = null;
  }

  #follow(height: Height): void {
    const set = this.#view.validators(height);
    if (set === this.#set) return;
    this.#set = set;
    this.#direct = null;
    this.#indexes = new Map(set?.validators.map((validator, index) => [toHex(validator.address), index]));
  }

  /** Set index of a peer's validator, -1 when it is none. */
  indexOf(peer: Peer): number {
    return peer.validatorHex === null ? -1 : (this.#indexes.get(peer.validatorHex) ?? -1);
  }

  /** Whether a validator of the set of the height that is being decided speaks through the peer. */
  validates(peer: Peer): boolean {
    this.#follow(this.#view.height);
    return this.indexOf(peer) >= 0;
  }

  /** Validators of the height's set that this node is linked to, itself included. */
  direct(height: Height): BitArray {
    this.#follow(height);
    if (this.#direct === null) {
      const indexes: number[] = [];
      if (this.#self !== null) indexes.push(this.#indexes.get(this.#self) ?? -1);
      for (const peer of this.#peers.values()) if (peer.ready) indexes.push(this.indexOf(peer));
      this.#direct = bitsOf(this.#set?.validators.length ?? 0, indexes);
    }
    return this.#direct;
  }

  /**
   * Whether this node's own messages reach everybody over its own links: no peer has a link to a validator that this node
   * has none to. False where no binding says whose node this is, for then nobody knows of the links to it.
   */
  reachesAll(): boolean {
    if (this.#self === null) return false;
    const { height } = this.#view;
    const own = this.direct(height);
    for (const { ready, roundState } of this.#peers.values()) {
      if (!ready || roundState === null || roundState.direct.size !== own.size) continue;
      if (lostBits(roundState.direct, own)) return false;
    }
    return true;
  }

  /**
   * Whether what goes over this node's own links alone reaches every validator that is there: this node is linked to all; or
   * nobody is to those that are missing, for all neighbours on the topics of validators say so, and are validators
   * themselves: behind a relay there may be more.
   */
  linkedToAllThere(height: Height): boolean {
    const own = this.direct(height);
    if (own.size > 0 && countBits(own) === own.size) return true;
    if (!this.reachesAll()) return false;
    return [...this.#peers.values()].every((peer) => {
      if (!peer.ready || !peer.subscribed.has("proposals")) return true;
      return peer.roundState?.direct.size === own.size && this.indexOf(peer) >= 0;
    });
  }

  /**
   * Whether validators need this node to hear each other though it is none: a neighbour on the topics of validators, or a
   * validator, has no link to one that this node or another neighbour has a link to. Of a validator that is away nobody has,
   * and where all have links to all nobody needs a relay.
   */
  relays(): boolean {
    const own = this.direct(this.#view.height);
    const within = own.bits.slice();
    const linked: { readonly peer: Peer; readonly direct: BitArray }[] = [];
    for (const peer of this.#peers.values()) {
      const direct = peer.roundState?.direct;
      if (!peer.ready || direct?.size !== own.size) continue;
      linked.push({ peer, direct });
      for (let byte = 0; byte < within.length; byte++) within[byte]! |= direct.bits[byte]!;
    }
    const reached = { size: own.size, bits: within };
    return linked.some(
      ({ peer, direct }) =>
        (peer.subscribed.has("votes") || this.indexOf(peer) >= 0) && lostBits(reached, direct),
    );
  }

  /** True when some subscribed neighbour, other than the sender, lacks a link to one of these validators. */
  mustForward(topic: TopicKind, sender: string, origins: readonly number[]): boolean {
    this.#follow(this.#view.height);
    for (const peer of this.#peers.values()) {
      const direct = peer.roundState?.direct;
      for (const origin of origins) {
        // First what holds for every peer of a full mesh: this is asked for every message.
        if (direct !== undefined && hasBit(direct, origin)) continue;
        if (peer.id !== sender && peer.subscribed.has(topic) && origin !== this.indexOf(peer)) return true;
      }
    }
    return false;
  }
}
