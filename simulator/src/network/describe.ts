/** What a message says, for traces and for the judges of what a node sent. */
import { encodeBlockId, type Proposal, type Vote, VoteType } from "@quorate/chain";
import { toHex } from "@quorate/crypto";
import {
  decodePack,
  decodePeerMessage,
  FrameDecoder,
  frame,
  type Item,
  type ItemKind,
  type PeerMessage,
} from "@quorate/gossip/core";

/** Protocol of the stream that carries round states, repair, status; and of that for large bodies. */
export const PEER_PROTOCOL = "/quorate/peer/1";
export const BODY_PROTOCOL = "/quorate/body/1";

const ANY: ReadonlySet<ItemKind> = new Set<ItemKind>([
  "vote",
  "certificate",
  "proposal",
  "part",
  "body",
  "evidence",
  "tx",
]);

export type Said =
  | { readonly kind: "items"; readonly items: readonly Item[] }
  | { readonly kind: "other"; readonly what: string };

/** The messages of one write of the peer stream, each with its frame. */
export function peerMessages(
  bytes: Uint8Array,
): readonly { readonly bytes: Uint8Array; readonly message: PeerMessage }[] {
  const messages: { readonly bytes: Uint8Array; readonly message: PeerMessage }[] = [];
  new FrameDecoder(bytes.length).push(bytes, (content) => {
    const copy = content.slice();
    messages.push({ bytes: frame(copy), message: decodePeerMessage(copy) });
  });
  return messages;
}

/** The items of a message of a topic. */
export function topicItems(bytes: Uint8Array): readonly Item[] {
  return decodePack(bytes, ANY, 1024);
}

/** Everything in one write of a stream, or in one message of a topic. */
export function saidIn(protocol: string, bytes: Uint8Array): readonly Said[] {
  if (protocol.startsWith("topic/")) return [{ kind: "items", items: topicItems(bytes) }];
  if (protocol !== PEER_PROTOCOL) return [{ kind: "other", what: protocol.split("/")[2] ?? protocol }];
  return peerMessages(bytes).map(({ message }) =>
    message.kind === "items"
      ? { kind: "items", items: message.items }
      : { kind: "other", what: message.kind },
  );
}

export function shortHash(hash: Uint8Array | null | undefined): string {
  return hash === null || hash === undefined ? "nil" : toHex(hash.subarray(0, 4));
}

export function voteName(vote: Pick<Vote, "type" | "height" | "round" | "blockId">): string {
  const type = vote.type === VoteType.prevote ? "prevote" : "precommit";
  return `${type} ${vote.height}/${vote.round} ${shortHash(vote.blockId?.hash)}`;
}

export function proposalName(proposal: Proposal): string {
  return `proposal ${proposal.height}/${proposal.round} ${shortHash(proposal.blockId.hash)}`;
}

export function itemName(item: Item): string {
  switch (item.kind) {
    case "vote":
      return voteName(item.vote);
    case "proposal":
      return proposalName(item.proposal);
    case "certificate":
      return `certificate of ${voteName(item.certificate)}`;
    case "part":
      return `part ${item.part.index} of ${shortHash(item.blockId.hash)}`;
    case "body":
      return `body ${shortHash(item.blockId.hash)}`;
    case "evidence":
      return "evidence";
    case "tx":
      return "tx";
  }
}

/** A line for a trace. */
export function describe(said: readonly Said[]): string {
  const names = said.flatMap((each) => (each.kind === "items" ? each.items.map(itemName) : [each.what]));
  const [first = "nothing"] = names;
  return names.length > 1 ? `${first} +${names.length - 1}` : first;
}

/** Identifies a block id within a run. */
export function idText(blockId: Parameters<typeof encodeBlockId>[0] | null): string {
  return blockId === null ? "nil" : toHex(encodeBlockId(blockId));
}
