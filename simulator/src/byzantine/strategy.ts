/**
 * What a Byzantine node does to its own messages on their way out, receiver by receiver. The node behind is the product's
 * own code without a guard; its strategy lies in its name. Several act as one: they share their draws.
 */
import {
  type BlockId,
  blockIdEquals,
  decodeBlock,
  type Proposal,
  proposalSignBytes,
  type Vote,
  VoteType,
  voteSignBytes,
} from "@quorate/chain";
import { bytesEqual } from "@quorate/crypto";
import {
  encodeItem,
  type Item,
  itemsFrame,
  joinPack,
  type PeerMessage,
  roundStateFrame,
  statusFrame,
} from "@quorate/gossip/core";
import type { SigningKey } from "@quorate/privval";
import { CHAIN_ID } from "../cluster/genesis.ts";
import type { Random } from "../core/random.ts";
import { BODY_PROTOCOL, PEER_PROTOCOL, peerMessages, topicItems } from "../network/describe.ts";
import { type MadeBlock, sibling, spoiled, spoilsFor } from "./blocks.ts";

export const BEHAVIOURS = [
  "equivocate-prevotes",
  "equivocate-precommits",
  "equivocate-proposals",
  "two-faces",
  "invalid-proposals",
  "withhold-proposals",
  "withhold-bodies",
  "withhold-votes",
  "forward-selectively",
  "silence",
  "flood-future",
  "flood-stale",
  "lie-about-height",
  "lie-about-votes",
  "withhold-repair",
  "spoil-sync",
  "amnesia",
] as const;
export type Behaviour = (typeof BEHAVIOURS)[number];

/** Votes that a flood adds to one message. */
const FLOOD = 8;
/** Blocks and votes remembered, to be sent again or twisted. */
const REMEMBERED = 64;

/** What stands between a Byzantine node and the network. */
export interface Liar {
  /** It loses its memory now and then. */
  readonly forgets: boolean;
  /** What leaves instead of these bytes. */
  outgoing(key: SigningKey, to: string, protocol: string, bytes: Uint8Array): readonly Uint8Array[];
}

export class Strategy implements Liar {
  readonly #behaviours: ReadonlySet<Behaviour>;
  readonly #random: Random;
  /** Share of occasions on which a behaviour shows. */
  readonly #often: number;
  /** What honest proposals became, by their hash: the same for every receiver, and for all that collude. */
  readonly #twisted = new Map<string, MadeBlock | null>();
  readonly #oldVotes: Vote[] = [];
  #lastBlock: BlockId | null = null;

  constructor(behaviours: readonly Behaviour[], often: number, random: Random) {
    this.#behaviours = new Set(behaviours);
    this.#often = often;
    this.#random = random;
  }

  get forgets(): boolean {
    return this.#behaviours.has("amnesia");
  }

  outgoing(key: SigningKey, to: string, protocol: string, bytes: Uint8Array): readonly Uint8Array[] {
    if (protocol.startsWith("topic/")) {
      const items = this.#items(topicItems(bytes), key, to);
      return items.length === 0 ? [] : [joinPack(items.map(encodeItem))];
    }
    if (protocol === PEER_PROTOCOL) return peerMessages(bytes).flatMap((each) => this.#peer(each, key, to));
    if (protocol === BODY_PROTOCOL && this.#does("withhold-bodies", to)) return [];
    if (this.#does("spoil-sync", `${bytes.length}`) && bytes.length > 200) return [this.#flip(bytes)];
    return [bytes];
  }

  #peer(
    message: { readonly bytes: Uint8Array; readonly message: PeerMessage },
    key: SigningKey,
    to: string,
  ): readonly Uint8Array[] {
    const said = message.message;
    switch (said.kind) {
      case "items": {
        // Own votes and proposals go the same way and are no repair.
        const kept = this.#does("withhold-repair", to)
          ? said.items.filter((item) => isOwn(key, item))
          : said.items;
        const items = this.#items(kept, key, to);
        return items.length === 0 ? [] : [itemsFrame(joinPack(items.map(encodeItem)))];
      }
      case "round_state": {
        if (!this.#does("lie-about-votes", `${said.state.height}/${to}`)) return [message.bytes];
        const all = {
          ...said.state,
          votes: said.state.votes.map((each) => ({ ...each, have: full(each.have) })),
        };
        return [roundStateFrame(all)];
      }
      case "status": {
        if (!this.#does("lie-about-height", `${said.status.height}`)) return [message.bytes];
        return [
          statusFrame({ ...said.status, height: said.status.height + this.#random.between(1, 1_000_000) }),
        ];
      }
      case "want_body":
      case "goodbye":
        return [message.bytes];
    }
  }

  #items(items: readonly Item[], key: SigningKey, to: string): Item[] {
    const changed = items.flatMap((item): Item[] => {
      if (item.kind === "vote" && bytesEqual(item.vote.validatorAddress, key.address)) {
        return this.#vote(item.vote, key, to);
      }
      if (item.kind === "proposal" && isBy(key, item.proposal)) return this.#proposal(item, key, to);
      const isBody = item.kind === "body" || item.kind === "part";
      if (isBody && this.#does("withhold-bodies", to)) return [];
      // Which receiver lacks which of the others' messages changes from height to height.
      const place = "vote" in item ? `${item.vote.height}/${item.vote.validatorIndex}` : item.kind;
      if (this.#does("forward-selectively", place) && this.#side(to, place)) return [];
      return [item];
    });
    return changed;
  }

  #vote(vote: Vote, key: SigningKey, to: string): Item[] {
    const { height, round, type, blockId } = vote;
    const place = `${height}/${round}/${type}`;
    if (blockId !== null) this.#lastBlock = blockId;
    if (this.#does("silence", String(height))) return [];
    if (this.#does("withhold-votes", `${place}/${to}`)) return [];
    this.#oldVotes.push(vote);
    if (this.#oldVotes.length > REMEMBERED) this.#oldVotes.shift();
    const kind = type === VoteType.prevote ? "equivocate-prevotes" : "equivocate-precommits";
    const other = this.#does(kind, place) && this.#side(to, place);
    const sent: Item[] = [{ kind: "vote", vote: other ? this.#otherwise(vote, key) : vote }];
    if (this.#does("flood-stale", place)) {
      sent.push(...this.#oldVotes.slice(0, FLOOD).map((old): Item => ({ kind: "vote", vote: old })));
    }
    if (this.#does("flood-future", place)) {
      for (let ahead = 1; ahead <= FLOOD; ahead++) {
        const far = { ...vote, height: height + (ahead % 3 === 0 ? 1 : 0), round: round + ahead * ahead };
        sent.push({ kind: "vote", vote: signedVote(far, key) });
      }
    }
    return sent;
  }

  /** For another block, or for nil where it was for one. */
  #otherwise(vote: Vote, key: SigningKey): Vote {
    const twin = vote.blockId === null ? this.#lastBlock : (this.#twinOf(vote.blockId) ?? null);
    return signedVote({ ...vote, blockId: twin }, key);
  }

  #proposal(item: Extract<Item, { readonly kind: "proposal" }>, key: SigningKey, to: string): Item[] {
    const { proposal, body } = item;
    const place = `${proposal.height}/${proposal.round}`;
    if (this.#does("silence", String(proposal.height))) return [];
    if (this.#does("withhold-proposals", place)) {
      return this.#side(to, place) || this.#does("withhold-proposals", `${place} all`) ? [] : [item];
    }
    const withheld = this.#does("withhold-bodies", `${place}/${to}`);
    if (body !== null && proposal.polRound < 0) {
      const twist = this.#twist(proposal, body, place);
      if (twist !== null && (this.#does("invalid-proposals", place) || this.#side(to, place))) {
        const changed = { ...proposal, blockId: twist.blockId, timestamp: twist.block.header.time };
        const signed = { ...changed, signature: key.signer.sign(proposalSignBytes(CHAIN_ID, changed)) };
        return [{ kind: "proposal", proposal: signed, body: withheld ? null : twist.bytes }];
      }
    }
    const sent: Item[] = [withheld ? { ...item, body: null } : item];
    if (this.#does("flood-future", place)) {
      for (let ahead = 1; ahead <= FLOOD; ahead++) {
        const far = { ...proposal, round: proposal.round + ahead * ahead };
        const signature = key.signer.sign(proposalSignBytes(CHAIN_ID, far));
        sent.push({ kind: "proposal", proposal: { ...far, signature }, body: null });
      }
    }
    return sent;
  }

  /** What this proposal becomes, decided once. */
  #twist(proposal: Proposal, body: Uint8Array, place: string): MadeBlock | null {
    const name = keyOf(proposal.blockId);
    const known = this.#twisted.get(name);
    if (known !== undefined) return known;
    const block = decodeBlock(body);
    const random = this.#random.split(`twist ${place}`);
    let twist: MadeBlock | null = null;
    if (this.#does("invalid-proposals", place)) twist = spoiled(block, random.pick(spoilsFor(block)), random);
    else if (this.#does("equivocate-proposals", place)) twist = sibling(block);
    this.#twisted.set(name, twist);
    const [oldest] = this.#twisted.keys();
    if (this.#twisted.size > REMEMBERED && oldest !== undefined) this.#twisted.delete(oldest);
    return twist;
  }

  #twinOf(blockId: BlockId): BlockId | undefined {
    for (const [name, twist] of this.#twisted) {
      if (twist === null) continue;
      if (name === keyOf(blockId)) return twist.blockId;
      if (blockIdEquals(twist.blockId, blockId)) return undefined;
    }
    return undefined;
  }

  /** Whether the behaviour shows at this place: the same answer every time it is asked. */
  #does(behaviour: Behaviour, place: string): boolean {
    if (this.#behaviours.has("two-faces") && behaviour.startsWith("equivocate-")) {
      return this.#random.split(`two-faces ${heightOf(place)}`).chance(this.#often);
    }
    if (!this.#behaviours.has(behaviour)) return false;
    return this.#random.split(`${behaviour} ${place}`).chance(this.#often);
  }

  /** Which half of the receivers this one belongs to; of two faces it sees one and the same throughout a height. */
  #side(to: string, place: string): boolean {
    const where = this.#behaviours.has("two-faces") ? heightOf(place) : place;
    return this.#random.split(`side ${where} ${to}`).chance(0.5);
  }

  #flip(bytes: Uint8Array): Uint8Array {
    const copy = bytes.slice();
    copy[this.#random.between(100, copy.length - 1)]! ^= 1;
    return copy;
  }
}

/** Places begin with the height. */
function heightOf(place: string): string {
  return place.split("/", 1)[0] ?? place;
}

function keyOf(blockId: BlockId): string {
  return Buffer.from(blockId.hash).toString("hex");
}

function signedVote(vote: Vote, key: SigningKey): Vote {
  return { ...vote, signature: key.signer.sign(voteSignBytes(CHAIN_ID, vote)) };
}

function isOwn(key: SigningKey, item: Item): boolean {
  if (item.kind === "vote") return bytesEqual(item.vote.validatorAddress, key.address);
  return item.kind === "proposal" && isBy(key, item.proposal);
}

/** A node's own proposals are recognised by what its key would have signed. */
function isBy(key: SigningKey, proposal: Proposal): boolean {
  return bytesEqual(key.signer.sign(proposalSignBytes(CHAIN_ID, proposal)), proposal.signature);
}

function full(have: { readonly size: number; readonly bits: Uint8Array }): typeof have {
  const bits = new Uint8Array(have.bits.length).fill(0xff);
  const rest = have.size & 7;
  if (rest !== 0 && bits.length > 0) bits[bits.length - 1] = (1 << rest) - 1;
  return { size: have.size, bits };
}
