/** The gossip layer without libp2p: for whoever brings a network of his own, or needs names and types alone. */
export type { GossipClock } from "./clock.ts";
export { GossipError, type GossipErrorCode } from "./errors.ts";
export type { DialTarget } from "./host/dialler.ts";
export type {
  ByteStream,
  Connection,
  CreateNetwork,
  Network,
  NetworkModules,
  StreamClose,
  StreamMessage,
  Topics,
  TopicVerdict,
} from "./host/network.ts";
export { assembleGossip, type LayerOptions } from "./layer.ts";
export { LIMITS as GOSSIP_LIMITS } from "./limits.ts";
export { bitsOf, countBits, emptyBits, hasBit } from "./roundstate/bits.ts";
export {
  decodePeerMessage,
  itemsFrame,
  type PeerMessage,
  roundStateFrame,
  statusFrame,
} from "./roundstate/messages.ts";
export { type GoodbyeReason, PROTOCOL_VERSION, statusMismatch } from "./roundstate/status.ts";
export { OFFENCES, type OffenceRule } from "./scoring/table.ts";
export { decodePack, encodeItem, type Item, type ItemKind, joinPack } from "./topics/items.ts";
export { TOPICS, type TopicKind, topicTable } from "./topics/names.ts";
export * from "./types.ts";
export { FrameDecoder, frame } from "./wire/frames.ts";
