import type { BlockId, Height, Proposal } from "@quorate/chain";
import { decodeBlockId, decodeProposal, encodeBlockId, encodeProposal } from "@quorate/chain";
import { GossipError, malformed, reasonOf } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { WireReader, WireWriter } from "../wire/bytes.ts";

/** What precedes a body on a direct stream. The signed proposal comes along, for the body may overtake gossip. */
export interface BodyHeader {
  readonly height: Height;
  readonly blockId: BlockId;
  readonly proposal: Proposal | null;
  readonly length: number;
}

const HEADER_LIMIT = 2048;
const LENGTH_BYTES = 4;

/** u32 header length ‖ header; the body's bytes follow. */
export function encodeBodyHeader(header: BodyHeader): Uint8Array<ArrayBuffer> {
  const writer = new WireWriter(512)
    .u64(header.height)
    .bytes(encodeBlockId(header.blockId))
    .u32(header.length);
  if (header.proposal === null) writer.u8(0);
  else writer.u8(1).bytes(encodeProposal(header.proposal));
  const content = writer.finish();
  return new WireWriter(content.length + LENGTH_BYTES).bytes(content).finish();
}

function decodeBodyHeader(bytes: Uint8Array): BodyHeader {
  const reader = new WireReader(bytes, "body header");
  const height = reader.u64();
  const id = reader.bytes(256);
  const length = reader.u32();
  const proposalBytes = reader.bool() ? reader.bytes(1024) : null;
  reader.end();
  if (length === 0 || length > LIMITS.bodyBytes) {
    throw new GossipError("OVERSIZED", "a peer announced a body above the bound; it is dropped", { length });
  }
  try {
    const blockId = decodeBlockId(id);
    if (blockId === null) throw malformed("body header", { reason: "nil block id" });
    const proposal = proposalBytes === null ? null : decodeProposal(proposalBytes);
    return { height, blockId, proposal, length };
  } catch (error) {
    throw malformed("body header", { reason: reasonOf(error) });
  }
}

export interface BodyReceiver {
  /** False = the body is not wanted: its bytes are read and thrown away, nothing is allocated. */
  readonly accept: (header: BodyHeader) => boolean;
  readonly progress: (header: BodyHeader) => void;
  readonly body: (header: BodyHeader, bytes: Uint8Array) => void;
}

/** Cuts a direct stream into bodies. Holds one header and, if accepted, one body. */
export class BodyDecoder {
  readonly #receiver: BodyReceiver;
  #head = new Uint8Array(0);
  #header: BodyHeader | null = null;
  #body: Uint8Array | null = null;
  #received = 0;

  constructor(receiver: BodyReceiver) {
    this.#receiver = receiver;
  }

  /** True while something has begun and not ended. */
  get partial(): boolean {
    return this.#header !== null || this.#head.length > 0;
  }

  /** Bytes allocated for the body under way. */
  get held(): number {
    return this.#body?.length ?? 0;
  }

  /** @throws GossipError `MALFORMED` or `OVERSIZED`: the stream cannot be read any further. */
  push(chunk: Uint8Array): void {
    let rest = chunk;
    while (rest.length > 0) rest = this.#header === null ? this.#readHeader(rest) : this.#readBody(rest);
  }

  #readHeader(chunk: Uint8Array): Uint8Array {
    const bytes = new Uint8Array(this.#head.length + chunk.length);
    bytes.set(this.#head);
    bytes.set(chunk, this.#head.length);
    if (bytes.length < LENGTH_BYTES) {
      this.#head = bytes;
      return EMPTY;
    }
    const length = new DataView(bytes.buffer).getUint32(0);
    if (length > HEADER_LIMIT) throw malformed("body header", { length });
    if (bytes.length < LENGTH_BYTES + length) {
      this.#head = bytes;
      return EMPTY;
    }
    this.#head = EMPTY;
    const header = decodeBodyHeader(bytes.subarray(LENGTH_BYTES, LENGTH_BYTES + length));
    this.#header = header;
    this.#received = 0;
    this.#body = this.#receiver.accept(header) ? new Uint8Array(header.length) : null;
    return bytes.subarray(LENGTH_BYTES + length);
  }

  #readBody(chunk: Uint8Array): Uint8Array {
    const header = this.#header!;
    const take = Math.min(chunk.length, header.length - this.#received);
    this.#body?.set(chunk.subarray(0, take), this.#received);
    this.#received += take;
    if (this.#received < header.length) {
      if (this.#body !== null) this.#receiver.progress(header);
      return EMPTY;
    }
    const body = this.#body;
    this.#header = null;
    this.#body = null;
    if (body !== null) this.#receiver.body(header, body);
    return chunk.subarray(take);
  }
}

const EMPTY = new Uint8Array(0);
