import type { BlockId, Certificate, Evidence, Part, Proposal, Vote } from "@quorate/chain";
import {
  decodeBlockId,
  decodeCertificate,
  decodeEvidence,
  decodePart,
  decodeProposal,
  decodeVote,
  encodeBlockId,
  encodeCertificate,
  encodeEvidence,
  encodePart,
  encodeProposal,
  encodeVote,
} from "@quorate/chain";
import { malformed } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { WireReader, WireWriter } from "../wire/bytes.ts";

/** One message of consensus as it travels, in a pack on a topic or in a frame of a peer stream. */
export type Item =
  | { readonly kind: "vote"; readonly vote: Vote }
  | { readonly kind: "certificate"; readonly certificate: Certificate }
  | { readonly kind: "proposal"; readonly proposal: Proposal; readonly body: Uint8Array | null }
  | { readonly kind: "part"; readonly height: number; readonly blockId: BlockId; readonly part: Part }
  /** A small body without its proposal: answer to a want, or a decided block for a peer one height behind. */
  | { readonly kind: "body"; readonly height: number; readonly blockId: BlockId; readonly bytes: Uint8Array }
  | { readonly kind: "evidence"; readonly evidence: Evidence }
  | { readonly kind: "tx"; readonly raw: Uint8Array };

export type ItemKind = Item["kind"];

const CODES: Readonly<Record<ItemKind, number>> = {
  vote: 1,
  certificate: 2,
  proposal: 3,
  part: 4,
  body: 5,
  evidence: 6,
  tx: 7,
};
const KINDS: ReadonlyMap<number, ItemKind> = new Map(
  Object.entries(CODES).map(([kind, code]) => [code, kind as ItemKind]),
);

function payloadOf(item: Item): Uint8Array {
  switch (item.kind) {
    case "vote":
      return encodeVote(item.vote);
    case "certificate":
      return encodeCertificate(item.certificate);
    case "proposal": {
      const writer = new WireWriter(256 + (item.body?.length ?? 0)).bytes(encodeProposal(item.proposal));
      if (item.body === null) return writer.u8(0).finish();
      return writer.u8(1).bytes(item.body).finish();
    }
    case "part":
      return new WireWriter(256 + item.part.bytes.length)
        .u64(item.height)
        .bytes(encodeBlockId(item.blockId))
        .bytes(encodePart(item.part))
        .finish();
    case "body":
      return new WireWriter(128 + item.bytes.length)
        .u64(item.height)
        .bytes(encodeBlockId(item.blockId))
        .bytes(item.bytes)
        .finish();
    case "evidence":
      return encodeEvidence(item.evidence);
    case "tx":
      return item.raw;
  }
}

function readBlockId(reader: WireReader): BlockId {
  return decodeBlockId(reader.bytes(256)) ?? reader.fail("nil where a block id is needed");
}

function readItem(kind: ItemKind, payload: Uint8Array): Item {
  switch (kind) {
    case "vote":
      return { kind, vote: decodeVote(payload) };
    case "certificate":
      return { kind, certificate: decodeCertificate(payload) };
    case "proposal": {
      const reader = new WireReader(payload, "proposal message");
      const proposal = decodeProposal(reader.bytes(1024));
      const body = reader.bool() ? reader.bytes(LIMITS.inlineBodyBytes) : null;
      reader.end();
      return { kind, proposal, body };
    }
    case "part": {
      const reader = new WireReader(payload, "part message");
      const height = reader.u64();
      const blockId = readBlockId(reader);
      const part = decodePart(reader.bytes(LIMITS.partBytes + 8192));
      reader.end();
      return { kind, height, blockId, part };
    }
    case "body": {
      const reader = new WireReader(payload, "body message");
      const height = reader.u64();
      const blockId = readBlockId(reader);
      const bytes = reader.bytes(LIMITS.inlineBodyBytes);
      reader.end();
      return { kind, height, blockId, bytes };
    }
    case "evidence":
      return { kind, evidence: decodeEvidence(payload) };
    case "tx":
      if (payload.length === 0) throw malformed("transaction", { reason: "empty" });
      return { kind, raw: payload };
  }
}

/** u8 kind ‖ u32 length ‖ payload. */
export function encodeItem(item: Item): Uint8Array<ArrayBuffer> {
  const payload = payloadOf(item);
  return new WireWriter(payload.length + 5).u8(CODES[item.kind]).bytes(payload).finish();
}

/** Encoded items joined into one message. */
export function joinPack(items: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  let length = 0;
  for (const item of items) length += item.length;
  const writer = new WireWriter(length);
  for (const item of items) writer.raw(item);
  return writer.finish();
}

/**
 * The items of a pack. Total: anything that {@link joinPack} of allowed kinds did not make throws.
 * @throws GossipError `MALFORMED`; a fault inside a chain structure is reported as that too.
 */
export function decodePack(
  bytes: Uint8Array,
  allowed: ReadonlySet<ItemKind>,
  maxItems: number = LIMITS.packItems,
): Item[] {
  const reader = new WireReader(bytes, "pack");
  const items: Item[] = [];
  do {
    if (items.length === maxItems) reader.fail("too many items");
    const kind = KINDS.get(reader.u8()) ?? reader.fail("unknown kind of item");
    if (!allowed.has(kind)) reader.fail("kind of item not allowed here");
    const payload = reader.bytes(LIMITS.frameBytes);
    try {
      items.push(readItem(kind, payload));
    } catch (error) {
      throw malformed(kind, { reason: error instanceof Error ? error.message : String(error) });
    }
  } while (reader.remaining > 0);
  return items;
}
