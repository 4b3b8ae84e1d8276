/**
 * What the gossip layer needs of a network: links to authenticated peers, ordered byte streams over them, and topics.
 * The libp2p host (libp2p.ts) is one; a simulated one takes its place without anything above noticing. The shapes of
 * connections and streams are libp2p's own, cut down to what is used, so that its objects are handed on as they are.
 */
import type { GossipFault } from "./gossip-scanner.ts";

/** Text of a peer id; libp2p's has much more. */
export interface PeerName {
  toString(): string;
}

export interface ByteStream {
  readonly protocol: string;
  readonly direction: "inbound" | "outbound";
  /** "open" while bytes can go at least one way. */
  readonly status: string;
  readonly readStatus: string;
  readonly writeStatus: string;
  readonly writableNeedsDrain: boolean;
  /** False: wait until it has drained (wire/drained.ts). @throws when nothing can be written any more. */
  send(bytes: Uint8Array): boolean;
  pause(): void;
  resume(): void;
  /** Ends the own direction after what was sent. */
  close(options?: { readonly signal?: AbortSignal }): Promise<void>;
  /** Both directions, at once; what is under way is lost. */
  abort(reason: Error): void;
  addEventListener(type: "message", listener: (event: StreamMessage) => void): void;
  addEventListener(type: "close", listener: (event: StreamClose) => void): void;
  addEventListener(type: "remoteCloseWrite" | "drain", listener: () => void): void;
  removeEventListener(type: "message", listener: (event: StreamMessage) => void): void;
  removeEventListener(type: "close", listener: (event: StreamClose) => void): void;
  removeEventListener(type: "remoteCloseWrite" | "drain", listener: () => void): void;
}

export interface StreamMessage {
  readonly data: Chunk;
}

/** Bytes as they came: one array, or a list of arrays that `subarray()` joins. */
export type Chunk = Uint8Array | { subarray(): Uint8Array };

export interface StreamClose {
  /** Why, when it was not closed in good order. */
  readonly error?: Error | undefined;
}

export interface Connection {
  readonly remotePeer: PeerName;
  readonly remoteAddr: PeerName;
  readonly direction: "inbound" | "outbound";
  readonly status: string;
  /** Round trip as last measured, ms; undefined: not yet. */
  readonly rtt?: number | undefined;
  /** Open streams, those of topics included: the watchdog looks for them. */
  readonly streams: readonly Pick<ByteStream, "protocol" | "direction" | "status" | "abort">[];
  newStream(protocol: string, options?: { readonly signal?: AbortSignal }): Promise<ByteStream>;
  close(options?: { readonly signal?: AbortSignal }): Promise<void>;
  abort(reason: Error): void;
}

/** What becomes of a message of a topic: handed on to others, dropped, or dropped and held against its sender. */
export type TopicVerdict = "accept" | "ignore" | "reject";

/** Flooded messages of named topics. Nobody gets a message twice; who is not connected does not get it at all. */
export interface Topics {
  subscribe(topic: string): void;
  unsubscribe(topic: string): void;
  publish(topic: string, data: Uint8Array): Promise<unknown>;
  /** Consumes every message of the topic; its verdict says whether others get it from here. */
  consume(
    topic: string,
    consumer: (from: string, data: Uint8Array) => TopicVerdict | Promise<TopicVerdict>,
  ): void;
  onSubscriptions(
    listener: (
      peer: string,
      changes: readonly { readonly topic: string; readonly subscribe: boolean }[],
    ) => void,
  ): void;
}

export interface Network {
  readonly peerId: string;
  /** Own addresses, with the peer id. */
  readonly addresses: readonly string[];
  readonly topics: Topics;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Resolves when a connection is open; `address` null: where the peer was last. */
  dial(
    target: { readonly peer: string; readonly address: string | null },
    signal: AbortSignal,
  ): Promise<void>;
  connectionsTo(peer: string): readonly Connection[];
  /** Streams that peers open for a protocol. */
  handle(
    protocol: string,
    handler: (stream: ByteStream, connection: Connection) => void | Promise<void>,
    limits: { readonly maxInboundStreams: number; readonly maxOutboundStreams: number },
  ): Promise<void>;
  /** Called with every connection as it opens, and when it has ended. */
  onConnection(listeners: {
    readonly opened: (connection: Connection) => void;
    readonly closed: (connection: Connection) => void;
  }): void;
  /** The connection to this peer is the last to be given up for others. */
  protect(peer: string): Promise<void>;
  /** It is one of many again. */
  unprotect(peer: string): Promise<void>;
}

/** Who may connect, asked by the network as a connection comes to be; true = no. */
export interface Gate {
  denyDial(peer: string): boolean;
  /** A connection comes from this multiaddr. `null`: refuse it at once; else to be called when its handshake is over. */
  enter(address: string): (() => void) | null;
  /** A connection from this multiaddr ended for what no honest peer sends below all protocols. */
  offended(address: string): void;
  /** The peer proved its identity; nothing above knows of the connection yet. */
  denyAuthenticated(peer: string): boolean;
  /** About to be handed to {@link Network.onConnection}; closes older connections where this one replaces them. */
  denyOpened(peer: string, direction: "inbound" | "outbound"): boolean;
}

/** What the gossip layer gives a network when it is made. */
export interface NetworkModules {
  readonly maxConnections: number;
  /** The only topics there are. */
  readonly topics: readonly string[];
  readonly gate: Gate;
  /** Own score of a peer, 0 or negative. */
  readonly score: (peer: string) => number;
  /** Monotonic, ms. */
  readonly now: () => number;
  /** A peer wrote to the streams behind the topics what no node writes; nothing of it is read any more. */
  readonly fault: (peer: string, fault: GossipFault) => void;
}

/** Makes a network; nothing is sent or received before {@link Network.start}. */
export type CreateNetwork = (modules: NetworkModules) => Promise<Network>;
