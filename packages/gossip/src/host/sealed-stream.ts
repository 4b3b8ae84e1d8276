import { defaultCrypto } from "@chainsafe/libp2p-noise/crypto";
import { type MessageStream, type StreamCloseEvent, StreamMessageEvent } from "@libp2p/interface";
import { AbstractMessageStream, type SendResult } from "@libp2p/utils";
import { allocate } from "@quorate/crypto";
import { FrameDecoder } from "../wire/frames.ts";
import { chunkOf } from "../wire/stream-frames.ts";
import type { Chunk } from "./network.ts";

/** 32 bytes each. */
export interface TransportKeys {
  readonly send: Uint8Array;
  readonly receive: Uint8Array;
}

const TAG_BYTES = 16;
/** Of a Noise transport message: its length has two bytes. */
const MAX_SEALED = 65_535;
const MAX_OPEN = MAX_SEALED - TAG_BYTES;
const NO_DATA = new Uint8Array(0);

/** Nonces of one direction: 4 zero bytes ‖ u64 little-endian, counting up from 0 (Noise, section 12.3). */
class Nonces {
  readonly #bytes = new Uint8Array(12);
  readonly #view = new DataView(this.#bytes.buffer);
  #next = 0;

  /** Valid until the next call. */
  take(): Uint8Array {
    this.#view.setUint32(4, this.#next % 2 ** 32, true);
    this.#view.setUint32(8, Math.floor(this.#next / 2 ** 32), true);
    this.#next++;
    return this.#bytes;
  }
}

/**
 * The transport phase of Noise on libp2p: each message is u16 length ‖ ChaCha20-Poly1305 ciphertext and tag. What is
 * sent in one call leaves in one write. A message that does not open ends the connection.
 */
export class SealedStream extends AbstractMessageStream {
  readonly #below: MessageStream;
  readonly #keys: TransportKeys;
  readonly #sent = new Nonces();
  readonly #received = new Nonces();
  readonly #decoder = new FrameDecoder(MAX_SEALED, 2);

  constructor(below: MessageStream, keys: TransportKeys) {
    super({
      log: below.log,
      inactivityTimeout: below.inactivityTimeout,
      maxReadBufferLength: below.maxReadBufferLength,
      direction: below.direction,
    });
    this.#below = below;
    this.#keys = keys;
    below.addEventListener("message", ({ data }) => this.#receive(data));
    below.addEventListener("close", (event) => this.#ended(event));
    below.addEventListener("drain", () => this.safeDispatchEvent("drain"));
    below.addEventListener("remoteCloseWrite", () => this.onRemoteCloseWrite());
  }

  #receive(data: Chunk): void {
    try {
      this.#decoder.push(chunkOf(data), (sealed) => this.onData(this.#open(sealed)));
    } catch (error) {
      this.abort(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #open(sealed: Uint8Array): Uint8Array {
    if (sealed.length < TAG_BYTES) throw new Error("a Noise message is shorter than its tag");
    // Over the ciphertext, which nobody needs any more.
    const into = sealed.subarray(0, sealed.length - TAG_BYTES);
    const nonce = this.#received.take();
    return defaultCrypto.chaCha20Poly1305Decrypt(sealed, nonce, NO_DATA, this.#keys.receive, into).subarray();
  }

  #seal(bytes: Uint8Array): Uint8Array {
    const messages = Math.ceil(bytes.length / MAX_OPEN);
    const out = allocate(bytes.length + messages * (2 + TAG_BYTES));
    let at = 0;
    for (let from = 0; from < bytes.length; from += MAX_OPEN) {
      const open = bytes.subarray(from, from + MAX_OPEN);
      const nonce = this.#sent.take();
      const sealed = defaultCrypto.chaCha20Poly1305Encrypt(open, nonce, NO_DATA, this.#keys.send);
      out[at] = sealed.byteLength >> 8;
      out[at + 1] = sealed.byteLength & 255;
      out.set(sealed.subarray(), at + 2);
      at += 2 + sealed.byteLength;
    }
    return out;
  }

  #ended({ error, local }: StreamCloseEvent): void {
    if (error === undefined) this.onTransportClosed();
    else if (local === true) this.abort(error);
    else this.onRemoteReset();
  }

  /** Past the buffers where they are empty, which they nearly always are: what is sent goes out at once. */
  override send(data: Parameters<AbstractMessageStream["send"]>[0]): boolean {
    const idle = this.writeStatus === "writable" && !this.writableNeedsDrain && this.writeBufferLength === 0;
    if (!idle || this.sendingData) return super.send(data);
    try {
      const more = this.#below.send(this.#seal(data.subarray()));
      if (!more) this.writableNeedsDrain = true;
      return more;
    } catch (error) {
      this.abort(error instanceof Error ? error : new Error(String(error)));
      throw error;
    }
  }

  /** Likewise: what came is handed over at once. */
  override onData(data: Parameters<AbstractMessageStream["onData"]>[0]): void {
    const flowing = this.readStatus === "readable" && this.remoteWriteStatus === "writable";
    const direct = flowing && this.readBufferLength === 0 && this.listenerCount("message") > 0;
    if (!direct) super.onData(data);
    else if (data.byteLength > 0) this.dispatchEvent(new StreamMessageEvent(data));
  }

  sendData(data: Parameters<AbstractMessageStream["sendData"]>[0]): SendResult {
    return { sentBytes: data.byteLength, canSendMore: this.#below.send(this.#seal(data.subarray())) };
  }

  sendReset(error: Error): void {
    this.#below.abort(error);
  }

  sendPause(): void {
    this.#below.pause();
  }

  sendResume(): void {
    this.#below.resume();
  }

  close(options?: Parameters<AbstractMessageStream["close"]>[0]): Promise<void> {
    return this.#below.close(options);
  }
}
