/** A libp2p peer under the hand of an attacker: honest handshakes, and after these whatever bytes it likes, at every layer. */
import { noise } from "@chainsafe/libp2p-noise";
import { yamux } from "@chainsafe/libp2p-yamux";
import { identify } from "@libp2p/identify";
import type { Connection, Libp2p, MessageStream, Stream, StreamMuxerFactory } from "@libp2p/interface";
import { tcp } from "@libp2p/tcp";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p } from "libp2p";
import { PEER_PROTOCOL } from "../src/host/connections.ts";
import { decodePeerMessage, statusFrame } from "../src/roundstate/messages.ts";
import type { PeerStatus } from "../src/types.ts";
import { FrameDecoder } from "../src/wire/frames.ts";

export type { Stream };

export const GOSSIP_PROTOCOL = "/meshsub/1.1.0";
const MOST_FRAME = 16 * 1_048_576;
/** Of a machine that is busy otherwise. */
const PATIENCE_MS = 120_000;

export interface StrangerOptions {
  /** Height that it claims, from what the other side claims; `null` = it never tells a status. */
  readonly claim?: ((theirs: number) => number) | null;
  /** Bytes that the other side writes to gossipsub streams which it opens. */
  readonly heard?: (bytes: Uint8Array) => void;
  /** Streams that the other side opens for these protocols. */
  readonly serves?: Readonly<Record<string, (stream: Stream) => void>>;
}

interface Ears {
  open: boolean;
}

export class Stranger {
  readonly host: Libp2p;
  readonly connection: Connection;
  /** What the other side told first. */
  readonly theirs: PeerStatus;
  readonly peerStream: Stream;
  /** Where its RPCs go; without it the other side ends the connection after a while. */
  readonly gossip: Stream;
  /** Resolves when the connection has ended. */
  readonly closed: Promise<void>;
  /** The encrypted connection below yamux: what is sent there is a yamux frame, or nonsense. */
  readonly below: MessageStream;
  readonly #options: StrangerOptions;
  readonly #ears: Ears;

  private constructor(
    host: Libp2p,
    connection: Connection,
    below: MessageStream,
    ears: Ears,
    closed: Promise<void>,
    met: { readonly status: PeerStatus; readonly stream: Stream },
    gossip: Stream,
    options: StrangerOptions,
  ) {
    this.host = host;
    this.connection = connection;
    this.below = below;
    this.#ears = ears;
    this.closed = closed;
    this.theirs = met.status;
    this.peerStream = met.stream;
    this.gossip = gossip;
    this.#options = options;
  }

  /** With a new identity of its own; resolves when the other side has told its status. */
  static async connect(address: string, options: StrangerOptions = {}): Promise<Stranger> {
    let below: MessageStream | null = null;
    const ears: Ears = { open: true };
    const host = await createLibp2p({
      addresses: { listen: [] },
      transports: [tcp()],
      connectionEncrypters: [noise()],
      streamMuxers: [
        () => {
          const factory: StreamMuxerFactory = yamux({ maxOutboundStreams: 10_000, enableKeepAlive: false })();
          const create = factory.createStreamMuxer.bind(factory);
          factory.createStreamMuxer = (connection) => {
            below = connection;
            connection.addEventListener("message", (event) => {
              if (!ears.open) event.stopImmediatePropagation();
            });
            return create(connection);
          };
          return factory;
        },
      ],
      connectionManager: { reconnectRetries: 0, dialTimeout: PATIENCE_MS, addressDialTimeout: PATIENCE_MS },
      connectionMonitor: { enabled: false },
      services: { identify: identify() },
    });
    try {
      await host.handle(GOSSIP_PROTOCOL, (stream) => {
        stream.addEventListener("message", ({ data }) => options.heard?.(data.subarray()));
      });
      for (const [protocol, serve] of Object.entries(options.serves ?? {}))
        await host.handle(protocol, serve, { maxInboundStreams: 1000 });
      const gone = Promise.withResolvers<void>();
      host.addEventListener("connection:close", () => gone.resolve());
      const connection = await host.dial(multiaddr(address), { signal: AbortSignal.timeout(PATIENCE_MS) });
      const met = await meet(connection, gone.promise);
      if (below === null) throw new Error("a connection without a muxer");
      const gossip = await connection.newStream(GOSSIP_PROTOCOL, {
        signal: AbortSignal.timeout(PATIENCE_MS),
      });
      const stranger = new Stranger(host, connection, below, ears, gone.promise, met, gossip, options);
      stranger.tell(stranger.theirs.height);
      return stranger;
    } catch (error) {
      await host.stop();
      throw error;
    }
  }

  get isOpen(): boolean {
    return this.connection.status === "open";
  }

  /** From now on it reads no frame: its own yamux would end the connection at answers to what it never asked. */
  plugEars(): void {
    this.#ears.open = false;
  }

  /** Tells a status: the other side's own, with the height that the options make of this one. */
  tell(theirHeight: number): void {
    const { claim = (theirs: number): number => theirs } = this.#options;
    if (claim === null || this.peerStream.writeStatus !== "writable") return;
    this.peerStream.send(statusFrame({ ...this.theirs, height: claim(theirHeight), moniker: "stranger" }));
  }

  async open(protocol: string): Promise<Stream> {
    return await this.connection.newStream(protocol, {
      maxOutboundStreams: 10_000,
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
  }

  /** Writes once there is room; false when the connection ended meanwhile. */
  async write(stream: MessageStream, bytes: Uint8Array): Promise<boolean> {
    if (!this.isOpen || stream.status !== "open") return false;
    try {
      if (stream.send(bytes)) return true;
    } catch {
      return false; // the other side ended it
    }
    await Promise.race([stream.onDrain().catch(() => undefined), this.closed]);
    return this.isOpen;
  }

  async stop(): Promise<void> {
    await this.host.stop();
  }
}

/** The other side's first words. */
async function meet(
  connection: Connection,
  closed: Promise<void>,
): Promise<{ readonly status: PeerStatus; readonly stream: Stream }> {
  const stream = await connection.newStream(PEER_PROTOCOL, { signal: AbortSignal.timeout(PATIENCE_MS) });
  const met = Promise.withResolvers<PeerStatus>();
  const decoder = new FrameDecoder(MOST_FRAME);
  stream.addEventListener("message", ({ data }) => {
    decoder.push(data.subarray(), (content) => {
      // A stranger looks at nothing else that it is told.
      if (content[0] !== 0) return;
      const message = decodePeerMessage(content);
      if (message.kind === "status") met.resolve(message.status);
    });
  });
  const refused = closed.then((): never => {
    throw new Error("the connection was refused");
  });
  return { status: await Promise.race([met.promise, refused]), stream };
}
