import type { BlockId, Height, Round } from "@quorate/chain";
import { decodeBlockId, encodeBlockId } from "@quorate/chain";
import { malformed, reasonOf } from "../errors.ts";
import { decodePack, type Item, type ItemKind } from "../topics/items.ts";
import type { PeerStatus, RoundState } from "../types.ts";
import { WireReader, WireWriter } from "../wire/bytes.ts";
import { frame } from "../wire/frames.ts";
import { decodeRoundState, decodeStatus, encodeRoundState, encodeStatus } from "./codec.ts";

/** A body that a peer asks for. */
export interface WantBody {
  readonly height: Height;
  readonly round: Round;
  readonly blockId: BlockId;
}

/** What travels on the peer stream. */
export type PeerMessage =
  | { readonly kind: "status"; readonly status: PeerStatus }
  | { readonly kind: "goodbye"; readonly code: number }
  | { readonly kind: "round_state"; readonly state: RoundState }
  | { readonly kind: "items"; readonly items: readonly Item[] }
  | { readonly kind: "want_body"; readonly want: WantBody };

const STATUS = 0;
const GOODBYE = 1;
const ROUND_STATE = 2;
const ITEMS = 3;
const WANT_BODY = 4;

const REPAIR_KINDS: ReadonlySet<ItemKind> = new Set<ItemKind>([
  "vote",
  "certificate",
  "proposal",
  "part",
  "body",
  "evidence",
]);

export function statusFrame(status: PeerStatus): Uint8Array {
  return frame(Uint8Array.of(STATUS), encodeStatus(status));
}

export function goodbyeFrame(code: number): Uint8Array {
  return frame(Uint8Array.of(GOODBYE, code));
}

export function roundStateFrame(state: RoundState): Uint8Array {
  return frame(Uint8Array.of(ROUND_STATE), encodeRoundState(state));
}

/** `pack`: joined items. */
export function itemsFrame(pack: Uint8Array): Uint8Array {
  return frame(Uint8Array.of(ITEMS), pack);
}

export function wantBodyFrame(want: WantBody): Uint8Array {
  const writer = new WireWriter(128).u8(WANT_BODY).u64(want.height).u32(want.round);
  return frame(writer.bytes(encodeBlockId(want.blockId)).finish());
}

function decodeWant(bytes: Uint8Array): WantBody {
  const reader = new WireReader(bytes, "want of a body");
  const height = reader.u64();
  const round = reader.u32();
  const id = reader.bytes(256);
  reader.end();
  try {
    const blockId = decodeBlockId(id);
    if (blockId === null) throw malformed("want of a body", { reason: "nil block id" });
    return { height, round, blockId };
  } catch (error) {
    throw malformed("want of a body", { reason: reasonOf(error) });
  }
}

/** @throws GossipError `MALFORMED`. */
export function decodePeerMessage(content: Uint8Array): PeerMessage {
  const payload = content.subarray(1);
  switch (content[0]) {
    case STATUS:
      return { kind: "status", status: decodeStatus(payload) };
    case GOODBYE:
      if (payload.length !== 1) throw malformed("goodbye", { length: payload.length });
      return { kind: "goodbye", code: payload[0]! };
    case ROUND_STATE:
      return { kind: "round_state", state: decodeRoundState(payload) };
    case ITEMS:
      return { kind: "items", items: decodePack(payload, REPAIR_KINDS) };
    case WANT_BODY:
      return { kind: "want_body", want: decodeWant(payload) };
    default:
      throw malformed("peer message", { type: content[0] ?? null });
  }
}
