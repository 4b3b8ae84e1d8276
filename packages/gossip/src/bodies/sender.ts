import type { BlockId, Height, Proposal } from "@quorate/chain";
import type { ByteStream } from "../host/network.ts";
import { LIMITS } from "../limits.ts";
import { drained } from "../wire/drained.ts";
import { encodeBodyHeader } from "./wire.ts";

/** A body to be sent, with what its receiver needs to check it. */
export interface OutgoingBody {
  readonly height: Height;
  readonly blockId: BlockId;
  readonly proposal: Proposal | null;
  readonly bytes: Uint8Array;
}

/** Bodies waiting for one slow peer: the newest two; it can ask for the others. */
const QUEUE = 2;
/**
 * One write: with the header that yamux puts before it (12 bytes) what one Noise message holds. Its receiver then has it
 * in one piece as soon as that message is open; a larger one would come in several, to be put together again.
 */
const CHUNK_BYTES = LIMITS.gatheredBytes - 12;

/**
 * Sends bodies to one peer over one long-lived stream, in order, waiting for the peer to drain; the stream opens with
 * the first body.
 */
export class BodySender {
  readonly #open: () => Promise<ByteStream>;
  readonly #sent: (bytes: number) => void;
  readonly #failed: (error: unknown) => void;
  readonly #queue: OutgoingBody[] = [];
  #stream: ByteStream | null = null;
  #running = false;
  #closed = false;

  constructor(modules: {
    readonly open: () => Promise<ByteStream>;
    readonly sent: (bytes: number) => void;
    readonly failed: (error: unknown) => void;
  }) {
    this.#open = modules.open;
    this.#sent = modules.sent;
    this.#failed = modules.failed;
  }

  send(body: OutgoingBody): void {
    if (this.#closed) return;
    if (this.#queue.length === QUEUE) this.#queue.shift();
    this.#queue.push(body);
    if (this.#running) return;
    this.#running = true;
    this.#run().catch((error: unknown) => {
      this.#running = false;
      this.#queue.length = 0;
      if (!this.#closed) this.#failed(error);
    });
  }

  close(): void {
    this.#closed = true;
    this.#queue.length = 0;
  }

  async #run(): Promise<void> {
    for (let body = this.#queue.shift(); body !== undefined; body = this.#queue.shift()) {
      if (this.#stream === null || this.#stream.status !== "open") this.#stream = await this.#open();
      const stream = this.#stream;
      const { bytes } = body;
      stream.send(
        encodeBodyHeader({
          height: body.height,
          blockId: body.blockId,
          proposal: body.proposal,
          length: bytes.length,
        }),
      );
      for (let at = 0; at < bytes.length && !this.#closed; at += CHUNK_BYTES) {
        if (!stream.send(bytes.subarray(at, at + CHUNK_BYTES))) await drained(stream);
      }
      this.#sent(bytes.length);
    }
    this.#running = false;
  }
}
