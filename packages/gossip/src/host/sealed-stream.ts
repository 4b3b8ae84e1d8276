import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from "node:crypto";
import { defaultCrypto } from "@chainsafe/libp2p-noise/crypto";
import { type MessageStream, type StreamCloseEvent, StreamMessageEvent } from "@libp2p/interface";
import { AbstractMessageStream, type SendResult } from "@libp2p/utils";
import { allocate } from "@quorate/crypto";
import { FrameDecoder } from "../wire/frames.ts";
import { chunkOf } from "../wire/stream-frames.ts";
import type { Chunk } from "./network.ts";

/**
 * Messages of one read that are opened in one turn of the event loop; the rest waits for the next. One takes up to 100 us
 * from here to the one who wants it, and of messages of one byte there are 1,700 in a read, and 32 reads in a turn. What
 * honest peers send in a turn is one message, and of a body one fills a read: bodies are not held up, which would cost a
 * third of what it takes to receive them.
 */
const TURN_MESSAGES = 32;

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
/** From this size of a message on Node's cipher is faster than WebAssembly, and opens into memory of its own. */
const NATIVE_BYTES = 600;
const CIPHER = "chacha20-poly1305";
const TAG = { authTagLength: TAG_BYTES } as const;

type Data = Parameters<AbstractMessageStream["send"]>[0];

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
 * sent in one call leaves in one write. A message that does not open ends the connection. Whoever sends more than this
 * node can take waits; the others do not.
 */
export class SealedStream extends AbstractMessageStream {
  readonly #below: MessageStream;
  readonly #keys: TransportKeys;
  /** The same keys for Node's cipher, which takes 25 us to find out that bytes are no key object. */
  readonly #sendKey: KeyObject;
  readonly #receiveKey: KeyObject;
  readonly #sent = new Nonces();
  readonly #received = new Nonces();
  readonly #decoder = new FrameDecoder(MAX_SEALED, 2, NATIVE_BYTES);
  /** Of what was read, what waits for the next turn; the connection below is paused as long. */
  #held: Uint8Array | null = null;
  #paused = false;
  #closing = false;

  constructor(below: MessageStream, keys: TransportKeys) {
    super({
      log: below.log,
      inactivityTimeout: below.inactivityTimeout,
      maxReadBufferLength: below.maxReadBufferLength,
      direction: below.direction,
    });
    this.#below = below;
    this.#keys = keys;
    this.#sendKey = createSecretKey(keys.send);
    this.#receiveKey = createSecretKey(keys.receive);
    below.addEventListener("message", ({ data }) => this.#receive(data));
    below.addEventListener("close", (event) => this.#ended(event));
    below.addEventListener("drain", () => this.safeDispatchEvent("drain"));
    below.addEventListener("remoteCloseWrite", () => this.onRemoteCloseWrite());
  }

  #receive(data: Chunk): void {
    if (this.#closing) return;
    const chunk = chunkOf(data);
    if (this.#held !== null) {
      // Paused too late: the connection below had ended with this still to be handed over.
      this.#held = Buffer.concat([this.#held, chunk]);
      return;
    }
    this.#hold(chunk, this.#take(chunk, TURN_MESSAGES));
    if (this.#held === null) return;
    this.#pauseBelow();
    this.#atTurnEnd();
  }

  #hold(chunk: Uint8Array, taken: number): void {
    if (taken < chunk.length && this.status === "open") this.#held = chunk.subarray(taken);
  }

  #pauseBelow(): void {
    if (this.#paused || this.#below.status !== "open") return;
    this.#paused = true;
    this.#below.pause();
  }

  #resumeBelow(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#below.resume();
    if (!this.#paused) return;
    // What had come meanwhile was enough for another turn, and the end of the call above lets more in.
    this.#below.resume();
    this.#below.pause();
  }

  /** Answers how many bytes it took; all of them when nobody wants any more. */
  #take(chunk: Uint8Array, messages: number): number {
    try {
      return this.#decoder.push(
        chunk,
        (sealed) => {
          if (this.status === "open") this.onData(this.#open(sealed));
        },
        messages,
      );
    } catch (error) {
      this.abort(error instanceof Error ? error : new Error(String(error)));
      return chunk.length;
    }
  }

  #atTurnEnd(): void {
    setImmediate(() => {
      if (this.status !== "open" || this.#closing) return;
      this.#takeHeld(TURN_MESSAGES);
      if (this.#held !== null) this.#atTurnEnd();
      else if (this.#below.status === "open") this.#resumeBelow();
    });
  }

  #takeHeld(messages: number): void {
    const chunk = this.#held;
    if (chunk === null) return;
    this.#held = null;
    this.#hold(chunk, this.#take(chunk, messages));
  }

  #open(sealed: Uint8Array): Uint8Array {
    if (sealed.length < TAG_BYTES) throw new Error("a Noise message is shorter than its tag");
    const into = sealed.subarray(0, sealed.length - TAG_BYTES);
    const nonce = this.#received.take();
    if (sealed.length >= NATIVE_BYTES) {
      const decipher = createDecipheriv(CIPHER, this.#receiveKey, nonce, TAG);
      decipher.setAuthTag(sealed.subarray(into.length));
      const open = decipher.update(into);
      decipher.final();
      return open;
    }
    // Over the ciphertext, which nobody needs any more.
    return defaultCrypto.chaCha20Poly1305Decrypt(sealed, nonce, NO_DATA, this.#keys.receive, into).subarray();
  }

  #seal(data: Data): Uint8Array {
    const { byteLength } = data;
    const messages = Math.ceil(byteLength / MAX_OPEN);
    const out = allocate(byteLength + messages * (2 + TAG_BYTES));
    let at = 0;
    for (let from = 0; from < byteLength; from += MAX_OPEN) {
      const to = Math.min(from + MAX_OPEN, byteLength);
      const length = to - from + TAG_BYTES;
      out[at] = length >> 8;
      out[at + 1] = length & 255;
      at += 2;
      if (length < NATIVE_BYTES) {
        const open = data.subarray(from, to);
        const { send } = this.#keys;
        out.set(defaultCrypto.chaCha20Poly1305Encrypt(open, this.#sent.take(), NO_DATA, send).subarray(), at);
      } else
        this.#sealLong(
          data instanceof Uint8Array ? [data.subarray(from, to)] : data.sublist(from, to),
          out,
          at,
        );
      at += length;
    }
    return out;
  }

  /** Piece by piece: megabytes of a body are not put together first. */
  #sealLong(pieces: Iterable<Uint8Array>, out: Uint8Array, from: number): void {
    const cipher = createCipheriv(CIPHER, this.#sendKey, this.#sent.take(), TAG);
    let at = from;
    for (const piece of pieces) {
      const sealed = cipher.update(piece);
      out.set(sealed, at);
      at += sealed.length;
      // Its memory goes back at once: left to the collection of garbage, megabytes of it bring that about.
      if (sealed.length === sealed.buffer.byteLength) sealed.buffer.transfer(0);
    }
    cipher.final();
    out.set(cipher.getAuthTag(), at);
  }

  #ended({ error, local }: StreamCloseEvent): void {
    // What was read before the end is not lost.
    if (error === undefined) {
      if (!this.#closing) this.#takeHeld(Number.POSITIVE_INFINITY);
      this.onTransportClosed();
    } else if (local === true) this.abort(error);
    else this.onRemoteReset();
  }

  /** Past the buffers where they are empty, which they nearly always are: what is sent goes out at once. */
  override send(data: Data): boolean {
    const idle = this.writeStatus === "writable" && !this.writableNeedsDrain && this.writeBufferLength === 0;
    if (!idle || this.sendingData) return super.send(data);
    try {
      const more = this.#below.send(this.#seal(data));
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
    return { sentBytes: data.byteLength, canSendMore: this.#below.send(this.#seal(data)) };
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
    // Nothing that comes now is of use: it is not even opened.
    this.#closing = true;
    return this.#below.close(options);
  }
}
