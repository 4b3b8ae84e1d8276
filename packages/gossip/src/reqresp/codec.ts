import type { Height } from "@quorate/chain";
import { LIMITS } from "../limits.ts";
import type { SyncRequest, SyncResponse } from "../types.ts";
import { WireReader, WireWriter } from "../wire/bytes.ts";

type ServedBlock = SyncResponse["blocks"][number];

/** One frame of an answer: a block, the end, or a refusal. */
export type AnswerFrame =
  | { readonly kind: "block"; readonly block: ServedBlock }
  | { readonly kind: "end" }
  | { readonly kind: "busy" };

const BLOCKS = 1;
const FRAME_BLOCK = 1;
const FRAME_END = 0;
const FRAME_BUSY = 2;

/** u8 kind ‖ u64 from ‖ u32 count. */
export function encodeRequest(request: SyncRequest): Uint8Array<ArrayBuffer> {
  return new WireWriter(16).u8(BLOCKS).u64(request.from).u32(request.count).finish();
}

/** @throws GossipError `MALFORMED`. */
export function decodeRequest(bytes: Uint8Array): SyncRequest {
  const reader = new WireReader(bytes, "sync request");
  if (reader.u8() !== BLOCKS) reader.fail("unknown kind of request");
  const from = reader.u64();
  const count = reader.u32();
  reader.end();
  if (from < 1) reader.fail("height below 1");
  if (count < 1 || count > LIMITS.requestBlocks) reader.fail("count out of bounds");
  return { kind: "blocks", from, count };
}

export function encodeAnswer(frame: AnswerFrame): Uint8Array<ArrayBuffer> {
  switch (frame.kind) {
    case "end":
      return new WireWriter(1).u8(FRAME_END).finish();
    case "busy":
      return new WireWriter(1).u8(FRAME_BUSY).finish();
    case "block": {
      const { height, block, commit } = frame.block;
      return new WireWriter(32 + block.length + commit.length)
        .u8(FRAME_BLOCK)
        .u64(height)
        .bytes(block)
        .bytes(commit)
        .finish();
    }
  }
}

/** @throws GossipError `MALFORMED`. */
export function decodeAnswer(bytes: Uint8Array): AnswerFrame {
  const reader = new WireReader(bytes, "sync answer");
  const kind = reader.u8();
  if (kind === FRAME_BLOCK) {
    const height: Height = reader.u64();
    const block = reader.bytes(LIMITS.bodyBytes);
    const commit = reader.bytes(LIMITS.frameBytes);
    reader.end();
    return { kind: "block", block: { height, block, commit } };
  }
  if (kind !== FRAME_END && kind !== FRAME_BUSY) reader.fail("unknown kind of frame");
  reader.end();
  return { kind: kind === FRAME_END ? "end" : "busy" };
}
